"""Retention: details older than they are to be kept go, their sums stay, and nothing that went can come back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from stores import book, rows
from stores import call as stored_call

from analytics.reports import REPORTS
from collector.call import Call, NotBilled
from collector.erasing.horizon import Horizon
from collector.erasing.retention import Retention, Sweep
from collector.facts import rollups
from collector.facts.store import Store
from collector.ingest.admission import Admission
from collector.ingest.limits import Limits
from collector.keys.key import EVERYTHING
from collector.pricing import Quote
from switchgear.usage import Usage

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
TODAY = NOW.replace(hour=0)
DAY = timedelta(days=1)
YEAR = {"from": "2026-01-01T00:00:00Z", "to": "2027-01-01T00:00:00Z"}


def price(provider: str | None, model: str | None, usage: Usage, at: datetime, *_: object) -> Quote:
    return Quote(Decimal(usage.output) / 1000, "USD", "by hand")


def call(number: int, age: timedelta, **fields: Any) -> Call:
    """Call `number`, of `number` tokens out, which is `age` old."""
    named = {"workload": "writer", "task_id": "t-1", "usage": Usage(10, output=number), **fields}
    return stored_call(number, NOW - age, **named)


def swept(store: Store, retention: Retention, now: datetime = NOW) -> int:
    """Sweep until a day's work is done; how many steps that took."""
    sweep = Sweep(store, retention, Horizon(store), now=lambda: now)
    steps = 0
    while True:
        before = rows(store, "SELECT count(*) FROM deletions")
        sweep()
        if rows(store, "SELECT count(*) FROM deletions") == before:
            return steps
        steps += 1


def test_calls_go_by_the_day_and_their_sums_stay(store: Store) -> None:
    book(store, [call(number, number * DAY) for number in range(38, 44)], price, NOW)
    totals = 'SELECT tenant, "hour", sum(calls), sum(output), sum(cost) FROM rollup_hours GROUP BY ALL ORDER BY ALL'
    before = rows(store, totals)
    assert swept(store, Retention(details=40)) == 3  # those that are 41, 42 and 43 days old: a day each
    assert rows(store, "SELECT min(started_at), count(*) FROM calls") == [(NOW - 40 * DAY, 3)]
    assert rows(store, totals) == before
    assert rows(store, "SELECT details, sum(calls) FROM rollup_hours GROUP BY 1 ORDER BY 1") == [
        (False, 3),
        (True, 3),
    ]
    assert rollups.check(store.cursor()) == []


@pytest.mark.parametrize(
    ("name", "params"),
    [("spend", {"by": "tenant,hour"}), ("spend", {}), ("coverage", {}), ("timeline", {"bucket": "day"})],
)
def test_a_report_is_the_same_before_and_after(store: Store, name: str, params: dict[str, str]) -> None:
    book(store, [call(number, number * DAY) for number in range(35, 45)], price, NOW)
    before = REPORTS[name](store.cursor(), {**YEAR, **params}).to_pylist()
    swept(store, Retention(details=40))
    assert REPORTS[name](store.cursor(), {**YEAR, **params}).to_pylist() == before


def test_the_tasks_of_what_went_are_one_line_a_workload(store: Store) -> None:
    book(
        store, [call(1, 50 * DAY), call(2, 51 * DAY, task_id="t-2"), call(4, DAY, task_id="t-3")], price, NOW
    )
    swept(store, Retention(details=40))
    lines = REPORTS["tasks"](store.cursor(), YEAR).to_pylist()
    assert [(line["task_id"], line["calls"], line["cost"]) for line in lines] == [
        ("t-3", 1, Decimal("0.004")),
        (None, 2, Decimal("0.001") + Decimal("0.002")),
    ]


def test_a_task_that_goes_on_is_counted_from_what_is_left(store: Store) -> None:
    book(store, [call(1, 45 * DAY), call(2, 5 * DAY)], price, NOW)
    swept(store, Retention(details=40))
    assert rows(store, "SELECT calls, first_at, exact FROM rollup_tasks") == [(1, NOW - 5 * DAY, True)]
    assert rollups.check(store.cursor()) == []


