"""The weekly review of the house that the pages are tested on: what is shown is what is written."""

from __future__ import annotations

import csv
import io
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from analytics.reviews.files import KINDS
from cli import review as review_verb


def test_the_review_of_the_real_collector_adds_up(full: Any, tmp_path: Path) -> None:
    spent = httpx.get(
        f"{full.collector}/v1/reports/spend",
        params={"from": "2000-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z"},
    ).json()
    ((moment,),) = httpx.post(
        f"{full.collector}/v1/query", json={"sql": "SELECT strftime(max(started_at), '%G-W%V') FROM calls"}
    ).json()["rows"]
    cost = Decimal(dict(zip(spent["columns"], spent["rows"][0], strict=True))["cost"])
    ask = review_verb.asked("review", full.collector, None, as_json=False)
    assert review_verb.run(ask, moment, out=tmp_path) == 0
    rows = list(csv.DictReader(io.StringIO((tmp_path / f"review-{moment}.csv").read_text())))
    assert Decimal(rows[-1]["actual"]) == cost
    assert sum(Decimal(row["actual"] or 0) for row in rows[:-1]) == cost
    trips = {row["owner"]: row["breaker_trips"] for row in rows}
    # The ceiling over everything is in shadow: its trip stopped nobody. That of customer care opens by hand alone, in
    # other tests. The row without an owner is the total.
    ((by_hand,),) = httpx.post(
        f"{full.collector}/v1/query",
        json={"sql": "SELECT count(*) FROM transitions WHERE \"to\" = 'forced_open'"},
    ).json()["rows"]
    assert (trips["data-platform"], trips["customer-care"], trips[""]) == (
        "1",
        f"{by_hand}",
        f"{by_hand + 1}",
    )
    assert (tmp_path / f"review-{moment}.html").read_text().startswith("<!doctype html>")


def test_the_review_of_an_empty_week_says_so_and_is_written(
    full: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ask = review_verb.asked("review", full.collector, None, as_json=False)
    assert review_verb.run(ask, "2001-W07", out=tmp_path) == 0
    assert "No calls were booked in 2001-W07." in capsys.readouterr().out
    assert sorted(path.suffix for path in tmp_path.iterdir()) == sorted(f".{kind}" for kind in KINDS)
