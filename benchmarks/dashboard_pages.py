"""The dashboard's pages over a million calls: how soon a cold browser sees the first chart, and a filter its figures.

The services run as a user would start them, and headless Chromium opens each page in a profile of its own, with nothing
cached: until the first chart or table is drawn. Then one browser goes on, as a reader does: another range, tenant,
grouping, tab. Each is timed from the click until the page stands still with new figures, charts drawn.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from playwright.sync_api import Browser, BrowserType, Page, sync_playwright
from server import SWITCHGEAR, Collector, Policies, Server, free_port

CALLS = 1_000_000
POLICY_FILE = Path(__file__).parents[1] / "cli" / "demo" / "policies.yaml"
FIRST_CHART, ALL_OF_IT, FILTER = "at most 5,000", "no bar", "at most 1,500"
WITHIN_MS = 60_000
# What is drawn first on a page: a chart, a table, or a picture of ours.
DRAWN = ".js-plotly-plot .main-svg, [data-testid=stDataFrame] canvas, iframe, .sg-grid, .sg-empty"
# What stands on a page only once all of it is there, where that is not so with the first chart.
LAST_DRAWN: Mapping[str, str] = {"Review": ".sg-table"}
PAGES: Mapping[str, str] = {
    "Live": "/",
    "Tasks": "/tasks?range=90d",
    "Showback, a day": "/showback",
    "Showback, 90 days": "/showback?range=90d",
    "Showback, unit costs": "/showback?range=90d&tab=units",
    "Policies": "/policies",
    "Review": "/review",
}
# What a reader sees change: the figures are other ones, nothing on the page is an old one, and it stays so for a while:
# between the two runs of a script that goes elsewhere the page looks settled too.
STILL_MS = 200
SETTLED = """before => {
    const app = document.querySelector('[data-testid=stApp]');
    const figures = document.querySelector('.sg-figures');
    const settled = app && app.getAttribute('data-test-script-state') === 'notRunning'
        && location.href !== before.place && figures && !document.querySelector('[data-stale=true]')
        && (!before.changes || figures.innerText !== before.figures);
    if (!settled) { window.settledAt = null; return false; }
    window.settledAt ??= performance.now();
    return performance.now() - window.settledAt >= before.still;
}"""
PAINTED = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"


def main() -> None:
    """Print a line a figure: min, median and max in milliseconds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, help="a collector's data with a history; default: one is made")
    parser.add_argument("--calls", type=int, default=CALLS, help="how many calls there are, where it is made")
    parser.add_argument("--rounds", type=int, default=3, help="how often each is done")
    asked = parser.parse_args()
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        raise SystemExit("no chromium on this machine; apt-get install chromium")
    with ExitStack() as stack:
        folder = asked.folder or stack.enter_context(_history(asked.calls))
        url = stack.enter_context(_served(folder))
        play = stack.enter_context(sync_playwright())
        print(f"{'ms, of ' + str(asked.rounds):<44}{'min':>8}{'median':>8}{'max':>8}", flush=True)
        for name, path in PAGES.items():
            last = LAST_DRAWN.get(name, DRAWN)
            opened = [_opened(play.chromium, chromium, url + path, last) for _ in range(asked.rounds)]
            _tell(f"first chart: {name}", [first for first, _ in opened], FIRST_CHART)
            if name in LAST_DRAWN:
                _tell("  all of it", [whole for _, whole in opened], ALL_OF_IT)
        browser = stack.enter_context(_browser(play.chromium, chromium))
        for name, times in _steps(browser, url, asked.rounds):
            _tell(name, times, FILTER)


def _tell(name: str, times: list[float], wanted: str) -> None:
    low, middle, high = min(times), statistics.median(times), max(times)
    print(f"  {name:<42}{low:>8,.0f}{middle:>8,.0f}{high:>8,.0f}  (wanted: {wanted})", flush=True)


@contextmanager
def _history(calls: int) -> Iterator[Path]:
    """A company's 90 days, made up as `switchgear demo` does it."""
    with tempfile.TemporaryDirectory(prefix="switchgear-dashboard-") as made:
        folder = Path(made) / "data"
        wanted = [
            "--history",
            "90d",
            "--seed",
            "7",
            "--plant",
            "all",
            "--calls",
            str(calls),
            "--data",
            str(folder),
        ]
        subprocess.run([SWITCHGEAR, "demo", *wanted], check=True, stdout=subprocess.DEVNULL)
        yield folder


