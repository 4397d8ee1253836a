"""How tasks end: told by one span each, kept beside the calls, and never one of them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from by_hand import booked, refused
from opentelemetry.sdk.trace import TracerProvider
from otlp_samples import BASE_NS, Served, llm_span, request, task_end

import switchgear as sg
from analytics.reports import REPORTS
from cli import inspect
from collector.call import Kind, Reported, State
from collector.erasing.horizon import Horizon
from collector.erasing.retention import Retention, Sweep
from collector.facts.store import Store
from collector.ingest.limits import Limits

Serve = Callable[..., Served]
NOW = datetime.fromtimestamp(BASE_NS / 1e9, UTC)
END = {
    "switchgear.tenant": "acme",
    "switchgear.workload": "writer",
    "switchgear.task.id": "t1",
    "switchgear.task.root_id": "t1",
    "switchgear.tier": "batch",
    "switchgear.user": "u-17",
    "switchgear.task.outcome": "stopped",
}
CHAT = {
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": "gpt-4o-mini",
    "gen_ai.usage.input_tokens": 1000,
    "gen_ai.usage.output_tokens": 50,
}


def test_a_span_that_no_dialect_knows_tells_how_its_task_ended() -> None:
    found = booked(END)
    assert (found.kind, found.outcome) == (Kind.TASK, "stopped")
    assert (found.tenant, found.workload, found.task_id, found.root_task_id, found.tier, found.end_user) == (
        *("acme", "writer", "t1", "t1", "batch", "u-17"),
    )
    assert (found.usage, found.cost, found.reported) == (None, None, Reported.NOTHING)


def test_a_request_to_a_model_stays_a_call_whatever_it_says_of_a_task() -> None:
    found = booked({**END, **CHAT})
    assert (found.kind, found.outcome, found.end_user) == (Kind.LLM, None, "u-17")


def test_what_a_span_states_that_it_cost_is_not_lost_over_how_a_task_ended() -> None:
    found = booked({**END, "switchgear.cost.amount": "0.5", "switchgear.cost.currency": "USD"})
    assert (found.kind, found.outcome, found.stated is not None) == (Kind.COST, None, True)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            {"switchgear.task.outcome": "fine"},
            "'fine' is none; there are: succeeded, failed, stopped, abandoned",
        ),
        ({"switchgear.task.outcome": 1}, "'1' is none"),
        ({"switchgear.task.id": None}, "switchgear.task.id names none"),
        ({"switchgear.user": 7}, "switchgear.user: a name is text"),
        ({"switchgear.user": "u" * 129}, "switchgear.user: 129 characters; a name has at most 128"),
    ],
    ids=["another outcome", "a number", "no task", "no text", "too long"],
)
def test_an_end_that_says_nothing_usable_is_rejected(changed: dict[str, Any], said: str) -> None:
    found = refused({**END, **changed})
    assert (found.code, found.rejected) == ("bad_value", True)
    assert said in found.reason


def test_an_empty_user_is_none() -> None:
    assert booked({**CHAT, "switchgear.user": ""}).end_user is None


@pytest.mark.parametrize("protobuf", [False, True], ids=["json", "protobuf"])
def test_an_end_is_kept_once_beside_the_calls(serve: Serve, *, protobuf: bool) -> None:
    served = serve()
    ours = {"switchgear.task.id": "t1", "switchgear.user": "u-17"}
    for _ in range(2):
        answer = served.send(request([llm_span(1, ours), task_end(2)]), protobuf=protobuf)
        assert answer.status_code == 200
    assert served.rows("SELECT span_id, kind, state, end_user FROM calls") == [
        [f"{1:016x}", "llm", "complete", "u-17"]
    ]
    assert served.rows("SELECT tenant, workload, task_id, outcome, span_id FROM task_ends") == [
        ["acme", "writer", "t1", "succeeded", f"{2:016x}"]
    ]
    assert served.rows("SELECT count(*) FROM not_billed") == [[0]]
    metrics = served.http.get("/metrics").text
    for said in (
        "task_ends_total 2",
        "booked_calls_total 1",
        "incomplete_calls_total 0",
        "accepted_spans_total 4",
    ):
        assert f"switchgear_collector_{said}" in metrics
    feed = served.http.get("/v1/feed", params={"after": 0}).json()
    assert len(feed["calls"]) == 1


def test_the_same_span_of_another_tenant_is_another_end(serve: Serve) -> None:
    served = serve()
    served.send(request([task_end(2)]))
    served.send(request([task_end(2, {"switchgear.tenant": "beta", "switchgear.task.outcome": "failed"})]))
    assert served.rows("SELECT tenant, outcome FROM task_ends ORDER BY ALL") == [
        ["acme", "succeeded"],
        ["beta", "failed"],
    ]


def test_an_end_that_is_sent_again_is_known_after_a_restart(serve: Serve) -> None:
    served = serve()
    served.send(request([llm_span(1), task_end(2)]))
    served.stop()
    again = serve()
    again.send(request([task_end(2), task_end(3), task_end(3)]))
    assert again.rows("SELECT span_id FROM task_ends ORDER BY seq") == [[f"{2:016x}"], [f"{3:016x}"]]


def test_ends_are_booked_from_the_journal_after_a_restart(serve: Serve, tmp_path: Path) -> None:
    served = serve()
    served.send(request([llm_span(1), task_end(2)]))
    served.stop()
    for file in (tmp_path / "data").glob("switchgear.duckdb*"):
        file.unlink()
    again = serve()
    assert again.rows("SELECT task_id, outcome FROM task_ends") == [["t1", "succeeded"]]
    assert again.rows("SELECT count(*) FROM calls") == [[1]]


def test_an_end_whose_time_cannot_be_right_is_kept_aside(serve: Serve) -> None:
    served = serve(limits=Limits(), now=lambda: NOW)
    served.send(request([task_end(2, startTimeUnixNano="1000")]))
    assert served.rows("SELECT kind, outcome, task_id FROM quarantine") == [["task", "succeeded", "t1"]]
    assert served.rows("SELECT count(*) FROM task_ends") == [[0]]


def test_inspect_shows_an_end_as_no_call(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.json").write_text(json.dumps(request([llm_span(1), task_end(2)])))
    assert inspect.run([tmp_path / "a.json"], as_json=True) == 0
    captured = capsys.readouterr()
    call, end = map(json.loads, captured.out.splitlines())
    assert (call["booked"], call["state"]) == (True, State.COMPLETE)
    assert (end["booked"], end["task"], end["cost"], end["state"]) == (False, "t1", None, None)
    assert end["reason"] == "tells how a task ended (succeeded): kept, and no call"
    assert captured.err == ""


@pytest.fixture
def store(serve: Serve, tmp_path: Path) -> Iterator[Store]:
    """A task that ended 45 days ago, and one that began then and ended 3 days ago."""
    served = serve(now=lambda: NOW)
    ages = {"t1": (45, 45), "t2": (45, 3)}
    for number, (task, days) in enumerate(ages.items(), 1):
        began, ended = (str(BASE_NS - each * 86_400 * 10**9) for each in days)
        named = {"switchgear.task.id": task, "switchgear.task.root_id": task}
        served.send(request([task_end(number, named, startTimeUnixNano=began, endTimeUnixNano=ended)]))
    served.stop()
    opened = Store(tmp_path / "data")
    yield opened
    opened.close()


def test_an_end_goes_with_the_details_once_its_task_is_that_long_over(store: Store) -> None:
    Sweep(store, Retention(details=40), Horizon(store), now=lambda: NOW)()
    assert store.cursor().execute("SELECT task_id FROM task_ends").fetchall() == [("t2",)]
    assert store.cursor().execute("SELECT before FROM deletions").fetchall() == [
        (NOW.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=44),)
    ]


def test_what_the_sdk_tells_of_tasks_is_divided_by(serve: Serve) -> None:
    served = serve(reports=REPORTS, now=lambda: datetime.now(UTC), limits=Limits())
    provider = TracerProvider(shutdown_on_exit=False)
    tracer = provider.get_tracer("opentelemetry.instrumentation.genai.openai")
    sg.configure(collector=served.url, tenant="acme", guard=False, tracer_provider=provider)
    try:
        for task, user, ends in (
            ("t1", "u-1", None),
            ("t2", "u-2", LookupError),
            ("t3", "u-1", asyncio.CancelledError),
        ):
            with (
                suppress(LookupError, asyncio.CancelledError),
                sg.task("writer", id=task, user=user),
                sg.task("search"),
            ):
                tracer.start_span("chat", attributes=CHAT).end()
                if ends is not None:
                    raise ends
        assert sg.flush()
    finally:
        sg.shutdown()
        provider.shutdown()
    ends = served.rows("SELECT task_id, workload, outcome, end_user FROM task_ends ORDER BY ALL")
    assert ends == [
        ["t1", "writer", "succeeded", "u-1"],
        ["t2", "writer", "failed", "u-2"],
        ["t3", "writer", "abandoned", "u-1"],
    ]
    asked = {"from": "2020-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z"}
    answer = served.http.get("/v1/reports/unit_costs", params=asked).json()
    (row,) = (dict(zip(answer["columns"], each, strict=True)) for each in answer["rows"])
    # 3 calls of 1,000 x 0.15 + 50 x 0.60 per million: 0.00018 each.
    assert {name: row[name] for name in ("calls", "tasks", "succeeded", "failed", "abandoned", "users")} == {
        "calls": 3,
        "tasks": 3,
        "succeeded": 1,
        "failed": 1,
        "abandoned": 1,
        "users": 2,
    }
    assert {name: row[name] for name in row if "cost" in name} == {
        "cost": "0.00054",
        "cost_per_task": "0.00018",
        "cost_of_task_p50": "0.00018",
        "cost_of_task_p95": "0.00018",
        "cost_per_success": "0.00054",
        "cost_per_1000_calls": "0.18",
        "cost_per_user": "0.00027",
        "retry_cost_at_most": "0",
        "abandoned_cost": "0.00036",
    }
