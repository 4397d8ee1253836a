"""A task that fans out over processes keeps to its ceiling, and has money left for the answer made of the parts."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from guarding import RunningEngine, running_engine
from opentelemetry.sdk.trace import TracerProvider
from provider_clients import OPENAI, openai_call, openai_client
from waiting import until

import switchgear as sg
from cli.demo.rates import RATES, bill
from switchgear import testing

PROGRAM = Path(__file__).parents[2] / "examples" / "fanout.py"
# What the example allows its task, and of that its sub-agents. Sixty of them want twenty calls each, at about 0.002
# USD: five times as much.
CEILING, PARTS = Decimal("0.50"), Decimal("0.45")
AGENTS = 60
POLICY = f"""
version: 1
currency: USD
tenants: {{acme: {{workloads: {{research: {{}}, fan-out: {{}}, explore: {{}}}}}}}}
ceilings: [{{name: a-task, scope: {{tenant: acme}}, limit: {CEILING} USD, per: task}}]
"""
# An answer takes the longer the longer it is, and its length is log-normal.
LATENCY = testing.Latency(per_output_token_s=0.002)
ENDS_WITHIN_S = 60
LEASE_S = 300

Configure = Callable[..., TracerProvider]


@pytest.fixture
def priced() -> Iterator[testing.Provider]:
    with testing.provider(price=lambda model, usage: bill(model, usage, RATES), latency=LATENCY) as provider:
        yield provider


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[RunningEngine]:
    with running_engine(tmp_path / "engine", POLICY) as engine:
        yield engine


_PATIENT = """
from switchgear.control import control, following

control._ANSWERS_WITHIN_S = following._ANSWERS_WITHIN_S = 20.0
"""


@contextmanager
def fanning_out(
    provider: testing.Provider, engine: RunningEngine, sink: str, spool: Path, *, patience_s: float = 120
) -> Iterator[subprocess.Popen[str]]:
    """The example as the program that it is: this process and two of its own."""
    # An engine that a busy machine keeps waiting is there as well: a call that gave up on it would go without a hold.
    patient = spool / "patient"
    patient.mkdir()
    (patient / "sitecustomize.py").write_text(_PATIENT)
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(patient), *filter(None, [os.environ.get("PYTHONPATH")])]),
        "OPENAI_API_KEY": "none",
        "OPENAI_BASE_URL": provider.openai_url,
        "SWITCHGEAR_POLICIES": engine.url,
        "SWITCHGEAR_COLLECTOR": sink,
        "SWITCHGEAR_SPOOL": str(spool),
        "SWITCHGEAR_PATIENCE_BATCH_S": str(patience_s),
    }
    with subprocess.Popen(
        [sys.executable, PROGRAM], env=environment, stdout=subprocess.PIPE, text=True
    ) as run:
        try:
            yield run
        finally:
            run.kill()


def told(run: subprocess.Popen[str]) -> tuple[int, dict[str, int], str]:
    """How many sub-agents the parent's answer is made of, how they ended, and that answer."""
    said, _ = run.communicate(timeout=ENDS_WITHIN_S)
    assert run.returncode == 0
    found = re.match(rf"(\d+) of {AGENTS} sub-agents found something \((.*)\)\.\n(.*\w)", said)
    assert found is not None, said
    ends = dict(each.split(" ", 1)[::-1] for each in found[2].split(", "))
    return int(found[1]), {end: int(count) for end, count in ends.items()}, found[3]


def test_sixty_sub_agents_in_three_processes_keep_to_a_ceiling_and_the_parent_answers_with_what_they_did(
    priced: testing.Provider, engine: RunningEngine, sink: str, tmp_path: Path
) -> None:
    with fanning_out(priced, engine, sink, tmp_path) as run:
        gave, ends, answer = told(run)

    assert answer != "Only notes:"
    *parts, last = (served.billed for served in priced.served)
    # The last call is the parent's; what it is made of was spent before, and over by no more than one call.
    assert sum(parts) <= PARTS + max(parts)
    assert CEILING * Decimal("0.9") <= sum(parts) + last <= CEILING
    assert gave == AGENTS
    # None of them could do all that it wanted, and each was told so or refused.
    assert (sum(ends.values()), ends.keys() <= {"wrapped up", "refused"}) == (AGENTS, True)
    until(lambda: spent(engine) == sum(parts) + last and not held(engine), "all is settled or given back")


def test_a_killed_process_takes_neither_the_bound_nor_the_answer_with_it_and_what_it_held_comes_back(
    priced: testing.Provider,
    engine: RunningEngine,
    sink: str,
    tmp_path: Path,
    configured: Configure,
) -> None:
    # What it held is in the way of the last calls of the others: they wait for it, here not for long.
    with fanning_out(priced, engine, sink, tmp_path, patience_s=2) as run:
        until(lambda: len(priced.served) >= AGENTS, "all are at work")
        killed = children_of(run.pid)[0]
        os.kill(int(killed), 9)
        gave, ends, _ = told(run)

    billed = [served.billed for served in priced.served]
    assert sum(billed) <= CEILING + max(billed)
    # The twenty of the killed process did not come to an end; what they had told until then is part of the answer.
    assert sum(ends.values()) == AGENTS * 2 // 3
    assert gave > AGENTS * 2 // 3
    # What the killed process had under way is held until its time is over, and then it is the others' again.
    later(engine, LEASE_S - 60)
    assert held(engine) > 0
    later(engine, 60)
    until(lambda: held(engine) == 0, "the holds are given back")
    (task,) = {budget["scope"]["task"] for budget in shown(engine) if budget["ceiling"] == "a-task"}
    configured(engine.url)
    with sg.task("research", tenant="acme", id=task, resume=True), openai_client(priced) as client:
        openai_call(sg.wrap(client))


@pytest.mark.parametrize("above", [False, True], ids=["its own", "that of the task above it"])
def test_a_task_is_told_to_wrap_up_before_a_budget_in_code_is_spent(
    engine: RunningEngine, configured: Configure, provider: testing.Provider, *, above: bool
) -> None:
    configured(engine.url)
    # Each call costs 0.000525 USD, so that 85 % are spent after fourteen.
    budget, called = "0.0085 USD", []
    asked_to = OPENAI | {"max_tokens": 50}
    with (
        openai_client(provider) as own,
        sg.task("research", tenant="acme", budget="0.4 USD"),
        sg.task("fan-out", budget=budget if above else None),
        sg.task("explore", budget=None if above else budget, on_wrap_up=called.append) as task,
    ):
        client = sg.wrap(own)
        made = 0
        while not task.wrap_up:
            client.chat.completions.create(**asked_to)
            made += 1
        client.chat.completions.create(**asked_to)
        with pytest.raises(sg.BudgetExceeded, match="task budget"):  # noqa: PT012 - one of the next
            for _ in range(5):
                client.chat.completions.create(**asked_to)
    # 16 calls make 0.0084 of 0.0085 USD.
    assert 10 <= made < 16
    assert len(called) == 1


def spent(engine: RunningEngine) -> Decimal:
    return Decimal(engine.budget("a-task")["spent"])


def held(engine: RunningEngine) -> Decimal:
    return Decimal(engine.budget("a-task")["held"])


def children_of(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def later(engine: RunningEngine, seconds: float) -> None:
    """Let time pass for the engine."""
    clock = engine.runtime.clock
    engine.runtime.clock = lambda: clock() + seconds


def shown(engine: RunningEngine) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = engine.client.get("/v1/budgets").json()["budgets"]
    return found
