"""Laws across chargeback: one sum everywhere, by whatever it is asked; what is not known stays so, and is counted."""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow.parquet as pq
from chargeback_worlds import MONTHS, OWNERS, World, calls
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from laws import examples
from stores import call

from analytics.ledger.line import Kind
from analytics.ledger.reports import BUCKETS, DIMENSIONS
from analytics.reviews.document import decoded
from analytics.variance import bridge, bridges, skus
from collector.call import Call

Sums = dict[str | None, Decimal | None]

STEPS = ("calls", "own", "rule", "rerate", "credit", "adjustment", "close", "correct")
"""What may happen to a world, with the name of what it comes to."""


@st.composite
def stories(draw: st.DrawFn) -> list[tuple[str, str]]:
    """What happens to a company, in order. Months are closed in between; two credits and rerates at most."""
    which = {
        "own": st.sampled_from(sorted(OWNERS)),
        "rule": st.sampled_from(["plain", "shared"]),
        "rerate": st.sampled_from(["first", "second"]),
    }
    steps = draw(st.lists(st.sampled_from(STEPS), min_size=2, max_size=6, unique=True))
    return [(step, draw(which.get(step, st.just("")))) for step in steps]


def told(world: World, story: Iterable[tuple[str, str]], waiting: list[Call]) -> None:
    """Let all of it happen; `waiting` are the calls that come late, the last of them after everything else."""
    months = iter(MONTHS)
    for step, name in story:
        if step == "calls":
            world.book([waiting.pop() for _ in range(len(waiting) // 2)])
        elif step == "own":
            world.own(name)
        elif step == "rule":
            world.rule(name)
        elif step == "rerate":
            world.rerate(name)
        elif step in ("credit", "adjustment"):
            world.by_hand(Kind(step), "-0.25" if step == "credit" else "0.125", date(2026, 10, 12))
        elif step == "close":
            world.close(next(months))
        else:
            world.keeper.correct(write=True)
    world.book(waiting)


def sums(rows: Sequence[Mapping[str, Any]], amount: str = "cost") -> Sums:
    """By currency, without those of which nothing is known; unknown is no amount, and not 0."""
    found: defaultdict[str | None, Decimal] = defaultdict(Decimal)
    for row in rows:
        assert (row[amount] is None) >= (row["currency"] is None)
        if row[amount] is not None:
            found[row["currency"]] += row[amount]
    return {currency: each for currency, each in found.items() if each}


def counted(rows: Sequence[Mapping[str, Any]], *names: str) -> list[int]:
    return [sum(row[name] for row in rows) for name in names]


def by_the_facts(world: World, month: str) -> Sums:
    """What a month comes to, said in another way: calls and rerates by SQL, and what was posted."""
    period = world.keeper.period(month)
    span = [period.start, period.stop]
    posted = "SELECT currency, sum(amount) FROM ledger_entries WHERE period = $1"
    if world.sql("SELECT 1 FROM ledger_periods WHERE period = $1", month):
        rows = world.sql(f"{posted} GROUP BY ALL", month)
    else:
        inside = "started_at >= $1 AND started_at < $2"
        rows = world.sql(f"SELECT currency, sum(cost) FROM calls WHERE {inside} GROUP BY ALL", *span)
        rows += world.sql(
            f"SELECT currency, sum(delta) FROM adjustments WHERE applies AND {inside} GROUP BY ALL",
            *span,
        )
        beside = (
            f"{posted} AND (day NOT BETWEEN $2 AND $3 OR kind NOT IN ('usage', 'rerate', 'charge', 'shared'))"
        )
        rows += world.sql(f"{beside} GROUP BY ALL", month, period.first_day, period.last_day)
        rows += [
            (line["currency"], line["amount"]) for line in world.lines(month) if line["kind"] == "charge"
        ]
    return sums([{"currency": currency, "cost": cost} for currency, cost in rows])


def billed(world: World, month: str) -> tuple[Sums, int, int]:
    """Of the FOCUS rows of a month: BilledCost by currency, calls, and calls whose cost is not known."""
    rows = pq.read_table(io.BytesIO(world.focus(month, "focus.parquet"))).to_pylist()
    named = [{"currency": row["BillingCurrency"], "cost": row["BilledCost"]} for row in rows]
    unknown = [row["x_Calls"] for row in rows if row["x_CostSource"] == "unknown"]
    return sums(named), sum(row["x_Calls"] for row in rows), sum(unknown)


@settings(max_examples=examples(1), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    calls(),
    stories(),
    st.sampled_from(["plain", "shared", "Berlin"]),
    st.sampled_from(MONTHS),
    st.permutations([*DIMENSIONS, *BUCKETS, "tenant,owner,cost_centre,day"]),
)
def test_every_way_to_add_a_month_up_gives_the_same_to_the_last_place(
    made: tuple[Call, ...], story: list[tuple[str, str]], settings_: str, month: str, ways: list[str]
) -> None:
    with TemporaryDirectory() as folder, World(Path(folder), settings=settings_) as world:
        first = len(made) // 2
        world.book(made[:first])
        told(
            world,
            story if settings_ != "Berlin" else [each for each in story if each[0] != "rule"],
            [*made[first:]],
        )
        total = world.report("costs", period=month)
        wanted = by_the_facts(world, month)
        assert sums(total) == wanted
        names = ("calls", "unpriced_calls", "incomplete_calls")
        for by in ways[:3]:
            rows = world.report("costs", period=month, by=by)
            assert (by, sums(rows)) == (by, wanted)
            assert (by, counted(rows, *names)) == (by, counted(total, *names))
        for by in ("cost_centre", "tenant"):
            rows = world.report("statement", period=month, by=by)
            assert (by, sums([row for row in rows if row["section"] == "total"])) == (by, wanted)
            assert (by, sums([row for row in rows if row["section"] != "total"])) == (by, wanted)
        for name in ("plan", "margin"):
            assert (name, sums(world.report(name, period=month))) == (name, wanted)
        assert sums(world.report("costs", period=month, by="meter")) == wanted
        unknown = [row for row in total if row["currency"] is None]
        assert billed(world, month) == (wanted, *counted(total, "calls"), *counted(unknown, "calls"))


def test_a_week_in_two_currencies_has_a_review_in_one_that_names_the_other(tmp_path: Path) -> None:
    with World(tmp_path) as world:
        at = datetime(2026, 10, 14, 12, tzinfo=UTC)
        named: dict[str, Any] = {"workload": "writer", "provider": "acme"}
        world.book([call(1, at, model="m", **named), call(2, at, model="odd", **named)])
        review = decoded(world.review("2026-W42"))
    # The first has 1 token in at 2 USD a million and 1 out at 8.
    assert (review.currency, review.total.actual) == ("USD", Decimal("0.000010"))


def test_a_price_and_a_rerate_are_all_that_unpriced_calls_want_to_be_closed(tmp_path: Path) -> None:
    def against() -> set[str]:
        _, found, _ = world.keeper.check(world.keeper.period("2026-10"))
        return {each.code for each in found}

    with World(tmp_path, settings="strict") as world:
        at = datetime(2026, 10, 2, tzinfo=UTC)
        world.book([call(1, at, workload="writer", provider="acme", model="new")])
        # What is missing to a commitment is nobody's, and there is no invoice.
        assert against() == {"unpriced", "unowned", "no_invoice"}
        world.rerate("second")
        assert against() == {"unowned", "no_invoice"}


@settings(max_examples=examples(1), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(calls(least=4), st.sampled_from(["plain", "shared", "Berlin"]))
def test_what_is_shared_moves_and_adds_nothing_and_parts_of_a_change_are_the_change(
    made: tuple[Call, ...], settings_: str
) -> None:
    with TemporaryDirectory() as folder, World(Path(folder), settings=settings_) as world:
        world.book(made)
        before, now = (world.lines(month) for month in MONTHS)
        for lines in (before, now):
            shares: defaultdict[Any, Decimal] = defaultdict(Decimal)
            for line in lines:
                if line["kind"] == "shared":
                    shares[line["day"], line["rule"], line["reference"], line["currency"]] += line["amount"]
            assert set(shares.values()) <= {Decimal(0)}
        for currency in ("USD", "EUR"):
            old, new = (
                [line for line in lines if line["currency"] in (currency, None)] for lines in (before, now)
            )
            whole = bridge(skus(old), skus(new))
            change = sums(new, "amount").get(currency, 0) - sums(old, "amount").get(currency, 0)
            assert sum(whole.parts.values()) == whole.change == change
            for by in ("owner", "workload", "tenant"):
                apart = bridges(old, new, lambda line, by=by: line[by]).values()
                assert sum(each.change for each in apart) == change
                assert all(sum(each.parts.values()) == each.change for each in apart)
