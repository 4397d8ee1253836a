"""The Policies page's parts: rules in words, verdicts in order, differences marked, and foreign names as text."""

from __future__ import annotations

import copy
from decimal import Decimal
from typing import Any

import pytest

from dashboard.parts.policies import comparison, rules, shadowed, verdicts
from dashboard.view import View
from policies.files import parse

HOSTILE = "<img src=http://evil.example/b.png>"
POLICY = f"""\
version: 1
tenants:
  acme: {{workloads: {{nightly: {{owner: ann}}}}}}
  globex: {{}}
  "{HOSTILE}": {{}}
ceilings:
  - name: hour
    scope: {{tenant: acme, workload: nightly}}
    limit: 4 USD
    window: 1h
    ladder: [{{at: 60%, do: warn}}, {{at: 90%, do: queue, tiers: [batch, background]}}]
    holds: worst_case
  - name: day
    per: [tenant, model]
    limit: 2M tokens
    window: {{calendar: day, zone: Europe/Berlin, day_begins: "06:00"}}
  - {{name: quarter, limit: 9 USD, window: {{calendar: fiscal, zone: UTC, year_starts: "04-01", periods: quarters}}}}
  - {{name: task, per: task, limit: 0.50 USD, shadow: true}}
  - {{name: "{HOSTILE}", scope: {{tenant: "{HOSTILE}"}}, limit: 1 USD, window: 90s}}
"""
POLICIES = parse(POLICY, name="f")
BY_NAME = {ceiling.name: ceiling for ceiling in POLICIES.ceilings}


def budget(ceiling: str, spent: str, state: str = "closed", **scope: str) -> dict[str, Any]:
    return {
        "ceiling": ceiling,
        "scope": scope,
        "spent": spent,
        "held": "0",
        "projected": spent,
        "limit": "4",
        "currency": "USD",
        "state": state,
        "shadow": False,
    }


@pytest.mark.parametrize(
    ("name", "scope", "window"),
    [
        ("hour", "acme / nightly", "in any 1 h"),
        ("day", "each tenant and model", "each day from 06:00, Europe/Berlin"),
        ("quarter", "everything together", "each fiscal quarter, UTC"),
        ("task", "each task", "in a task's life"),
    ],
)
def test_a_rule_reads_as_a_sentence(name: str, scope: str, window: str) -> None:
    ceiling = BY_NAME[name]
    assert (rules.scope_words(ceiling), rules.window_words(ceiling)) == (scope, window)


@pytest.mark.parametrize(
    ("view", "names"),
    [
        pytest.param(View(tenant="globex"), ["day", "quarter", "task"], id="tenant"),
        pytest.param(View(tenant="acme", workload="other"), ["day", "quarter", "task"], id="other workload"),
        pytest.param(View(workload="nightly"), ["hour", "day", "quarter", "task", HOSTILE], id="workload"),
        pytest.param(View(), ["hour", "day", "quarter", "task", HOSTILE], id="no filter"),
    ],
)
def test_a_filter_leaves_the_ceilings_that_may_count_such_calls(view: View, names: list[str]) -> None:
    assert [ceiling.name for ceiling in rules.concerning(POLICIES, view)] == names


def test_a_ceiling_shows_its_ladder_its_limit_and_its_most_urgent_scope() -> None:
    standing = rules.by_ceiling(
        [
            budget("hour", "3.90", tenant="acme", workload="nightly"),
            budget("hour", "1", "open", tenant="acme", workload="nightly", task="t1"),
        ],
        View(),
    )
    page = rules.ceilings([BY_NAME["hour"]], standing, POLICIES)
    for words in (
        "<b>60 %</b> warn",
        "<b>90 %</b> queue background, batch",
        "<b>100 %</b> refuse",
        "holds the worst case",
    ):
        assert words in page
    assert "$1.00 of $4.00" in page
    assert "acme / nightly / t1, fullest of 2 scopes" in page


