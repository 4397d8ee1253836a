"""`kill -9` while a month is closed: it is closed or open then, nothing between. `make ledger-kills` does fifty."""

from __future__ import annotations

from pathlib import Path

from ledger_killing import LedgerCampaign


def test_a_month_is_closed_or_open_after_a_kill(tmp_path: Path) -> None:
    outcome = LedgerCampaign(tmp_path / "data", seed=11).run(2)
    assert outcome.found.total() == 2
    assert outcome.wrong == [], str(outcome)
