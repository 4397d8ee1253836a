"""The breaker's states, each edge at its boundary."""

from __future__ import annotations

from decimal import Decimal

import pytest

from policies.breaker import Reading, State, next_state
from policies.model import Ceiling, Rolling, Rung, Scope, Step

THROTTLE = Rung(Decimal("0.80"), Step.THROTTLE)
WINDOW = Ceiling("c", Scope(), Decimal(100), Rolling(3600.0), ladder=(THROTTLE,), cooldown_s=10.0)
TASK = Ceiling("t", Scope(), Decimal(100), None)


def reading(
    spent: str = "0", in_flight: str = "0", projected: str = "0", *, refused: bool = False
) -> Reading:
    return Reading(Decimal(spent), Decimal(in_flight), Decimal(projected), refused)


@pytest.mark.parametrize(
    ("state", "age_s", "seen", "moves_to"),
    [
        (State.CLOSED, 99, reading(projected="79.99"), None),
        (State.CLOSED, 0, reading(projected="80.00"), State.THROTTLED),
        (State.CLOSED, 0, reading(spent="98.99", projected="101"), State.THROTTLED),
        (State.CLOSED, 0, reading(spent="99.00", projected="101"), State.OPEN),
        (State.CLOSED, 0, reading(spent="90", in_flight="9", projected="101"), State.OPEN),
        (State.CLOSED, 0, reading(spent="99.00", projected="100"), State.THROTTLED),
        (State.CLOSED, 0, reading(refused=True), State.OPEN),
        (State.THROTTLED, 99, reading(projected="70.01"), None),
        (State.THROTTLED, 10, reading(projected="70.00"), State.CLOSED),
        (State.THROTTLED, 9.9, reading(projected="70.00"), None),
        (State.THROTTLED, 0, reading(refused=True), State.OPEN),
        (State.OPEN, 9.9, reading(spent="0"), None),
        (State.OPEN, 10, reading(spent="90.00"), State.HALF_OPEN),
        (State.OPEN, 10, reading(spent="90.01"), None),
        (State.HALF_OPEN, 5, reading(spent="80", projected="90"), None),
        (State.HALF_OPEN, 10, reading(spent="80", projected="90"), State.CLOSED),
        (State.HALF_OPEN, 0, reading(refused=True), State.OPEN),
        (State.FORCED_OPEN, 99, reading(), None),
        (State.DISABLED, 99, reading(spent="200", projected="300", refused=True), None),
    ],
)
def test_an_edge_is_taken_exactly_where_it_says(
    state: State, age_s: float, seen: Reading, moves_to: State | None
) -> None:
    moved = next_state(state, 1000.0, seen, WINDOW, 1000.0 + age_s)
    assert (moved[0] if moved else None) is moves_to


def test_without_a_throttle_rung_nothing_is_throttled() -> None:
    assert next_state(State.CLOSED, 0.0, reading(projected="99"), TASK, 1e6) is None


def test_a_task_s_breaker_stays_open() -> None:
    assert next_state(State.OPEN, 0.0, reading(), TASK, 1e6) is None
