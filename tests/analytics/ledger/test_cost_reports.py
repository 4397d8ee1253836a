"""Reports over lines: each total is that of the ledger, and what has no owner or price is always there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import duckdb
import pyarrow as pa
import pytest
from charged import live, prices_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stores import book, call

from analytics import registry
from analytics.ledger.line import LINES
from analytics.ledger.live import LiveLines
from analytics.ledger.reports import BUCKETS, DIMENSIONS, reports
from analytics.live import LivePrices
from collector.facts.statements import registered
from collector.facts.store import Store
from collector.keys.key import Key
from collector.queries.reader import Reader
from collector.reporting import ReportError
from switchgear.usage import Usage

PRICES = """
prices:
  - {provider: openai, models: [big], currency: USD, input: 2, cache_read: 0.2, output: 8}
  - {provider: mistral, models: [small], currency: EUR, input: 1, output: 1}
"""
CHARGEBACK = """
allocation:
  - name: platform
    from: 2026-01-01
    pool: {workloads: [{tenant: platform}]}
    method: proportional
    by: tokens
    to: cost_centres
"""
CONTRACTS = """
contracts:
  - name: openai-2026
    provider: openai
    currency: USD
    from: 2026-01-01
    commitment: {monthly: 10 USD}
"""
REGISTRY = {
    "workloads": [
        {"tenant": "acme", "workload": "writer", "owner": "ann", "cost_centre": "CC-1"},
        {"tenant": "globex", "workload": "bot", "owner": "bob", "cost_centre": "CC-2"},
        {"tenant": "platform", "workload": "router", "owner": "pam", "cost_centre": "CC-0"},
    ],
    "plans": [
        {"cost_centre": "CC-1", "month": "2026-11", "amount": "30", "currency": "USD"},
        {"cost_centre": "CC-9", "month": "2026-11", "amount": "7", "currency": "USD"},
    ],
}
NOVEMBER = {"period": "2026-11"}


def at(day: int, month: int = 11) -> datetime:
    return datetime(2026, month, day, 12, tzinfo=UTC)


def calls() -> list[Any]:
    """In November: 1 USD of acme's, 0.5 of globex's, 0.1 of the platform's, and what is unowned, foreign or unknown."""
    big = {"provider": "openai", "model": "big", "usage": Usage(500_000)}
    half = {**big, "usage": Usage(250_000)}
    return [
        call(1, at(3), tenant="acme", workload="writer", attempts=2, **big),
        call(2, at(4), tenant="globex", workload="bot", **half),
        call(
            3,
            at(4),
            tenant="platform",
            workload="router",
            provider="openai",
            model="big",
            usage=Usage(50_000),
        ),
        call(4, at(5), tenant="acme", workload="nobody's", **half),
        call(5, at(6), tenant="acme", workload="writer", provider="mistral", model="small", usage=Usage(9)),
        call(
            6, at(9), tenant="globex", workload="bot", provider="openai", model="unheard-of", usage=Usage(70)
        ),
        call(7, at(9), tenant="globex", workload="bot", usage=None, provider="openai", model="big"),
        call(8, at(20, month=10), tenant="acme", workload="writer", **big),
    ]


@pytest.fixture(scope="module")
def prices(tmp_path_factory: pytest.TempPathFactory) -> LivePrices:
    return prices_of(tmp_path_factory.mktemp("files"), PRICES, CONTRACTS)


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory, prices: LivePrices) -> LiveLines:
    return live(prices, tmp_path_factory.mktemp("chargeback"), CHARGEBACK)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, prices: LivePrices) -> Iterator[Store]:
    """October is closed with one line, and a line for one of its days was booked in November."""
    with closing(Store(tmp_path_factory.mktemp("data"))) as opened:
        with opened.transaction() as con:
            registry.replace(con, REGISTRY)
        book(opened, calls(), prices.quote, at(19))
        with opened.transaction() as con:
            close_october(con)
            posted(con, 1, "2026-10", date(2026, 10, 20), "usage", Decimal("0.75"))
            posted(con, 2, "2026-11", date(2026, 10, 20), "usage", Decimal("0.25"))
            posted(con, 3, "2026-11", date(2026, 11, 10), "credit", Decimal("-0.10"))
        yield opened


