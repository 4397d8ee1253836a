"""The breaker's states, each edge at its boundary."""

from __future__ import annotations

from decimal import Decimal

import pytest

from policies.breaker import Reading, State, next_state
from policies.model import Ceiling, Rolling, Rung, Scope, Step

THROTTLE, OPEN = Rung(Decimal("0.80"), Step.THROTTLE), Rung(Decimal("0.95"), Step.OPEN)
WINDOW = Ceiling("c", Scope(), Decimal(100), Rolling(3600.0), ladder=(THROTTLE, OPEN), cooldown_s=10.0)
TASK = Ceiling("t", Scope(), Decimal(100), None)


def reading(
    spent: str = "0",
    in_flight: str = "0",
    median: str = "0",
    upper: str = "0",
    *,
    refused: bool = False,
    renewed: bool = False,
) -> Reading:
    amounts = (Decimal(amount) for amount in (spent, in_flight, median, upper))
    return Reading(*amounts, limit=Decimal(100), gate_refused=refused, renewed=renewed)


@pytest.mark.parametrize(
    ("state", "age_s", "seen", "moves_to"),
    [
        (State.CLOSED, 99, reading(upper="79.99"), None),
        (State.CLOSED, 0, reading(upper="80.00"), State.THROTTLED),
        (State.CLOSED, 0, reading(spent="94.99", median="101", upper="120"), State.THROTTLED),
        (State.CLOSED, 0, reading(spent="95.00", median="101", upper="120"), State.OPEN),
        (State.CLOSED, 0, reading(spent="90", in_flight="5", median="101", upper="120"), State.OPEN),
        (State.CLOSED, 0, reading(spent="95.00", median="100", upper="120"), State.THROTTLED),
        (State.CLOSED, 0, reading(spent="99.99"), None),
        (State.CLOSED, 0, reading(spent="100"), State.OPEN),
        (State.CLOSED, 0, reading(refused=True), State.OPEN),
        (State.THROTTLED, 99, reading(upper="70.01"), None),
        (State.THROTTLED, 10, reading(upper="70.00"), State.CLOSED),
        (State.THROTTLED, 9.9, reading(upper="70.00"), None),
        (State.THROTTLED, 0, reading(refused=True), State.OPEN),
        (State.OPEN, 9.9, reading(spent="0"), None),
        (State.OPEN, 10, reading(spent="90.00"), State.HALF_OPEN),
        (State.OPEN, 10, reading(spent="90.01"), None),
        (State.OPEN, 0, reading(spent="90.00", renewed=True), State.CLOSED),
        (State.OPEN, 0, reading(spent="90.01", renewed=True), None),
        (State.HALF_OPEN, 5, reading(spent="80", median="90"), None),
        (State.HALF_OPEN, 10, reading(spent="80", median="90"), State.CLOSED),
        (State.HALF_OPEN, 0, reading(refused=True), State.OPEN),
        (State.FORCED_OPEN, 99, reading(), None),
        (State.DISABLED, 99, reading(spent="200", median="300", refused=True), None),
    ],
)
def test_an_edge_is_taken_exactly_where_it_says(
    state: State, age_s: float, seen: Reading, moves_to: State | None
) -> None:
    moved = next_state(state, 1000.0, seen, WINDOW, 1000.0 + age_s)
    assert (moved[0] if moved else None) is moves_to


def test_without_a_throttle_rung_nothing_is_throttled() -> None:
    assert next_state(State.CLOSED, 0.0, reading(upper="99"), TASK, 1e6) is None


def test_without_a_rung_to_open_a_projection_opens_nothing() -> None:
    assert next_state(State.CLOSED, 0.0, reading(spent="99.99", median="200"), TASK, 1e6) is None


def test_a_task_s_breaker_stays_open() -> None:
    assert next_state(State.OPEN, 0.0, reading(), TASK, 1e6) is None
