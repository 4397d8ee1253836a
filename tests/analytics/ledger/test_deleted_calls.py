"""A month of which calls were deleted before its close: what contracts charge by the month cannot be counted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from chargeback_worlds import World
from stores import call

from switchgear.usage import Usage


def test_the_check_says_so_where_a_contract_charges_by_the_month(tmp_path: Path) -> None:
    with World(tmp_path) as world:
        # The contract commits globex to a cent a month, which one early call of a million tokens fulfils.
        early = datetime(2026, 10, 1, 12, tzinfo=UTC)
        named = {"tenant": "globex", "workload": "writer", "provider": "acme", "model": "m"}
        world.book(
            [call(1, early, usage=Usage(1_000_000), **named), call(2, early + timedelta(days=28), **named)]
        )
        assert "deleted" not in _codes(world)
        world.retire((world.now - early).days - 14)
        assert "deleted" in _codes(world)
        assert "charge" in {row["kind"] for row in world.report("costs", period="2026-10", by="kind")}


def _codes(world: World) -> set[str]:
    _, blockers, _ = world.keeper.check(world.keeper.period("2026-10"))
    return {each.code for each in blockers}
