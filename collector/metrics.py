"""Metrics: what the collector has counted since it started, as Prometheus text."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping

__all__ = ["Metrics"]

_HELP: Mapping[str, str] = {
    "accepted_spans": "Spans that were decoded, billed or not.",
    "booked_calls": "Calls written to the store for the first time.",
    "merged_spans": "Spans that told of a call already seen, by another instrumentation.",
    "duplicate_spans": "Spans that were sent again.",
    "conflict_spans": "Spans that were sent again with other content; the first is kept.",
    "not_billed_spans": "Spans that are no call, by reason.",
    "rejected_spans": "Spans that cannot be, by reason; their sender was told.",
    "rejected_requests": "Requests that were refused, by HTTP status.",
    "unpriced_calls": "Calls whose model has no price.",
    "incomplete_calls": "Calls whose usage is not, or not wholly, known.",
}
_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class Metrics:
    """Counters and the times of commits. Safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, str]] = Counter()
        self._commits = [0] * (len(_BUCKETS_S) + 1)
        self._commit_seconds = 0.0

    def count(self, name: str, amount: int = 1, label: str = "") -> None:
        """Add to a counter; `label` is written out, such as `reason="failed"`."""
        if amount:
            with self._lock:
                self._counts[name, label] += amount

    def commit(self, seconds: float) -> None:
        """Note how long a batch took from the first look at the store to the disk."""
        with self._lock:
            place = next((i for i, edge in enumerate(_BUCKETS_S) if seconds <= edge), len(_BUCKETS_S))
            self._commits[place] += 1
            self._commit_seconds += seconds

    def value(self, name: str, label: str = "") -> int:
        """The count so far."""
        with self._lock:
            return self._counts[name, label]

    def render(self, gauges: Mapping[str, float]) -> str:
        """Everything in the text format; `gauges` are what is true at this moment."""
        with self._lock:
            counts, commits, seconds = Counter(self._counts), list(self._commits), self._commit_seconds
        lines: list[str] = []
        for name, text in _HELP.items():
            full = f"switchgear_collector_{name}_total"
            lines += [f"# HELP {full} {text}", f"# TYPE {full} counter"]
            labels = sorted(label for counted, label in counts if counted == name)
            for label in labels or [""]:
                lines.append(f"{full}{'{' + label + '}' if label else ''} {counts[name, label]}")
        lines += _histogram("switchgear_collector_commit_seconds", commits, seconds)
        for name, value in gauges.items():
            full = f"switchgear_collector_{name}"
            lines += [f"# TYPE {full} gauge", f"{full} {value:g}"]
        return "\n".join(lines) + "\n"


def _histogram(name: str, counts: list[int], seconds: float) -> list[str]:
    lines = [f"# HELP {name} Time that a batch took to be on disk.", f"# TYPE {name} histogram"]
    so_far = 0
    for edge, count in zip((*(f"{edge:g}" for edge in _BUCKETS_S), "+Inf"), counts, strict=True):
        so_far += count
        lines.append(f'{name}_bucket{{le="{edge}"}} {so_far}')
    return [*lines, f"{name}_sum {seconds:.6f}", f"{name}_count {so_far}"]
