"""What is planted in a generated history stands in the review by name, and nothing of it in the same without."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from history import filled, history

from analytics.ledger.live import LiveLines
from analytics.ledger.settings import load
from analytics.live import Followed, LivePrices
from analytics.reports import REPORTS
from analytics.reviews.assembling import assembled
from analytics.reviews.document import Review
from analytics.reviews.gathering import Week, gathered
from cli.demo.history import END
from collector.facts.store import Store

PLANT = ("herd", "loop", "move")
FEW = {"days": 35, "tenants": 8, "workloads": 30, "calls": 5_000}
MANY = {"days": 35, "tenants": 30, "workloads": 120, "calls": 20_000}


def reviewed(folder: Path, day: object) -> Review:
    """The review of the week that the day is in, of a generated history."""
    live = LiveLines(LivePrices(), Followed("chargeback", None, load), lambda: END)
    week = Week.of(f"{day:%G-W%V}", live.chargeback.calendar)
    store = Store(folder)
    try:
        now = week.stop + timedelta(hours=6)
        con = store.cursor()
        return assembled(gathered(con, week, live, REPORTS, now=now, watermark=now, since=None))
    finally:
        store.close()


@pytest.mark.parametrize("wishes", [FEW, pytest.param(MANY, marks=pytest.mark.slow)], ids=["few", "many"])
@pytest.mark.parametrize("plant", [PLANT, ()], ids=["planted", "not planted"])
def test_a_herd_a_loop_and_a_move_are_named_where_they_are_and_nowhere_else(
    plant: tuple[str, ...], wishes: dict[str, int], tmp_path: Path
) -> None:
    filled(tmp_path / "data", **wishes, plant=plant)
    planted = history(**wishes, plant=PLANT).planted
    herd, loop, move = planted.herd, planted.loop, planted.move
    assert herd is not None
    assert loop is not None
    assert move is not None
    days = {"herd": herd.waves[0], "loop": loop.begins, "move": move.at}
    found = {name: reviewed(tmp_path / "data", day) for name, day in days.items()}
    herds = [(each.provider, each.model) for each in found["herd"].herds]
    loops = [each.task for each in found["loop"].loops]
    # It changed hands on a Sunday: it may cost its new owner something only in the week after.
    moves = [
        (each.tenant, each.workload, each.before, each.owner)
        for name in ("move", "herd")
        for each in found[name].moved
    ]
    moved = (move.workload.tenant, move.workload.name, move.workload.owner, move.owner)
    assert (herds, loops, moves) == (
        ([(herd.provider, herd.model)], [loop.task], [moved]) if plant else ([], [], [])
    )
    if plant:
        looped = found["loop"].loops[0]
        line = next(each for each in found["loop"].owners if each.owner == looped.owner)
        assert line.next_action.startswith(f"Stop task {loop.task} from looping: {looped.calls:,} calls")
