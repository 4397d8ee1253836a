"""Metrics: what a scraper reads, by names and labels that are known beforehand."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

from collector.metrics import Metrics


def samples(metrics: Metrics) -> dict[tuple[str, ...], float]:
    """What a scraper reads: each value by its name, without the common prefix, and its labels."""
    return {
        (sample.name.removeprefix("switchgear_collector_"), *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(metrics.render().decode())
        for sample in family.samples
    }


def test_counters_are_there_before_anything_is_counted_and_add_up_by_label() -> None:
    metrics = Metrics()
    assert samples(metrics)["booked_calls_total",] == 0
    metrics.count("booked_calls", 3)
    metrics.count("booked_calls")
    metrics.count("rejected_spans", 2, reason="bad_id")
    metrics.count("rejected_spans", reason="wrong_tenant")
    found = samples(metrics)
    assert found["booked_calls_total",] == 4
    assert (found["rejected_spans_total", "bad_id"], found["rejected_spans_total", "wrong_tenant"]) == (2, 1)


def test_a_gauge_is_what_is_true_when_it_is_read() -> None:
    metrics, size = Metrics(), [0]
    metrics.gauge("journal_bytes", lambda: size[0])
    size[0] = 42
    assert samples(metrics)["journal_bytes",] == 42


def test_times_are_counted_in_buckets() -> None:
    metrics = Metrics()
    for seconds in (0.004, 0.02, 7.0):
        metrics.observe("fsync_seconds", seconds)
    found = samples(metrics)
    assert [found["fsync_seconds_bucket", edge] for edge in ("0.0025", "0.005", "0.025", "2.5", "+Inf")] == [
        *(0, 1, 2, 2, 3)
    ]
    assert found["fsync_seconds_sum",] == pytest.approx(7.024)


def test_a_name_that_nobody_documented_is_a_mistake() -> None:
    metrics = Metrics()
    for mistaken in (
        lambda: metrics.count("bookd_calls"),
        lambda: metrics.observe("seconds", 1),
        lambda: metrics.gauge("size", lambda: 1),
    ):
        with pytest.raises(KeyError):
            mistaken()


def test_two_collectors_in_one_process_count_apart() -> None:
    one, other = Metrics(), Metrics()
    one.count("booked_calls")
    assert (samples(one)["booked_calls_total",], samples(other)["booked_calls_total",]) == (1, 0)
