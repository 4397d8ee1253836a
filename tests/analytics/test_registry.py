"""The registry document: what is refused and why, and that what is stored is what is read, of each source apart."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from analytics import registry
from collector.facts.store import Store

LINE = {"tenant": "acme", "workload": "writer", "owner": "docs", "cost_centre": "CC-1"}
CENTRE = {"cost_centre": "CC-1", "approver": "ann"}
PLAN = {"cost_centre": "CC-1", "month": "2026-11", "amount": "1200.5", "currency": "USD"}
EARNED = {"tenant": "acme", "month": "2026-11", "amount": "9000", "currency": "USD"}

UNFIT: list[tuple[str, dict[str, Any], str]] = [
    ("unknown part", {"owners": []}, "owners: unknown; there are: cost_centres, plans, revenue, source"),
    ("source", {"source": "hearsay"}, 'source: \'hearsay\' is none; write "policies" or "imported"'),
    ("zone", {"zone": "CET/Berlin"}, "zone: 'CET/Berlin' is no time zone; write an IANA name"),
    ("no list", {"workloads": {"a": 1}}, "workloads: must be a list of objects"),
    ("empty tenant", {"workloads": [LINE | {"tenant": " "}]}, "workloads[0].tenant: ' ' is no name"),
    ("long owner", {"workloads": [LINE | {"owner": "x" * 201}]}, "workloads[0].owner: 201 characters"),
    (
        "typo",
        {"workloads": [LINE | {"ownr": "x"}]},
        "workloads[0].ownr: unknown; there are: tenant, workload",
    ),
    (
        "twice",
        {"workloads": [LINE, LINE]},
        "workloads[0] and workloads[1]: acme / writer has two lines for the same time; keep one of them",
    ),
    (
        "overlap",
        {"workloads": [LINE | {"from": "2026-11-16"}, LINE | {"to": "2026-11-17"}]},
        "workloads[1] and workloads[0]: acme / writer has two lines for the same time; "
        'let the first end with to "2026-11-16"',
    ),
    (
        "overlap beyond a neighbour",
        {
            "workloads": [
                LINE | {"to": "2026-12-01"},
                LINE | {"from": "2026-01-01", "to": "2026-02-01"},
                LINE | {"from": "2026-03-01", "to": "2026-04-01"},
            ]
        },
        "workloads[0] and workloads[2]: acme / writer has two lines",
    ),
    ("no date", {"workloads": [LINE | {"from": "16.11.2026"}]}, "workloads[0].from: '16.11.2026' is no date"),
    ("no such day", {"workloads": [LINE | {"to": "2026-02-30"}]}, "workloads[0].to: '2026-02-30' is no date"),
    (
        "ends first",
        {"workloads": [LINE | {"from": "2026-11-16", "to": "2026-11-16"}]},
        "workloads[0].to: '2026-11-16' is not after from",
    ),
    ("no approver", {"cost_centres": [{"cost_centre": "CC-1"}]}, "cost_centres[0].approver: None is no name"),
    ("month 13", {"plans": [PLAN | {"month": "2026-13"}]}, "plans[0].month: '2026-13' is no month"),
    ("plan twice", {"plans": [PLAN, PLAN]}, "plans[0] and plans[1]: CC-1 / 2026-11 stands there twice"),
    ("float", {"plans": [PLAN | {"amount": 1.5}]}, "plans[0].amount: 1.5 is no amount; write a text"),
    ("NaN", {"plans": [PLAN | {"amount": "NaN"}]}, "plans[0].amount: 'NaN' is no amount"),
    (
        "thousands",
        {"plans": [PLAN | {"amount": "1,234.50"}]},
        'has marks between its digits; write "1234.50"',
    ),
    ("decimal comma", {"plans": [PLAN | {"amount": "1.234,5"}]}, 'write "1234.5": a point before the cents'),
    ("below 0", {"plans": [PLAN | {"amount": "-1"}]}, "plans[0].amount: -1 is below 0"),
    ("too fine", {"plans": [PLAN | {"amount": "0.0000001"}]}, "plans[0].amount: 0.0000001 does not fit"),
    ("no currency", {"plans": [PLAN | {"currency": "usd"}]}, "plans[0].currency: 'usd' is no currency"),
    ("earned", {"revenue": [EARNED | {"tenant": ""}]}, "revenue[0].tenant: '' is no name"),
]


@pytest.fixture
def con(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with closing(Store(tmp_path)) as store:
        yield store.cursor()


@pytest.mark.parametrize(("document", "said"), [row[1:] for row in UNFIT], ids=[row[0] for row in UNFIT])
def test_an_unfit_document_is_refused_with_its_place_and_value(document: dict[str, Any], said: str) -> None:
    with pytest.raises(registry.RegistryError) as refused:
        registry.parse(document)
    assert said in str(refused.value)


def test_every_finding_is_reported_at_once() -> None:
    with pytest.raises(registry.RegistryError) as refused:
        registry.parse({"workloads": [{"tenant": "acme"}], "plans": [PLAN | {"month": "soon", "amount": ""}]})
    assert len(str(refused.value).splitlines()) == 3


def test_what_is_stored_is_read_back_and_the_next_document_of_its_source_replaces_it(
    con: duckdb.DuckDBPyConnection,
) -> None:
    whole = {
        "source": "imported",
        "zone": "Europe/Berlin",
        "workloads": [
            LINE | {"workload": "bot", "owner": None},
            LINE | {"to": "2026-11-16"},
            LINE | {"owner": "legal", "from": "2026-11-16", "to": "2026-12-01"},
        ],
        "cost_centres": [CENTRE | {"to": "2026-12-01"}, CENTRE | {"approver": "bob", "from": "2026-12-01"}],
        "plans": [PLAN],
        "revenue": [EARNED],
    }
    registry.replace(con, whole)
    assert registry.read(con, "imported") == whole
    assert registry.document_of(registry.parse(whole)) == whole
    registry.replace(con, {"source": "imported", "workloads": [LINE]})
    nothing: dict[str, Any] = {"cost_centres": [], "plans": [], "revenue": []}
    assert (
        registry.read(con, "imported") == {"source": "imported", "zone": "UTC", "workloads": [LINE]} | nothing
    )


def test_what_one_source_says_stays_when_the_other_is_replaced_and_the_import_counts_where_both_speak(
    con: duckdb.DuckDBPyConnection,
) -> None:
    registry.replace(con, {"workloads": [LINE, LINE | {"workload": "bot"}], "plans": [PLAN]})
    taken = LINE | {"owner": "legal", "from": "2026-11-16", "to": "2026-12-01"}
    registry.replace(
        con,
        {"source": "imported", "workloads": [taken], "plans": [PLAN | {"amount": "5"}], "revenue": [EARNED]},
    )
    both = registry.read(con)
    said = {"source": "policies"}
    assert both["workloads"] == [
        LINE | {"workload": "bot"} | said,
        LINE | {"to": "2026-11-16"} | said,
        taken | {"source": "imported"},
        LINE | {"from": "2026-12-01"} | said,
    ]
    assert both["plans"] == [PLAN | {"amount": "5", "source": "imported"}]
    registry.replace(con, {"workloads": [], "plans": [PLAN | {"amount": "7"}]})
    assert registry.read(con)["workloads"] == [taken | {"source": "imported"}]
    registry.replace(con, {"source": "imported"})
    assert registry.read(con)["workloads"] == registry.read(con)["revenue"] == []
    assert registry.read(con)["plans"] == [PLAN | {"amount": "7"} | said]


def test_a_document_stored_again_changes_nothing(con: duckdb.DuckDBPyConnection) -> None:
    for document in (
        {"workloads": [LINE]},
        {"source": "imported", "workloads": [LINE | {"from": "2026-11-16"}]},
    ):
        registry.replace(con, document)
        once = con.execute("FROM ownership ORDER BY ALL").fetchall()
        registry.replace(con, document)
        assert con.execute("FROM ownership ORDER BY ALL").fetchall() == once


@pytest.mark.parametrize("name", ["cost_centres", "revenue", "zone"])
def test_the_policy_file_cannot_say_what_is_finance_s(con: duckdb.DuckDBPyConnection, name: str) -> None:
    lines = {"cost_centres": [CENTRE], "revenue": [EARNED], "zone": "UTC"}
    with pytest.raises(registry.RegistryError, match=f"{name}: the policy file has none"):
        registry.replace(con, {name: lines[name]})


def test_a_refused_document_leaves_the_one_before(con: duckdb.DuckDBPyConnection) -> None:
    registry.replace(con, {"plans": [PLAN]})
    with pytest.raises(registry.RegistryError):
        registry.replace(con, {"plans": [PLAN, PLAN]})
    assert registry.read(con)["plans"] == [PLAN | {"source": "policies"}]


def test_the_registry_tells_who_owns_and_approves_at_a_moment() -> None:
    known = registry.parse(
        {
            "zone": "America/New_York",
            "workloads": [LINE | {"to": "2026-11-16"}, LINE | {"owner": "legal", "from": "2026-11-18"}],
            "cost_centres": [
                CENTRE | {"to": "2026-11-16"},
                CENTRE | {"approver": "bob", "from": "2026-11-16"},
            ],
        }
    )
    # Midnight in New York is 05:00 in UTC then.
    moments = {
        day: datetime.fromisoformat(f"2026-11-{day}:00:00+00:00")
        for day in ("16T04", "16T05", "18T04", "18T05")
    }
    owners = {day: known.owner_at("acme", "writer", at) for day, at in moments.items()}
    assert {day: piece and piece.owner for day, piece in owners.items()} == {
        "16T04": "docs",
        "16T05": None,
        "18T04": None,
        "18T05": "legal",
    }
    assert [known.approver_at("CC-1", moments[day]) for day in ("16T04", "16T05")] == ["ann", "bob"]
    assert known.owner_at("acme", None, datetime(2026, 11, 1, tzinfo=UTC)) is None


def test_many_moves_of_one_workload_are_read_in_no_more_time_than_many_workloads() -> None:
    first = date(1970, 1, 1)
    days = [str(first + timedelta(place)) for place in range(20_001)]
    lines = [
        LINE | {"owner": f"owner-{place}", "from": days[place], "to": days[place + 1]}
        for place in range(20_000)
    ]
    begun = time.process_time()
    found = registry.parse({"workloads": lines})
    # 1.3 s; a look through all lines for each day takes more than two minutes.
    assert time.process_time() - begun < 20
    for place in (0, 9_999, 19_999):
        piece = found.owner_at("acme", "writer", datetime(1970, 1, 1, 12, tzinfo=UTC) + timedelta(place))
        assert piece is not None
        assert piece.owner == f"owner-{place}"
