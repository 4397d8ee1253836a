"""Visiting: the dashboard as a person has it, in headless Chromium, with all that comes in and goes out noted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, Self

from playwright.sync_api import BrowserContext, Page, WebSocket, sync_playwright

__all__ = ["FIRST_LOOK_MS", "Visit", "browsing"]

FIRST_LOOK_MS = 20_000
# A page's scripts are 10 MB, and compiling them is most of what a visit costs: they are kept compiled from the first
# visit on, and not optimized for a run of hours.
_FLAGS = (
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--blink-settings=v8CacheOptions=3",
    "--js-flags=--no-opt",
)
_OWN = re.compile(r"(https?|wss?)://127\.0\.0\.1[:/]|data:|blob:")


@contextmanager
def browsing(chromium: str, profile: Path) -> Iterator[BrowserContext]:
    """Headless Chromium for all visits of a file, with what it keeps in the folder `profile`."""
    with sync_playwright() as play:
        running = play.chromium.launch_persistent_context(
            profile,
            executable_path=chromium,
            args=_FLAGS,
            viewport={"width": 1440, "height": 1000},
            reduced_motion="reduce",
        )
        yield running
        running.close()


class Visit:
    """A page that notes every request that leaves this machine, every error, and every byte that it is told.

    Tables are drawn on a canvas, where no text can be looked for: what a page was told is what it can show.
    """

    def __init__(self, browser: BrowserContext, url: str, scheme: Literal["light", "dark"] = "light") -> None:
        self.page: Page = browser.new_page()
        self.page.emulate_media(color_scheme=scheme)
        self.strangers: list[str] = []
        self.errors: list[str] = []
        self._told: list[bytes] = []
        self.page.on("request", lambda request: self._note(request.url))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("websocket", self._listen)
        self.page.goto(url)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.page.close()
        if kind is None:
            assert self.strangers == []
            assert self.errors == []

    def was_told(self, text: str) -> bool:
        """Whether anything that the page was sent over its socket holds the text."""
        return any(text.encode() in frame for frame in self._told)

    def see(self, text: str) -> None:
        """Wait until the text can be seen."""
        self.page.get_by_text(text).first.wait_for(timeout=FIRST_LOOK_MS)

    def settle(self, *, charts: bool = True) -> None:
        """Wait until the page runs no more and its charts and tables are drawn."""
        if charts:
            self.page.locator(".js-plotly-plot .main-svg").first.wait_for(timeout=FIRST_LOOK_MS)
        self.page.wait_for_function(
            "[...document.querySelectorAll('[data-testid=stDataFrame]')].every("
            "grid => grid.querySelector('canvas')?.clientWidth > 200)",
            timeout=FIRST_LOOK_MS,
        )
        self.page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def rest(self) -> None:
        """Wait until the page's program has ended."""
        self.page.wait_for_function(
            "!document.querySelector('[data-testid=stApp][data-test-script-state=running]')",
            timeout=FIRST_LOOK_MS,
        )

    def keep(self, folder: Path, name: str) -> None:
        """Keep a picture of the whole page."""
        folder.mkdir(exist_ok=True)
        self.page.screenshot(path=folder / f"{name}.png", full_page=True)

    def _note(self, url: str) -> None:
        if not _OWN.match(url):
            self.strangers.append(url)

    def _listen(self, socket: WebSocket) -> None:
        self._note(socket.url)
        socket.on("framereceived", lambda frame: self._told.append(_bytes(frame)))


def _bytes(frame: str | bytes) -> bytes:
    return frame.encode() if isinstance(frame, str) else frame
