"""`kill -9` while spans arrive, at start and at stop: what was acknowledged is there, and nothing is there twice.

Three kills here; `make kills` makes a hundred.
"""

from __future__ import annotations

from pathlib import Path

from killing import Campaign, Moment


def test_acknowledged_calls_survive_kills_and_sending_all_again_books_none_twice(tmp_path: Path) -> None:
    moments = [Moment.LOAD, Moment.START, Moment.STOP]
    outcome = Campaign(tmp_path / "data", seed=4).run(moments)
    assert outcome.acknowledged > 0
    assert outcome.sound, str(outcome)
