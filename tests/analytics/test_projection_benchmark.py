"""What the benchmark of projections counts, on windows small enough to count by hand, and which files it refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from projection_breakers import Tally as Tallied
from projection_breakers import breaches, lead_at, tally
from projection_closed import closed
from projection_drive import Truth, Window
from projection_reading import read
from projection_streams import Stream

# A window of 10 ticks with a horizon of one.
TEN = Window("ten", 100, 10, 1, 10)


def _truth(spent: list[float]) -> Truth:
    values = np.array(spent)
    return Truth(np.arange(len(values)) * 10, values, values, values, usual=1.0, p99=10.0)


def test_a_breach_begins_over_the_ceiling_and_ends_at_nine_tenths_of_it() -> None:
    assert breaches(np.array([5.0, 11.0, 9.5, 11.0, 9.0, 5.0, 12.0]), 10.0) == [(1, 4), (6, 7)]


def test_a_trip_before_a_breach_has_its_lead_and_one_without_a_breach_is_false() -> None:
    truth = _truth([5.0] * 4 + [11.0] + [5.0] * 25)
    rule = np.zeros(30, bool)
    rule[2:4] = True  # opens at 2, breach at 4: a lead of 2 of 10 ticks
    rule[20] = True  # no breach follows
    result = tally(truth, 10.0, rule, TEN)
    assert (result.breaches, result.before, result.leads) == (1, 1, [1, 1, 1])
    assert (result.trips, result.false) == (2, 1)


def test_a_breaker_that_is_always_open_is_false_once_a_window() -> None:
    result = tally(_truth([5.0] * 40), 10.0, np.ones(40, bool), TEN)
    assert (result.trips, result.false, result.wrongly_open) == (4, 4, 40)


def test_what_was_over_before_the_first_tick_is_no_breach_that_could_be_foreseen() -> None:
    assert tally(_truth([11.0] * 3 + [5.0] * 7), 10.0, np.zeros(10, bool), TEN).breaches == 0


def test_a_level_rule_is_read_between_the_two_that_enclose_a_false_share() -> None:
    levels = [
        Tallied(breaches=10, leads=[0, lead, 0], trips=10, false=false) for lead, false in ((4, 2), (8, 6))
    ]
    # Half-way between a false share of .2 and .6: half-way between .4 and .8.
    assert lead_at(0.4, levels) == pytest.approx(0.6)


@pytest.mark.parametrize("policy", ["gate", "throttle + gate"])
def test_the_gate_keeps_every_ceiling_and_refuses_only_what_would_pass_it(policy: str) -> None:
    random = np.random.default_rng(1)
    calls = random.poisson(0.05, 6 * 360)
    # The second half spends three times as much as the first, of which the ceilings are made.
    cost = calls * np.where(np.arange(len(calls)) < len(calls) // 2, 1.0, 3.0)
    outcome = closed(([Stream("one", cost, calls)], policy))
    assert outcome.over == 0
    assert outcome.denied > 0.1
    assert outcome.wrongly < (1e-12 if policy == "gate" else 0.01)


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("empty.csv", "", "no rows"),
        (
            "other.csv",
            "when,what\n1,2\n",
            "no column TIMESTAMP, ContextTokens, GeneratedTokens; found when, what",
        ),
        ("short.csv", "time,cost\n0,1\n5,1\n", "2 calls, and 100 are the least"),
        ("words.csv", "time,cost\nsoon,1\n", "a value is no number and no time"),
        ("negative.csv", "time,cost\n1,-1\n", "a cost is negative or not finite"),
        ("bins.csv", "t,rate,cv\n0,1,1\n60,1,1\n", "its rows are not 600 s apart"),
        ("absent.csv", None, "No such file"),
    ],
    ids=lambda value: value if isinstance(value, str) and value.endswith(".csv") else "",
)
def test_a_file_that_cannot_be_judged_is_named_with_the_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, text: str | None, reason: str
) -> None:
    if text is not None:
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert read([tmp_path / name]) == ([], [])
    assert f"{tmp_path / name}: cannot be used: " in (said := capsys.readouterr().out)
    assert reason in said


def test_a_plain_trace_of_two_tenants_is_two_streams(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = "".join(f"{second},0.5,{'ab'[second % 2]}\n" for second in range(200))
    (tmp_path / "calls.csv").write_text("time,cost,tenant\n" + rows, encoding="utf-8")
    clients, streams = read([tmp_path / "calls.csv"])
    assert clients == []
    assert [(each.name, each.cost.sum()) for each in streams] == [("calls/a", 50.0), ("calls/b", 50.0)]
    assert "200 calls of 2 tenants" in capsys.readouterr().out


def test_clients_without_a_header_are_read_as_servegen_writes_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = "".join(f"{place * 600},0.5,1.2,Gamma,0.6,1.1\n" for place in range(12))
    (tmp_path / "chunk-0-trace.csv").write_text(rows, encoding="utf-8")
    clients, _ = read([tmp_path / "chunk-0-trace.csv"])
    assert [(each.name, each.rate.sum()) for each in clients] == [("chunk-0-trace", 6.0)]
    assert "rates of 1 clients" in capsys.readouterr().out
