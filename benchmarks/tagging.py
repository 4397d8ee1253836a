"""What it costs to tag a span: start and end under CostSpanProcessor, against the same without a processor.

Six attributes (a sub-task has all six), one core, best of several rounds: the machine's noise only ever adds.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.trace import Tracer

import switchgear as sg
from switchgear import attributes

__all__ = ["per_span_us"]

ROUNDS, SPANS = 40, 2_000
TAGS = {
    attributes.TENANT,
    attributes.WORKLOAD,
    attributes.TASK_ID,
    attributes.TASK_PARENT_ID,
    attributes.TASK_ROOT_ID,
    attributes.TIER,
}


def per_span_us() -> tuple[float, float]:
    """Microseconds for a span without a processor, and for one that gets six attributes."""
    tagged, bare = _tracer(tagged=True), _tracer(tagged=False)
    with sg.task("nightly", tenant="acme", tier="background"), sg.task("page"):
        _check(tagged, bare)
        without, with_tags = _best_us(_spans(bare), _spans(tagged))
    return without, with_tags


def _tracer(*, tagged: bool) -> Tracer:
    provider = TracerProvider()
    if tagged:
        provider.add_span_processor(sg.CostSpanProcessor())
    return provider.get_tracer("benchmark")


def _check(tagged: Tracer, bare: Tracer) -> None:
    for tracer, expected in ((tagged, TAGS), (bare, set())):
        span = tracer.start_span("chat")
        span.end()
        assert isinstance(span, ReadableSpan)
        assert set(span.attributes or {}) == expected, span.attributes


def _best_us(*works: Callable[[], None]) -> list[float]:
    """The fastest round's time for one span of each, in microseconds; taking turns, so that all meet the same noise."""
    best = [float("inf")] * len(works)
    for _ in range(ROUNDS):
        for index, work in enumerate(works):
            begun = time.perf_counter()
            work()
            best[index] = min(best[index], time.perf_counter() - begun)
    return [seconds / SPANS * 1e6 for seconds in best]


def _spans(tracer: Tracer) -> Callable[[], None]:
    def work() -> None:
        for _ in range(SPANS):
            tracer.start_span("chat").end()

    return work


def main() -> None:
    """Print the three figures."""
    without, with_tags = per_span_us()
    print(f"a span without a processor      {without:6.2f} µs")
    print(f"a span tagged, six attributes   {with_tags:6.2f} µs")
    print(f"tagging alone                   {with_tags - without:6.2f} µs  (wanted: at most 5)")


if __name__ == "__main__":
    main()
