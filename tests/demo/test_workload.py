"""The scene as data."""

from __future__ import annotations

from itertools import chain

import pytest

from cli.demo.workload import TENANTS, TaskPlan, plan
from switchgear.testing.wire import anthropic, openai
from switchgear.usage import Usage


def calls_of(task: TaskPlan):
    return list(chain.from_iterable(branch.calls for stage in task.stages for branch in stage))


@pytest.mark.parametrize("tenant", TENANTS)
def test_the_seed_fixes_every_call(tenant):
    assert plan(tenant, seed=7) == plan(tenant, seed=7)
    assert plan(tenant, seed=7) != plan(tenant, seed=8)


@pytest.mark.parametrize("seed", [1, 7, 42])
def test_a_document_set_fans_out_to_between_40_and_80_calls(seed):
    for task in plan("northwind", seed=seed).tasks:
        assert 40 <= task.calls <= 80
        assert [branch.sub_agent for branch in task.stages[1]] == [True] * 4


@pytest.mark.parametrize(
    ("tenant", "workloads", "tiers"),
    [
        ("northwind", {"nightly-ingest"}, {"background"}),
        ("brightline", {"support-agent"}, {"interactive"}),
        ("civic", {"compliance-review", "prompt-lab"}, {"batch"}),
    ],
)
def test_each_tenant_works_in_its_tier(tenant, workloads, tiers):
    tasks = plan(tenant, seed=7).tasks
    assert {task.workload for task in tasks} == workloads
    assert {task.tier for task in tasks} == tiers


def test_the_surge_brings_more_conversations_than_the_quiet_around_it():
    starts = [task.starts_s for task in plan("brightline", seed=7).tasks]
    in_surge = sum(0.2 * 40 <= at <= 0.8 * 40 for at in starts)
    # 24 s with one each 0.5 s against 16 s with one each 1.6 s: 48 to 10.
    assert in_surge > 2 * (len(starts) - in_surge)


def test_task_ids_are_unique():
    ids = [task.id for tenant in TENANTS for task in plan(tenant, seed=7).tasks]
    assert len(set(ids)) == len(ids)


def test_a_smaller_scale_is_a_shorter_scene():
    short, long = plan("civic", seed=7, scale=0.4), plan("civic", seed=7)
    assert short.closes_s == 0.4 * long.closes_s
    assert len(short.tasks) < len(long.tasks)


def test_the_provider_counts_what_was_planned():
    for task in plan("brightline", seed=7).tasks[:5]:
        for call in calls_of(task):
            body = {
                "model": call.model,
                "max_tokens": call.max_tokens,
                "messages": [{"role": "user", "content": call.prompt}],
            }
            wire = {"openai": openai, "anthropic": anthropic}[call.provider]
            assert wire.read(call.model, body).usage == Usage(
                input_uncached=call.input_tokens - call.cached_tokens - call.written_tokens,
                cache_read=call.cached_tokens,
                cache_write_5m=call.written_tokens,
                output=min(call.output_tokens, call.max_tokens),
            )
