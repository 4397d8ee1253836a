"""The registry: what is refused and why, and that what is stored is what is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from analytics import registry
from collector.facts.store import Store

LINE = {"tenant": "acme", "workload": "writer", "owner": "docs", "cost_centre": "CC-1"}
PLAN = {"cost_centre": "CC-1", "month": "2026-11", "amount": "1200.5", "currency": "USD"}

UNFIT: list[tuple[str, dict[str, Any], str]] = [
    ("unknown part", {"owners": []}, "owners: unknown; a registry has workloads and plans"),
    ("no list", {"workloads": {"a": 1}}, "workloads: must be a list of objects"),
    ("empty tenant", {"workloads": [LINE | {"tenant": " "}]}, "workloads[0].tenant: ' ' is no name"),
    ("long owner", {"workloads": [LINE | {"owner": "x" * 201}]}, "workloads[0].owner: 201 characters"),
    (
        "typo",
        {"workloads": [LINE | {"ownr": "x"}]},
        "workloads[0].ownr: unknown; there are: tenant, workload",
    ),
    ("twice", {"workloads": [LINE, LINE]}, "workloads: acme / writer stands there 2 times"),
    ("month 13", {"plans": [PLAN | {"month": "2026-13"}]}, "plans[0].month: '2026-13' is no month"),
    ("float", {"plans": [PLAN | {"amount": 1.5}]}, "plans[0].amount: 1.5 is no amount; write a string"),
    ("NaN", {"plans": [PLAN | {"amount": "NaN"}]}, "plans[0].amount: 'NaN' is no amount"),
    ("below 0", {"plans": [PLAN | {"amount": "-1"}]}, "plans[0].amount: -1 is below 0"),
    ("too fine", {"plans": [PLAN | {"amount": "0.0000001"}]}, "plans[0].amount: 0.0000001 does not fit"),
    ("no currency", {"plans": [PLAN | {"currency": "usd"}]}, "plans[0].currency: 'usd' is no currency"),
]


@pytest.mark.parametrize(("document", "said"), [row[1:] for row in UNFIT], ids=[row[0] for row in UNFIT])
def test_an_unfit_document_is_refused_with_its_place_and_value(document: dict[str, Any], said: str) -> None:
    with pytest.raises(registry.RegistryError) as refused:
        registry.parse(document)
    assert said in str(refused.value)


def test_every_finding_is_reported_at_once() -> None:
    with pytest.raises(registry.RegistryError) as refused:
        registry.parse({"workloads": [{"tenant": "acme"}], "plans": [PLAN | {"month": "soon", "amount": ""}]})
    assert len(str(refused.value).splitlines()) == 3


def test_what_is_stored_is_read_back_and_the_next_document_replaces_it(tmp_path: Path) -> None:
    store = Store(tmp_path)
    try:
        con = store.cursor()
        first: dict[str, Any] = {
            "workloads": [LINE, LINE | {"workload": "bot", "owner": None}],
            "plans": [PLAN],
        }
        registry.replace(con, first)
        assert registry.read(con) == {
            "workloads": sorted(first["workloads"], key=lambda line: line["workload"]),
            "plans": [PLAN],
        }
        registry.replace(con, {"workloads": [LINE | {"owner": "legal"}]})
        assert registry.read(con) == {"workloads": [LINE | {"owner": "legal"}], "plans": []}
    finally:
        store.close()


def test_a_refused_document_leaves_the_one_before(tmp_path: Path) -> None:
    store = Store(tmp_path)
    try:
        con = store.cursor()
        registry.replace(con, {"plans": [PLAN]})
        with pytest.raises(registry.RegistryError):
            registry.replace(con, {"plans": [PLAN, PLAN]})
        assert registry.read(con)["plans"] == [PLAN]
    finally:
        store.close()