def close_october(con: Any) -> None:
    con.execute(
        "INSERT INTO ledger_periods BY NAME SELECT '2026-10' AS period, 'UTC' AS zone, now() AS starts,"
        " now() AS ends, now() AS closed_at, 'ann' AS closed_by, 0 AS booked_seq, 1 AS first_seq,"
        " 1 AS last_seq, '[]' AS totals, '' AS root_hash, '{}' AS terms, '{}' AS files"
    )


def posted(con: Any, seq: int, period: str, day: date, kind: str, amount: Decimal) -> None:
    row = dict.fromkeys(LINES.names) | dict.fromkeys([f.name for f in LINES if f.type == pa.int64()], 0)
    row |= {
        "day": day,
        "kind": kind,
        "tenant": "acme",
        "cost_centre": "CC-1",
        "owner": "ann",
        "currency": "USD",
    }
    row |= {"amount": amount, "amount_other": amount}
    with registered(con, posted_rows=pa.Table.from_pylist([row], LINES)):
        con.execute(
            "INSERT INTO ledger_entries BY NAME SELECT *, $seq AS seq, $period AS period, now() AS posted_at,"
            " '' AS prev_hash, '' AS hash FROM posted_rows",
            {"seq": seq, "period": period},
        )


def ask(lines: LiveLines, store: Store, name: str, params: dict[str, str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = reports(lines)[name](store.cursor(), params).to_pylist()
    return found


def sums(rows: list[dict[str, Any]]) -> dict[str, Decimal]:
    found: dict[str, Decimal] = {}
    for row in rows:
        if row["cost"] is not None:
            found[row["currency"]] = found.get(row["currency"], Decimal(0)) + row["cost"]
    return found


# 1.00 + 0.50 + 0.10 + 0.50 of calls, 10 - 2.10 that is missing to the commitment, 0.25 for October, a credit of 0.10.
USD = Decimal("2.10") + Decimal("7.90") + Decimal("0.25") - Decimal("0.10")
EUR = 9 * Decimal("0.000001")


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    by=st.sets(st.sampled_from([*DIMENSIONS, "meter"]), max_size=5), bucket=st.sampled_from([None, *BUCKETS])
)
def test_cost_by_whatever_adds_up_to_the_period(
    lines: LiveLines, store: Store, by: set[str], bucket: str | None
) -> None:
    names = ",".join([*sorted(by), *([bucket] if bucket else [])])
    rows = ask(lines, store, "costs", {**NOVEMBER, "by": names})
    assert sums(rows) == {"USD": USD, "EUR": EUR}
    if "meter" not in by:
        assert sum(row["calls"] for row in rows) == 7


def test_what_has_no_owner_no_price_or_no_use_is_a_row(lines: LiveLines, store: Store) -> None:
    rows = ask(lines, store, "costs", {**NOVEMBER, "by": "owner,state", "kind": "usage"})
    told = {(row["owner"], row["state"], row["currency"]): (row["calls"], row["cost"]) for row in rows}
    assert told[None, "complete", "USD"] == (1, Decimal("0.5"))
    assert told["bob", "unpriced", None] == (1, None)
    assert told["bob", "incomplete", None] == (1, None)
    (total,) = [row for row in ask(lines, store, "costs", NOVEMBER) if row["currency"] is None]
    assert (total["calls"], total["unpriced_calls"], total["incomplete_calls"], total["cost"]) == (
        2,
        1,
        1,
        None,
    )


def test_a_closed_period_is_read_from_the_ledger_and_a_day_of_it_with_its_corrections(
    lines: LiveLines, store: Store
) -> None:
    # The call itself cost 1.00; 0.75 were charged in October, and 0.25 in November.
    assert sums(ask(lines, store, "costs", {"period": "2026-10"})) == {"USD": Decimal("0.75")}
    day = {"from": "2026-10-20", "to": "2026-10-20"}
    assert sums(ask(lines, store, "costs", day)) == {"USD": Decimal("1.00")}
    both = {"from": "2026-10-01", "to": "2026-11-30"}
    assert sums(ask(lines, store, "costs", both)) == {"USD": USD + Decimal("0.75"), "EUR": EUR}


def test_shared_cost_leaves_its_origin_and_reaches_those_whom_it_is_for(
    lines: LiveLines, store: Store
) -> None:
    rows = ask(lines, store, "costs", {**NOVEMBER, "by": "cost_centre,rule", "kind": "shared"})
    # On that day globex alone used anything else.
    assert {(row["cost_centre"], row["rule"]): row["cost"] for row in rows} == {
        ("CC-0", "platform"): Decimal("-0.10"),
        ("CC-2", "platform"): Decimal("0.10"),
    }


def test_what_is_missing_to_a_commitment_is_a_charge_of_the_last_day(lines: LiveLines, store: Store) -> None:
    (row,) = lines.of_range(store.cursor(), date(2026, 11, 30), date(2026, 11, 30)).to_pylist()
    assert (row["kind"], row["item"], row["amount"]) == ("charge", "shortfall: commitment", Decimal("7.90"))
    assert row["details"] == '{"so_far":"2026-11-20"}'
    assert row["contract"].startswith("openai-2026 ")


def test_a_statement_lists_what_makes_its_total(lines: LiveLines, store: Store) -> None:
    rows = ask(lines, store, "statement", {**NOVEMBER, "by": "cost_centre", "name": "CC-1"})
    told = [(row["section"], row["workload"], row["meter"], row["currency"], row["cost"]) for row in rows]
    assert told == [
        ("usage", "writer", "input", "EUR", EUR),
        ("total", None, None, "EUR", EUR),
        ("correction", None, "other", "USD", Decimal("0.25")),
        ("credit", None, "other", "USD", Decimal("-0.10")),
        ("usage", "writer", "input", "USD", Decimal("1.00")),
        ("total", None, None, "USD", Decimal("1.15")),
    ]
    served = ask(lines, store, "statement", {**NOVEMBER, "by": "tenant"})
    assert sums([row for row in served if row["section"] == "total"]) == {"USD": USD, "EUR": EUR}
    assert sums([row for row in served if row["section"] != "total"]) == {"USD": USD, "EUR": EUR}


def test_plan_stands_beside_cost_and_what_of_it_is_due(lines: LiveLines, store: Store) -> None:
    rows = {(row["cost_centre"], row["currency"]): row for row in ask(lines, store, "plan", NOVEMBER)}
    # It is the 20th: 19 of 30 days are over, and 30 USD were planned.
    ann = rows["CC-1", "USD"]
    assert (ann["elapsed_days"], ann["days"], ann["due"]) == (19, 30, Decimal(19))
    assert (ann["cost"], ann["ahead"], ann["left"]) == (
        Decimal("1.15"),
        Decimal("1.15") - 19,
        30 - Decimal("1.15"),
    )
    assert (rows["CC-9", "USD"]["cost"], rows["CC-9", "USD"]["left"]) == (None, 7)
    assert (rows["CC-2", "USD"]["plan"], rows["CC-2", "USD"]["due"]) == (None, None)
    assert rows[None, "USD"]["cost"] == Decimal("0.50") + Decimal("7.90")


def test_margin_is_revenue_less_cost_and_not_known_without_revenue(lines: LiveLines, store: Store) -> None:
    with store.transaction() as con:
        con.execute("DELETE FROM registry_revenue")
        con.execute("INSERT INTO registry_revenue VALUES ('globex', DATE '2026-11-01', 5, 'USD')")
    rows = {(row["tenant"], row["currency"]): row for row in ask(lines, store, "margin", NOVEMBER)}
    # 0.50 of its own, and the platform's 0.10 that was moved to it.
    cost = rows["globex", "USD"]["cost"]
    assert rows["globex", "USD"]["margin"] == 5 - cost
    assert cost == Decimal("0.50") + Decimal("0.10")
    assert rows["acme", "USD"]["margin"] is None


def test_a_key_for_a_tenant_is_told_its_own_calls_and_what_was_posted_that_it_may_see(
    lines: LiveLines, store: Store
) -> None:
    def costs(scope: str, params: dict[str, str]) -> dict[str, Decimal]:
        with (
            closing(Reader(store)) as reader,
            reader.cursor_of(Key("k", ("acme",), frozenset({scope}))) as con,
        ):
            rows: list[dict[str, Any]] = reports(lines)["costs"](con, {**params, "by": "tenant"}).to_pylist()
            assert {row["tenant"] for row in rows} <= {"acme"}
            return sums(rows)

    # 1.00 + 0.50 of its calls; a correction and a credit for finance alone.
    assert costs("read", NOVEMBER) == {"USD": Decimal("1.50"), "EUR": EUR}
    assert costs("finance", NOVEMBER) == {"USD": Decimal("1.65"), "EUR": EUR}
    # What was posted for October, or what its call cost.
    assert costs("finance", {"period": "2026-10"}) == {"USD": Decimal("0.75")}
    assert costs("read", {"period": "2026-10"}) == {"USD": Decimal("1.00")}


def test_a_tenants_months_add_up_where_its_first_call_came_after_the_close(
    tmp_path: Path, prices: LivePrices
) -> None:
    lines = live(prices, tmp_path)
    key = Key("k", ("acme",), frozenset({"finance"}))
    big = {"tenant": "acme", "workload": "writer", "provider": "openai", "model": "big"}
    with closing(Store(tmp_path)) as opened, closing(Reader(opened)) as reader:

        def costs() -> list[dict[str | None, Decimal]]:
            with reader.cursor_of(key) as con:
                months = [reports(lines)["costs"](con, {"period": f"2026-{month}"}) for month in (10, 11)]
                return [sums(month.to_pylist()) for month in months]

        with opened.transaction() as con:
            close_october(con)
        book(opened, [call(1, at(20, month=10), usage=Usage(500_000), **big)], prices.quote, at(19))
        assert costs() == [{"USD": Decimal(1)}, {}]
        with opened.transaction() as con:
            posted(con, 1, "2026-11", date(2026, 10, 20), "usage", Decimal(1))
        # Charged in November, and so in October no more.
        assert costs() == [{}, {"USD": Decimal(1)}]


def test_a_day_is_computed_again_once_something_of_it_has_changed(tmp_path: Path, prices: LivePrices) -> None:
    first = [
        call(1, at(3), tenant="acme", workload="w", provider="openai", model="big", usage=Usage(500_000))
    ]
    more = [call(2, at(3), tenant="acme", workload="w", provider="openai", model="big", usage=Usage(500_000))]
    lines = live(prices, tmp_path)
    with closing(Store(tmp_path)) as opened:

        def told() -> list[tuple[str | None, Decimal]]:
            rows = lines.of_range(opened.cursor(), date(2026, 11, 3), date(2026, 11, 3)).to_pylist()
            return [(row["owner"], row["amount"]) for row in rows]

        book(opened, first, prices.quote, at(19))
        assert told() == told() == [(None, Decimal(1))]
        book(opened, more, prices.quote, at(19))
        assert told() == [(None, Decimal(2))]
        with opened.transaction() as con:
            workload = {"tenant": "acme", "workload": "w", "owner": "eve", "cost_centre": "CC-1"}
            registry.replace(con, {"workloads": [workload], "plans": []})
        assert told() == [("eve", Decimal(2))]


@pytest.mark.parametrize(
    ("name", "params", "problem"),
    [
        ("costs", {}, "from: '' is no day; write one"),
        ("costs", {"from": "2026-11-02", "to": "2026-11-01"}, "to: 2026-11-01 is before from"),
        ("costs", {**NOVEMBER, "by": "hour"}, "ask the report `spend` by hour"),
        ("costs", {**NOVEMBER, "by": "colour"}, "by: 'colour' is unknown; there are: tenant"),
        ("costs", {**NOVEMBER, "by": "day,week"}, "one of day, week, month at most"),
        ("costs", {**NOVEMBER, "from": "2026-11-02"}, "period: leave out from and to"),
        ("costs", {"period": "November"}, 'period: "November" is no period'),
        ("statement", {**NOVEMBER, "by": "model"}, "by: 'model' has no statements"),
        ("plan", {"from": "2026-11", "to": "2026-10"}, "to: 2026-10 must be from 2026-11 on"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_what_can(
    lines: LiveLines, store: Store, name: str, params: dict[str, str], problem: str
) -> None:
    with pytest.raises(ReportError) as told:
        ask(lines, store, name, params)
    assert problem in str(told.value)


@pytest.mark.parametrize("name", ["costs", "statement", "plan", "margin"])
def test_the_last_month_that_can_be_named_can_be_asked_for(lines: LiveLines, store: Store, name: str) -> None:
    rows = ask(lines, store, name, {"period": "9998-12"})
    assert Decimal(10) in [row["cost"] for row in rows]  # the commitment


@pytest.mark.parametrize(
    "interrupt", [duckdb.InterruptException, OSError], ids=["of-a-statement", "of-rows-read-by-batch"]
)
def test_a_report_that_is_interrupted_says_how_to_go_on(lines: LiveLines, interrupt: type[Exception]) -> None:
    class Interrupted:
        def begin(self) -> None:
            raise interrupt("INTERRUPT Error: Interrupted!")

    with pytest.raises(ReportError, match="the days that were computed are kept: ask again"):
        reports(lines)["costs"](cast("duckdb.DuckDBPyConnection", Interrupted()), NOVEMBER)
