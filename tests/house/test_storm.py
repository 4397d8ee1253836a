"""A small retry storm: who asks the engine asks the provider once, and what the benchmark judges by is right."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from storm_agents import Call, Found, Plan, due_times
from storm_truth import judged, peak

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "storm.py"
WAYS = ("full jitter", "limit declared")
ENDS_WITHIN_S = 120


def outcomes() -> list[dict[str, Any]]:
    """What came of a storm by each way. Both are begun at once: most of the time is waiting."""
    running = [
        subprocess.Popen(
            [sys.executable, SCRIPT, "--quick", "--json", "--only", way],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for way in WAYS
    ]
    try:
        found = []
        for process in running:
            out, errors = process.communicate(timeout=ENDS_WITHIN_S)
            assert process.returncode == 0, errors
            ((run,),) = json.loads(out.splitlines()[-1]).values()
            found.append(run["outcome"])
        return found
    finally:
        for process in running:
            with process:
                process.kill()


def test_agents_that_ask_the_engine_try_less_often_than_by_themselves_and_nobody_starves() -> None:
    jitter, ours = outcomes()
    # Twelve calls a second are due and two are served, for three seconds.
    assert jitter["backlog"] > 10
    assert ours["backlog"] > 10
    attempts = [(of["served"] + of["refused"]) / of["served"] for of in (jitter, ours)]
    assert attempts[1] < attempts[0]
    assert ours["cut_refused"] < jitter["cut_refused"]
    # Nobody gives up, and whoever was due before the end was served.
    assert ours["given_up"] == 0
    assert ours["recovery_s"] is not None


# -- what it judges by


def moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()


def log(served: list[float], refused: list[float]) -> dict[str, Any]:
    return {
        "served": [{"arrived_at": moment(at)} for at in served],
        "refused": [{"at": moment(at)} for at in refused],
    }


def test_recovery_is_until_no_more_is_behind_than_before_the_cut() -> None:
    # One is due each second and takes half of it; from 10 s to 20 s none is served, and then two a second until 30 s.
    due = [float(at) for at in range(1, 41)]
    ends = (
        [at + 0.5 for at in range(1, 10)]
        + [20.25 + n / 2 for n in range(20)]
        + [at + 0.5 for at in range(30, 41)]
    )
    found = Found(0.0, [Call(0, at, end, served=True) for at, end in zip(due, ends, strict=True)])
    outcome = judged(found, due, log([21.0] * 3, [11.0, 12.0, 12.5]), 10.0, 20.0, 2.0, 40.0)
    # Those of 10 s to 20 s, of which one is usual. At 28.75 s the 18th has come back and 28 were due: 9 + 18 ended.
    assert outcome.backlog == 11 - 1
    assert outcome.recovery_s == pytest.approx(8.75)
    assert outcome.minimum_s == pytest.approx(10 / (2 - 8 / 8.75))
    assert (outcome.served, outcome.refused, outcome.cut_refused) == (3, 3, 3)
    assert outcome.attempts == 2.0
    # Due at 10 s, the first to come back.
    assert outcome.longest_wait_s == pytest.approx(10.25)


def test_what_is_still_behind_at_the_end_is_no_recovery() -> None:
    due = [float(at) for at in range(1, 21)]
    found = Found(0.0, [Call(0, at, at + 0.5, served=True) for at in due[:10]])
    assert judged(found, due, log([], []), 11.0, 15.0, 5.0, 20.0).recovery_s is None


def test_a_peak_is_of_any_second() -> None:
    # From 0.9 to 1.8.
    assert peak([0.0, 0.6, 0.9, 1.5, 1.55, 1.8, 3.0]) == 4
    assert peak([]) == 0


def test_calls_are_due_evenly_and_by_the_seed_alone() -> None:
    plan = Plan("blind", "", "", "", agents=50, per_s=10.0, longest_s=60.0, seed=1)
    times = sorted(at for agent in range(50) for at in due_times(plan, agent))
    assert times == sorted(at for agent in range(50) for at in due_times(plan, agent))
    # Ten a second in the first round, and about as many in all later ones.
    assert all(abs(sum(5 * n <= at < 5 * n + 5 for at in times) - 50) <= 20 for n in range(12))
