"""The benchmark of a guarded call: it runs against real services, and reckons its quantiles right."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from guarded_calls import Found, quantile_us

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "guarded.py"
ENDS_WITHIN_S = 120


def test_checks_are_timed_and_the_engine_counts_what_was_billed() -> None:
    """The script itself ends with an error where the engine has counted otherwise."""
    ran = subprocess.run(
        [sys.executable, SCRIPT, "--quick", "--only", "check", "--json"],
        capture_output=True,
        text=True,
        timeout=ENDS_WITHIN_S,
    )
    assert ran.returncode == 0, ran.stderr
    (figures,) = json.loads(ran.stdout.splitlines()[-1]).values()
    found = {figure["name"]: figure["value"] for figure in figures}
    assert 0 < found["p50"] <= found["p99"]


# 0, 1, ... 100 µs.
MICROSECONDS = [number / 1e6 for number in range(101)]


@pytest.mark.parametrize(("share", "us"), [(0.0, 0), (0.5, 50), (0.99, 99), (1.0, 100)])
def test_a_quantile_is_in_microseconds_whatever_the_order(share: float, us: int) -> None:
    assert quantile_us(MICROSECONDS[::-1], share) == pytest.approx(us)


def test_more_is_the_difference_of_two_quantiles_and_not_the_quantile_of_differences() -> None:
    # By pairs the differences are 30, 0 and -30; the medians are both 20.
    found = Found(plain=[10e-6, 20e-6, 40e-6], guarded=[40e-6, 20e-6, 10e-6], cold=[90e-6])
    assert found.more_us(0.5) == pytest.approx(0)
    # The median of the first calls less that of the plain ones: 90 - 20.
    assert found.cold_us == pytest.approx(70)
