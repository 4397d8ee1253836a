"""Laws of bytes: the way by which calls came changes no file, and what is closed or signed is changed by nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import date
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from chargeback_worlds import MONTHS, OWNERS, World, calls
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from laws import examples
from ledgers import at, contents
from stores import call

from analytics.ledger.entries import Head
from analytics.ledger.line import Kind
from analytics.ledger.verify import verify
from analytics.reviews import files, keeping
from analytics.reviews.document import decoded
from collector.call import Call
from collector.facts import backup
from collector.facts.store import Store

WEEK = "2026-W42"
"""The 12th to the 18th of October, in which workloads move."""
_BY_THE_WAY = ("watermark", "booked_seq")
"""What of a manifest tells how far the journal had come, which repeats and batches do change."""


def booked(world: World, batches: Sequence[Sequence[Call]]) -> dict[str, bytes]:
    """Book, close October, and take every file of it and of a week's review."""
    for batch in batches:
        if batch:
            world.book(batch)
    review = world.review(WEEK)
    found = {"focus of the open month": world.focus("2026-10")}
    world.close("2026-10")
    found |= contents(world.data / "ledger" / "2026-10")
    manifest = json.loads(found.pop("manifest.json"))
    found["manifest"] = json.dumps(
        {name: value for name, value in manifest.items() if name not in _BY_THE_WAY}
    ).encode()
    found["focus"] = world.focus("2026-10")
    found["focus, Parquet"] = world.focus("2026-10", "focus.parquet")
    return found | files.made(review, kinds=("json", "csv", "parquet"))


@settings(max_examples=examples(1), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(made=calls(least=3), rules=st.sampled_from(["shared", "Berlin"]), data=st.data())
def test_permuted_repeated_split_and_late_input_makes_the_same_bytes(
    made: tuple[Call, ...], rules: str, data: st.DataObject
) -> None:
    again = data.draw(st.permutations([*made, *data.draw(st.lists(st.sampled_from(made), max_size=4))]))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(again)), min_size=1, max_size=2)))
    batches = [again[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(again)], strict=True)]
    with TemporaryDirectory() as one, TemporaryDirectory() as other:
        with World(Path(one), settings=rules) as world:
            whole = booked(world, [made])
        with World(Path(other), settings=rules, owners="nobody") as world:
            world.own("gaps")
            parted = booked(world, batches)
    assert [name for name in whole if whole[name] != parted[name]] == []


def frozen(world: World) -> dict[str, Any]:
    """All that must never change of October once it is closed, and of a week that is signed."""
    con = world.store.cursor()
    sealed = keeping.published(con, WEEK)
    assert sealed is not None
    assert sealed.sealed
    return {
        **contents(world.data / "ledger" / "2026-10"),
        "entries": world.sql("SELECT * FROM ledger_entries WHERE period = '2026-10' ORDER BY seq"),
        "close": world.sql("SELECT * FROM ledger_periods WHERE period = '2026-10'"),
        "statements": [
            world.report("statement", period="2026-10", by=by) for by in ("cost_centre", "tenant")
        ],
        "costs": world.report("costs", period="2026-10", by="day,kind,owner"),
        "focus": world.focus("2026-10"),
        "review": files.made(sealed.document, sealed.signatures, kinds=("json", "csv", "parquet")),
    }


def sign(world: World) -> None:
    """Publish the week's review and sign all of it."""
    review = decoded(world.review(WEEK))
    with world.store.transaction() as con:
        kept = keeping.publish(con, review, world.now)
        keeping.sign(con, WEEK, "", name="Zoe", hash_=kept.hash, key="k", note=None, now=world.now)


