"""What one viewer of the Live page costs the dashboard, while an incident goes on: `make bench-dashboard`.

The demo's 2 a.m. scene is played against a collector and an engine, and headless Chromium is on the page. The time is
that of the dashboard's whole process over a minute, beside the same process with nobody looking. Wanted: a tenth of one
core at most, and a page that is read again each second.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import threading
import time
from contextlib import closing, suppress
from pathlib import Path

from playwright.sync_api import Page, sync_playwright
from server import SWITCHGEAR, Server, free_port

from cli import demo
from cli.demo.children import Children, DemoError
from cli.demo.scene import Part, Services, play, services

MOST_OF_A_CORE = 0.10
_POLICIES = Path(str(demo.__file__)).with_name("policies.yaml")
_SETTLES_S = 8.0
# The scene's arrivals last 40 s a scale, and outlast the minute that is measured.
_SCALE = 3.0
# What the page says of how fresh it is, four times a second: how often that was something new.
_COUNT_LOOKS = """seconds => new Promise(resolve => {
  let looks = 0, before = "";
  const timer = setInterval(() => {
    const now = document.querySelector(".sg-live-head")?.innerText + document.querySelector(".sg-figures")?.innerText;
    if (now !== before) { looks += 1; before = now; }
  }, 250);
  setTimeout(() => { clearInterval(timer); resolve(looks); }, seconds * 1000);
})"""


def dashboard(where: Services, folder: Path) -> Server:
    """The dashboard as its own process, before these services."""
    port = free_port()
    places = ["--collector", where.collector, "--policies", where.policies, "--port", str(port)]
    return Server(
        [SWITCHGEAR, "serve", "dashboard", *places],
        f"http://127.0.0.1:{port}",
        ready="/_stcore/health",
        log=folder / "dashboard.log",
    )


def share_of_core(server: Server, seconds: float) -> float:
    """The part of a core that the server uses over so long."""
    used, began = server.cpu_s, time.monotonic()
    time.sleep(seconds)
    return (server.cpu_s - used) / (time.monotonic() - began)


def watched(server: Server, page: Page, seconds: float) -> tuple[float, int]:
    """The part of a core while a viewer looks, and how many times the page was another."""
    page.goto(server.url)
    page.wait_for_selector(".sg-figures", timeout=60_000)
    page.wait_for_timeout(_SETTLES_S * 1000)
    used, began = server.cpu_s, time.monotonic()
    looks: int = page.evaluate(_COUNT_LOOKS, seconds)
    return (server.cpu_s - used) / (time.monotonic() - began), looks


def run(folder: Path, chromium: str, seconds: float) -> int:
    """Play, look and print; 1 where it costs more than is wanted."""
    with Children(folder) as children:
        where = services(children, folder, _POLICIES)
        server = dashboard(where, folder)
        server.wait_ready()
        idle = share_of_core(server, seconds / 3)
        part = Part(seed=7, scale=_SCALE, guarded=True)
        scene = threading.Thread(target=_play, args=(children, folder, where, part), daemon=True)
        scene.start()
        with sync_playwright() as playing, closing(server.http):
            browser = playing.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            used, looks = watched(server, browser.new_page(viewport={"width": 1440, "height": 1000}), seconds)
            browser.close()
        was_incident = scene.is_alive()
        server.kill()
    print(f"nobody looks              {idle:6.1%} of a core")
    print(f"one viewer of Live        {used:6.1%} of a core, {looks} looks in {seconds:.0f} s")
    print(f"wanted                    {MOST_OF_A_CORE:6.1%} at most, a look each second")
    if not was_incident:
        print("the scene had ended before the minute was over")
    return int(used > MOST_OF_A_CORE or looks < 0.8 * seconds or not was_incident)


def _play(children: Children, folder: Path, where: Services, part: Part) -> None:
    # It is ended in the middle, with its provider.
    with suppress(DemoError):
        play(children, folder, where, part, lambda *_: None)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a quarter of a minute")
    chosen = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        print("no chromium on this machine; apt-get install chromium")
        return 2
    with tempfile.TemporaryDirectory(prefix="switchgear-bench-") as name:
        return run(Path(name), chromium, 15.0 if chosen.quick else 60.0)


if __name__ == "__main__":
    sys.exit(main())
