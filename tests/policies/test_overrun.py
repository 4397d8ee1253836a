"""What becomes of a streamed answer that outgrows its hold: each decision says it, as the ceilings that count it do."""

from __future__ import annotations

import json
from dataclasses import replace
from urllib.parse import urlencode

import pytest
from engines import Caller, engine

from policies.answers import Answers
from policies.files import parse
from policies.model import Overrun, Who
from switchgear.decision import Decision
from switchgear.tier import Tier

WHO = Who("acme", "w", Tier.INTERACTIVE)
ALL = "  - {name: all, limit: 1 USD, window: 1h}\n"
CUT = "  - {name: cut, limit: 2 USD, window: 1h, overrun: cut}\n"


def test_a_ceiling_lets_overruns_run_on_unless_it_says_cut() -> None:
    one, other = parse(f"version: 1\nceilings:\n{ALL}{CUT}", name="p.yaml").ceilings
    assert (one.overrun, other.overrun) == (Overrun.EXTEND, Overrun.CUT)


CASES = [
    pytest.param("", "extend", id="no ceiling"),
    pytest.param(ALL, "extend", id="a ceiling that says nothing"),
    pytest.param(CUT, "cut", id="a ceiling that cuts"),
    pytest.param(ALL + CUT, "cut", id="cut wins, also where another ceiling is the tighter one"),
    pytest.param(ALL + CUT.replace("limit", "shadow: true, limit"), "extend", id="in shadow it cuts nothing"),
    pytest.param(ALL + CUT.replace("limit", "scope: {model: other}, limit"), "extend", id="of other calls"),
]


@pytest.mark.parametrize(("ceilings", "expected"), CASES)
def test_a_grant_and_a_decision_say_how_an_overrun_ends(ceilings: str, expected: str) -> None:
    caller = Caller(engine(ceilings or "  []"))
    granted = caller.ask(0.0)
    assert granted.grant is not None
    assert granted.decision is not None
    assert granted.decision.overrun == expected
    assert caller.engine.decide(replace(WHO, provider="openai", model="m"), 0.0).overrun == expected


def test_a_degraded_call_ends_as_the_ceilings_of_the_stand_in_say() -> None:
    ladder = "  - {name: t, limit: 0.01 USD, window: 1h, ladder: [{at: 1%, do: degrade}]}\n"
    small = "  - {name: small, scope: {model: small}, limit: 1 USD, window: 1h, overrun: cut}\n"
    stands_in = "tenants: {acme: {workloads: {w: {degrade: [{from: m, to: small}]}}}}"
    caller = Caller(engine(ladder + small, more=stands_in))
    said = [caller.ask(0.0, output=1000).decision for _ in range(2)]
    assert [(each.caps.model, each.overrun) for each in said if each] == [(None, "extend"), ("small", "cut")]


def test_scopes_under_the_same_tightest_ceiling_are_told_each_its_own() -> None:
    of_w = CUT.replace("limit", "scope: {workload: w}, limit")
    asked = Answers(engine(ALL + of_w, more="tenants: {acme: {workloads: {w: {}}}}"))
    told = {}
    for workload in ("w", "other", "w"):
        query = asked.asked(urlencode({"tenant": "acme", "workload": workload}).encode())
        asked.answer(query, 0.0)
        told[workload] = json.loads(query.body["body"])
    assert {name: (each["policy"], each["overrun"]) for name, each in told.items()} == {
        "w": ("all", "cut"),
        "other": ("all", "extend"),
    }


def test_a_decision_comes_back_from_the_wire_and_an_older_engine_s_lets_run_on() -> None:
    decision = Caller(engine(CUT)).ask(0.0).decision
    assert decision is not None
    wire = decision.to_wire()
    assert Decision.from_wire(wire) == decision
    assert decision.overrun == "cut"
    del wire["overrun"]
    assert Decision.from_wire(wire).overrun == "extend"
