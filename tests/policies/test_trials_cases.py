"""Case files: what they say of a policy file in virtual time, and how a file that cannot be used is refused."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from analytics.documents import DocumentError
from policies.files import parse as parse_policies
from policies.model import PolicySet
from policies.trials.casefile import parse
from policies.trials.cases import run

POLICIES = """\
version: 1
tenants:
  zenith: {}
  acme:
    workloads:
      chat: {tier: interactive, degrade: [{from: large, to: small, supports: [tools]}]}
      nightly: {tier: background}
ceilings:
  - {name: hour, scope: {tenant: acme}, limit: 1 USD, window: 1h, holds: worst_case}
  - {name: task, scope: {workload: nightly}, limit: 0.10 USD, per: task, holds: worst_case}
  - name: soft
    scope: {workload: chat}
    limit: 4 USD
    window: 1h
    ladder: [{at: 50%, do: degrade}]
  - {name: day, scope: {tenant: zenith}, limit: 1 USD, window: {calendar: day, zone: Europe/Berlin}}
  - {name: quota, scope: {tenant: acme}, limit: 5000 tokens, window: 1h, per: workload, shadow: true}
"""
HEAD = """\
version: 1
start: 2026-11-16T00:00:00Z
rates: {large: 10 USD, small: 1 USD}
defaults: {tenant: acme, workload: chat}
cases:
"""


@pytest.fixture(scope="module")
def policies() -> PolicySet:
    return parse_policies(POLICIES, name="policies.yaml")


def failures(policies: PolicySet, steps: str) -> list[str]:
    """What failed of one case with these steps, one a line, each after its line in the file."""
    lines = "".join(f"      {line}\n" for line in steps.strip().splitlines())
    (case,) = parse(f"{HEAD}  - name: one\n    steps:\n{lines}", policies, name="cases.yaml")
    return [f"{failure.line}: {failure}" for failure in run(case, policies).failures]


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param(
            "- {call: {cost: 1 USD}, expect: {action: allow, ceilings: {hour: {spent: 1 USD, remaining: 0 USD}}}}",
            id="a call of just the limit passes",
        ),
        pytest.param(
            "- {call: {cost: 1.000001 USD}, expect: {action: deny, policy: hour}}",
            id="a call of a millionth more is refused",
        ),
        pytest.param(
            "- {call: {cost: 0.40 USD, takes: 30s}}\n"
            "- {at: 29s, expect: {ceilings: {hour: {spent: 0 USD, held: 0.40 USD, remaining: 0.60 USD}}}}\n"
            "- {at: 30s, expect: {ceilings: {hour: {spent: 0.40 USD, held: 0 USD, remaining: 0.60 USD}}}}",
            id="what is in flight is held until it ends",
        ),
        pytest.param(
            "- {spend: {cost: 0.90 USD}}\n"
            "- {at: 59m, call: {cost: 0.20 USD}, expect: {action: deny, policy: hour}}\n"
            "- {at: 61m, call: {cost: 0.20 USD}, expect: {action: allow}}",
            id="what left the window is free again",
        ),
        pytest.param(
            "- {call: {workload: nightly, task: t1, cost: 0.05 USD, times: 2, every: 1s}, expect: {action: allow}}\n"
            "- {call: {workload: nightly, task: t1, cost: 0.01 USD}, expect: {action: deny, policy: task}}\n"
            "- {call: {workload: nightly, task: t2, cost: 0.01 USD}, expect: {action: allow}}",
            id="a task has its own allowance, and another one its own",
        ),
        pytest.param(
            # In the night to 28 March the clock goes forward: that day begins at 23:00 UTC and ends at 22:00.
            "- {at: 2027-03-27T22:59:59Z, spend: {tenant: zenith, cost: 1 USD}}\n"
            "- {at: 2027-03-27T23:00:00Z, spend: {tenant: zenith, cost: 1 USD}}\n"
            "- {ask: {tenant: zenith}, expect: {action: deny, policy: day, ceilings: {day: {spent: 1 USD}}}}\n"
            "- {at: 2027-03-28T21:59:59Z, ask: {tenant: zenith}, expect: {action: deny}}\n"
            "- {at: 2027-03-28T22:00:00Z, call: {tenant: zenith, cost: 1 USD}, expect: {action: allow}}\n"
            "- {ask: {tenant: zenith}, expect: {ceilings: {day: {remaining: 0 USD}}}}",
            id="a day of 23 hours begins and ends at local midnight",
        ),
        pytest.param(
            "- {call: {tokens: 5000}, expect: {ceilings: {quota: {remaining: 0 tokens}}}}\n"
            "- {call: {tokens: 1}, expect: {action: allow, ceilings: {quota: {remaining: -1 tokens}}}}\n"
            "- {ask: {workload: nightly}, expect: {ceilings: {quota: {spent: 0 tokens}}}}",
            id="tokens are counted for each workload, and a shadow stops nobody",
        ),
        pytest.param(
            "- {force: {ceiling: hour, do: open, for: 1h}, expect: {ceilings: {hour: {state: forced_open}}}}\n"
            "- {at: 59m, call: {cost: 0.01 USD}, expect: {action: deny, policy: hour}}\n"
            "- {at: 1h, call: {cost: 0.01 USD}, expect: {action: allow, ceilings: {hour: {state: closed}}}}",
            id="what was forced for an hour is over after it",
        ),
        pytest.param(
            "- {force: {ceiling: hour, do: disable}}\n- {call: {cost: 2 USD}, expect: {action: allow}}\n"
            "- {force: {ceiling: hour, do: restore}}\n- {call: {cost: 1 USD}, expect: {action: deny}}",
            id="a disabled ceiling lets pass and goes on counting",
        ),
    ],
)
def test_a_case_that_says_what_the_engine_does_passes(policies: PolicySet, steps: str) -> None:
    assert failures(policies, steps) == []


def test_each_thing_that_is_not_as_expected_is_told_with_its_line(policies: PolicySet) -> None:
    steps = """
