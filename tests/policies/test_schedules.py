"""Known schedules: their moments, and that a projection sees them coming."""

from __future__ import annotations

from datetime import UTC, datetime, time
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from engines import engine

from policies.files import parse
from policies.ladder import stand
from policies.schedules import Schedule

BERLIN = ZoneInfo("Europe/Berlin")
NIGHTLY = Schedule(time(2, 30), BERLIN, Decimal(40))
SATURDAYS = Schedule(time(2, 30), BERLIN, Decimal(1), frozenset({5}))


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("schedule", "after", "until", "moments"),
    [
        # 02:30 in Berlin is 01:30 UTC in winter.
        (NIGHTLY, "2026-11-27T00:00", "2026-11-28T01:29:59", ["2026-11-27T01:30"]),
        (NIGHTLY, "2026-11-27T01:30", "2026-11-28T01:30", ["2026-11-28T01:30"]),
        # Saturday is day 5.
        (SATURDAYS, "2026-11-23T00:00", "2026-11-30T00:00", ["2026-11-28T01:30"]),
        # On 25 October 2026 the clock shows 02:30 twice; the first is at 00:30 UTC.
        (NIGHTLY, "2026-10-24T12:00", "2026-10-25T12:00", ["2026-10-25T00:30"]),
        # On 29 March 2026 it never does: an hour later by the wall, 01:30 UTC.
        (NIGHTLY, "2026-03-28T12:00", "2026-03-29T12:00", ["2026-03-29T01:30"]),
    ],
    ids=["winter", "ends included, begins not", "a day of the week", "twice", "skipped"],
)  # fmt: skip
def test_a_schedule_begins_at_its_local_time(
    schedule: Schedule, after: str, until: str, moments: list[str]
) -> None:
    assert list(schedule.within(at(after), at(until))) == [at(moment) for moment in moments]


POLICIES = """
version: 1
tenants:
  acme:
    workloads:
      nightly: {tier: background, schedules: [{at: "02:30", zone: Europe/Berlin, days: [friday], expect: 40 USD}]}
      chat: {}
ceilings:
  - {name: all, limit: 100 USD, window: 10h}
  - {name: nightly, scope: {tenant: acme, workload: nightly}, limit: 100 USD, window: 10h}
  - {name: chat, scope: {tenant: acme, workload: chat}, limit: 100 USD, window: 10h}
"""


def test_a_projection_sees_the_schedules_of_its_scope_coming() -> None:
    made = engine(HOURS)
    now = at("2026-11-27T01:00")
    made.replace(parse(POLICIES, name="p"), now)
    # The horizon of ten hours is one hour: at 01:00 UTC the run of 01:30 is inside it.
    projected = {a.ceiling.name: a.forecast.band(now, 0.0, 0.0, 0.0).q50 / 1e12 for a in made.accounts}
    assert projected == {"all": 40.0, "nightly": 40.0, "chat": 0.0}
    assert stand(next(iter(made.accounts)), at("2026-11-27T02:00")).band.q50 == 0.0


HOURS = "  - {name: all, limit: 100 USD, window: 10h}\n"


def test_another_policy_set_brings_its_own_schedules() -> None:
    made = engine(HOURS)
    now = at("2026-11-27T01:00")
    made.replace(parse(POLICIES, name="p"), now)
    made.replace(parse(POLICIES.replace("40 USD", "50 USD"), name="p"), now)
    assert {a.forecast.band(now, 0.0, 0.0, 0.0).q50 / 1e12 for a in made.accounts} == {0.0, 50.0}
