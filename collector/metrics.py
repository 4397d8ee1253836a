"""Metrics: what the collector counts, times and shows at `/metrics`, with its names and labels in one table."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

__all__ = ["CONTENT_TYPE", "Metrics"]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_PREFIX = "switchgear_collector_"

# name -> what is counted, and by which label (None: by none). Each ends in `_total`.
_COUNTERS: Mapping[str, tuple[str, str | None]] = {
    "accepted_spans": ("Spans that were decoded, billed or not.", None),
    "booked_calls": ("Calls written to the store for the first time.", None),
    "merged_spans": ("Spans that told of a call already seen, by another instrumentation.", None),
    "duplicate_spans": ("Spans that were sent again.", None),
    "conflict_spans": ("Spans that were sent again with other content; the first is kept.", None),
    "not_billed_spans": ("Spans that are no call, by reason.", "reason"),
    "rejected_spans": ("Spans that may not be booked, by reason; their sender was told.", "reason"),
    "rejected_requests": ("Requests that were refused, by HTTP status.", "status"),
    "quota_refusals": ("Requests that were refused because their key sent too much.", None),
    "flagged_calls": ("Calls about which something is odd, by what it is; each is booked.", "flag"),
    "overflowed_calls": ("Calls with a workload or a task over their tenant's cap.", None),
    "unpriced_calls": ("Calls whose model has no price.", None),
    "quarantined_calls": ("Calls kept aside and not billed: their time cannot be right.", None),
    "task_ends": ("Spans that told how a task ended, those that were sent again among them.", None),
    "served_answers": (
        "Answers that a cache of the SDK gave in place of calls, when they were written.",
        None,
    ),
    "settled_only_calls": ("Calls that only a settlement told of when they were booked.", None),
    "incomplete_calls": ("Calls whose usage is not, or not wholly, known.", None),
}
_GAUGES: Mapping[str, str] = {
    "waiting_calls": "Calls, and reasons why spans are none, that are not booked yet.",
    "feed_seq": "The last place in the feed.",
    "healthy": "Whether the last batch could be written.",
    "lag_seconds": "Age of the newest call that is booked, by its end.",
    "journal_bytes": "Size of the journal on disk.",
    "rollup_differences": "Sums by hour and task that were not what the calls make, at most 20, compared once a day.",
}
_HISTOGRAMS: Mapping[str, str] = {
    "commit_seconds": "Time that a batch took from the first look at the store to the disk.",
    "fsync_seconds": "Time that the disk took to acknowledge the journal.",
}
_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class Metrics:
    """The metrics of one collector. Safe to use from any thread. A name that is not in the tables is a KeyError."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._counters = {
            name: Counter(_PREFIX + name, text, [label] if label else [], registry=self._registry)
            for name, (text, label) in _COUNTERS.items()
        }
        self._histograms = {
            name: Histogram(_PREFIX + name, text, buckets=_BUCKETS_S, registry=self._registry)
            for name, text in _HISTOGRAMS.items()
        }

    def count(self, name: str, amount: int = 1, **labels: str) -> None:
        """Add to a counter, such as `count("rejected_spans", 3, reason="bad_id")`."""
        counter = self._counters[name]
        (counter.labels(**labels) if labels else counter).inc(amount)

    def observe(self, name: str, seconds: float) -> None:
        """Note how long something took."""
        self._histograms[name].observe(seconds)

    def gauge(self, name: str, read: Callable[[], float]) -> None:
        """Show what `read` gives whenever the metrics are read; once for each name."""
        Gauge(_PREFIX + name, _GAUGES[name], registry=self._registry).set_function(read)

    def render(self) -> bytes:
        """Everything in the Prometheus text format, for `CONTENT_TYPE`."""
        return generate_latest(self._registry)
