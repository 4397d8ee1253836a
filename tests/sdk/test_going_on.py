"""Tasks that go on elsewhere: the same task in every part of it, and one end, told by the last."""

from __future__ import annotations

import json
import logging
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Tracer

import switchgear as sg
from switchgear.identity import Identity


@pytest.fixture
def tracer(configured: Callable[..., TracerProvider]) -> Tracer:
    return configured(guard=False).get_tracer("tests")


def ends(spans: InMemorySpanExporter) -> list[ReadableSpan]:
    """The spans that tell how a task ended."""
    return [
        span for span in spans.get_finished_spans() if "switchgear.task.outcome" in (span.attributes or {})
    ]


def outcomes(spans: InMemorySpanExporter) -> list[object]:
    return [(span.attributes or {})["switchgear.task.outcome"] for span in ends(spans)]


def test_a_resumed_task_is_the_same_task_with_all_that_was_said_of_it() -> None:
    with (
        sg.task("report", tenant="acme", tier="interactive", budget="2 USD", user="u-17") as root,
        sg.task("search", budget="0.50 USD") as first,
    ):
        carried = first.carry()
    with sg.task.resume(carried) as second:
        assert sg.current_task() is second
        with sg.task("page") as inner:
            pass

    assert (second.id, second.parent_id, second.root_id) == (first.id, root.id, root.id)
    assert (second.workload, second.tenant, second.tier, second.user) == (
        "search",
        "acme",
        sg.Tier.INTERACTIVE,
        "u-17",
    )
    assert second.budgets == (
        (root.id, sg.Money(Decimal(2), "USD")),
        (first.id, sg.Money(Decimal("0.50"), "USD")),
    )
    assert second.span_attributes == first.span_attributes
    assert second.started_ns == first.started_ns
    assert (inner.parent_id, inner.root_id, inner.budgets) == (second.id, root.id, second.budgets)


def test_a_resumed_task_is_not_inside_the_task_that_runs_around_it() -> None:
    with sg.task("report", tenant="acme") as first:
        carried = first.carry()
    with sg.task("queue-worker", tenant="zenith"), sg.task.resume(carried) as second:
        assert (second.parent_id, second.tenant) == (None, "acme")
    assert sg.current_task() is None


def test_only_the_last_part_tells_how_the_task_ended_and_when_it_began(
    tracer: Tracer, spans: InMemorySpanExporter
) -> None:
    with sg.task("report", tenant="acme") as first:
        carried = first.carry()
        first.pause()
    with sg.task.resume(carried) as second:
        second.pause()
    assert outcomes(spans) == []
    with sg.task.resume(carried):
        pass

    (end,) = ends(spans)
    assert outcomes(spans) == ["succeeded"]
    assert end.start_time == first.started_ns
    assert end.end_time is not None
    assert end.end_time > first.started_ns


def test_a_paused_part_tells_no_end_whatever_leaves_it(tracer: Tracer, spans: InMemorySpanExporter) -> None:
    with suppress(LookupError), sg.task("report", tenant="acme") as task:
        task.failed()
        task.pause()
        raise LookupError
    assert outcomes(spans) == []


def test_a_part_whose_task_begins_tomorrow_by_this_clock_does_not_end_before_it_began(
    tracer: Tracer, spans: InMemorySpanExporter
) -> None:
    with sg.task("report", tenant="acme") as first:
        first.pause()
        carried = replace(first._identity(), started_ns=time.time_ns() + 86_400 * 10**9).to_text()
    with sg.task.resume(carried):
        pass

    (end,) = ends(spans)
    assert end.start_time is not None
    assert end.end_time is not None
    assert end.start_time <= end.end_time


def test_who_keeps_only_the_id_goes_on_with_a_root_of_that_id(
    tracer: Tracer, spans: InMemorySpanExporter
) -> None:
    with sg.task("support", tenant="acme", id="case-7") as first:
        first.pause()
    with sg.task("support", tenant="acme", id="case-7", resume=True) as second:
        pass

    assert (second.id, second.root_id, second.parent_id) == ("case-7", "case-7", None)
    assert outcomes(spans) == ["succeeded"]