@settings(max_examples=examples(1), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    made=calls(least=4),
    first=st.sampled_from(sorted(OWNERS)),
    later=st.permutations(["late", "own", "rule", "rerate", "credit", "close", "correct", "restore"]),
)
def test_nothing_that_comes_later_changes_what_is_closed_or_signed_and_corrections_make_up_for_it(
    made: tuple[Call, ...], first: str, later: list[str]
) -> None:
    with TemporaryDirectory() as folder, World(Path(folder), owners=first) as world:
        world.book(made[::2])
        sign(world)
        world.close("2026-10")
        before, entries = frozen(world), world.sql("SELECT count(*) FROM ledger_entries")
        happens: dict[str, Callable[[], object]] = {
            "late": lambda: world.book(made[1::2]),
            "own": lambda: world.own("moved" if first != "moved" else "gaps"),
            "rule": lambda: world.rule("shared"),
            "rerate": lambda: world.rerate("second"),
            "credit": lambda: world.by_hand(Kind.CREDIT, "-0.5", date(2026, 10, 20)),
            "close": lambda: world.close("2026-11"),
            "correct": lambda: world.keeper.correct(write=True),
            "restore": lambda: _restored(world, Path(folder)),
        }
        for step in later:
            happens[step]()
        assert entries <= world.sql("SELECT count(*) FROM ledger_entries")
        assert [name for name, what in frozen(world).items() if what != before[name]] == []
        world.keeper.correct(write=True)
        for month in MONTHS:
            assert (month, world.posted(month)) == (month, _computed(world, month))
        assert world.keeper.correct(write=True).lines.num_rows == 0
        assert world.keeper.verify([]).findings == []


def test_what_is_closed_or_signed_outlives_the_details_that_it_was_made_of(tmp_path: Path) -> None:
    named: dict[str, Any] = {"workload": "writer", "provider": "acme", "model": "m"}
    with World(tmp_path, settings="shared") as world:
        world.book(
            [
                call(n, at(day), tenant=tenant, **named)
                for n, day, tenant in ((1, 2, "acme"), (2, 13, "globex"))
            ]
        )
        world.book([call(3, at(13), **{**named, "workload": "router"}), call(4, at(30), **named)])
        sign(world)
        world.close("2026-10")
        before = frozen(world)
        # On 10 January 80 days are since 22 October; of globex the 13th goes too, and on it what is shared.
        world.retire(80)
        world.erase("globex")
        assert [each[0].day for each in world.sql("SELECT started_at FROM calls")] == [30]
        world.rerate("second")
        world.book([call(5, at(30), **named)])
        world.keeper.correct(write=True)
        # One call more, at 3 and 9.000001 USD a million now; the other of that day costs so much more than at 2 and 8.
        late = 5 * Decimal("0.000003") + Decimal("0.000009000001")
        more = 4 * Decimal("0.000001") + Decimal("0.000001000001")
        posted = world.sql("SELECT sum(amount), sum(calls) FROM ledger_entries WHERE period = '2026-11'")
        assert posted == [(late + more, 1)]
        assert world.keeper.correct(write=True).lines.num_rows == 0
        assert [name for name, what in frozen(world).items() if what != before[name]] == []
        assert world.keeper.verify([]).findings == []


def _computed(world: World, month: str) -> list[tuple[Any, ...]]:
    """What the month's days cost now by the facts, as `posted` has it."""
    lines = world.lines(month)
    found = []
    for currency in (None, "EUR", "USD"):
        of = [line for line in lines if line["currency"] == currency]
        known = [line["amount"] for line in of if line["amount"] is not None]
        amount, count = sum(known) if known else None, sum(line["calls"] for line in of)
        if amount or count:
            found.append((currency, amount, count))
    return found


def _restored(world: World, folder: Path) -> None:
    """Copy it back up and bring the copy back elsewhere: it is the same ledger with the same files."""
    backup.take(world.store, world.data, folder / "copy", world.now)
    backup.restore(folder / "copy", folder / "back", world.now)
    for path in ("2026-10", "HEAD.json"):
        one, other = world.data / "ledger" / path, folder / "back" / "ledger" / path
        assert (
            (contents(other) == contents(one)) if one.is_dir() else (other.read_bytes() == one.read_bytes())
        )
    with closing(Store(folder / "back")) as store:
        head = world.keeper.verify([]).head
        assert verify(store.cursor(), folder / "back", [Head(head.seq, head.hash)]).findings == []