def test_what_no_call_has_touched_is_said_and_is_empty_in_the_csv() -> None:
    assert "no call yet" in rules.ceilings([BY_NAME["day"]], {}, POLICIES)
    (row,) = rules.as_table([BY_NAME["day"]], {}, POLICIES).to_pylist()
    assert (row["limit"], row["currency"], row["state"]) == ("2000000", "tokens", None)


def said(ceiling: str, projected: str, *, shadow: bool = False, restricts: bool = False) -> dict[str, Any]:
    return {
        **budget(ceiling, "1", tenant="acme"),
        "projected": projected,
        "action": "throttle",
        "reason": f"because of {ceiling}",
        "shadow": shadow,
        "restricts": restricts,
    }


EXPLANATION: dict[str, Any] = {
    "at": "2026-12-01T10:00:00Z",
    "who": {"tenant": "acme", "workload": HOSTILE, "tier": "batch"},
    "decision": {
        "id": "d1-6",
        "action": "throttle",
        "reason": f"the projection {HOSTILE}",
        "remaining": "3",
        "currency": "USD",
        "caps": {"model": None, "max_output_tokens": 1200},
        "retry_after_s": None,
        "wrap_up": False,
    },
    "ceilings": [
        said("watched", "9", shadow=True),
        said("calm", "1"),
        said("full", "3.9"),
        said("winner", "2", restricts=True),
        {
            name: value
            for name, value in said("shared", "1").items()
            if name not in ("spent", "held", "projected")
        },
    ],
}


def test_an_explanation_begins_with_the_ceiling_that_counts_and_ends_with_those_in_shadow() -> None:
    names = [each["ceiling"] for each in verdicts.ranked(EXPLANATION["ceilings"])]
    assert names == ["winner", "full", "calm", "shared", "watched"]
    page = verdicts.picture(EXPLANATION)
    assert page.count("this one counts") == 1
    assert page.index("this one counts") < page.index("full")
    assert "The call is slowed down" in page
    assert "at most 1,200 output tokens" in page


def test_what_others_have_spent_is_not_known_and_not_nothing() -> None:
    page = verdicts.picture({**EXPLANATION, "ceilings": EXPLANATION["ceilings"][-1:]})
    assert "$0.00" not in page
    assert "shown to keys for every tenant" in page
    (row,) = verdicts.as_table({**EXPLANATION, "ceilings": EXPLANATION["ceilings"][-1:]}).to_pylist()
    assert row["spent"] is None


def sums(calls: int, amount: str) -> dict[str, Any]:
    return {"calls": calls, "amount": amount, "of_unknown_cost": 0}


def policy(name: str, **changes: Any) -> dict[str, Any]:
    foresight = {
        "trips": 0,
        "false_trips": 0,
        "breaches_seen_before": 0,
        "leads_s": [],
        "median_lead_s": None,
    }
    return {
        "policy": name,
        "shadow": False,
        "unit": "money",
        "limit": "4",
        "highest": "5",
        "breaches": 1,
        "opening": foresight,
        "slowing": foresight,
        "opened": 0,
        "refused": sums(0, "0"),
        "gave_up": sums(0, "0"),
        "stopped_needlessly": sums(0, "0"),
        "waited": 0,
        "mean_wait_s": None,
        "degraded": 0,
        "saved_by_degrading": sums(0, "0"),
        "breaches_left": 0,
        "largest_excess": "0",
        **changes,
    }


def answer(today: list[dict[str, Any]], pasted: list[dict[str, Any]], saved: str = "0") -> dict[str, Any]:
    files = [
        {"file": "today", "version": "1", "saved": sums(0, "0"), "policies": today},
        {"file": "pasted", "version": "2", "saved": sums(3, saved), "policies": pasted},
    ]
    return {"calls": 100, "recorded": sums(100, "10"), "currency": "USD", "files": files}


