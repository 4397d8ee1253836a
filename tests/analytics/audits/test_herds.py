"""The report on herds: who was in one, when, and what it cost; each key sees those of its own calls."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from audited import MONDAY, WEEK, audit, call, stored

from analytics import registry
from analytics.audits.named import AUDITS
from collector.call import Call
from collector.facts.store import Store
from collector.keys.key import Key
from collector.queries.reader import Reader

TENANTS = ("acme", "globex", "initech")
AT_S = 100_000


def _usual(random: Random) -> list[Call]:
    """A call each ten minutes or so, one in twenty of them retried."""
    return [
        call(
            600 * place + random.random() * 500,
            f"usual-{place}",
            tenant=TENANTS[place % 3],
            attempts=2 if place % 20 == 0 else 1,
            took_s=1 + random.random() * 9,
        )
        for place in range(300)
    ]


def _herd(random: Random) -> list[Call]:
    """24 tasks of two tenants that a limit turns away at once: four attempts each, and a dollar."""
    return [
        call(
            AT_S + random.random(),
            f"herd-{place:02d}",
            tenant=TENANTS[place % 2],
            workload=("reader", "writer")[place % 2],
            attempts=4,
            took_s=7 + random.random(),
        )
        for place in range(24)
    ]


@pytest.fixture(scope="module")
def clean() -> Iterator[Store]:
    with stored(_usual(Random(1))) as store:
        yield store


@pytest.fixture(scope="module")
def planted() -> Iterator[Store]:
    with stored([*_usual(Random(1)), *_herd(Random(2))]) as store:
        yield store


def test_the_same_calls_without_a_herd_raise_none(clean: Store) -> None:
    assert audit(clean, "audit_herds") == []
    assert [row["finding"] for row in audit(clean, "audit_retries")] == [None] * 3


def test_a_planted_herd_is_told_with_its_time_members_and_cost(planted: Store) -> None:
    (row,) = audit(planted, "audit_herds")
    at = MONDAY + timedelta(seconds=AT_S)
    assert at <= row["at"] <= at + timedelta(seconds=1)
    assert at + timedelta(seconds=7) <= row["until"] <= at + timedelta(seconds=9)
    assert (row["provider"], row["model"], row["moment"]) == ("openai", "m", "began and came back")
    assert (row["tasks"], row["calls"], row["attempts"], row["waves"]) == (24, 24, 4 * 24, 1)
    assert (row["tenants"], row["workloads"]) == (["acme", "globex"], ["reader", "writer"])
    assert row["task_ids"] == [f"herd-{place:02d}" for place in range(24)]
    assert (row["cost"], row["currency"]) == (24 * Decimal("1.00"), "USD")
    assert row["p_value"] < 1e-10
    assert row["expected"] < 1
    assert "sg.wrap(client)" in row["advice"]


def test_the_lines_say_how_many_of_their_retries_fell_together(planted: Store) -> None:
    of = {(row["tenant"], row["workload"]): row for row in audit(planted, "audit_retries")}
    acme = of["acme", "reader"]
    assert (acme["herds"], acme["synchronous_calls"], acme["synchrony"]) == (1, 12, 1.0)
    assert acme["finding"].startswith("12 of 12 retried calls fell together with other tasks' in 1 herd")
    others = of["initech", "writer"]
    assert (others["herds"], others["synchronous_calls"], others["p_value"]) == (0, 0, None)


def test_a_workload_that_changes_hands_is_in_a_herd_under_the_owner_of_that_time() -> None:
    later = call(400_000, "later", tenant="acme", workload="reader")
    reader = {"tenant": "acme", "workload": "reader"}
    hands = [
        {**reader, "owner": "ann", "cost_centre": "CC-1", "from": "2026-11-01", "to": "2026-11-19"},
        {**reader, "owner": "bob", "cost_centre": "CC-2", "from": "2026-11-20"},
    ]
    with stored([*_usual(Random(1)), *_herd(Random(2)), later]) as store:
        with store.transaction() as con:
            registry.replace(con, {"workloads": hands})
        rows = audit(store, "audit_retries", tenant="acme", workload="reader")
    told = {row["owner"]: (row["calls"], row["herds"], row["synchronous_calls"]) for row in rows}
    assert told == {"ann": (12, 1, 12), "bob": (1, 0, 0)}


@pytest.mark.parametrize(
    ("names", "found"),
    [
        ({"tenant": "acme"}, 1),
        ({"tenant": "initech"}, 0),
        ({"workload": "reader"}, 1),
        ({"tenant": "acme", "workload": "writer"}, 0),
        ({"provider": "openai", "model": "m"}, 1),
        ({"model": "other"}, 0),
    ],
    ids=str,
)
def test_a_name_keeps_the_herds_with_a_member_of_it(
    planted: Store, names: dict[str, str], found: int
) -> None:
    rows = audit(planted, "audit_herds", **names)
    assert [row["tasks"] for row in rows] == [24] * found


def test_a_burst_of_calls_with_the_usual_share_of_retries_is_none() -> None:
    # Half of all calls are retried at any time; 40 tasks begin at once, and 16 of them, too.
    usual = [call(600 * place, f"usual-{place}", attempts=1 + place % 2, took_s=3) for place in range(300)]
    burst = [
        call(AT_S + place / 40, f"burst-{place}", attempts=2 if place % 5 < 2 else 1, took_s=5 + 40 * place)
        for place in range(40)
    ]
    with stored([*usual, *burst]) as store:
        assert audit(store, "audit_herds") == []


@pytest.mark.parametrize("seed", range(2))
def test_jobs_that_begin_on_the_hour_are_no_herds_for_the_few_that_retry(seed: int) -> None:
    random = Random(seed)
    jobs = [
        call(3600 * hour + random.random() * 20, f"{hour}-{place}", attempts=1 + (random.random() < 0.06))
        for hour in range(30)
        for place in range(120)
    ]
    with stored(jobs) as store:
        assert audit(store, "audit_herds") == []


def test_agents_of_one_tree_are_one_task() -> None:
    agents = [call(10 + place / 40, f"agent-{place}", root_task_id="root", attempts=3) for place in range(40)]
    with stored(agents) as store:
        assert audit(store, "audit_herds") == []


def test_calls_whose_task_is_not_known_are_each_a_task() -> None:
    with stored([call(10 + place / 40, None, attempts=3) for place in range(40)]) as store:
        assert [row["tasks"] for row in audit(store, "audit_herds")] == [40]


def test_what_cost_is_not_known_is_not_zero() -> None:
    odd = [call(10 + place / 40, f"t-{place}", attempts=3, model="odd") for place in range(20)]
    with stored(odd) as store:
        (row,) = audit(store, "audit_herds")
    assert (row["cost"], row["currency"]) == (None, None)


def test_a_key_sees_the_herds_of_its_own_calls(planted: Store) -> None:
    reader = Reader(planted)
    try:
        assert [_seen(reader, tenant) for tenant in TENANTS] == [
            [(12, ["acme"], ["reader"])],
            [(12, ["globex"], ["writer"])],
            [],
        ]
    finally:
        reader.close()


def _seen(reader: Reader, tenant: str) -> list[tuple[Any, ...]]:
    with reader.cursor_of(Key(tenant, (tenant,), frozenset({"read"}))) as con:
        rows = AUDITS["audit_herds"](con, WEEK).to_pylist()
    return [(row["tasks"], row["tenants"], row["workloads"]) for row in rows]