@contextmanager
def _served(folder: Path) -> Iterator[str]:
    """Collector, policy engine and dashboard; the dashboard's address."""
    with ExitStack() as stack, tempfile.TemporaryDirectory(prefix="switchgear-engine-") as engine:
        running: list[Server] = [Collector(folder)]
        stack.callback(lambda: [server.stop() for server in reversed(running)])
        running[0].wait_ready()
        running.append(Policies(Path(engine) / "data", POLICY_FILE, collector=running[0].url))
        running[1].wait_ready()
        port = str(free_port())
        places = ["--collector", running[0].url, "--policies", running[1].url, "--port", port]
        running.append(
            Server(
                [SWITCHGEAR, "serve", "dashboard", *places],
                f"http://127.0.0.1:{port}",
                ready="/_stcore/health",
                log=Path(engine) / "dashboard.log",
            )
        )
        running[2].wait_ready()
        yield running[2].url


@contextmanager
def _browser(kind: BrowserType, program: str) -> Iterator[Browser]:
    running = kind.launch(executable_path=program, args=["--no-sandbox", "--disable-dev-shm-usage"])
    try:
        yield running
    finally:
        running.close()


def _opened(kind: BrowserType, program: str, url: str, last: str) -> tuple[float, float]:
    """From the moment that a browser with nothing cached is told the address until it has drawn a chart or table.

    And until it has drawn what matches `last`.
    """
    with _browser(kind, program) as browser:
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        begun = time.perf_counter()
        page.goto(url)
        page.locator(DRAWN).first.wait_for(timeout=WITHIN_MS)
        page.evaluate(PAINTED)
        first = (time.perf_counter() - begun) * 1000
        page.locator(last).first.wait_for(timeout=WITHIN_MS)
        page.evaluate(PAINTED)
        return first, (time.perf_counter() - begun) * 1000


def _steps(browser: Browser, url: str, rounds: int) -> Iterator[tuple[str, list[float]]]:
    """What a reader of the Showback page does, there and back, over 90 days of calls."""
    page = browser.new_page(viewport={"width": 1440, "height": 1000})
    page.goto(f"{url}/showback?range=90d")
    page.locator(".js-plotly-plot .main-svg").first.wait_for(timeout=WITHIN_MS)
    page.wait_for_timeout(3_000)
    segment = lambda words: lambda: page.get_by_role("radio", name=words, exact=True).click()  # noqa: E731
    both: Mapping[str, tuple[Callable[[], None], Callable[[], None], bool]] = {
        "range: 90 days to 30 days": (segment("30 d"), segment("90 d"), True),
        "filter: a tenant": (lambda: _choose(page, 0), lambda: _clear(page), True),
        "group by workload": (segment("Workload"), segment("Tenant"), False),
        "measure: tokens": (segment("Tokens"), segment("Cost"), False),
        "compare with the range before": (_toggle(page), _toggle(page), True),
        "tab: unit costs": (segment("Unit costs"), segment("Where it goes"), True),
    }
    for name, (there, back, changes) in both.items():
        ways: tuple[list[float], list[float]] = ([], [])
        for _ in range(rounds):
            ways[0].append(_timed(page, there, changes=changes))
            ways[1].append(_timed(page, back, changes=changes))
        yield name, ways[0]
        yield "  and back", ways[1]


def _timed(page: Page, act: Callable[[], None], *, changes: bool) -> float:
    """From before `act` until the page stands still at another place; `changes`: with other headline figures."""
    before = {
        "place": page.url,
        "figures": page.locator(".sg-figures").first.inner_text(),
        "changes": changes,
        "still": STILL_MS,
    }
    page.evaluate("window.settledAt = null")
    begun = time.perf_counter()
    act()
    page.wait_for_function(SETTLED, arg=before, timeout=WITHIN_MS, polling="raf")
    page.evaluate(PAINTED)
    took = (time.perf_counter() - begun) * 1000 - STILL_MS
    page.wait_for_timeout(1_500)
    return took


def _choose(page: Page, place: int) -> None:
    box = page.get_by_test_id("stSelectbox").nth(place)
    box.locator("input").click()
    page.get_by_role("option").nth(1).click()


def _clear(page: Page) -> None:
    page.get_by_test_id("stSelectbox").first.get_by_role("button", name="Clear").first.click()


def _toggle(page: Page) -> Callable[[], None]:
    return lambda: page.get_by_text("Compare", exact=True).first.click()


if __name__ == "__main__":
    main()