def test_a_figure_that_differs_is_marked_with_its_difference_and_others_are_not() -> None:
    refusing = policy("hour", limit="2", refused=sums(3, "1.5"))
    page = comparison.blocks(answer([policy("hour")], [refusing], "1.5"))
    assert "limit $4.00 → <b>$2.00</b>" in page
    assert page.count("sg-cell differs") == 2
    assert "Stopped<em>+3</em>" in page
    assert "Saved<em>+$1.50</em>" in page
    assert "Breaches</small>" in page
    assert not comparison.same(answer([policy("hour")], [refusing]))
    assert comparison.same(answer([policy("hour")], [policy("hour")]))


@pytest.mark.parametrize(
    ("today", "pasted", "tag"),
    [
        pytest.param([], [policy("hour")], ">new<", id="new"),
        pytest.param([policy("hour")], [], ">left out<", id="left out"),
        pytest.param([policy("hour", shadow=True)], [policy("hour")], ">now enforced<", id="enforced"),
        pytest.param([policy("hour")], [policy("hour", shadow=True)], ">now in shadow<", id="in shadow"),
    ],
)
def test_a_ceiling_of_one_file_or_of_another_kind_there_says_so(
    today: list[dict[str, Any]], pasted: list[dict[str, Any]], tag: str
) -> None:
    assert tag in comparison.blocks(answer(today, pasted))


def test_ceilings_by_which_nothing_happens_are_one_line() -> None:
    idle = policy("idle", breaches=0)
    page = comparison.blocks(answer([idle], [copy.deepcopy(idle)]))
    assert "Under neither file anything happens by idle." in page
    assert "sg-pair" not in page


def test_the_headline_adds_up_with_the_table() -> None:
    told = answer(
        [policy("a")], [policy("a", refused=sums(3, "1.5")), policy("b", gave_up=sums(1, "0.5"))], "2"
    )
    cells = {name: (value, aside) for name, value, aside in comparison.figures(told)}
    assert cells["Would have been spent"] == ("$8.00", "today's file: $10.00 (\N{MINUS SIGN}$2.00)")
    assert cells["Stopped calls"][0] == "4"
    rows = [row for row in comparison.as_table(told).to_pylist() if row["file"] == "pasted"]
    assert sum(row["refused"] + row["gave_up"] for row in rows) == 4
    assert sum(row["saved"] for row in rows) == Decimal(2)


@pytest.mark.parametrize(
    ("verdict", "words"),
    [
        ("idle", "It would have changed nothing"),
        ("needless", "It would have stopped work that did no harm"),
        ("right", "What it stops led to breaches"),
    ],
)
def test_a_shadow_result_says_what_follows(verdict: str, words: str) -> None:
    shadow = policy("watched", refused=sums(2, "1"), gave_up=sums(1, "0.25"), verdict=verdict)
    page = shadowed.results({"shadows": [shadow], "calls": 9, "currency": "USD"})
    assert words in page
    assert "3 calls" in page
    assert "$1.25" in page


def test_what_was_not_recorded_is_not_known() -> None:
    page = shadowed.recorded([BY_NAME["task"]], None, POLICIES)
    assert page.count("<b>—</b>") == 2
    assert "<b>0</b>" in shadowed.recorded([BY_NAME["task"]], {}, POLICIES)


def test_names_that_others_choose_are_text_everywhere() -> None:
    hostile = BY_NAME[HOSTILE]
    pages = [
        rules.ceilings([hostile], {HOSTILE: [budget(HOSTILE, "1", HOSTILE, tenant=HOSTILE)]}, POLICIES),
        verdicts.picture(
            {**EXPLANATION, "ceilings": [{**said(HOSTILE, "1"), "state": HOSTILE, "reason": HOSTILE}]}
        ),
        comparison.blocks(answer([policy(HOSTILE)], [policy("other")])),
        shadowed.recorded([hostile], {}, POLICIES),
        shadowed.results({"shadows": [policy(HOSTILE, verdict="idle")], "calls": 1, "currency": "USD"}),
    ]
    for page in pages:
        assert "<img" not in page
        assert "&lt;img" in page
