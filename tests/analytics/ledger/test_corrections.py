"""Corrections: what came late or changed is charged in an open period, and what was closed never changes."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest
from charged import live, prices_of
from hypothesis import given, settings
from hypothesis import strategies as st
from laws import examples
from ledgers import OWNED, Kept, at, contents, spent

from analytics.ledger.chain import ENTRIES
from analytics.ledger.corrections import difference
from collector.erasing.horizon import Horizon
from collector.erasing.retention import Retention, Sweep

MOVED = {"workloads": [{**each, "cost_centre": "CC-7", "owner": "eve"} for each in OWNED["workloads"]]}
BOOKED = "SELECT seq, period, day, cost_centre, calls, amount FROM ledger_entries WHERE seq > $1 ORDER BY seq"


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    """October, closed with 100 of acme and 50 of globex, in millionths of a dollar."""
    with Kept(tmp_path / "data") as found:
        found.own()
        found.book(spent(100, at(3)), spent(50, at(4), "globex"))
        found.close()
        yield found


def millionths(amount: Decimal) -> Decimal:
    return amount * 1_000_000


def test_a_late_call_is_charged_in_the_open_period_with_its_day(kept: Kept) -> None:
    kept.book(spent(7, at(9)))
    shown = kept.keeper.correct(write=False)
    assert (shown.period, shown.lines.num_rows, shown.posted) == ("2026-11", 1, None)
    assert kept.sql("SELECT count(*) FROM ledger_entries") == [(2,)]
    kept.keeper.correct(write=True)
    assert kept.sql(BOOKED, [2]) == [(3, "2026-11", date(2026, 10, 9), "CC-1", 1, Decimal("0.000007"))]
    assert kept.keeper.correct(write=True).lines.num_rows == 0


def test_the_next_close_posts_what_nobody_corrected_before(kept: Kept) -> None:
    kept.book(spent(7, at(9)))
    kept.keeper.correct(write=True)
    kept.book(spent(8, at(9)), spent(20, at(2, month=11)))
    kept.now = datetime(2026, 12, 5, tzinfo=UTC)
    closed = kept.close("2026-11")
    # 7 and 8 of October, 20 of November: one entry each, two of them by this close
    assert closed.totals == [{"currency": "USD", "amount": "0.000035", "entries": 3, "calls": 3}]
    assert (closed.first_seq, closed.last_seq, closed.reach) == (4, 5, "3-5")
    assert kept.verify().findings == []


def test_a_moved_owner_is_taken_from_the_one_and_given_to_the_other(kept: Kept) -> None:
    kept.own(MOVED)
    kept.keeper.correct(write=True)
    found = {(row[3], row[4], millionths(row[5])) for row in kept.sql(BOOKED, [2])}
    assert found == {("CC-1", -1, -100), ("CC-7", 1, 100), ("CC-2", -1, -50), ("CC-7", 1, 50)}
    assert kept.charged("2026-11") == 0


def test_better_usage_is_charged_as_the_difference(kept: Kept) -> None:
    kept.book(spent(3, at(5), usage=None))
    kept.keeper.correct(write=True)
    assert kept.sql("SELECT calls, amount FROM ledger_entries WHERE seq = 3") == [(1, None)]
    kept.sql(
        "UPDATE booked SET state = 'complete', cost = 0.000003, currency = 'USD' WHERE state = 'incomplete'"
    )
    kept.keeper.correct(write=True)
    rows = kept.sql("SELECT state, calls, amount FROM ledger_entries WHERE seq > 3 ORDER BY calls")
    assert rows == [("incomplete", -1, None), ("complete", 1, Decimal("0.000003"))]


def test_before_the_first_close_there_is_nothing_to_correct(tmp_path: Path) -> None:
    with Kept(tmp_path) as found:
        found.book(spent(1, at(3)))
        nothing = found.keeper.correct(write=True)
        assert (nothing.period, nothing.lines.num_rows) == (None, 0)


def test_days_whose_calls_were_deleted_stay_as_they_were_posted(kept: Kept) -> None:
    # As retention leaves it of all that began before the 4th, and an erasure of globex on the 4th.
    kept.sql("DELETE FROM booked")
    kept.sql("UPDATE rollup_hours_base SET details = false")
    kept.sql("INSERT INTO rollup_hours_base BY NAME SELECT *, false AS details FROM rollup_hours_recent")
    kept.sql("DELETE FROM rollup_hours_recent")
    kept.sql("UPDATE rollup_hours_base SET tenant = 'deleted-1' WHERE tenant = 'globex'")
    kept.book(spent(7, at(9)), spent(8, at(4)))
    kept.keeper.correct(write=True)
    # acme's late call of the 4th counts, for only globex was erased there; nothing else of these days moves
    found = [(row[2].day, row[3], millionths(row[5])) for row in kept.sql(BOOKED, [2])]
    assert found == [(4, "CC-1", 8), (9, "CC-1", 7)]


def test_nothing_of_a_shared_cost_moves_on_a_day_with_deletions(kept: Kept) -> None:
    compute = kept.keeper._compute

    def shared(con: object, period: object) -> object:
        lines = compute(con, period)  # type: ignore[arg-type]
        rows = [{**row, "kind": "shared"} for row in lines.to_pylist()]
        return lines.from_pylist(rows, schema=lines.schema)

    kept.keeper._compute = shared  # type: ignore[assignment]
    assert kept.keeper.correct(write=False).lines.num_rows == 4  # from usage to shared, of two days
    kept.sql("UPDATE rollup_hours_recent SET tenant = 'x' WHERE tenant = 'globex'")
    kept.sql(
        "INSERT INTO rollup_hours_base BY NAME SELECT *, false AS details FROM rollup_hours_recent WHERE tenant = 'x'"
    )
    kept.sql("DELETE FROM rollup_hours_recent WHERE tenant = 'x'")
    assert {row["day"].day for row in kept.keeper.correct(write=False).lines.to_pylist()} == {3}


steps = st.lists(
    st.sampled_from(["calls", "late", "again", "move", "back", "correct", "close", "rerate"]),
    min_size=1,
    max_size=8,
)


@settings(max_examples=examples(3), deadline=None)
@given(steps, st.integers(0, 10**6))
def test_what_is_charged_for_days_is_what_they_cost_and_closed_bytes_never_change(
    order: list[str], seed: int
) -> None:
    random = Random(seed)
    with tempfile.TemporaryDirectory() as folder, Kept(Path(folder)) as kept:
        kept.own()
        made = [
            spent(number, at(random.randint(1, 31)), random.choice(("acme", "globex")))
            for number in range(1, 9)
        ]
        waiting = random.sample(made, len(made))
        months = iter(range(10, 13))
        frozen: dict[str, dict[str, bytes]] = {}
        for step in [*order, "correct"]:
            if step in ("calls", "late") and waiting:
                kept.book(waiting.pop())
            elif step == "again":
                kept.book(*random.sample(made, 2))
                waiting = [each for each in waiting if each.trace_id not in _booked(kept)]
            elif step in ("move", "back"):
                kept.own(MOVED if step == "move" else OWNED)
            elif step == "rerate":
                kept.sql("UPDATE booked SET cost = cost * 2, price_version = price_version || '+'")
            elif step == "correct":
                kept.keeper.correct(write=True)
            elif step == "close" and (month := next(months, None)):
                name = f"2026-{month}"
                kept.now = datetime(2027, 2, 1, tzinfo=UTC)
                kept.close(name, *([] if "wait" not in kept.check(name) else ["wait"]))
                frozen[name] = contents(kept.data / "ledger" / name)
            assert {name: contents(kept.data / "ledger" / name) for name in frozen} == frozen
        for name in frozen:
            period = kept.keeper.period(name)
            con = kept.store.cursor()
            assert difference(con, period, kept.keeper._compute, kept.settings.calendar).num_rows == 0
            ((computed,),) = kept.sql(
                "SELECT sum(cost) FROM calls WHERE started_at >= $1 AND started_at < $2",
                [period.start, period.stop],
            )
            ((charged,),) = kept.sql(
                "SELECT sum(amount) FROM ledger_entries WHERE day BETWEEN $1 AND $2",
                [period.first_day, period.last_day],
            )
            assert (charged or 0) == (computed or 0)
        assert kept.verify().findings == []


def _booked(kept: Kept) -> set[str]:
    return {trace for (trace,) in kept.sql("SELECT trace_id FROM booked")}


def test_the_entries_that_are_read_back_are_those_that_were_made(kept: Kept) -> None:
    from analytics.ledger.entries import of_period, pages

    con = kept.store.cursor()
    (page,) = pages(con)
    assert page.schema == ENTRIES
    assert page == of_period(con, "2026-10")


def test_what_a_contract_charges_is_not_told_again_of_a_month_of_which_calls_were_deleted(
    tmp_path: Path,
) -> None:
    contract = (
        "{name: big, provider: openai, currency: USD, from: 2026-01-01, commitment: {monthly: 0.001 USD}}"
    )
    prices = prices_of(tmp_path, contracts=f"contracts: [{contract}]")
    with Kept(tmp_path / "data") as kept:
        kept.keeper._compute = live(prices, tmp_path).of_period
        kept.own()
        # 1,050 millionths of 1,000 that were committed: nothing is missing.
        kept.book(spent(1000, at(3)), spent(50, at(20)))
        kept.close()
        tenth = datetime(2026, 11, 9, tzinfo=UTC)
        sweep = Sweep(kept.store, Retention(details=30), Horizon(kept.store), now=lambda: tenth)
        while kept.sql("SELECT count(*) FROM booked") != [(1,)]:
            sweep()
        assert kept.keeper.correct(write=False).lines.to_pylist() == []
        # What still can be told is: a late call of a day whose calls are there.
        kept.book(spent(7, at(21)))
        (late,) = kept.keeper.correct(write=False).lines.to_pylist()
        assert (late["kind"], late["day"].day, millionths(late["amount"])) == ("usage", 21, 7)
