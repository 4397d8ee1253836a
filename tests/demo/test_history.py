"""A generated history: the same for the same seed, whole, and booked to the last span."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from hashlib import sha256

import pytest
from history import filled, history
from otlp_samples import PROTOBUF, Served

from cli.demo.history import END, generate
from collector.call import Call, Kind
from collector.ingest.body import bill_body

SMALL = {"days": 14, "tenants": 6, "workloads": 20, "calls": 800}


def digest(**wanted):
    whole = sha256()
    for body in generate(**{**SMALL, **wanted}):
        whole.update(body)
    return whole.hexdigest()


def booked(bodies):
    return [each for body in bodies for each in bill_body(body, PROTOBUF)]


def test_the_same_seed_makes_the_same_bytes():
    assert digest(seed=3) == digest(seed=3)


@pytest.mark.parametrize(
    "other", [{"seed": 4}, {"days": 15}, {"calls": 801}, {"end": END - timedelta(days=7)}]
)
def test_anything_else_makes_other_bytes(other):
    assert digest(**{"seed": 3, **other}) != digest(seed=3)


@pytest.mark.parametrize("calls", [20, 800, 2_001])
def test_there_are_exactly_as_many_calls_as_were_wanted_all_within_the_time(calls):
    spans = booked(generate(**{**SMALL, "calls": calls}))
    found = [each for each in spans if isinstance(each, Call) and each.kind is Kind.LLM]
    assert len(found) == calls
    assert all(END - timedelta(days=14) <= call.started_at < call.ended_at < END for call in found)


def test_every_span_is_a_call_or_the_end_of_a_task_and_has_an_identity_of_its_own():
    spans = booked(generate(**SMALL))
    assert {type(each) for each in spans} == {Call}
    assert len({each.identity for each in spans}) == len(spans)


def test_the_tally_is_what_the_spans_say():
    made = history(**SMALL)
    spans = booked(body.content for body in made.bodies())
    calls = [each for each in spans if each.kind is Kind.LLM]
    lines = list(made.tally.lines())
    assert made.tally.spans == len(spans)
    assert made.tally.calls == sum(line.calls for line in lines) == len(calls)
    assert sum(line.attempts for line in lines) == sum(call.attempts for call in calls)
    assert sum(line.untold for line in lines) == sum(call.usage is None for call in calls)
    assert sum(line.told[4] for line in lines) == sum(call.usage.output for call in calls if call.usage)
    ends = Counter(each.outcome for each in spans if each.kind is Kind.TASK)
    assert {outcome: count for outcome, count in made.tally.ends.items() if count} == ends


def test_a_history_has_all_that_a_company_has():
    calls = [each for each in booked(generate(days=35, calls=14_000)) if each.kind is Kind.LLM]
    assert len({call.tenant for call in calls}) == 30
    assert len({(call.tenant, call.workload) for call in calls}) == 120
    assert {call.provider for call in calls} == {"openai", "anthropic", "google"}
    assert {call.service_tier for call in calls} == {None, "batch", "flex"}
    assert {call.tier for call in calls} == {"interactive", "batch", "background"}
    assert {call.root_task_id is None for call in calls} == {True, False}
    deep = [call for call in calls if call.parent_task_id not in {None, call.root_task_id}]
    assert deep
    assert any(call.attempts > 1 for call in calls)
    assert any(call.end_user for call in calls)


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"tenants": 1}, "1 tenants: there are 2 to 30"),
        ({"tenants": 20, "workloads": 21}, "21 workloads of 20 tenants: there are 22 to"),
        ({"plant": ("herd", "mole")}, "'mole' cannot be planted; there are: herd, loop, move"),
        ({"days": 0, "plant": ("loop",)}, "less than a day"),
    ],
)
def test_what_cannot_be_made_is_said(wanted, said):
    with pytest.raises(ValueError, match=said):
        generate(**wanted)


def test_a_folder_that_is_filled_has_booked_every_call_and_knows_its_owners(tmp_path):
    with Served(filled(tmp_path / "data", **SMALL)) as served:
        ((calls, unowned, unpriced),) = served.rows(
            """SELECT count(*), count(*) FILTER (owner IS NULL), count(*) FILTER (state = 'unpriced') FROM calls"""
        )
        ((refused,),) = served.rows("SELECT count(*) FROM not_billed")
    assert (calls, refused) == (SMALL["calls"], 0)
    assert 0 < unowned < calls
    assert 0 < unpriced < calls
