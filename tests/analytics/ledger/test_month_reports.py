"""Reports on a month: where plans are heading, who was given shared cost by what, and how far each month is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from charged import live, prices_of
from ledgers import Kept, spent
from ledgers import at as in_october
from stores import book, call

from analytics import registry
from analytics.invoices import Invoice, InvoiceLine
from analytics.ledger.invoiced import keep
from analytics.ledger.live import LiveLines
from analytics.ledger.reports import reports
from analytics.ledger.settings import Chargeback
from analytics.live import Followed, LivePrices
from collector.facts.store import Store
from collector.keys.key import Key
from collector.queries.reader import Reader
from switchgear.usage import Usage

PRICES = """
prices:
  - {provider: openai, models: [big], currency: USD, input: 2, output: 8}
"""
RULES = """
allocation:
  - name: router
    from: 2026-01-01
    pool: {workloads: [{tenant: platform}]}
    method: proportional
    by: tokens
    to: cost_centres
"""
REGISTRY = {
    "workloads": [
        {"tenant": "acme", "workload": "writer", "owner": "ann", "cost_centre": "CC-1"},
        {"tenant": "globex", "workload": "bot", "owner": "bob", "cost_centre": "CC-2"},
        {"tenant": "platform", "workload": "router", "owner": "pam", "cost_centre": "CC-0"},
    ],
    "plans": [
        {"cost_centre": "CC-1", "month": "2026-11", "amount": "20", "currency": "USD"},
        {"cost_centre": "CC-2", "month": "2026-11", "amount": "90", "currency": "USD"},
        {"cost_centre": "CC-9", "month": "2026-11", "amount": "7", "currency": "USD"},
    ],
}
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
NOVEMBER = {"period": "2026-11"}
# Every day at 10:00: 1 USD of acme's, 0.50 of globex's, and 0.30 of the router's.
DAILY = (("acme", "writer", 500_000), ("globex", "bot", 250_000), ("platform", "router", 150_000))


@pytest.fixture(scope="module")
def prices(tmp_path_factory: pytest.TempPathFactory) -> LivePrices:
    return prices_of(tmp_path_factory.mktemp("prices"), PRICES)


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory, prices: LivePrices) -> LiveLines:
    return live(prices, tmp_path_factory.mktemp("rules"), RULES, NOW)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, prices: LivePrices) -> Iterator[Store]:
    """Alike days from 1 October to 20 November."""
    calls = [
        call(
            3 * day + place + 1,
            datetime(2026, 10, 1, 10, tzinfo=UTC) + timedelta(days=day),
            tenant=tenant,
            workload=workload,
            provider="openai",
            model="big",
            usage=Usage(tokens),
        )
        for day in range(51)
        for place, (tenant, workload, tokens) in enumerate(DAILY)
    ]
    with closing(Store(tmp_path_factory.mktemp("data"))) as opened:
        with opened.transaction() as con:
            registry.replace(con, REGISTRY)
        book(opened, calls, prices.quote, NOW)
        yield opened


def ask(lines: LiveLines, store: Store, name: str, **params: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = reports(lines)[name](store.cursor(), params).to_pylist()
    return found


def test_a_plan_is_told_what_it_will_have_cost_at_the_end_with_a_band(lines: LiveLines, store: Store) -> None:
    rows = {row["cost_centre"]: row for row in ask(lines, store, "plan", **NOVEMBER)}
    ann = rows["CC-1"]
    # 20 of 30 days cost 1 USD each, and 0.20 of the router's; today's own half is over, ten days are to come.
    assert ann["cost"] == 20 * (1 + Decimal("0.2"))
    assert abs(ann["forecast"] - ann["cost"] - Decimal("10.5")) < Decimal("0.2")
    assert ann["cost"] < ann["forecast_low"] <= ann["forecast"] <= ann["forecast_high"]
    # 24 are spent of the 20 that were planned.
    assert (ann["forecast_by"], ann["status"], ann["used_up"]) == ("seasonal", "over", date(2026, 11, 20))
    assert (rows["CC-2"]["status"], rows["CC-2"]["used_up"]) == ("ok", None)
    assert [rows["CC-9"][name] for name in ("cost", "forecast", "status")] == [None, None, None]


def test_a_month_that_is_over_will_have_cost_what_it_cost(lines: LiveLines, store: Store) -> None:
    for row in ask(lines, store, "plan", period="2026-10"):
        assert row["forecast_by"] == "complete"
        assert row["forecast_low"] == row["forecast"] == row["forecast_high"] == row["cost"]


def test_shared_cost_is_told_with_its_rule_its_method_and_what_that_went_by(
    lines: LiveLines, store: Store
) -> None:
    acme, globex = ask(lines, store, "allocation", **NOVEMBER)
    assert (acme["rule"], acme["takes"], acme["method"]) == ("router", "platform", "by tokens")
    assert acme["targets"] == "cost centres"
    assert (acme["cost_centre"], acme["tenant"], acme["owner"]) == ("CC-1", "acme", "ann")
    # 20 days of 0.30, by 500,000 and 250,000 tokens a day.
    assert (acme["quantity"], globex["quantity"], acme["unit"]) == (10_000_000, 5_000_000, "Tokens")
    assert (acme["cost"], globex["cost"]) == (4, 2)
    assert acme["share"] == pytest.approx(2 / 3)
    moved = ask(lines, store, "costs", **NOVEMBER, by="kind,cost_centre", kind="shared")
    given = {row["cost_centre"]: row["cost"] for row in moved if row["cost"] > 0}
    assert given == {"CC-1": 4, "CC-2": 2}


def test_whoever_sees_a_part_of_shared_cost_is_told_no_share_of_all(
    lines: LiveLines, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("analytics.ledger.allocated.is_cut", lambda _: True)
    rows = ask(lines, store, "allocation", **NOVEMBER)
    assert [(row["cost"], row["share"]) for row in rows] == [(4, None), (2, None)]


def test_a_month_without_shared_cost_has_no_row(prices: LivePrices, store: Store, tmp_path: Path) -> None:
    assert ask(live(prices, tmp_path), store, "allocation", **NOVEMBER) == []


def test_a_tenant_is_told_no_plan_and_nothing_of_what_others_were_given(
    lines: LiveLines, store: Store
) -> None:
    key = Key("k", ("acme",), frozenset({"read"}))
    with closing(Reader(store)) as reader, reader.cursor_of(key) as con:
        found = {name: reports(lines)[name](con, NOVEMBER).to_pylist() for name in ("plan", "allocation")}
    assert {(row["cost_centre"], row["plan"]) for row in found["plan"]} == {("CC-1", None)}
    assert found["allocation"] == []


def test_months_are_told_from_the_first_with_calls_to_todays(lines: LiveLines, store: Store) -> None:
    rows = ask(lines, store, "periods")
    assert [(row["period"], row["state"], row["closed_at"]) for row in rows] == [
        ("2026-11", "open", None),
        ("2026-10", "open", None),
    ]
    assert (rows[0]["first_day"], rows[0]["last_day"]) == (date(2026, 11, 1), date(2026, 11, 30))


@pytest.mark.parametrize(
    ("billed", "state"),
    [
        pytest.param(None, "closed", id="no invoice"),
        pytest.param("10.40", "reconciled", id="within the tolerance of 1 USD"),
        pytest.param("11.60", "closed", id="outside"),
    ],
)
def test_a_closed_month_is_reconciled_once_its_invoices_fit(
    tmp_path: Path, prices: LivePrices, billed: str | None, state: str
) -> None:
    days = (date(2026, 10, 1), date(2026, 10, 31))
    with Kept(tmp_path / "data") as kept:
        kept.own()
        kept.book(spent(6_000_000, in_october(3)), spent(4_000_000, in_october(4), "globex"))
        if billed is not None:
            line = InvoiceLine(
                *("openai", date(2026, 10, 3), "m", None, "input", None),
                *(Decimal(10_000_000), Decimal(billed), "USD", "m, input"),
            )
            bill = Invoice("openai", "a", "a" * 64, "USD", days, "UTC", (line,), "table")
            with kept.store.transaction() as con:
                keep(con, [bill], None, kept.keeper.period("2026-10"), "ann", kept.now)
        kept.close("2026-10", *(["residual"] if billed == "11.60" else []))
        lines = LiveLines(prices, Followed("chargeback", None, lambda _: Chargeback()), lambda: kept.now)
        rows = reports(lines)["periods"](kept.store.cursor(), {}).to_pylist()
    assert [(row["period"], row["state"]) for row in rows] == [("2026-11", "open"), ("2026-10", state)]
