"""What is planted stands in the calls as it is told, and nothing else changes."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest
from history import history
from otlp_samples import PROTOBUF

from cli.demo.history import papers
from cli.demo.history.planted import PLANTS
from collector.call import Kind
from collector.ingest.body import bill_body

SMALL = {"days": 21, "tenants": 12, "workloads": 40, "calls": 1_500}


def calls_of(made):
    spans = [each for body in made.bodies() for each in bill_body(body.content, PROTOBUF)]
    return [each for each in spans if each.kind is Kind.LLM]


@pytest.fixture(scope="module")
def plain():
    return calls_of(history(**SMALL))


@pytest.mark.parametrize("plant", [*PLANTS, "all"])
def test_every_other_call_stays_as_it_was(plant, plain):
    made = history(**SMALL, plant=PLANTS if plant == "all" else (plant,))
    with_it = calls_of(made)
    assert Counter(plain) - Counter(with_it) == Counter()
    extra = (made.planted.herd.calls if made.planted.herd else 0) + (
        made.planted.loop.calls if made.planted.loop else 0
    )
    assert len(with_it) - len(plain) == extra


def test_without_a_wish_nothing_is_planted():
    planted = history(**SMALL).planted
    assert (planted.herd, planted.loop, planted.move, planted.extra) == (None, None, None, ())


def test_a_herd_comes_in_waves_of_many_tenants_and_is_turned_away_at_each():
    made = history(**SMALL, plant=("herd",))
    herd = made.planted.herd
    named = {(tenant, task) for tenant, _, task in herd.tasks}
    members = [call for call in calls_of(made) if (call.tenant, call.task_id) in named]
    assert len(members) == herd.calls == len(herd.tasks) * len(herd.waves)
    assert 60 <= len(herd.tasks) <= 150
    assert len({call.tenant for call in members}) >= 4
    assert {(call.provider, call.model) for call in members} == {(herd.provider, herd.model)}
    assert {call.attempts for call in members} == {3, 4, 5}
    assert sum(call.attempts for call in members) == herd.attempts
    for wave in herd.waves:
        near = [call for call in members if wave <= call.started_at < wave + timedelta(seconds=2)]
        assert len(near) == len(herd.tasks)
    assert max(call.ended_at for call in members) == herd.until


def test_without_a_herd_calls_are_tried_again_each_by_itself(plain):
    again = [call for call in plain if call.attempts > 1]
    assert 0 < len(again) < len(plain) / 20
    by_second = Counter(call.started_at.replace(microsecond=0) for call in again)
    assert by_second.most_common(1)[0][1] <= 2


def test_a_loop_is_one_task_with_the_same_call_again_and_again(plain):
    made = history(**SMALL, plant=("loop",))
    loop = made.planted.loop
    members = sorted(
        (call for call in calls_of(made) if (call.tenant, call.task_id) == (loop.tenant, loop.task)),
        key=lambda call: call.started_at,
    )
    assert len(members) == loop.calls == 800
    inputs = [call.usage.input_uncached for call in members]
    assert inputs == sorted(inputs)
    assert {call.model for call in members} == {loop.model}
    assert (members[0].started_at, members[-1].ended_at <= loop.until) == (loop.begins, True)
    assert max(Counter(call.root_task_id for call in plain if call.root_task_id).values()) < 400


def test_a_move_is_two_lines_of_the_registry_that_meet_within_a_month():
    made = history(**SMALL, plant=("move",))
    move = made.planted.move
    assert (move.at.day, move.at.tzname()) == (15, "UTC")
    before, after = (
        line
        for line in papers.owner_lines(made)
        if (line["tenant"], line["workload"]) == (move.workload.tenant, move.workload.name)
    )
    assert before["to"] == after["from"] == f"{move.at:%Y-%m-%d}"
    assert "to" not in after
    assert (after["owner"], after["cost_centre"]) == (move.owner, move.cost_centre)
    assert before["owner"] != after["owner"]
    assert before["cost_centre"] != after["cost_centre"]
    unmoved = papers.owner_lines(history(**SMALL))
    assert [line for line in papers.owner_lines(made) if line not in (before, after)] == [
        line
        for line in unmoved
        if (line["tenant"], line["workload"]) != (before["tenant"], before["workload"])
    ]


@pytest.mark.parametrize("days", [1, 3, 6, 7])
def test_a_short_history_has_a_place_for_all_of_it(days):
    made = history(**{**SMALL, "days": days}, plant=PLANTS)
    wanted = made.wanted
    assert wanted.start < made.planted.move.at < wanted.end
    assert all(wanted.start <= call.started_at < wanted.end for call in calls_of(made))
