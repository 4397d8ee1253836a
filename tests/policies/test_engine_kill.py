"""`kill -9` while agents ask for grants, and at a start: the engine that comes after counts what the agents were told.

Two kills here; `make engine-kills` makes fifty.
"""

from __future__ import annotations

from pathlib import Path

from engine_killing import Campaign, Moment


def test_no_grant_is_lost_or_comes_back_when_the_engine_is_killed(tmp_path: Path) -> None:
    outcome = Campaign(tmp_path / "data", seed=4).run([Moment.LOAD, Moment.START])
    assert outcome.granted > 0
    assert outcome.sound, str(outcome)
