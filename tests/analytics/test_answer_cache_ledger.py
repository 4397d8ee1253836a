"""What a cache saved stands beside what is charged, and in none of it: no total, bill, export or closed period."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from chargeback_worlds import World, calls
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from laws import examples
from msgspec.structs import replace
from stores import call

from analytics.reviews.document import decoded, encoded
from analytics.reviews.sections import sections
from collector.call import Call, Kind
from switchgear.usage import Usage

MID = datetime(2026, 10, 14, 12, tzinfo=UTC)
SAVED = "saved by the cache (not billed, net)"


def told(number: int, outcome: str, *, output: int = 1_000_000, **fields: Any) -> Call:
    """A request of a million tokens out: 8 USD by the first prices of these worlds."""
    kind = Kind.SERVED if outcome in ("exact", "semantic") else Kind.LLM
    named: dict[str, Any] = {
        "workload": "writer",
        "provider": "acme",
        "usage": Usage(0, output=output),
        "cache": outcome,
        "kind": kind,
    }
    return call(1000 + number, MID, **{**named, **fields})


@st.composite
def answers(draw: st.DrawFn) -> list[Call]:
    """Answers out of a cache, at any time of both months."""
    return [
        told(
            number,
            draw(st.sampled_from(["exact", "semantic"])),
            output=draw(st.integers(0, 10**6)),
            started_at=MID + timedelta(hours=draw(st.integers(-300, 1000))),
            workload=draw(st.sampled_from(["writer", "router", None])),
            tenant=draw(st.sampled_from(["acme", "globex"])),
            model=draw(st.sampled_from(["m", "odd", "new"])),
        )
        for number in range(draw(st.integers(1, 6)))
    ]


@settings(max_examples=examples(1), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(made=calls(most=6), free=answers())
def test_whatever_a_cache_served_nothing_that_is_charged_changes(
    made: tuple[Call, ...], free: list[Call]
) -> None:
    with (
        TemporaryDirectory() as one,
        TemporaryDirectory() as other,
        World(Path(one), settings="shared") as cached,
        World(Path(other), settings="shared") as plain,
    ):
        cached.book([*free, *made])
        plain.book(made)
        for world in (cached, plain):
            world.rerate("second")
        assert charged(cached, "2026-10") == charged(plain, "2026-10")
        assert cached.focus("2026-10") == plain.focus("2026-10")
        of_week = decoded(cached.review("2026-W42"))
        assert replace(of_week, served=(), cover=None) == replace(
            decoded(plain.review("2026-W42")), cover=None
        )
        for world in (cached, plain):
            world.close("2026-10")
        assert cached.posted("2026-10") == plain.posted("2026-10")
        for name in ("cost_centres.csv", "tenants.csv"):
            closed = [(world.data / "ledger" / "2026-10" / name).read_bytes() for world in (cached, plain)]
            assert closed[0] == closed[1]


def charged(world: World, month: str) -> dict[str, Any]:
    """All that is charged in a month, in every form that there is of it."""
    forms: dict[str, Any] = {
        by: [row for row in world.report("statement", period=month, by=by) if row["section"] != "saved"]
        for by in ("cost_centre", "tenant")
    }
    forms |= {by or "all": world.report("costs", period=month, by=by) for by in ("", "workload,model,day")}
    return forms | {name: world.report(name, period=month) for name in ("margin", "allocation")}


def statement(world: World, month: str, **more: str) -> list[dict[str, Any]]:
    """The statements of a month by tenant."""
    asked = {"period": month, "by": "tenant", **more}
    found: list[dict[str, Any]] = world.reports["statement"](world.store.cursor(), asked).to_pylist()
    return found


def test_a_statement_names_what_the_cache_saved_after_its_totals_in_a_column_of_its_own(
    tmp_path: Path,
) -> None:
    outcomes = ["miss", "exact", "semantic", "audit_same", "audit_same", "audit_same", "audit_different"]
    with World(tmp_path) as world:
        world.book([told(n, each, model="m") for n, each in enumerate(outcomes)])
        rows = statement(world, "2026-10", name="acme")
        # Four audits and a miss were paid, 8 USD each.
        assert [(row["section"], row["cost"], row["saved"]) for row in rows] == [
            ("usage", Decimal(40), None),
            ("total", Decimal(40), None),
            # 8 of the exact one, and of the semantic one the three fourths that are right.
            ("saved", None, Decimal(14)),
        ]
        saved = rows[-1]
        assert (saved["what"], saved["workload"], saved["currency"]) == (SAVED, "writer", "USD")
        # It stays where the month is closed, and where its details are gone.
        world.close("2026-10")
        assert statement(world, "2026-10", name="acme") == rows
        world.retire(41)
        assert statement(world, "2026-10", name="acme")[-1] == saved
        assert "saved" not in {row["section"] for row in statement(world, "2026-11")}


def test_what_nobody_judged_or_priced_is_named_and_its_amount_is_not_known(tmp_path: Path) -> None:
    with World(tmp_path) as world:
        world.book([told(1, "semantic", model="m"), told(2, "exact", model="new", tenant="globex")])
        rows = [row for row in statement(world, "2026-10") if row["section"] == "saved"]
        assert [(row["tenant"], row["currency"], row["saved"]) for row in rows] == [
            ("acme", "USD", None),
            ("globex", None, None),
        ]


def test_a_cache_that_only_watches_is_in_no_statement(tmp_path: Path) -> None:
    with World(tmp_path) as world:
        world.book([told(1, "shadow_exact", model="m"), told(2, "miss", model="m")])
        assert "saved" not in {row["section"] for row in world.report("statement", period="2026-10")}


def test_the_review_of_a_week_has_a_part_of_its_own_for_it_and_none_without(tmp_path: Path) -> None:
    outcomes = ["miss", "exact", "semantic", "audit_same", "audit_different"]
    with World(tmp_path) as world:
        world.book([told(n, each, model="m") for n, each in enumerate(outcomes)])
        review = decoded(world.review("2026-W42"))
        (part,) = review.served
        assert (part.workload, part.exact, part.semantic) == ("writer", 1, 1)
        # Of 16, half of the semantic answer's 8 is taken off: 1 of 2 audits was wrong.
        assert (part.gross, part.wrong, part.net) == (Decimal(16), Decimal(4), Decimal(12))
        # A miss and two audits were paid.
        assert review.total.actual == Decimal(24)
        shown = {each.key: each for each in sections(review)}
        assert shown["served"].title == "Saved by the cache (not billed)"
        assert "neither cost nor credit" in shown["served"].lead
        without = decoded(world.review("2026-W43"))
        assert without.served == ()
        assert "served" not in {each.key for each in sections(without)}
        # A document of before there were caches is sealed with the same bytes as ever.
        assert b'"served"' not in encoded(without)