def test_every_span_of_a_call_goes_with_it(store: Store) -> None:
    book(
        store,
        [call(1, 45 * DAY, response_id="r"), call(2, 45 * DAY, response_id="r", scope="y@1")],
        price,
        NOW,
    )
    assert rows(store, "SELECT count(*) FROM members") == [(2,)]
    swept(store, Retention(details=40))
    assert rows(store, "SELECT count(*) FROM members") == [(0,)]


def test_what_was_deleted_stands_in_the_record(store: Store) -> None:
    book(store, [call(1, 50 * DAY), call(2, 50 * DAY)], price, NOW)
    swept(store, Retention(details=40))
    assert rows(store, 'SELECT "by", reason, what, tenant, before, rows, amounts FROM deletions') == [
        (
            "retention",
            "kept for 40 days",
            "details",
            None,
            TODAY - 49 * DAY,
            {"booked": 2},
            {"USD": Decimal("0.003")},
        )
    ]


def test_each_kind_has_days_of_its_own(store: Store) -> None:
    at = [NOW - age * DAY for age in (1, 8, 91)]
    with store.transaction() as con:
        for each in at:
            con.execute("INSERT INTO not_billed VALUES ($1, 'acme', 't', 's', 'd', 'c', 'r')", [each])
            con.execute("INSERT INTO not_billed_counts VALUES ($1, 'acme', 'd', 'c', 1)", [each])
    swept(store, Retention())
    assert rows(store, "SELECT count(*) FROM not_billed") == [(1,)]
    assert rows(store, "SELECT count(*) FROM not_billed_counts") == [(2,)]


def test_a_days_work_is_done_once_a_day(store: Store) -> None:
    clock = [NOW]
    sweep = Sweep(store, Retention(details=40), Horizon(store), now=lambda: clock[0])
    sweep()
    book(store, [call(1, 50 * DAY)], price, NOW)
    sweep()
    assert rows(store, "SELECT count(*) FROM calls") == [(1,)]
    clock[0] = TODAY + DAY
    sweep()
    assert rows(store, "SELECT count(*) FROM calls") == [(0,)]


def test_the_rollups_are_compared_with_the_calls_once_a_day(store: Store) -> None:
    clock = [NOW]
    sweep = Sweep(store, Retention(), Horizon(store), now=lambda: clock[0])
    sweep()
    book(store, [call(1, DAY)], price, NOW)
    with store.transaction() as con:
        con.execute("UPDATE rollup_hours_recent SET calls = 2")
    sweep()
    assert sweep.differences == 0
    clock[0] = TODAY + DAY
    sweep()
    assert sweep.differences == 2  # the hour that is there, and the one that should be


def test_history_from_before_what_is_kept_is_refused(store: Store) -> None:
    book(store, [call(1, 50 * DAY)], price, NOW)
    swept(store, Retention(details=40))
    admission = Admission(Limits(), lambda _: None, Horizon(store).of)
    again = admission.admit(call(1, 50 * DAY), EVERYTHING, NOW, history=True)
    assert isinstance(again, NotBilled)
    assert again.code == "details_deleted"
    assert isinstance(admission.admit(call(2, 45 * DAY), EVERYTHING, NOW, history=True), Call)


def test_days_that_let_a_call_come_again_are_refused() -> None:
    with pytest.raises(ValueError, match=r"details=31: .* keep details for at least 32 days"):
        Retention(details=31).check(Limits(past_days=31))
    Retention(details=32).check(Limits(past_days=31))


@pytest.mark.parametrize("setting", ["details=0", "detail=3", "details=ever", "quarantine=36501", "details"])
def test_unfit_days_are_refused(setting: str) -> None:
    with pytest.raises(ValueError, match=r"whole number from 1 to 36500|no kind of detail is named"):
        Retention().changed([setting])