def test_two_fresh_tasks_of_one_id_at_once_are_told_of_and_resumed_ones_are_not(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def warned() -> int:
        return sum("under one id" in record.message for record in caplog.records)

    def fresh() -> sg.task:
        return sg.task("twice-at-once", tenant="acme", id="case-8")

    with caplog.at_level(logging.WARNING, "switchgear"):
        with fresh():
            pass
        with fresh() as first:
            carried = first.carry()

            @sg.task("other", tenant="zenith", id="case-8")
            def of_another_tenant() -> None: ...

            resumed = sg.task.resume(carried)
            sg.context.run_in(None, of_another_tenant)
            with resumed:
                pass
            assert warned() == 0
            sg.context.run_in(None, fresh()(lambda: None))
            sg.context.run_in(None, fresh()(lambda: None))
    assert warned() == 1


@pytest.mark.parametrize("own", ["t-1", "t-2", "t-3"], ids=["root", "parent's parent", "parent"])
def test_a_task_does_not_stand_inside_itself(own: str) -> None:
    with (
        sg.task("support", tenant="acme", id="t-1"),
        sg.task("search", id="t-2"),
        sg.task("page", id="t-3"),
        pytest.raises(sg.ConfigError, match="inside the task of that very id"),
        sg.task("link", id=own, resume=True),
    ):
        pass


def test_a_task_that_no_budget_more_fits_into_says_so() -> None:
    def nested(depth: int) -> int:
        with sg.task("report", tenant="acme", budget="1 USD") as task:
            assert len(task.budgets) == depth
            return nested(depth + 1)

    with pytest.raises(sg.ConfigError, match="32 budgets above it, the most"):
        nested(1)


# Called once, when it is time.


def decided(action: sg.Action = sg.Action.ALLOW, *, wrap_up: bool = False) -> sg.Decision:
    return sg.Decision.from_wire(
        {
            "id": "d-1",
            "action": action,
            "reason": "the ceiling is near",
            "version": 1,
            "valid_until": "2026-11-28T12:00:00+00:00",
            "wrap_up": wrap_up,
        }
    )


@pytest.mark.parametrize(
    ("decision", "calls"),
    [
        (decided(), 0),
        (decided(sg.Action.THROTTLE), 0),
        (decided(sg.Action.QUEUE), 0),
        (decided(wrap_up=True), 1),
        (decided(sg.Action.DEGRADE), 1),
        (decided(sg.Action.DENY), 1),
    ],
    ids=lambda value: f"{value.action} {value.wrap_up}" if isinstance(value, sg.Decision) else str(value),
)
def test_a_task_is_told_once_when_it_is_time_to_answer(decision: sg.Decision, calls: int) -> None:
    heard = []
    with sg.task("report", tenant="acme", on_wrap_up=lambda d: heard.append((d, sg.current_task()))) as task:
        pass
    task.hears(decided())
    task.hears(decision)
    task.hears(decision)

    assert heard == [(decision, task)] * calls


def test_each_call_of_a_decorated_function_is_told_for_itself() -> None:
    heard, tasks = [], []

    @sg.task("report", tenant="acme", on_wrap_up=heard.append)
    def run() -> None:
        tasks.append(sg.current_task())

    run()
    run()
    for task in tasks:
        task.hears(decided(wrap_up=True))
    assert len(heard) == 2


@pytest.mark.parametrize("error", [ValueError("private"), SystemExit("private")], ids=["error", "exit"])
def test_a_callback_that_raises_is_logged_without_what_it_said(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    def on_wrap_up(decision: sg.Decision) -> None:
        raise error

    with sg.task("report", tenant="acme", on_wrap_up=on_wrap_up) as task:
        task.hears(decided(wrap_up=True))
        task.hears(decided(wrap_up=True))

    assert [record.getMessage() for record in caplog.records] == [
        f"on_wrap_up of a task of 'report' raised {type(error).__name__}"
    ]


# The text.

NAMES = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S")), min_size=1, max_size=20)
AMOUNTS = st.decimals(min_value="0.000001", max_value=10**12, allow_nan=False, places=6)


@st.composite
def identities(draw: st.DrawFn) -> Identity:
    """Identities as tasks make them: names in their composed form."""
    ids = st.uuids().map(lambda made: made.hex) | NAMES
    scope = draw(st.builds(lambda w, t, u: (w, t, u), NAMES, NAMES, st.none() | NAMES))
    with sg.task(scope[0], tenant=scope[1], user=scope[2], id=draw(ids)) as made:
        who = made._identity()
    above = draw(st.none() | ids.filter(lambda text: text.isascii() and text != who.id))
    budgets = draw(st.lists(st.tuples(st.just(who.id), AMOUNTS), max_size=3))
    return replace(
        who,
        parent_id=above,
        root_id=above or who.id,
        tier=draw(st.sampled_from(sg.Tier)),
        started_ns=draw(st.integers(0, (1 << 63) - 1)),
        budgets=tuple((id_, sg.Money(amount, "USD")) for id_, amount in budgets),
    )


@given(identities())
def test_a_carried_task_that_is_read_back_is_the_same(who: Identity) -> None:
    text = who.to_text()
    assert Identity.from_text(text, "resume") == who
    assert text.isascii()
    assert text.isprintable()
    assert " " not in text


@given(st.text() | st.text().map(lambda rest: f"sg1.{rest}") | st.binary() | st.none() | st.integers())
def test_what_nobody_carried_is_refused_and_raises_nothing_else(text: object) -> None:
    with pytest.raises(sg.ConfigError):
        sg.task.resume(text)  # type: ignore[arg-type]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=9) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)


def carried_of(value: object) -> str:
    written = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(errors="surrogatepass")
    return "sg1." + urlsafe_b64encode(written).decode().rstrip("=")


FIELDS: list[object] = ["t-1", "t-1", None, "report", "acme", "batch", None, 1, []]


@given(st.integers(0, 8), JSON)
def test_no_field_of_a_carried_task_can_be_anything_but_what_it_is(place: int, value: object) -> None:
    fields = [*FIELDS]
    fields[place] = value
    text = carried_of(fields)
    try:
        who = Identity.from_text(text, "resume")
    except sg.ConfigError:
        return
    assert who.to_text() == text


@given(st.data())
def test_a_carried_task_that_was_changed_on_its_way_is_another_one_or_refused(data: st.DataObject) -> None:
    text = carried_of(FIELDS)
    place = data.draw(st.integers(0, len(text) - 1))
    changed = text[:place] + data.draw(st.characters()) + text[place + data.draw(st.integers(0, 2)) :]
    try:
        who = Identity.from_text(changed, "resume")
    except sg.ConfigError:
        return
    assert who.to_text() == changed


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("sg2.W10", "one that this version can read begins with sg1."),
        ("sg1." + "A" * 4093, "4097 characters; a carried task has at most 4096"),
        (carried_of(FIELDS)[:-3], "cut off or was changed"),
        (carried_of(FIELDS) + "=", "in another way"),
        ("sg1." + urlsafe_b64encode(b"[" * 2000).decode(), "cut off or was changed"),
        (carried_of(FIELDS[:-1]), "has not the 9 fields"),
        (carried_of([*FIELDS[:7], 1.0, []]), "its start is no time"),
        (carried_of([*FIELDS[:7], True, []]), "its start is no time"),
        (carried_of([*FIELDS[:7], -1, []]), "its start is no time"),
        (carried_of([*FIELDS[:8], [["t-1", "0 USD"]]]), "budget: "),
        (carried_of([*FIELDS[:8], [["t-1"]]]), "a budget is a task and an amount"),
        (carried_of([*FIELDS[:8], [["t-1", "1 USD"]] * 33]), "up to 32 budgets"),
        (carried_of(["t-1", "t-2", *FIELDS[2:]]), "no tree"),
        (carried_of(["t-1", "t-1", "t-0", *FIELDS[3:]]), "no tree"),
        (carried_of(["t-1", "t-0", "t-1", *FIELDS[3:]]), "no tree"),
        (carried_of([*FIELDS[:4], "ac\0me", *FIELDS[5:]]), "resume: tenant: 'ac\\x00me'"),
        (carried_of([*FIELDS[:4], "e\u0301", *FIELDS[5:]]), "in another way"),
        (carried_of([*FIELDS[:5], "urgent", *FIELDS[6:]]), 'tier: "urgent" is no tier'),
    ],
    ids=[
        "later version",
        "long",
        "cut off",
        "padded",
        "deep",
        "too few fields",
        "start a fraction",
        "start a truth",
        "start before time",
        "budget of nothing",
        "budget without amount",
        "too many budgets",
        "root without parent",
        "child that is a root",
        "child of itself",
        "NUL",
        "decomposed name",
        "unknown tier",
    ],
)
def test_a_text_that_no_task_carried_is_refused_with_the_reason(text: str, says: str) -> None:
    with pytest.raises(sg.ConfigError) as refused:
        sg.task.resume(text)
    assert str(refused.value).startswith("resume: ")
    assert says in str(refused.value)


def test_names_that_are_too_long_to_be_carried_are_refused_where_they_are_carried() -> None:
    # Its id stands there three times (as its own, its root's and its budget's), and three more names: 6 x 128 of them,
    # each four bytes, of which three make four characters: 6 x 128 x 4 x 4 / 3 = 4,096, and what stands between.
    name = "🜁" * 128
    with sg.task(name, tenant=name, id=name, user=name, budget="1 USD") as task:
        pass
    with pytest.raises(sg.ConfigError, match="at most 4096 can be carried"):
        task.carry()
