"""What a person sees and does in headless Chromium, against the real services of an installation without keys."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest
from openpyxl import load_workbook
from playwright.sync_api import BrowserContext, expect
from visiting import FIRST_LOOK_MS, Visit, browsing

from dashboard import look

PAGES = {
    "": ("Live", "northwind-hour"),
    "tasks": ("Tasks", "Task trees in"),
    "showback": ("Showback", "Over time"),
    "policies": ("Policies", "bluebird-hour"),
    "review": ("Review", "Week"),
}
WEEK = """SELECT strftime(max(started_at), '%G-W%V'), strftime(date_trunc('week', max(started_at)), '%Y-%m-%d'),
    strftime(date_trunc('week', max(started_at)) + INTERVAL 6 DAY, '%Y-%m-%d') FROM calls"""


@pytest.fixture(scope="module")
def browser(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrowserContext]:
    """One for all visits: it keeps what all pages load."""
    with browsing(chromium, tmp_path_factory.mktemp("profile")) as running:
        yield running


@pytest.fixture(scope="module")
def address(full: Any, dashboard_of: Any) -> Iterator[str]:
    with dashboard_of(full) as url:
        yield url


@pytest.fixture(scope="module")
def quiet(bare: Any, dashboard_of: Any, passing_collector: Any) -> Iterator[str]:
    """A dashboard of services that have seen nothing, and whose collector may go away."""
    with dashboard_of(replace(bare, collector=passing_collector.url)) as url:
        yield url


def test_live_is_drawn_and_follows_the_reader_into_the_dark(
    browser: BrowserContext, address: str, pictures: Path
) -> None:
    with Visit(browser, address) as live:
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


def test_the_showback_is_drawn_in_the_dark(browser: BrowserContext, address: str, pictures: Path) -> None:
    with Visit(browser, f"{address}/showback?range=1h", "dark") as showback:
        showback.see("Where it goes")
        showback.settle()
        showback.see("Over time")
        showback.keep(pictures, "showback-dark")


def test_the_showback_is_drawn_and_the_csv_of_a_table_is_the_report(
    browser: BrowserContext, address: str, tmp_path: Path, pictures: Path, hostile: str
) -> None:
    with Visit(browser, f"{address}/showback?range=1h") as visit:
        visit.see("Tenants")
        visit.settle()
        visit.see("Over time")
        visit.keep(pictures, "showback-light")
        with visit.page.expect_download() as download:
            visit.page.get_by_test_id("stDownloadButton").get_by_role("button").first.click()
        file = tmp_path / "tenants.csv"
        shutil.copy(download.value.path(), file)
        costs = {row["tenant"]: row["cost"] for row in csv.DictReader(io.StringIO(file.read_text()))}
        assert Decimal(costs["northwind"]) == Decimal("1.8")  # 40 x 4,000 x 2.50 + 140,000 x 10 USD a million
        assert costs[hostile] == ""


def test_nothing_yet_is_said_kindly(browser: BrowserContext, quiet: str, pictures: Path) -> None:
    with Visit(browser, quiet) as live:
        live.see("No spend in two hours.")
        live.keep(pictures, "live-empty")
        live.page.goto(f"{quiet}/showback")
        live.see("No calls in this range.")
        live.keep(pictures, "showback-empty")


def test_a_collector_that_went_and_came_back_needs_no_reload(
    browser: BrowserContext, quiet: str, passing_collector: Any, pictures: Path
) -> None:
    away = "The collector is not answering."
    with Visit(browser, quiet) as live:
        live.see("nothing is booked yet")
        passing_collector.stop()
        live.see(away)
        live.see("Shown below is what it said")
        live.keep(pictures, "live-away")
        # Of a range that nobody has asked for yet: what was just asked is not asked again.
        with Visit(browser, f"{quiet}/showback?range=1h") as showback:
            showback.see(away)
            passing_collector.start()
            live.page.get_by_text(away).wait_for(state="detached", timeout=FIRST_LOOK_MS)
            showback.see("No calls in this range.")


def test_filters_go_into_the_url_and_along_to_the_next_page(browser: BrowserContext, address: str) -> None:
    with Visit(browser, f"{address}/showback?range=1h") as visit:
        visit.settle()
        visit.page.get_by_role("combobox", name="Tenant").fill("bluebird")
        visit.page.get_by_role("option", name="bluebird-retail").click()
        visit.page.wait_for_url("**tenant=bluebird-retail**", timeout=FIRST_LOOK_MS)
        # 39 calls whose usage is known: 4,000 x 0.15 + 900 x 0.60 USD a million, 0.00114 each.
        visit.see("$0.0445")
        visit.page.get_by_role("link", name="Tasks").click()
        visit.page.get_by_role("heading", name="Tasks", exact=True).wait_for(timeout=FIRST_LOOK_MS)
        visit.page.wait_for_url("**/tasks?**tenant=bluebird-retail**", timeout=FIRST_LOOK_MS)
        assert "range=1h" in visit.page.url


def test_a_shared_link_opens_the_same_view(browser: BrowserContext, address: str) -> None:
    with Visit(browser, f"{address}/showback?range=1h&tenant=northwind&workload=nightly-ingest") as visit:
        # 30 calls of 4,000 x 2.50 + 3,000 x 10 USD a million, 0.04 each.
        visit.see("$1.20")
        visit.page.get_by_role("button", name="northwind").first.click(timeout=FIRST_LOOK_MS)
        visit.see("$1.80")
        assert "workload=" not in visit.page.url


def test_an_operator_forces_a_breaker_open_and_restores_it(
    browser: BrowserContext, address: str, full: Any
) -> None:
    def states() -> set[str]:
        budgets = httpx.get(f"{full.policies}/v1/budgets").json()["budgets"]
        return {each["state"] for each in budgets if each["ceiling"] == "bluebird-hour"}

    def do(verb: str, reason: str) -> None:
        dialog = visit.page.get_by_role("dialog")
        visit.page.get_by_role("button", name=f"{verb} …").click()
        # The most urgent one that the page shows; the one in shadow comes after it.
        expect(dialog.get_by_role("combobox", name="Ceiling")).to_have_value("bluebird-hour")
        dialog.get_by_label("Reason").fill(reason)
        dialog.get_by_role("checkbox").check(force=True)
        dialog.get_by_role("button", name=verb, exact=True).click()
        dialog.get_by_text("Done.").wait_for(timeout=FIRST_LOOK_MS)
        visit.page.keyboard.press("Escape")
        dialog.wait_for(state="detached", timeout=FIRST_LOOK_MS)

    with Visit(browser, f"{address}/?tenant=bluebird-retail") as visit:
        visit.see("bluebird-hour")
        assert states() == {"closed"}
        do("Force open", "incident 12")
        visit.see("forced open")
        assert states() == {"forced_open"}
        do("Restore", "it is over")
        assert states() == {"closed"}
    lines = httpx.get(f"{full.policies}/v1/breakers").json()["transitions"]
    by_hand = [line for line in lines if line["policy"] == "bluebird-hour" and line["by"] != "engine"]
    assert [(line["to"], line["reason"]) for line in by_hand[:2]] == [
        ("closed", "it is over"),
        ("forced_open", "incident 12"),
    ]


def test_the_files_of_a_review_open_and_hold_what_the_ledger_does(
    browser: BrowserContext, address: str, full: Any, tmp_path: Path
) -> None:
    with full.client() as client:
        ((week, first, last),) = client.post("/v1/query", json={"sql": WEEK}).json()["rows"]
        booked = client.get("/v1/reports/costs", params={"from": first, "to": last}).json()
    costs = [dict(zip(booked["columns"], row, strict=True))["cost"] for row in booked["rows"]]
    total = sum((Decimal(cost) for cost in costs if cost is not None), Decimal(0))

    def opened(kind: str) -> bytes:
        with visit.page.expect_download(timeout=FIRST_LOOK_MS) as download:
            visit.page.get_by_test_id("stDownloadButton").get_by_role("button", name=kind, exact=True).click()
        return Path(download.value.path()).read_bytes()

    with Visit(browser, f"{address}/review?week={week}&tab=sign-off") as visit:
        visit.see("Files")
        rows = list(csv.DictReader(io.StringIO(opened("CSV").decode())))
        assert Decimal(rows[-1]["actual"]) == total
        assert sum(Decimal(row["actual"] or 0) for row in rows[:-1]) == total
        table = pl.read_parquet(io.BytesIO(opened("Parquet")))
        assert table["actual"][-1] == total
        book = load_workbook(io.BytesIO(opened("XLSX")), read_only=True)
        cells = [cell for sheet in book for row in sheet.iter_rows(values_only=True) for cell in row]
        # A spreadsheet's cells are rounded to the currency's cents.
        assert any(isinstance(cell, int | float) and abs(cell - float(total)) <= 0.005 for cell in cells)
        assert json.loads(opened("JSON"))["week"] == week
        assert opened("PDF").startswith(b"%PDF-")
        assert opened("HTML").startswith(b"<!doctype html>")


NAMELESS = """() => [...document.querySelectorAll('[data-testid=stMain] :is(button, input, select, textarea, a)')]
    .filter(one => one.checkVisibility() && !(one.getAttribute('aria-label') || one.innerText?.trim()
        || one.labels?.length || one.title || one.getAttribute('aria-labelledby')))
    .map(one => one.outerHTML.slice(0, 200))"""
# The arrow of a list is no stop of its own: the field beside it opens the list by keys.
UNREACHABLE = """() => [...document.querySelectorAll('[data-testid=stMain] button')]
    .filter(one => one.checkVisibility() && one.tabIndex < 0 && !one.disabled
        && one.getAttribute('role') !== 'radio' && one.getAttribute('aria-haspopup') !== 'listbox')
    .map(one => one.outerHTML.slice(0, 200))"""


def test_every_control_of_every_page_has_a_name_and_is_reached_by_keys(
    browser: BrowserContext, address: str
) -> None:
    with Visit(browser, address) as visit:
        for path, (title, shown) in PAGES.items():
            visit.page.goto(f"{address}/{path}?range=1h")
            visit.page.get_by_role("heading", name=title, exact=True).wait_for(timeout=FIRST_LOOK_MS)
            visit.see(shown)
            visit.settle(charts=False)
            assert (path, visit.page.evaluate(NAMELESS), visit.page.evaluate(UNREACHABLE)) == (path, [], [])
