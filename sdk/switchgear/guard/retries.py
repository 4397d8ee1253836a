"""When a call is tried again: as its workload's budget allows, at a moment of its own.

Waits are decorrelated jitter: `sleep = min(cap, uniform(base, 3 x the sleep before))` (aws-samples/aws-arch-backoff-
simulator), or what the provider asked for plus a spread, since nineteen of twenty clients that are told "retry-after:
600" come back in the same second. Where the policy engine knows the provider's limit, it gives each its slot instead.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field

from ..jitter import JITTER

__all__ = ["RetryBudget", "pause_s", "retry_after_s", "worth_trying"]

_BASE_S = 0.5
_CAP_S = 8.0
_SPREAD = 0.25
_LONGEST_S = 3600.0
_MINUTE_S = 60.0
_FLOOR = 5
_TIDY_FROM = 1024


def worth_trying(status: int, headers: Mapping[str, str]) -> bool:
    """Whether a provider may answer otherwise next time, by what it says itself or by the status."""
    said = headers.get("x-should-retry")
    if said is not None:
        return said == "true"
    return status in (408, 409, 429) or status >= 500


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds that the provider asks to wait; None where it does not say."""
    for header, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            # In this order NaN becomes 0.
            return min(max(0.0, float(headers.get(header, "")) * unit), _LONGEST_S)
        except ValueError:
            continue
    return None


def pause_s(before_s: float, asked_s: float | None) -> float:
    """How long to wait, after a wait of `before_s` (0: none yet) and a provider that `asked_s` for it."""
    if asked_s is not None:
        return asked_s + JITTER.uniform(0.0, _SPREAD * max(asked_s, 1.0))
    return min(_CAP_S, JITTER.uniform(_BASE_S, max(_BASE_S, 3.0 * before_s)))


@dataclass(slots=True)
class RetryBudget:
    """At most `ratio` retries to a call, and five in any case, over a minute, for each workload of this process.

    Without one, a provider's bad minute is made three times as bad by three attempts at each call.
    """

    ratio: float
    _calls: dict[Hashable, deque[float]] = field(default_factory=dict)
    _retries: dict[Hashable, deque[float]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _tidy_at: int = _TIDY_FROM

    def call(self, workload: Hashable, now: float) -> None:
        """A first attempt is made; `now` in seconds of a monotonic clock."""
        with self._lock:
            if len(self._calls) >= self._tidy_at:
                self._tidy(now)
            _lately(self._calls, workload, now).append(now)

    def forked(self) -> None:
        """In a child process: somebody may have held the lock when it was forked."""
        self._lock = threading.Lock()

    def retry(self, workload: Hashable, now: float) -> bool:
        """Whether one more retry is within the budget; it then counts."""
        with self._lock:
            calls, retries = _lately(self._calls, workload, now), _lately(self._retries, workload, now)
            if len(retries) >= max(_FLOOR, int(self.ratio * len(calls))):
                return False
            retries.append(now)
            return True

    def _tidy(self, now: float) -> None:
        """Forget the workloads that made no call for a minute."""
        for moments in (self._calls, self._retries):
            for workload in list(moments):
                if not _lately(moments, workload, now):
                    del moments[workload]
        self._tidy_at = max(_TIDY_FROM, 2 * len(self._calls))


def _lately(moments: dict[Hashable, deque[float]], workload: Hashable, now: float) -> deque[float]:
    found = moments.setdefault(workload, deque())
    while found and found[0] <= now - _MINUTE_S:
        found.popleft()
    return found
