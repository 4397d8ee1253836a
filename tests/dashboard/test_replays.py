"""Replays run in a process of their own, with the calls that their viewer sees, within limits, until ended."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from waiting import until

from analytics.calls import COLUMNS, booked
from dashboard.parts.policies import replaying
from dashboard.replays import jobs as jobs_module
from dashboard.replays.jobs import Job, Jobs, Limits, ReplayError
from dashboard.replays.question import Question
from dashboard.services import Service

POLICY = """\
version: 1
tenants: {acme: {}}
ceilings:
  - {name: hour, scope: {tenant: acme}, limit: 1 USD, window: 1h, holds: worst_case}
  - {name: watched, limit: 0.50 USD, window: 1h, shadow: true}
"""
LOOSER = POLICY.replace("1 USD", "9 USD")
BEGIN = datetime(2026, 11, 16, tzinfo=UTC)
WEEK = timedelta(days=7)
SCHEMA = pa.schema(
    [
        (
            name,
            pa.timestamp("us", "UTC")
            if name.endswith("_at")
            else pa.decimal128(38, 12)
            if name == "cost"
            else pa.string()
            if name
            in ("tenant", "workload", "task_id", "root_task_id", "tier", "provider", "model", "currency")
            else pa.int64(),
        )
        for name in COLUMNS
    ]
)


def call(number: int) -> dict[str, Any]:
    """A call of 0.06 USD, one each second."""
    at = BEGIN + timedelta(seconds=number)
    counts = dict.fromkeys(("input_uncached", "cache_read", "cache_write_5m", "cache_write_1h"), 0)
    return {
        **dict.fromkeys(COLUMNS),
        **counts,
        "started_at": at,
        "ended_at": at + timedelta(seconds=1),
        "tenant": "acme",
        "workload": "w",
        "provider": "openai",
        "model": "gpt-4o-mini",
        "output": 100_000,
        "cost": Decimal("0.06"),
        "currency": "USD",
    }


def collector(calls: list[dict[str, Any]]) -> Callable[[str], pa.Table]:
    """What answers the two questions that a replay asks."""

    def ask(sql: str) -> pa.Table:
        if "count(*)" in sql:
            return pa.table({"calls": [len(calls)]})
        return pa.Table.from_pylist(calls, SCHEMA)

    return ask


@pytest.fixture
def running() -> Iterator[Jobs]:
    jobs = Jobs(Limits(calls=50))
    yield jobs
    jobs.close()


def finished(
    jobs: Jobs, ask: Callable[[str], pa.Table], *files: tuple[str, str], kind: Any = "backtest"
) -> Job:
    job = Job(Question(kind, files), BEGIN, BEGIN + WEEK)
    jobs.begin(job, "ann", ask).result(60)
    return job


def test_two_files_are_replayed_beside_each_other_in_another_process(running: Jobs) -> None:
    job = finished(running, collector([call(n) for n in range(20)]), ("today", POLICY), ("pasted", LOOSER))
    assert (job.state, job.error) == ("done", None)
    assert job.answer is not None
    assert (job.answer["calls"], job.answer["recorded"]["amount"]) == (20, "1.2")
    refused = [file["policies"][0]["refused"]["calls"] for file in job.answer["files"]]
    assert refused[0] >= 4
    assert refused[1] == 0


def test_shadows_are_told_as_if_they_were_enforced(running: Jobs) -> None:
    job = finished(running, collector([call(n) for n in range(20)]), ("today", POLICY), kind="shadows")
    assert job.answer is not None
    (watched,) = job.answer["shadows"]
    assert (watched["policy"], watched["would_act"], watched["verdict"]) == ("watched", True, "right")
    assert watched["refused"]["calls"] + watched["gave_up"]["calls"] >= 10


@pytest.mark.parametrize(
    ("calls", "says"),
    [
        pytest.param(0, "There are no calls in this range.", id="none"),
        pytest.param(51, "There are 51 calls in this range, and 50 are replayed at most.", id="too many"),
    ],
)
def test_what_cannot_be_replayed_is_said_before_a_process_starts(
    running: Jobs, monkeypatch: pytest.MonkeyPatch, calls: int, says: str
) -> None:
    monkeypatch.setattr(jobs_module, "_COMMAND", ("/nonexistent",))
    job = finished(running, collector([call(n) for n in range(calls)]), ("today", POLICY))
    assert job.state == "failed"
    assert says in (job.error or "")


def test_a_collector_that_does_not_answer_is_named(running: Jobs) -> None:
    def ask(sql: str) -> pa.Table:
        raise ReplayError("The collector did not tell the calls: no answer in time")

    job = finished(running, ask, ("today", POLICY))
    assert (job.state, job.error) == ("failed", "The collector did not tell the calls: no answer in time")


def test_files_and_calls_in_two_currencies_do_not_add_up(running: Jobs) -> None:
    euros = POLICY.replace("USD", "EUR").replace(
        "version: 1", "version: 1\ncurrency: EUR\nunpriced_rate: 1 EUR"
    )
    job = finished(running, collector([call(1)]), ("today", euros))
    assert job.state == "failed"
    assert "EUR and USD do not add up" in (job.error or "")


# A worker that answers nothing for as long as it is let.
SLEEPS = (*jobs_module._COMMAND[:2], "-c", "import time; time.sleep(600)")


def begun(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> tuple[Job, Future[None]]:
    monkeypatch.setattr(jobs_module, "_COMMAND", SLEEPS)
    job = Job(Question("backtest", [("today", POLICY)]), BEGIN, BEGIN + WEEK)
    return job, jobs.begin(job, "ann", collector([call(1)]))


def test_a_cancelled_job_ends_its_process_at_once(running: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    job, ended = begun(running, monkeypatch)
    until(lambda: job.state == "replaying", "the process runs")
    job.cancel()
    ended.result(10)
    assert (job.state, job.answer) == ("cancelled", None)


@pytest.mark.parametrize(
    ("limits", "state"),
    [
        pytest.param(Limits(within_s=0.0), "failed", id="late"),
        pytest.param(Limits(forgotten_s=0.0), "cancelled", id="looked at by nobody"),
    ],
)
def test_a_job_ends_by_itself(monkeypatch: pytest.MonkeyPatch, limits: Limits, state: str) -> None:
    jobs = Jobs(limits)
    job, ended = begun(jobs, monkeypatch)
    ended.result(10)
    jobs.close()
    assert job.state == state


def test_a_dashboard_that_ends_ends_what_it_replays(monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = Jobs()
    job, ended = begun(jobs, monkeypatch)
    until(lambda: job.state == "replaying", "the process runs")
    began = time.monotonic()
    jobs.close()
    ended.result(10)
    assert job.is_over
    assert time.monotonic() - began < 10


def test_of_one_viewer_one_job_runs_at_a_time_and_another_viewer_need_not_wait_for_it(
    running: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = begun(running, monkeypatch)
    until(lambda: first.state == "replaying", "the first runs")
    second = Job(Question("backtest", [("today", POLICY)]), BEGIN, BEGIN + WEEK)
    running.begin(second, "ann", collector([call(1)]))
    other = Job(Question("backtest", [("today", POLICY)]), BEGIN, BEGIN + WEEK)
    running.begin(other, "bob", collector([]))
    until(lambda: other.is_over, "another viewer's is done")
    assert second.state == "waiting"
    second.cancel()
    first.cancel()


def test_no_secret_of_the_dashboards_reaches_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not [name for name in jobs_module._ENVIRONMENT if "KEY" in name or "SWITCHGEAR" in name]


def test_what_is_replayed_are_the_calls_of_the_viewers_tenants_alone(guarded: Any) -> None:
    now = datetime.now(UTC)
    seen = {}
    for tenant in ("*", "bluebird-retail"):
        _, secret = guarded.key(["read"], [tenant])
        service = Service("collector", guarded.collector, secret)
        until(
            lambda service=service: service.query("SELECT 1 AS one").value is not None, "the new key is known"
        )
        pages = list(booked(replaying.asker(service), now - WEEK, now))
        service.close()
        seen[tenant] = {name for page in pages for name in page["tenant"].to_pylist()}
    assert seen["bluebird-retail"] == {"bluebird-retail"}
    assert len(seen["*"]) > 3
