"""The report on retries: attempts and what they may have cost, and the change that the evidence asks for."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from audited import audit, call, stored
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from laws import examples

from analytics.audits.retries_advice import of_herd, of_line
from collector.call import Reported
from collector.reporting import ReportError


def test_attempts_and_their_cost_are_told_in_both_ways() -> None:
    calls = [
        call(0, "t1", output=300),
        call(10_000, "t2", output=300, attempts=3, took_s=40),
        call(20_000, "t3", output=100, attempts=2, took_s=4, lease_id="g:1"),
    ]
    with stored(calls) as store:
        (row,) = audit(store, "audit_retries")
    assert (row["calls"], row["retried_calls"], row["attempts"], row["most_attempts"]) == (3, 2, 6, 3)
    assert (row["attempts_per_call"], row["longest_s"], row["guarded_calls"]) == (2.0, 40.0, 1)
    assert row["cost"] == Decimal("3.00") + Decimal("3.00") + Decimal("1.00")
    # Two of three parts, and one of two; or each further attempt as dear as the answer.
    assert row["retry_cost"] == Decimal("3.00") * 2 / 3 + Decimal("1.00") / 2
    assert row["retry_cost_at_most"] == Decimal("3.00") * 2 + Decimal("1.00")
    assert row["finding"] is None


def test_what_is_not_known_is_not_zero() -> None:
    retried = [call(100 * place, f"t{place}", attempts=2, model="odd") for place in range(3)]
    once = [call(500, "t9", model="even"), call(600, "t9", model="odd", workload="other")]
    with stored([*retried, *once]) as store:
        rows = {(row["workload"], row["model"]): row for row in audit(store, "audit_retries")}
    money = ("cost", "retry_cost", "retry_cost_at_most", "currency")
    assert [rows["writer", "odd"][name] for name in money] == [None, None, None, None]
    assert [rows["writer", "even"][name] for name in money] == [1, 0, 0, "USD"]
    # Nothing was retried: that cost nothing, whatever the calls cost.
    assert [rows["other", "odd"][name] for name in money] == [None, 0, 0, None]


def test_findings_come_first_and_top_keeps_them() -> None:
    dear = [call(9000 * place, f"d{place}", output=5000, attempts=1 + (place == 0)) for place in range(30)]
    often = [call(9000 * place + 99, f"o{place}", workload="often", attempts=3) for place in range(30)]
    with stored([*dear, *often]) as store:
        (row,) = audit(store, "audit_retries", top="1")
    assert (row["workload"], row["retried_calls"]) == ("often", 30)
    assert row["finding"] == "100 % of the calls were retried, 3.0 attempts each"


def test_incomplete_calls_that_end_at_the_same_age_were_cut_off() -> None:
    calls = [
        call(2000 * place, f"t{place}", took_s=600, usage=None, reported=Reported.NOTHING)
        for place in range(25)
    ]
    with stored(calls) as store:
        (row,) = audit(store, "audit_retries")
    assert row["incomplete_calls"] == 25
    assert row["finding"] == "100 % of the calls told no whole usage, half of them within 600.0 s"
    assert "`timeout`" in row["advice"]


LINE: Mapping[str, Any] = {
    "calls": 1000,
    "retried_calls": 0,
    "attempts": 1000,
    "guarded_calls": 0,
    "incomplete_calls": 0,
    "incomplete_after_s": None,
    "herds": 0,
    "synchronous_calls": 0,
    "p_value": None,
}


@pytest.mark.parametrize(
    ("line", "advised"),
    [
        ({}, None),
        ({"retried_calls": 49, "attempts": 1147}, None),
        ({"retried_calls": 100, "attempts": 1100}, ("sg.wrap(client)", "`capacity`")),
        ({"retried_calls": 100, "attempts": 1100, "guarded_calls": 90}, ("`capacity`",)),
        (
            {"retried_calls": 100, "attempts": 1400, "guarded_calls": 90},
            ("`capacity`", "SWITCHGEAR_MAX_RETRIES", "SWITCHGEAR_RETRY_RATIO"),
        ),
        # A herd's calls are no second finding.
        (
            {"retried_calls": 100, "attempts": 1400, "herds": 2, "synchronous_calls": 90, "p_value": 0.002},
            ("sg.wrap(client)",),
        ),
        ({"incomplete_calls": 60, "incomplete_after_s": [2.0, 9.0, 80.0]}, ("include_usage",)),
        ({"incomplete_calls": 60, "incomplete_after_s": [59.0, 60.0, 60.2]}, ("`timeout`",)),
    ],
    ids=[
        "nothing",
        "as many as usual",
        "unguarded",
        "guarded",
        "many attempts",
        "a herd",
        "no usage",
        "cut off",
    ],
)
def test_each_evidence_asks_for_its_change(line: dict[str, Any], advised: tuple[str, ...] | None) -> None:
    found = of_line({**LINE, **line})
    if advised is None:
        assert found is None
    else:
        assert found is not None
        assert len(found.changes) == len([name for name in advised if name != "SWITCHGEAR_RETRY_RATIO"])
        assert all(name in found.advice for name in advised)


@pytest.mark.parametrize(
    ("guarded", "moment", "advised", "not_advised"),
    [
        (0, "came back", "sg.wrap", "SWITCHGEAR_CONCURRENCY"),
        (0, "began", "SWITCHGEAR_CONCURRENCY", "nothing"),
        (20, "began and came back", "SWITCHGEAR_CONCURRENCY", "sg.wrap"),
        (20, "came back", "`capacity`", "sg.wrap"),
    ],
)
def test_a_herd_asks_for_what_it_shows(guarded: int, moment: str, advised: str, not_advised: str) -> None:
    herd = {"tasks": 20, "calls": 20, "waves": 3, "lasted_s": 1.5, "expected": 0.25, "moment": moment}
    found = of_herd({**herd, "guarded_calls": guarded})
    assert found.finding.startswith(f"retried calls of 20 tasks {moment} within 1.5 s, 3 times, where 0.2 ")
    assert advised in found.advice
    assert not_advised not in found.advice


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"to": "2026-11-01T00:00:00Z"}, "is before from"),
        ({"from": "monday"}, "is no time"),
        ({"top": "0"}, "no number from 1"),
        ({"tenants": "acme"}, "unknown parameter"),
    ],
    ids=["backwards", "no time", "top", "unknown"],
)
@pytest.mark.parametrize("name", ["audit_retries", "audit_herds", "audit_fanout", "audit_loops"])
def test_a_bad_parameter_is_named(name: str, params: dict[str, str], said: str) -> None:
    with stored([]) as store, pytest.raises(ReportError, match=said):
        audit(store, name, **params)


@pytest.mark.parametrize("name", ["audit_retries", "audit_herds", "audit_fanout", "audit_loops"])
def test_a_range_without_calls_has_no_rows(name: str) -> None:
    with stored([]) as store:
        assert audit(store, name) == []


CALLS = st.lists(
    st.tuples(
        st.integers(0, 604_799),
        st.sampled_from(["acme", "globex"]),
        st.sampled_from(["m", "odd", None]),
        st.integers(1, 5),
        st.integers(1, 500),
    ),
    min_size=1,
    max_size=30,
)


@settings(max_examples=examples(3), deadline=None, suppress_health_check=list(HealthCheck))
@given(drawn=CALLS)
def test_the_lines_add_up_to_the_calls(drawn: list[tuple[int, str, str | None, int, int]]) -> None:
    calls = [
        call(at, f"t{at}", tenant=tenant, model=model, attempts=attempts, output=output)
        for at, tenant, model, attempts, output in drawn
    ]
    with stored(calls) as store:
        rows = audit(store, "audit_retries")
    assert sum(row["calls"] for row in rows) == len(drawn)
    assert sum(row["attempts"] for row in rows) == sum(attempts for _, _, _, attempts, _ in drawn)
    at_most = sum(Decimal(o) / 100 * (a - 1) for _, _, model, a, o in drawn if model != "odd")
    assert sum((row["retry_cost_at_most"] or 0 for row in rows), Decimal(0)) == at_most
    for row in rows:
        if row["retry_cost"] is not None and row["cost"] is not None:
            assert 0 <= row["retry_cost"] <= min(row["cost"], row["retry_cost_at_most"])
