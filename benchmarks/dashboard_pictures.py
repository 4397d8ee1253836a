"""The pictures of record: each page of a running dashboard, wide and narrow, light and dark.

    python benchmarks/dashboard_pictures.py http://127.0.0.1:8501 --out docs/pictures

Look at each one afterwards: a picture proves nothing that nobody has seen.
"""

from __future__ import annotations

import argparse
import io
import shutil
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

PLACES = {
    "live": "",
    "tasks": "tasks?range=90d",
    "tasks-runaways": "tasks?range=90d&tab=runaways",
    "showback": "showback?range=90d&compare=1",
    "showback-units": "showback?range=90d&tab=units",
    "showback-charged": "showback?tab=charged",
    "showback-causes": "showback?range=90d&tab=causes",
    "showback-ledger": "showback?tab=ledger",
    "policies": "policies",
    "policies-explain": "policies?tab=explain",
    "policies-shadows": "policies?tab=shadows",
    "policies-backtest": "policies?tab=backtest",
    "review": "review",
    "review-findings": "review?tab=findings",
    "review-actions": "review?tab=actions",
    "review-signing": "review?tab=sign-off",
}
WIDTHS = {"1440": 1440, "800": 800}
SCHEMES = ("light", "dark")
WITHIN_MS = 90_000
RESTED = """() => document.querySelector('[data-testid=stApp]')?.dataset.testScriptState === 'notRunning'
    && ![...document.querySelectorAll('[data-testid=stSkeleton], [role=progressbar]')]
        .some(one => one.checkVisibility())
    && [...document.querySelectorAll('[data-testid=stDataFrame]')].every(one => one.querySelector('canvas'))
    && [...document.querySelectorAll('.js-plotly-plot')].every(one => one.querySelector('.main-svg'))"""


def main() -> None:
    """Take them, and name each file as it is written."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("url", help="where the dashboard is")
    parser.add_argument("--out", type=Path, default=Path("docs/pictures"), help="the folder of the pictures")
    parser.add_argument("--only", nargs="*", choices=sorted(PLACES), help="these alone")
    parser.add_argument("--task", help="a task, as tenant/task: its tree is one more picture")
    parser.add_argument("--widths", nargs="*", choices=sorted(WIDTHS), default=sorted(WIDTHS))
    parser.add_argument("--schemes", nargs="*", choices=SCHEMES, default=SCHEMES)
    asked = parser.parse_args()
    places = {name: PLACES[name] for name in asked.only or PLACES}
    if asked.task:
        tenant, _, task = asked.task.partition("/")
        places["task"] = f"tasks?range=90d&task={task}&of={tenant}"
    asked.out.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as play:
        chrome = play.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for width in asked.widths:
            for scheme in asked.schemes:
                reader = chrome.new_context(
                    viewport={"width": WIDTHS[width], "height": 900}, color_scheme=scheme
                )
                page = reader.new_page()
                for name, place in places.items():
                    path = asked.out / f"{name}-{width}-{scheme}.png"
                    _take(page, f"{asked.url}/{place}", WIDTHS[width], path)
                    print(path, flush=True)
                reader.close()


def _take(page: Page, url: str, width: int, path: Path) -> None:
    page.goto(url)
    page.get_by_test_id("stMain").get_by_role("heading").first.wait_for(timeout=WITHIN_MS)
    page.wait_for_timeout(1_500)
    page.wait_for_function(RESTED, timeout=WITHIN_MS)
    page.wait_for_timeout(1_500)
    height = page.evaluate("document.querySelector('[data-testid=stMainBlockContainer]').scrollHeight")
    page.set_viewport_size({"width": width, "height": min(int(height) + 80, 3_000)})
    page.wait_for_timeout(1_200)
    # 256 colours are enough for a page, and a quarter of the bytes.
    Image.open(io.BytesIO(page.screenshot())).convert("RGB").quantize(256).save(path, optimize=True)
    page.set_viewport_size({"width": width, "height": 900})


if __name__ == "__main__":
    main()
