"""Each check can fail, and the figures are plain arithmetic."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import StringIO

import pytest
from rich.console import Console

from cli.demo.checks import ceilings_hold, every_call_booked_once, interactive_waits_less
from cli.demo.figures import Allowance, Booked, Figures, Run, figures, p95, peak
from cli.demo.outcome import CallEnd, CallSeen, Outcome, TaskEnd, TaskSeen, judge
from cli.demo.report import check_lines, compare, table, to_json
from switchgear.testing import Log, Refused, Served
from switchgear.usage import Usage

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
CENT = Decimal("0.01")


def served(call_id, *, tenant="northwind", cost=CENT, at_s=0.0, service_s=1.0):
    at = NOON + timedelta(seconds=at_s)
    return Served(call_id, "openai", "gpt-4o", tenant, Usage(), cost, at, at, service_s)


def run_of(*calls, booked=None, outcomes=(), refused=()):
    rows = [Booked(one.id, one.tenant, one.cost) for one in calls] if booked is None else booked
    return Run(Log(calls, refused), outcomes, rows)


def row(*, wait_p95_s=1.0, over="0", largest="0.01"):
    return Figures(10, CENT, 0, wait_p95_s, 1, 0, 0, Decimal(1), Decimal(over), Decimal(largest))


@pytest.mark.parametrize(
    ("at_s", "most"),
    [
        pytest.param([0, 9.9], 2, id="both within ten seconds"),
        pytest.param([0, 10], 1, id="a window is open at its start"),
        pytest.param([10, 0, 5, 14], 3, id="in any order"),
        pytest.param([], 0, id="nothing spent"),
    ],
)
def test_the_peak_is_the_fullest_window(at_s, most):
    spent = [(NOON + timedelta(seconds=at), CENT) for at in at_s]
    assert peak(spent, window_s=10) == most * CENT


@pytest.mark.parametrize(("values", "expected"), [(range(1, 21), 19), ([3.0], 3.0), ([], 0.0)])
def test_p95_is_the_nearest_rank(values, expected):
    assert p95(list(values)) == expected


def test_a_wait_is_what_the_agent_saw_less_the_service_and_a_lost_call_counts_whole():
    calls = [CallSeen("a", 1.5, CallEnd.ANSWERED), CallSeen(None, 7.0, CallEnd.FAILED)]
    outcome = Outcome("northwind", calls, [TaskSeen("t", "nightly-ingest", TaskEnd.DEGRADED)])
    refused = [Refused("openai", "northwind", status, NOON, 1.0) for status in (429, 400)]
    run = run_of(served("a", service_s=0.5), outcomes=[outcome], refused=refused)
    found = figures("northwind", run, Allowance(CENT / 2, 10))
    assert found.wait_p95_s == 7.0
    assert (found.calls, found.cost, found.limited) == (1, CENT, 1)
    assert (found.finished, found.degraded, found.failed) == (0, 1, 0)
    assert (found.peak, found.over, found.largest) == (CENT, CENT - CENT / 2, CENT)


@pytest.mark.parametrize(
    ("ends", "tolerance", "expected"),
    [
        pytest.param("aaaa", 0, TaskEnd.FINISHED, id="all answered"),
        pytest.param("aaag", 0, TaskEnd.DEGRADED, id="one by a lesser model"),
        pytest.param("aad", 0, TaskEnd.DEGRADED, id="denied after two: wrapped up"),
        pytest.param("aa", 0, TaskEnd.DEGRADED, id="two never begun"),
        pytest.param("aaaf", 0, TaskEnd.FAILED, id="one lost and none may be"),
        pytest.param("aaaf", 0.25, TaskEnd.DEGRADED, id="one of four lost and a quarter may be"),
        pytest.param("d", 0, TaskEnd.FAILED, id="denied at once: nothing to show"),
        pytest.param("", 0, TaskEnd.FAILED, id="never begun"),
    ],
)
def test_a_task_of_four_calls_ends_as_its_calls_did(ends, tolerance, expected):
    kinds = {"a": CallEnd.ANSWERED, "g": CallEnd.DEGRADED, "d": CallEnd.DENIED, "f": CallEnd.FAILED}
    assert judge(4, [kinds[end] for end in ends], tolerance) is expected


@pytest.mark.parametrize(
    ("over", "passed"), [("0", True), ("0.01", True), ("0.010001", False)], ids=["under", "one call", "more"]
)
def test_a_ceiling_may_be_passed_by_the_largest_call_and_no_more(over, passed):
    check = ceilings_hold({"a": row(), "b": row(over=over)}, {"a": CENT, "b": CENT})
    assert check.passed is passed


@pytest.mark.parametrize(("after", "passed"), [(0.99, True), (1.0, False)])
def test_the_wait_must_be_below_half(after, passed):
    check = interactive_waits_less("b", row(wait_p95_s=2.0), row(wait_p95_s=after))
    assert check.passed is passed


A, B = served("a"), served("b", tenant="civic")
A_BOOKED, B_BOOKED = Booked("a", "northwind", CENT), Booked("b", "civic", CENT)


def test_books_that_are_the_providers_account_pass():
    check = every_call_booked_once(run_of(A, B, booked=[A_BOOKED, B_BOOKED]))
    assert check.passed
    assert check.detail == "2 calls and 0.02 USD served, 2 and 0.02 USD booked"


@pytest.mark.parametrize(
    ("booked", "fault"),
    [
        pytest.param([], "b is missing", id="missing"),
        pytest.param([B_BOOKED, B_BOOKED], "b stands 2 times", id="twice"),
        pytest.param([B_BOOKED, Booked("c", "civic", CENT)], "c of civic was never served", id="extra"),
        pytest.param([B_BOOKED, Booked(None, "civic", None)], "None of civic was never served", id="no id"),
        pytest.param([Booked("b", "civic", 2 * CENT)], "civic 0.02 booked, civic 0.01 billed", id="price"),
        pytest.param([Booked("b", "civic", None)], "civic None booked, civic 0.01 billed", id="unpriced"),
        pytest.param([Booked("b", "acme", CENT)], "acme 0.01 booked, civic 0.01 billed", id="other tenant"),
    ],
)
def test_books_that_differ_from_the_providers_account_fail(booked, fault):
    check = every_call_booked_once(run_of(A, B, booked=[A_BOOKED, *booked]))
    assert not check.passed
    assert f"1 faults: {fault}" in check.detail or f"1 faults: b: {fault}" in check.detail


def test_the_result_says_the_same_as_a_table_and_as_json():
    allowances = {"northwind": Allowance(CENT, 10), "brightline": Allowance(CENT, 10)}
    seen = Outcome("brightline", [CallSeen("x", 9.0, CallEnd.ANSWERED)], [])
    before = run_of(A, served("x", tenant="brightline"), outcomes=[seen])
    after = replace(before, outcomes=[Outcome("brightline", [CallSeen("x", 1.5, CallEnd.ANSWERED)], [])])
    result = compare(7, before, after, allowances)
    assert result.passed
    document = json.loads(json.dumps(to_json(result)))
    assert document["with"]["brightline"]["wait_p95_s"] == 0.5
    assert document["without"]["northwind"]["cost"] == "0.01"
    assert document["passed"] is True
    paper = StringIO()
    console = Console(width=80, file=paper)
    console.print(table(result), *check_lines(result.checks))
    printed = paper.getvalue()
    assert all(len(line) <= 80 for line in printed.splitlines())
    assert "10 s stand for an hour" in printed
    assert printed.count("✓") == 3
