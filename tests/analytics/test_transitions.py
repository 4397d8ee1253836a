"""The report on what breakers did: over the API, from what an engine has told."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from otlp_samples import BASE_NS, Served

from analytics.transitions import TRANSITIONS

NOW = datetime.fromtimestamp(BASE_NS / 1e9, UTC).replace(microsecond=0)
TOLD = [
    # id, minute, tenant, from, to
    ("a9", 1, "acme", "closed", "open"),
    ("b0", 1, "acme", "open", "half_open"),
    ("0c", 2, None, "closed", "warned"),
    ("11", 3, "globex", "closed", "forced_open"),
]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    running = Served(tmp_path_factory.mktemp("transitions"), reports=TRANSITIONS, now=lambda: NOW)
    lines = [
        {
            "id": id_,
            "at": NOW.replace(minute=minute).isoformat(),
            "policy": f"{tenant}-hour",
            "scope": {"tenant": tenant} if tenant else {},
            "from": before,
            "to": after,
            "spent": "0.5",
        }
        for id_, minute, tenant, before, after in TOLD
    ]
    running.http.post("/v1/audit", json={"transitions": lines}).raise_for_status()
    yield running
    running.stop()


def report(served: Served, **params: str) -> list[dict[str, Any]]:
    whole = {"from": NOW.replace(minute=0).isoformat(), "to": NOW.replace(minute=59).isoformat()}
    table = served.http.get("/v1/reports/transitions", params={**whole, **params}).raise_for_status().json()
    return [dict(zip(table["columns"], row, strict=True)) for row in table["rows"]]


def test_transitions_are_told_newest_first_and_within_an_instant_in_one_order(served: Served) -> None:
    rows = report(served)
    assert [(row["id"], row["tenant"], row["from"], row["to"]) for row in rows] == [
        ("11", "globex", "closed", "forced_open"),
        ("0c", None, "closed", "warned"),
        ("b0", "acme", "open", "half_open"),
        ("a9", "acme", "closed", "open"),
    ]
    assert float(rows[0]["spent"]) == 0.5


def test_a_range_is_half_open_and_the_newest_are_kept(served: Served) -> None:
    assert [row["id"] for row in report(served, to=NOW.replace(minute=3).isoformat())] == ["0c", "b0", "a9"]
    assert [row["id"] for row in report(served, top="1")] == ["11"]
