"""The pages against the real services: logic by AppTest, and what a person sees in headless Chromium."""

from __future__ import annotations

import csv
import io
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import httpx
import pytest
from playwright.sync_api import BrowserContext, Page, sync_playwright
from streamlit.testing.v1 import AppTest

import dashboard
from cli import review as review_verb
from dashboard import look

APP = Path(dashboard.__file__).with_name("app.py")
FIRST_LOOK_MS = 20_000


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch, full: Any) -> Iterator[AppTest]:
    from dashboard import session

    monkeypatch.setenv("SWITCHGEAR_COLLECTOR", full.collector)
    monkeypatch.setenv("SWITCHGEAR_POLICIES", full.policies)
    session.services.clear()
    yield AppTest.from_file(str(APP), default_timeout=20)
    session.services.clear()


def html_of(app: AppTest) -> str:
    return " ".join(str(element.proto.body) for element in app.get("html"))


def test_live_shows_the_open_breaker_and_what_is_not_known(app: AppTest) -> None:
    app.run()
    assert not app.exception
    page = html_of(app)
    assert "northwind-hour" in page
    assert "5 unpriced, 1 incomplete" in page


def test_live_says_that_the_services_are_away_and_goes_on(
    app: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SWITCHGEAR_COLLECTOR", "http://127.0.0.1:1")
    monkeypatch.setenv("SWITCHGEAR_POLICIES", "http://127.0.0.1:1")
    app.run()
    assert not app.exception
    page = html_of(app)
    assert "The collector is not answering." in page
    assert "The policy engine is not answering." in page
    assert "It has not been seen yet." in page


def test_the_showback_opens_where_its_url_says(app: AppTest) -> None:
    app.query_params["range"] = "1h"
    app.query_params["tenant"] = "northwind"
    app.switch_page("views/showback.py").run()
    assert not app.exception
    names = app.dataframe[0].value["workload"].tolist()
    assert sorted(names) == ["contract-review", "nightly-ingest"]
    assert [button.label for button in app.button] == ["All tenants"]


def test_the_review_of_the_real_collector_adds_up(full: Any, tmp_path: Path) -> None:
    spent = httpx.get(
        f"{full.collector}/v1/reports/spend",
        params={"from": "2000-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z"},
    ).json()
    ((moment,),) = httpx.post(
        f"{full.collector}/v1/query", json={"sql": "SELECT strftime(max(started_at), '%G-W%V') FROM calls"}
    ).json()["rows"]
    cost = Decimal(dict(zip(spent["columns"], spent["rows"][0], strict=True))["cost"])
    assert review_verb.run(moment, out=tmp_path, collector=full.collector, api_key=None, as_json=False) == 0
    rows = list(csv.DictReader(io.StringIO((tmp_path / f"review-{moment}.csv").read_text())))
    assert Decimal(rows[-1]["actual"]) == cost
    assert sum(Decimal(row["actual"] or 0) for row in rows[:-1]) == cost
    trips = {row["owner"]: row["breaker_trips"] for row in rows}
    # The ceiling over everything is in shadow: its trip stopped nobody. The row without an owner is the total.
    assert (trips["data-platform"], trips["customer-care"], trips[""]) == ("1", "0", "1")
    assert (tmp_path / f"review-{moment}.html").read_text().startswith("<!doctype html>")


def test_the_review_of_an_empty_week_says_so_and_is_written(
    full: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        review_verb.run("2001-W07", out=tmp_path, collector=full.collector, api_key=None, as_json=False) == 0
    )
    assert "No calls were booked in 2001-W07." in capsys.readouterr().out
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".csv", ".html", ".parquet"]


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[BrowserContext]:
    """One for all visits: it keeps what all pages load."""
    with sync_playwright() as play:
        running = play.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield running.new_context(viewport={"width": 1440, "height": 1000})
        running.close()


@pytest.fixture(scope="module")
def address(full: Any, dashboard_of: Any) -> Iterator[str]:
    with dashboard_of(full) as url:
        yield url


@pytest.fixture(scope="module")
def quiet(bare: Any, dashboard_of: Any, passing_collector: Any) -> Iterator[str]:
    """A dashboard of services that have seen nothing, and whose collector may go away."""
    with dashboard_of(replace(bare, collector=passing_collector.url)) as url:
        yield url


