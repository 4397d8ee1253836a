"""Cause: what of an event explains most of it, in words with figures. Pure.

Cost is calls x tokens a call x cost a token, so the logarithm of how many times more it cost is the sum of three, and
each has its share of the whole. The third is told apart: what the same tokens would cost a model at the price of
before is the mix, the rest is the price. One task among others that makes up at least half of what is too much is
named before all of these; and attempts a call, where they rose more than anything else.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from statistics import median

__all__ = ["Cause", "Part", "Task", "cause"]

_HALF = Decimal("0.5")
_RETRIED = 1.5
"""Attempts a call, times those of before: from here on they are a cause."""


@dataclass(frozen=True, slots=True)
class Part:
    """The calls of one model in the event (lag 0) or at an earlier time."""

    lag: int
    model: str | None
    calls: int
    attempts: int
    tokens: int
    cost: Decimal | None


@dataclass(frozen=True, slots=True)
class Task:
    """The dearest task of an event."""

    task: str
    calls: int
    cost: Decimal
    of: int
    """How many tasks the event had."""


@dataclass(frozen=True, slots=True)
class Cause:
    """What explains most: its name, its share of the whole where that can be said, and the words."""

    name: str
    share: float | None
    words: str


@dataclass(frozen=True, slots=True)
class _Sums:
    calls: float
    attempts: float
    tokens: float
    cost: float

    @property
    def tokens_a_call(self) -> float:
        return self.tokens / self.calls

    @property
    def cost_a_token(self) -> float:
        return self.cost / self.tokens


def cause(parts: Sequence[Part], task: Task | None, impact: Decimal, before: int) -> Cause:
    """The cause of an event that cost `impact` more than expected, compared with the `before` earlier times."""
    now = _sums([part for part in parts if part.lag == 0])
    usual = _usual(parts, before)
    said = _said(now, usual)
    if task is not None and (task.of > 1 or usual is None) and task.cost >= impact * _HALF > 0:
        part = float(task.cost / impact)
        words = f"one task, {task.task}: {task.calls:,} calls cost {task.cost:,.2f}, {part:.0%} of what is too much"
        return Cause("one task", min(part, 1.0), f"{words}; {said}")
    if usual is None or not (now.calls and now.attempts and now.tokens and now.cost):
        return Cause("calls", None, f"nothing usually runs at these hours; {said}")
    effects = _effects(parts, now, usual)
    whole = sum(effects.values())
    name = max(effects, key=lambda each: effects[each])
    retries = math.log(now.attempts / now.calls * usual.calls / usual.attempts)
    if retries >= math.log(_RETRIED) and retries >= max(0.0, *effects.values()):
        name, effects = "retries", {**effects, "retries": retries}
    share = effects[name] / whole if whole > 0 and name != "retries" else None
    return Cause(
        name, None if share is None else min(1.0, share), f"{_told(name, parts, now, usual)}; {said}"
    )


def _sums(parts: Sequence[Part]) -> _Sums:
    return _Sums(
        sum(part.calls for part in parts),
        sum(part.attempts for part in parts),
        sum(part.tokens for part in parts),
        float(sum((part.cost for part in parts if part.cost is not None), Decimal(0))),
    )


def _usual(parts: Sequence[Part], before: int) -> _Sums | None:
    """The medians of the earlier times, those without a call among them; None where most had none."""
    times = [_sums([part for part in parts if part.lag == lag]) for lag in range(1, before + 1)]
    if not times:
        return None
    sums = _Sums(
        *(median(getattr(each, name) for each in times) for name in ("calls", "attempts", "tokens", "cost"))
    )
    return sums if sums.calls and sums.attempts and sums.tokens and sums.cost else None


def _effects(parts: Sequence[Part], now: _Sums, usual: _Sums) -> dict[str, float]:
    """The logarithm of each factor."""
    price = math.log(now.cost_a_token / usual.cost_a_token)
    mix = _mix(parts, now, usual)
    return {
        "calls": math.log(now.calls / usual.calls),
        "tokens per call": math.log(now.tokens_a_call / usual.tokens_a_call),
        "model mix": mix,
        "price": price - mix,
    }


def _mix(parts: Sequence[Part], now: _Sums, usual: _Sums) -> float:
    """What the mix of models does to the cost of a token: tokens of now at each model's rate of before.

    A model that was not there before has its rate of now.
    """
    rates = _rates([part for part in parts if part.lag > 0])
    fresh = _rates([part for part in parts if part.lag == 0])
    at_old = sum(
        part.tokens * rates.get(part.model, fresh.get(part.model, 0.0)) for part in parts if part.lag == 0
    )
    old = _sums([part for part in parts if part.lag > 0])
    return (
        math.log(at_old / now.tokens / (old.cost / old.tokens)) if at_old and old.tokens and old.cost else 0.0
    )


def _rates(parts: Sequence[Part]) -> Mapping[str | None, float]:
    models = {part.model for part in parts}
    sums = {model: _sums([part for part in parts if part.model == model]) for model in models}
    return {model: each.cost / each.tokens for model, each in sums.items() if each.tokens and each.cost}


def _told(name: str, parts: Sequence[Part], now: _Sums, usual: _Sums) -> str:
    match name:
        case "calls":
            return f"calls rose {now.calls / usual.calls:.1f}-fold"
        case "tokens per call":
            return f"tokens a call rose from {usual.tokens_a_call:,.0f} to {now.tokens_a_call:,.0f}"
        case "retries":
            was, is_now = usual.attempts / usual.calls, now.attempts / now.calls
            return f"attempts a call rose from {was:.2f} to {is_now:.2f}"
        case "model mix":
            model, was, is_now = _moved(parts)
            return f"model mix: {model or 'no model'} went from {was:.0%} to {is_now:.0%} of tokens"
    was, is_now = usual.cost_a_token * 1e6, now.cost_a_token * 1e6
    return f"a million tokens rose from {was:,.2f} to {is_now:,.2f} on the same models"


def _moved(parts: Sequence[Part]) -> tuple[str | None, float, float]:
    """The model whose share of tokens grew most, before and now."""
    shares = []
    for is_now in (False, True):
        own = [part for part in parts if (part.lag == 0) is is_now]
        whole = sum(part.tokens for part in own) or 1
        sums: dict[str | None, float] = {}
        for part in own:
            sums[part.model] = sums.get(part.model, 0.0) + part.tokens / whole
        shares.append(sums)
    before, now = shares
    model = max(now, key=lambda each: now[each] - before.get(each, 0.0))
    return model, before.get(model, 0.0), now[model]


def _said(now: _Sums, usual: _Sums | None) -> str:
    calls = f"{now.calls:,.0f} calls"
    tokens = f"{now.tokens:,.0f} tokens"
    if usual is None:
        return f"{calls} with {tokens}"
    return f"{calls} where {usual.calls:,.0f} are usual, {tokens} where {usual.tokens:,.0f} are"