- {call: {cost: 0.25 USD}, expect: {action: deny, ceilings: {hour: {remaining: 1 USD, state: open}}}}
- {ask: {}, expect: {action: allow}}
- {at: 2026-11-16T00:01:00Z, expect: {ceilings: {hour: {spent: 0.30 USD}}}}
"""
    told = failures(policies, steps)
    assert told[0].startswith("8: action is allow (")
    assert told[0].endswith("), expected deny")
    assert told[1:] == [
        "8: hour: state is closed, expected open",
        "8: hour: remaining is 0.75, expected 1",
        "10: hour: spent is 0.25, expected 0.3",
    ]


def test_a_degraded_call_costs_what_its_tokens_cost_of_the_other_model(policies: PolicySet) -> None:
    # 2.50 USD of the soft ceiling's 4 are spent, more than its rung: 0.10 USD are 10,000 tokens of large (10 USD a
    # million), which are 0.01 USD of small (1 USD a million).
    steps = """
- {force: {ceiling: hour, do: disable}}
- {spend: {cost: 2.50 USD, model: large}}
- {call: {cost: 0.10 USD, model: large, needs: [tools]}, expect: {action: degrade, policy: soft, model: small}}
- {expect: {ceilings: {soft: {spent: 2.51 USD}}}}
"""
    assert failures(policies, steps) == []


def test_a_call_that_waits_takes_its_time_and_goes_once_there_is_room(policies: PolicySet) -> None:
    steps = """