class Visit:
    """A page that notes every request that leaves this machine, and every error."""

    def __init__(self, browser: BrowserContext, url: str, scheme: Literal["light", "dark"] = "light") -> None:
        self.page: Page = browser.new_page()
        self.page.emulate_media(color_scheme=scheme)
        self.strangers: list[str] = []
        self.errors: list[str] = []
        self.page.on("request", lambda request: self._note(request.url))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.goto(url)

    def _note(self, url: str) -> None:
        if not re.match(r"(https?|wss?)://127\.0\.0\.1[:/]|data:|blob:", url):
            self.strangers.append(url)

    def see(self, text: str) -> None:
        self.page.get_by_text(text).first.wait_for(timeout=FIRST_LOOK_MS)

    def settle(self, *, charts: bool = True) -> None:
        """Wait until the charts and tables of the page are drawn."""
        if charts:
            self.page.locator(".js-plotly-plot .main-svg").first.wait_for(timeout=FIRST_LOOK_MS)
        self.page.wait_for_function(
            "[...document.querySelectorAll('[data-testid=stDataFrame]')].every("
            "grid => grid.querySelector('canvas')?.clientWidth > 200)",
            timeout=FIRST_LOOK_MS,
        )
        self.page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def keep(self, folder: Path, name: str) -> None:
        folder.mkdir(exist_ok=True)
        self.page.screenshot(path=folder / f"{name}.png", full_page=True)

    def leave(self) -> None:
        self.page.close()
        assert self.strangers == []
        assert self.errors == []


def test_live_is_drawn_and_follows_the_reader_into_the_dark(
    browser: BrowserContext, address: str, pictures: Path
) -> None:
    live = Visit(browser, address)
    live.see("northwind-hour")
    live.settle()
    live.keep(pictures, "live-light")
    live.page.emulate_media(color_scheme="dark")
    ink = f"rgb({', '.join(str(part) for part in bytes.fromhex(look.dark.soft[1:]))})"
    live.page.wait_for_function(
        "ink => document.querySelector('.js-plotly-plot .xtick text')?.style.fill === ink",
        arg=ink,
        timeout=FIRST_LOOK_MS,
    )
    live.keep(pictures, "live-dark")
    live.leave()


def test_the_showback_is_drawn_in_the_dark(browser: BrowserContext, address: str, pictures: Path) -> None:
    showback = Visit(browser, f"{address}/showback?range=1h", "dark")
    showback.see("Where it goes")
    showback.settle()
    showback.see("Owners")
    showback.keep(pictures, "showback-dark")
    showback.leave()


def test_a_hostile_name_is_text_wherever_it_stands(
    browser: BrowserContext, address: str, pictures: Path, hostile: str
) -> None:
    query = httpx.QueryParams({"range": "1h", "tenant": hostile, "workload": hostile})
    visit = Visit(browser, f"{address}/showback?{query}")
    visit.see("Models")
    visit.see("Owners")
    visit.settle(charts=False)
    assert visit.page.locator("img[src*='evil']").count() == 0
    visit.keep(pictures, "hostile")
    visit.leave()


def test_the_showback_is_drawn_and_the_csv_of_a_table_is_the_report(
    browser: BrowserContext, address: str, tmp_path: Path, pictures: Path, hostile: str
) -> None:
    visit = Visit(browser, f"{address}/showback?range=1h")
    visit.see("Tenants")
    visit.settle()
    visit.see("Owners")
    visit.keep(pictures, "showback-light")
    with visit.page.expect_download() as download:
        visit.page.get_by_test_id("stDownloadButton").get_by_role("button").first.click()
    file = tmp_path / "tenants.csv"
    shutil.copy(download.value.path(), file)
    costs = {row["tenant"]: row["cost"] for row in csv.DictReader(io.StringIO(file.read_text()))}
    assert Decimal(costs["northwind"]) == Decimal("1.8")  # 40 x 4,000 x 2.50 + 140,000 x 10 USD a million
    assert costs[hostile] == ""
    visit.leave()


def test_nothing_yet_is_said_kindly(browser: BrowserContext, quiet: str, pictures: Path) -> None:
    live = Visit(browser, quiet)
    live.see("No spend in the last 15 minutes.")
    live.keep(pictures, "live-empty")
    live.page.goto(f"{quiet}/showback")
    live.see("No calls in this range.")
    live.keep(pictures, "showback-empty")
    live.leave()


def test_a_collector_that_went_and_came_back_needs_no_reload(
    browser: BrowserContext, quiet: str, passing_collector: Any, pictures: Path
) -> None:
    away = "The collector is not answering."
    live = Visit(browser, quiet)
    live.see("none yet")
    passing_collector.stop()
    live.see(away)
    live.see("Shown below is what it said")
    live.keep(pictures, "live-away")
    # Of a range that nobody has asked for yet: what was just asked is not asked again.
    showback = Visit(browser, f"{quiet}/showback?range=1h")
    showback.see(away)
    passing_collector.start()
    live.page.get_by_text(away).wait_for(state="detached", timeout=FIRST_LOOK_MS)
    showback.see("No calls in this range.")
    showback.leave()
    live.leave()
