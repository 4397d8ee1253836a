"""Admission: what a key may book, of which time and under which names, and how fast."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from collector.call import UNATTRIBUTED, Call, Kind, NotBilled, Stated
from collector.errors import QuotaError
from collector.ingest.admission import Admission
from collector.ingest.limits import Limits
from collector.ingest.names import Names
from collector.keys.key import EVERYTHING, Key
from collector.merging.merge import Outcome, Shelf
from collector.overflow import OVERFLOW, alike

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
INGEST = frozenset({"ingest"})
ONE = Key("sg_one", ("acme",), INGEST)
TWO = Key("sg_two", ("acme", "globex"), INGEST)
PATTERN = Key("sg_eu", ("eu-*",), INGEST)
ALL = Key("sg_all", ("*",), INGEST)
ADMIN = Key("sg_admin", ("*",), frozenset({"admin"}))
SMALL = Limits(workloads=3, tasks=3, spans_per_s=100, bytes_per_s=1000, burst_s=10)


def call(number: int = 1, *, tenant: str = "acme", at: datetime = NOW, **named: object) -> Call:
    return Call(
        **{
            "tenant": tenant,
            "trace_id": f"{number:032x}",
            "span_id": f"{number:016x}",
            "parent_span_id": None,
            "started_at": at,
            "ended_at": at,
            **named,
        }  # type: ignore[arg-type]
    )


def admission(limits: Limits | None = None) -> tuple[Admission, Counter[str]]:
    counted: Counter[str] = Counter()

    def count(name: str) -> None:
        counted[name] += 1

    return Admission(limits or Limits(), count), counted


@pytest.mark.parametrize(
    ("key", "tenant", "outcome"),
    [
        (ONE, "acme", "acme"),
        (ONE, "globex", "wrong_tenant"),
        (ONE, UNATTRIBUTED, "acme"),
        (TWO, "globex", "globex"),
        (TWO, "initech", "wrong_tenant"),
        (TWO, UNATTRIBUTED, "wrong_tenant"),
        (PATTERN, "eu-1", "eu-1"),
        (PATTERN, "us-1", "wrong_tenant"),
        (PATTERN, UNATTRIBUTED, "wrong_tenant"),
        (ALL, "anyone", "anyone"),
        (ALL, UNATTRIBUTED, UNATTRIBUTED),
        (EVERYTHING, UNATTRIBUTED, UNATTRIBUTED),
    ],
)
def test_a_call_is_booked_for_a_tenant_of_its_key_or_not_at_all(key: Key, tenant: str, outcome: str) -> None:
    admitted = admission()[0].admit(call(tenant=tenant), key, NOW)
    if isinstance(admitted, Call):
        assert admitted.tenant == outcome
    else:
        assert (admitted.code, admitted.rejected) == (outcome, True)
        assert "send with a key" in admitted.reason


@pytest.mark.parametrize("key", [ONE, TWO], ids=["one tenant", "two tenants"])
def test_no_reason_is_kept_under_the_name_of_a_tenant_outside_the_set(key: Key) -> None:
    refused = admission()[0].admit(call(tenant="victim"), key, NOW)
    unbilled = admission()[0].admit(NotBilled("t", "s", "wrong_kind", "a tool", tenant="victim"), key, NOW)
    for each in (refused, unbilled):
        assert isinstance(each, NotBilled)
        assert each.tenant == key.sole_tenant


def test_a_refusal_shows_64_characters_of_a_hostile_name_and_escapes_them() -> None:
    refused = admission()[0].admit(call(tenant="\x1b[2J\n" + "x" * 120), ONE, NOW)
    assert isinstance(refused, NotBilled)
    assert refused.reason.isprintable()
    assert "x" * 59 + "'" in refused.reason
    assert "x" * 60 not in refused.reason


@pytest.mark.parametrize(
    ("at", "key", "history", "code"),
    [
        (NOW + timedelta(minutes=10), ONE, False, None),
        (NOW + timedelta(minutes=10, seconds=1), ONE, False, "quarantined"),
        (NOW - timedelta(days=31), ONE, False, None),
        (NOW - timedelta(days=31, seconds=1), ONE, False, "quarantined"),
        (datetime(1970, 1, 1, tzinfo=UTC), ADMIN, False, "quarantined"),
        (datetime(1970, 1, 1, tzinfo=UTC), ADMIN, True, None),
        (datetime(2262, 4, 11, tzinfo=UTC), ADMIN, True, "quarantined"),
        (NOW - timedelta(days=32), ONE, True, "no_history"),
        (NOW, ONE, True, None),
    ],
    ids=[
        *("soon", "too soon", "old", "too old", "1970", "1970 imported", "2262", "imported without admin"),
        "history of today",
    ],
)
def test_what_began_outside_the_window_is_put_in_quarantine_or_imported_by_an_admin(
    at: datetime, key: Key, *, history: bool, code: str | None
) -> None:
    given = call(at=at)
    admitted = admission()[0].admit(given, key, NOW, history=history)
    if code is None:
        assert admitted == given
    else:
        assert isinstance(admitted, NotBilled)
        assert (admitted.code, admitted.rejected) == (code, True)
        assert admitted.held == (given if code == "quarantined" else None)


def test_what_is_quarantined_is_held_under_the_tenant_of_the_key() -> None:
    old = call(tenant=UNATTRIBUTED, at=NOW - timedelta(days=40))
    admitted = admission()[0].admit(old, ONE, NOW)
    assert isinstance(admitted, NotBilled)
    assert admitted.held is not None
    assert admitted.held.tenant == "acme"


def test_a_cost_of_its_own_needs_the_option_of_the_key() -> None:
    search = call(kind=Kind.COST, stated=Stated(Decimal("0.01"), "USD", "search"))
    refused = admission()[0].admit(search, ONE, NOW)
    assert isinstance(refused, NotBilled)
    assert (refused.code, refused.rejected) == ("cost_not_allowed", True)
    allowed = Key("sg_one", ("acme",), INGEST, frozenset({"cost_spans"}))
    assert admission()[0].admit(search, allowed, NOW) == search


def workloads(admitting: Admission, names: list[str], *, tenant: str = "acme") -> list[str | None]:
    admitted = [admitting.admit(call(tenant=tenant, workload=name), ALL, NOW) for name in names]
    return [each.workload for each in admitted if isinstance(each, Call)]


def test_a_workload_over_the_cap_overflows_and_those_before_it_keep_their_names() -> None:
    admitting, counted = admission(SMALL)
    assert workloads(admitting, ["a", "b", "c", "d", "a", "e", "c"]) == [
        *("a", "b", "c", OVERFLOW, "a", OVERFLOW, "c")
    ]
    assert counted == {"overflowed_calls": 2}
    assert workloads(admitting, ["d"], tenant="globex") == ["d"]


def test_a_workload_that_was_booked_before_the_start_keeps_its_name() -> None:
    admitting, _ = admission(SMALL)
    for name in ("x", "y", "z"):
        admitting.remember("acme", name, NOW)
    assert workloads(admitting, ["a", "y"]) == [OVERFLOW, "y"]


def test_a_task_over_the_cap_overflows_with_its_parent_and_root() -> None:
    admitting, _ = admission(SMALL)
    admitting.admit(call(task_id="child", parent_task_id="root", root_task_id="root"), ONE, NOW)
    second = call(task_id="two", parent_task_id="too", root_task_id="many")
    third = call(task_id="three")
    admitted = [admitting.admit(each, ONE, NOW) for each in (second, third)]
    assert [
        (each.task_id, each.parent_task_id, each.root_task_id) for each in admitted if isinstance(each, Call)
    ] == [(OVERFLOW, OVERFLOW, OVERFLOW), ("three", None, None)]


def test_a_task_makes_room_a_day_after_it_was_last_seen() -> None:
    admitting, _ = admission(SMALL)

    def admitted(task: str, now: datetime) -> str | None:
        result = admitting.admit(call(task_id=task), ONE, now)
        assert isinstance(result, Call)
        return result.task_id

    for task in ("a", "b", "c"):
        admitted(task, NOW)
    assert admitted("a", NOW + timedelta(hours=1)) == "a"
    assert admitted("d", NOW + timedelta(hours=23)) == OVERFLOW
    assert [admitted(task, NOW + timedelta(hours=24)) for task in ("d", "e", "f")] == ["d", "e", OVERFLOW]


def test_a_span_sent_again_is_the_same_whether_its_names_overflow_or_not() -> None:
    whole = call(workload="nightly", task_id="t", root_task_id="r")
    cut = call(workload=OVERFLOW, task_id=OVERFLOW, root_task_id=OVERFLOW)
    assert alike(whole, cut)
    assert alike(cut, whole)
    assert alike(call(workload=OVERFLOW, task_id="t"), call(workload="nightly", task_id=OVERFLOW))
    assert not alike(whole, call(workload=OVERFLOW, task_id="another", root_task_id="r"))
    assert not alike(cut, call(workload="nightly", task_id="t", root_task_id="r", model="other"))
    assert not alike(whole, call(workload="nightly", task_id="t"))
    for first, again in ((whole, cut), (cut, whole)):
        shelf = Shelf()
        assert [shelf.put(first), shelf.put(again)] == [Outcome.NEW, Outcome.DUPLICATE]


def test_many_tenants_take_no_more_memory_than_all_names_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collector.ingest.names.MAX_NAMES", 100)
    names = Names(SMALL)
    for number in range(1000):
        names.capped(call(tenant=f"tenant-{number}", workload="w", task_id="t"), NOW)
    # 50 tenants with two names each; the one that was quiet for longest is forgotten first.
    assert names.size == 100


def test_a_request_over_the_quota_is_taken_and_the_next_ones_wait_for_it() -> None:
    admitting, counted = admission(SMALL)
    # 10 s of 100 spans/s may come at once; 1,500 spans are 500 too many, paid off in 5 s.
    admitting.check(ONE, NOW)
    admitting.charge(ONE, 10, NOW, spans=1_500)
    with pytest.raises(QuotaError, match="key 'sg_one' sends more than 100 spans/s") as refused:
        admitting.check(ONE, NOW)
    assert refused.value.retry_after_s == 5
    assert counted == {"quota_refusals": 1}
    with pytest.raises(QuotaError):
        admitting.check(ONE, NOW + timedelta(seconds=4.9))
    admitting.check(ONE, NOW + timedelta(seconds=5))


def test_bytes_count_as_they_are_after_inflating_and_a_pause_saves_up_no_more_than_the_burst() -> None:
    admitting, _ = admission(SMALL)
    later = NOW + timedelta(days=1)
    admitting.check(ONE, NOW)
    # 10 s of 1,000 bytes/s, and 20,000 bytes more.
    admitting.charge(ONE, 30_000, later)
    with pytest.raises(QuotaError) as refused:
        admitting.check(ONE, later)
    assert refused.value.retry_after_s == 20


def test_one_key_over_its_quota_leaves_the_others_theirs() -> None:
    admitting, _ = admission(SMALL)
    admitting.charge(ONE, 0, NOW, spans=1_000_000)
    admitting.check(TWO, NOW)
    for operators in (ALL, EVERYTHING):
        admitting.charge(operators, 0, NOW, spans=1_000_000)
        admitting.check(operators, NOW)


def test_a_clock_that_is_put_back_refills_nothing_and_takes_nothing() -> None:
    admitting, _ = admission(SMALL)
    admitting.charge(ONE, 0, NOW, spans=1_100)
    for now in (NOW - timedelta(hours=1), NOW - timedelta(hours=1) + timedelta(seconds=0.5)):
        with pytest.raises(QuotaError):
            admitting.check(ONE, now)
    admitting.check(ONE, NOW - timedelta(hours=1) + timedelta(seconds=1))


def test_limits_are_changed_by_name() -> None:
    assert Limits().changed(["tasks=7", "past_days=62", "tasks=8"]) == Limits(tasks=8, past_days=62)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("task=7", "no limit is named 'task'; there are bytes_per_s, "),
        ("tasks", "tasks=: it is a whole number from 1 to 1000000000000"),
        ("tasks=0", "tasks=0: it is a whole number"),
        ("tasks=-1", "tasks=-1: it is a whole number"),
        ("past_days=36501", "from 1 to 36500"),
    ],
)
def test_a_limit_that_cannot_be_is_refused_with_what_can(setting: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Limits().changed([setting])
