"""The benchmarks of the engine: they run, and what they judge by is right."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from connection import complete
from overspend_agents import Billed, Denied, Found
from overspend_truth import judged

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
SHORT = {
    "overspend.py": ("--only", "5 x too low"),
    "decisions.py": ("--only", "grant and settle", "--seconds", "0.5", "--rate", "100"),
}
ENDS_WITHIN_S = 120


Told = Callable[[str], Any]


@pytest.fixture(scope="module")
def told() -> Iterator[Told]:
    """What a script prints with --json. All of them are begun at once: most of their time is a service's start."""
    running = {
        script: subprocess.Popen(
            [sys.executable, BENCHMARKS / script, "--quick", "--json", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for script, arguments in SHORT.items()
    }

    def end(script: str) -> Any:
        out, errors = running[script].communicate(timeout=ENDS_WITHIN_S)
        assert running[script].returncode == 0, errors
        return json.loads(out.splitlines()[-1])

    yield end
    for process in running.values():
        with process:
            process.kill()


def value(figures: list[dict[str, Any]], name: str) -> float:
    (found,) = (figure["value"] for figure in figures if figure["name"] == name)
    return found


def test_a_race_is_run_and_its_engine_counts_what_was_billed(told: Told) -> None:
    (check,), (engine,) = told("overspend.py").values()
    assert check["outcome"]["billed"] > check["outcome"]["ceiling"]
    assert engine["outcome"]["ceiling"] == check["outcome"]["ceiling"]
    assert engine["outcome"]["calls"] > 0
    assert float(engine["counted_off"]) == 0


def test_pairs_are_granted_settled_and_booked_as_billed(told: Told) -> None:
    (figures,) = told("decisions.py").values()
    assert value(figures, "pairs") > 0
    assert value(figures, "the same against the ledger, once all is booked") == 0


# Three calls of 40, 50 and 30 are let through at 1, 2 and 3, and settled at 5, 4 and 6. The ceiling is 100.
THREE = [Billed(1, 5, 40), Billed(2, 4, 50), Billed(3, 6, 30)]


def test_a_race_is_judged_by_what_was_billed() -> None:
    outcome = judged(Found(began=0.5, billed=THREE), ceiling=100)
    assert (outcome.billed, outcome.largest) == (40 + 50 + 30, 50)
    assert outcome.over == (120 - 100) / 50
    assert outcome.used == 120 / 100
    # 50 at 4, 90 at 5, 120 at 6.
    assert outcome.spent_s == 6 - 0.5


def test_a_ceiling_that_is_never_reached_takes_until_the_last_call() -> None:
    outcome = judged(Found(began=0.5, billed=THREE), ceiling=1000)
    assert (outcome.over, outcome.spent_s) == ((120 - 1000) / 50, 6 - 0.5)


@pytest.mark.parametrize(
    ("at", "micro", "falsely", "fits"),
    [
        pytest.param(2.5, 10, 1, 1, id="90 through, and 10 more just fits"),
        pytest.param(2.5, 11, 1, 0, id="90 through, and 11 more does not fit"),
        pytest.param(3.0, 1, 0, 0, id="120 through, at the very moment of the third"),
        pytest.param(0.0, 100, 1, 1, id="nothing through"),
    ],
)
def test_a_refusal_is_false_while_what_is_through_is_below_the_ceiling(
    at: float, micro: int, falsely: int, fits: int
) -> None:
    outcome = judged(Found(billed=THREE, denied=[Denied(at, micro)]), ceiling=100)
    assert (outcome.refused, outcome.refused_falsely, outcome.refused_though_it_fits) == (1, falsely, fits)


WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nEtag: x\r\n\r\n{}"


@pytest.mark.parametrize("missing", range(1, len(WHOLE)))
def test_an_answer_is_whole_only_with_its_last_byte(missing: int) -> None:
    assert complete(WHOLE[:-missing]) is None
    assert complete(WHOLE) == (200, len(WHOLE) - 2)


def test_an_answer_that_does_not_say_how_long_it_is_is_refused() -> None:
    assert complete(b"HTTP/1.1 304 Not Modified\r\n\r\n") == (304, 29)
    with pytest.raises(ValueError, match="without a length"):
        complete(b"HTTP/1.1 200 OK\r\n\r\n{}")