- {call: {cost: 0.60 USD, takes: 5m}}
- {call: {cost: 0.60 USD}, expect: {action: queue, policy: hour}}
- {at: 1s, expect: {ceilings: {hour: {spent: 0 USD, held: 0.60 USD}}}}
- {call: {cost: 0.30 USD, waits: 1m}, expect: {action: allow}}
"""
    assert failures(policies, steps) == []


@pytest.mark.parametrize(
    ("case", "place", "says"),
    [
        ("{steps: [{ask: {}}]}", "6:5: cases[0].name", "is missing"),
        ("{name: a, steps: []}", "6:", "at least 1 item"),
        (
            "{name: a, steps: [{}]}",
            "6:23: cases[0].steps[0]",
            "nothing happens here; write one of: call, spend",
        ),
        ("{name: a, steps: [{ask: {}, spend: {cost: 1 USD}}]}", "6:", 'make a step of its own of "ask"'),
        ("{name: a, steps: [{at: 1s, advance: 1s}]}", "6:", 'write either "at" or "advance"'),
        ("{name: a, steps: [{at: soon}]}", "6:", '"soon" is not a length of time; write "30s"'),
        ("{name: a, steps: [{call: {}}]}", "6:", 'either "cost: 0.50 USD" or "tokens: 1000"'),
        ("{name: a, steps: [{call: {cost: 1 EUR}}]}", "6:", '"1 EUR" is not in the policies\' currency USD'),
        ("{name: a, steps: [{call: {cost: 5}}]}", "6:", 'has no currency; write "5 USD"'),
        ("{name: a, steps: [{call: {cost: 0.0000001 USD}}]}", "6:", "write what whole tokens cost"),
        ("{name: a, steps: [{call: {cost: 900 USD}}]}", "6:", "give the model a higher rate"),
        ("{name: a, steps: [{call: {cost: 1 USD, modle: x}}]}", "6:", "no such setting"),
        ("{name: a, steps: [{force: {ceiling: huor, do: open}}]}", "6:", 'no ceiling "huor" is declared'),
        (
            "{name: a, steps: [{spend: {cost: 1 USD}, expect: {action: deny}}]}",
            "6:",
            "nobody is told anything",
        ),
        ("{name: a, steps: [{ask: {}, expect: {policy: year}}]}", "6:", "there are: hour, task, soft, day"),
        (
            "{name: a, steps: [{ask: {}, expect: {ceilings: {hour: {spent: 5 tokens}}}}]}",
            "6:",
            "counts money",
        ),
    ],
)
def test_a_case_file_that_cannot_be_used_is_refused_with_its_place(
    policies: PolicySet, case: str, place: str, says: str
) -> None:
    with pytest.raises(DocumentError) as refused:
        parse(f"{HEAD}  - {case}\n", policies, name="cases.yaml")
    (line,) = [line for line in str(refused.value).splitlines() if says in line]
    assert line.startswith(f"cases.yaml:{place}")


def test_a_call_needs_a_tenant_and_a_workload_from_somewhere(policies: PolicySet) -> None:
    text = HEAD.replace("defaults: {tenant: acme, workload: chat}\n", "")
    with pytest.raises(DocumentError) as refused:
        parse(f"{text}  - {{name: a, steps: [{{call: {{cost: 1 USD}}}}]}}\n", policies, name="cases.yaml")
    told = str(refused.value).splitlines()
    assert [line.partition(": ")[2] for line in told] == [
        f"cases[0].steps[0].call.{name}: is missing, here and in the defaults"
        for name in ("tenant", "workload")
    ]


def test_amounts_are_exact(policies: PolicySet) -> None:
    steps = "- {spend: {cost: 0.01 USD, times: 3}}"
    (case,) = parse(f"{HEAD}  - {{name: a, steps: [{steps[2:]}]}}\n", policies, name="cases.yaml")
    does = case.steps[0].does
    assert case.rates.cost("a-model", does.tokens) == Decimal("0.01")  # type: ignore[union-attr]


def test_the_cases_of_the_documentation_say_what_the_engine_does() -> None:
    text = (Path(__file__).parents[2] / "docs" / "policy-tools.md").read_text()
    cases = text.partition("```yaml\n")[2].partition("```")[0]
    described = parse_policies(
        "version: 1\ntenants: {acme: {}}\nceilings:\n"
        "  - {name: acme-hour, scope: {tenant: acme}, limit: 20 USD, window: 1h}\n"
        "  - {name: acme-day, scope: {tenant: acme}, limit: 50 USD, window: {calendar: day, zone: Europe/Berlin}}\n",
        name="policies.yaml",
    )
    found = [run(case, described) for case in parse(cases, described, name="docs")]
    assert [(result.case.name, result.failures) for result in found] == [
        ("the limit itself passes, a millionth more does not", ()),
        ("a day of 23 hours", ()),
    ]
