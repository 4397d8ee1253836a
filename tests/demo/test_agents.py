"""Agents: they wrap up when they are denied, retry blindly where nobody guards them, and stop at closing time."""

from __future__ import annotations

import pytest
from opentelemetry import trace

import switchgear as sg
from cli.demo.agents import play
from cli.demo.callers import caller
from cli.demo.outcome import CallEnd, Outcome, TaskEnd
from cli.demo.workload import TENANTS, Branch, CallPlan, TaskPlan, TenantPlan
from switchgear.decision import Action, Decision
from switchgear.errors import BudgetExceeded
from switchgear.testing import provider as running

CALL = CallPlan("openai", "gpt-4o", 200, 50, 0, 20, max_tokens=100)


def tenant_of(name, *, calls=6, width=1, closes_s=60.0):
    stages = ((Branch((CALL,) * calls, width),),)
    return TenantPlan(name, closes_s, (TaskPlan("task-1", "w", "batch", 0.0, stages),))


class Scripted:
    """Answers with the given models in turn; `None` is a denial."""

    def __init__(self, *models):
        self.models, self.tasks, self.closed = list(models), [], False

    async def __call__(self, call):
        self.tasks.append(sg.current_task())
        model = self.models.pop(0)
        if model is None:
            raise BudgetExceeded(
                Decision("d1", Action.DENY, "over", 1, valid_until=None)  # type: ignore[arg-type]
            )
        return f"id-{len(self.models)}", model

    async def close(self):
        self.closed = True


async def test_a_denied_task_takes_up_no_further_call_and_keeps_what_it_has():
    scripted = Scripted("gpt-4o", "gpt-4o", None, "gpt-4o")
    outcome = await play(tenant_of("acme"), scripted)
    assert [call.end for call in outcome.calls] == [CallEnd.ANSWERED, CallEnd.ANSWERED, CallEnd.DENIED]
    assert [task.end for task in outcome.tasks] == [TaskEnd.DEGRADED]
    assert scripted.closed
    assert {(task.tenant, task.workload, task.id) for task in scripted.tasks} == {("acme", "w", "task-1")}


async def test_an_answer_of_another_model_makes_a_task_degraded():
    outcome = await play(tenant_of("acme", calls=2), Scripted("gpt-4o", "gpt-4o-mini"))
    assert [call.end for call in outcome.calls] == [CallEnd.ANSWERED, CallEnd.DEGRADED]
    assert [task.end for task in outcome.tasks] == [TaskEnd.DEGRADED]


async def test_nothing_begins_after_closing_time():
    outcome = await play(tenant_of("acme", closes_s=-1.0), Scripted())
    assert outcome.calls == []
    assert [task.end for task in outcome.tasks] == [TaskEnd.FAILED]


async def test_sub_agents_are_tasks_of_their_own_under_the_root():
    branches = tuple(Branch((CALL,), 1, sub_agent=True) for _ in range(2))
    wanted = TenantPlan("acme", 60.0, (TaskPlan("root", "w", "batch", 0.0, (branches,)),))
    scripted = Scripted("gpt-4o", "gpt-4o")
    await play(wanted, scripted)
    assert {(task.root_id, task.parent_id) for task in scripted.tasks} == {("root", "root")}
    assert len({task.id for task in scripted.tasks}) == 2


@pytest.mark.parametrize("tenant", TENANTS)
async def test_each_tenants_way_of_calling_reaches_the_provider_under_its_name(tenant):
    with running() as provider:
        provider.fail_next("openai", 429, times=2, retry_after_s=0.01)
        outcome = await play(tenant_of(tenant, calls=3), caller(tenant, provider.anthropic_url))
        log = provider.log()
    assert [task.end for task in outcome.tasks] == [TaskEnd.FINISHED]
    assert sorted(call.response_id for call in outcome.calls) == sorted(one.id for one in log.served)
    assert {one.tenant for one in log.served} == {tenant}
    assert len(log.refused) == 2


async def test_a_call_lost_after_all_retries_is_a_failed_one():
    with running() as provider:
        provider.fail_next("openai", 429, times=6, retry_after_s=0.01)
        outcome = await play(tenant_of("northwind", calls=1), caller("northwind", provider.anthropic_url))
    assert [call.end for call in outcome.calls] == [CallEnd.FAILED]
    assert len(provider.log().refused) == 1 + 5


def test_an_outcome_survives_its_file(tmp_path):
    saved = Outcome("acme", [], [])
    saved.write(tmp_path / "acme.json")
    assert Outcome.read(tmp_path / "acme.json") == saved


def test_nothing_here_needs_a_tracer_provider():
    assert not trace.get_current_span().is_recording()
