"""Coordinated retries: when a provider throttles, everybody is told another moment, and no workload only retries.

Nineteen of twenty clients that read the same `retry-after: 600` come back in the same second. Here each one is given a
slot of its own, as far from the next as the learned rate asks.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field

from .lately import Lately

__all__ = ["RetryBudget", "RetryBudgets", "Slots", "Verdict"]

_JITTER = 0.25


@dataclass(slots=True)
class Slots:
    """Moments to come back at, one for each who asks. `now` is in epoch seconds."""

    _next: float = 0.0
    _given: dict[Hashable, float] = field(default_factory=dict)

    def slot(self, key: Hashable, now: float, *, after: float, gap_s: float, jitter: float) -> float:
        """When `key` may come back: not before `after`, and `gap_s` or more after whoever was told last.

        Asked again before it has come, it is the same moment. `jitter` in [0, 1) adds up to a quarter of a gap, so
        that n slots end within `after` (or the last slot before) + 1.25 x n x gap_s.
        """
        given = self._given.get(key)
        if given is not None and given > now and given >= after:
            return given
        at = max(now, after, self._next) + jitter * _JITTER * gap_s
        self._next = at + gap_s
        self._given[key] = at
        return at

    def forget(self, now: float) -> None:
        """Drop the slots that have come."""
        self._given = {key: at for key, at in self._given.items() if at > now}


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a retry is allowed, and why (not)."""

    allowed: bool
    reason: str


@dataclass(slots=True)
class RetryBudget:
    """At most `ratio` retries to a call, and `floor` a minute in any case, over the last minute.

    Without one, a provider's bad minute is made three times as bad by three attempts at each call.
    """

    ratio: float = 0.15
    floor: int = 5
    _calls: Lately = field(default_factory=Lately)
    _retries: Lately = field(default_factory=Lately)

    def call(self, now: float) -> None:
        """A first attempt was let go."""
        self._calls.add(1, now)

    def retry(self, now: float) -> Verdict:
        """Ask for a retry; what is allowed is counted."""
        calls, retries = self._calls.sum(now), self._retries.sum(now)
        most = max(self.floor, int(self.ratio * calls))
        spent = f"{retries} of {most} retries used in the last minute ({calls} calls)"
        if retries >= most:
            return Verdict(allowed=False, reason=f"the retry budget is spent: {spent}")
        self._retries.add(1, now)
        return Verdict(allowed=True, reason=f"within the retry budget: {spent}")

    def idle(self, now: float) -> bool:
        """Whether nothing of the last minute counts any more."""
        return not self._calls.sum(now) and not self._retries.sum(now)


@dataclass(slots=True)
class RetryBudgets:
    """A budget for each workload."""

    ratio: float = 0.15
    floor: int = 5
    _budgets: dict[Hashable, RetryBudget] = field(default_factory=dict)

    def ask(self, workload: Hashable, attempt: int, now: float) -> Verdict:
        """Count the `attempt`th request (from 1) of a call of this workload, if it may be made."""
        budget = self._budgets.get(workload)
        if budget is None:
            budget = self._budgets[workload] = RetryBudget(self.ratio, self.floor)
        if attempt > 1:
            return budget.retry(now)
        budget.call(now)
        return Verdict(allowed=True, reason="a first attempt")

    def tidy(self, now: float) -> None:
        """Forget workloads that have been silent for a minute."""
        for workload in [w for w, budget in self._budgets.items() if budget.idle(now)]:
            del self._budgets[workload]
