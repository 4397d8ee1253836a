"""Bad inputs 9 and 13 to 29 of the catalogue: spans that say what cannot be, or what is odd.

Each case goes through the whole collector over a socket, as JSON and as protobuf, between two good spans that must
land exactly once. The catalogue's numbers stand in the names of the tests. Where the others are:

| #            | input                                  | tests                                                    |
|--------------|----------------------------------------|----------------------------------------------------------|
| 1-8, 10-12   | bodies                                 | test_bad_inputs_bodies.py                                |
| 25           | a span for a closed period             | none yet: the ledger closes periods, and is to come      |
| 30-32, 35-37 | tenants, names, content, keys          | test_bad_inputs_tenants.py; 37 also test_keys.py         |
| 33           | names that a spreadsheet would run     | tests/analytics/test_review.py, dashboard/test_look.py   |
| 34           | names that a browser would run         | tests/dashboard/test_look.py, test_services.py           |
| 38           | policies that cannot be                | tests/policies/test_files.py                             |
| 39           | an idempotency key with another body   | test_idempotency.py                                      |
| 40           | limits and windows that cannot be      | test_bad_inputs_tenants.py; queries: test_sandbox.py     |
| 41           | fuzzing                                | test_fuzz.py, `make fuzz`                                |
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from bad_inputs import Sample, booked, counted, fresh, refused_alone, rejected, settle, taken
from otlp_samples import BASE_NS, PROTOBUF, Served, llm_span, request, to_protobuf

from analytics.live import LivePrices
from collector.ingest.limits import Limits

INPUT, OUTPUT = "gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"
CACHED = "gen_ai.usage.cache_read.input_tokens"
REASONING = "gen_ai.usage.reasoning.output_tokens"
MODELS = ("gen_ai.request.model", "gen_ai.response.model")
PLAIN = {CACHED: None, REASONING: None}
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One collector for all of them, whose clock stands: what one leaves behind must not harm the next."""
    with Served(tmp_path_factory.mktemp("bad"), limits=Limits(), now=lambda: NOW) as running:
        yield running


def ns(at: datetime) -> str:
    return str(int((at - EPOCH) / timedelta(microseconds=1)) * 1000)


def valued(name: str, value: dict[str, Any]) -> Sample:
    """A good span in which one attribute has this OTLP/JSON value."""
    scope, span = llm_span(fresh(), PLAIN)
    others = [pair for pair in span["attributes"] if pair["key"] != name]
    return scope, {**span, "attributes": [*others, {"key": name, "value": value}]}


def test_09_json_of_every_spelling_is_the_same_span_as_protobuf(served: Served) -> None:
    scope, span = llm_span(fresh(), PLAIN)
    as_protobuf = to_protobuf(request([(scope, span)]))
    spelled = {
        **span,
        "traceId": span["traceId"].upper(),
        "startTimeUnixNano": int(span["startTimeUnixNano"]),
        "flags": 256,
        "aFieldOfTheFuture": {"deep": [1, {"x": None}]},
        "attributes": [
            {**pair, "value": {"intValue": int(pair["value"]["intValue"])}}
            if "intValue" in pair["value"]
            else pair
            for pair in span["attributes"]
        ],
    }
    duplicates = counted(served.http, "duplicate_spans")
    assert rejected(served.send(request([(scope, spelled)]))) == (0, "")
    served.http.post("/v1/traces", content=as_protobuf, headers={"Content-Type": PROTOBUF})
    assert len(booked(served, (scope, span))) == 1
    assert counted(served.http, "duplicate_spans") == duplicates + 1


def test_13_of_an_attribute_named_twice_the_last_counts_and_the_call_says_so(served: Served) -> None:
    def twice() -> Sample:
        scope, span = llm_span(fresh(), {**PLAIN, INPUT: 999})
        span["attributes"].append({"key": INPUT, "value": {"intValue": "7"}})
        return scope, span

    flagged = counted(served.http, "flagged_calls", flag="duplicate_keys")
    assert taken(served, twice, "input_uncached", "flags") == [7, "duplicate_keys"]
    assert counted(served.http, "flagged_calls", flag="duplicate_keys") == flagged + 2


@pytest.mark.parametrize(
    "ids",
    [
        {"traceId": "0" * 32},
        {"spanId": "0" * 16},
        {"traceId": "ab" * 15},
        {"spanId": "ab" * 9},
        {"traceId": ""},
        {"spanId": ""},
    ],
    ids=["zero trace", "zero span", "short trace", "long span", "no trace", "no span"],
)
def test_14_a_span_without_an_id_is_rejected_alone(served: Served, ids: dict[str, str]) -> None:
    refused_alone(served, lambda: llm_span(fresh(), **ids), "bad_id")


def test_15_a_span_is_charged_once_in_a_batch_and_across_batches(served: Served) -> None:
    span = llm_span(fresh())
    for protobuf in (False, True):
        served.send(request([span, span]), protobuf=protobuf)
    assert len(booked(served, span)) == 1


def test_15_a_span_of_a_year_ago_is_still_the_same_span(served: Served) -> None:
    old = ns(NOW - timedelta(days=365))
    span = llm_span(fresh(), startTimeUnixNano=old, endTimeUnixNano=old)
    for _ in range(2):
        answer = served.http.post("/v1/traces?history=true", json=request([span]))
        assert rejected(answer) == (0, "")
    assert rejected(served.send(request([span])))[0] == 1
    assert len(booked(served, span)) == 1


def test_16_of_one_id_with_two_contents_the_first_is_kept_and_the_conflict_counted(served: Served) -> None:
    number = fresh()
    first, other = llm_span(number, {INPUT: 1000}), llm_span(number, {INPUT: 2000})
    conflicts = counted(served.http, "conflict_spans")
    served.send(request([first]))
    served.send(request([other, first]), protobuf=True)
    assert len(booked(served, first)) == 1
    assert counted(served.http, "conflict_spans") == conflicts + 1
    rows = served.rows(
        "SELECT input_uncached + cache_read FROM calls WHERE span_id = ?", [first[1]["spanId"]]
    )
    assert rows == [[1000]]


def test_17_the_same_ids_from_two_tenants_are_two_charges(served: Served) -> None:
    number = fresh()
    served.send(request([llm_span(number), llm_span(number, {"switchgear.tenant": "globex"})]))
    settle(served.http)
    rows = served.rows("SELECT tenant, cost FROM calls WHERE span_id = ? ORDER BY tenant", [f"{number:016x}"])
    # 400 x 0.15 + 600 x 0.075 + 50 x 0.60 per million, each.
    assert rows == [["acme", "0.000135"], ["globex", "0.000135"]]


@pytest.mark.parametrize("name", [INPUT, OUTPUT, CACHED, REASONING])
def test_18_a_negative_count_is_rejected_and_not_clamped(served: Served, name: str) -> None:
    words = refused_alone(served, lambda: valued(name, {"intValue": "-1"}), "bad_value")
    assert f"{name} = -1" in words


@pytest.mark.parametrize("value", [2**63 - 1, 100_000_001])
def test_19_a_count_that_no_call_has_is_rejected(served: Served, value: int) -> None:
    refused_alone(served, lambda: valued(INPUT, {"intValue": str(value)}), "bad_value")


@pytest.mark.parametrize(
    "value",
    [
        {"stringValue": "1e3"},
        {"stringValue": "twelve"},
        {"stringValue": "-12"},
        {"stringValue": "\u0661\u0662"},
        {"boolValue": True},
        {"doubleValue": 12.7},
        {"doubleValue": "NaN"},
        {"doubleValue": "Infinity"},
        {"arrayValue": {"values": []}},
    ],
    ids=lambda value: str(next(iter(value.values()))),
)
def test_20_a_count_that_is_no_whole_number_is_rejected(served: Served, value: dict[str, Any]) -> None:
    refused_alone(served, lambda: valued(OUTPUT, value), "bad_value")


@pytest.mark.parametrize("value", [{"stringValue": "12"}, {"doubleValue": 12.0}], ids=["text", "float"])
def test_20_digits_as_text_are_a_count(served: Served, value: dict[str, Any]) -> None:
    assert taken(served, lambda: valued(OUTPUT, value), "output", "state") == [12, "complete"]


def test_21_a_missing_output_costs_what_is_known_and_is_incomplete(served: Served) -> None:
    # 1,000 x 0.15 per million.
    half = taken(served, lambda: llm_span(fresh(), {**PLAIN, OUTPUT: None}), "state", "cost")
    assert half == ["incomplete", "0.00015"]


@pytest.mark.parametrize(
    ("counts", "booked_as"),
    [
        ({INPUT: 100, CACHED: 600, OUTPUT: 50}, [100, 600, 50]),
        ({INPUT: 1000, OUTPUT: 50, "llm.usage.total_tokens": 5000}, [1000, 0, 50]),
    ],
    ids=["cached over input", "total is no sum"],
)
def test_22_counts_that_contradict_each_other_are_priced_by_their_parts_and_flagged(
    served: Served, counts: dict[str, int], booked_as: list[int]
) -> None:
    columns = ("input_uncached", "cache_read", "output", "flags")
    scope = "opentelemetry.instrumentation.openai"
    odd = taken(served, lambda: llm_span(fresh(), {**PLAIN, **counts}, scope=scope), *columns)
    assert odd == [*booked_as, "inconsistent"]


def test_23_an_end_before_the_start_is_kept_without_a_duration(served: Served) -> None:
    def backwards() -> Sample:
        return llm_span(fresh(), startTimeUnixNano=str(BASE_NS), endTimeUnixNano=str(BASE_NS - 1))

    assert taken(served, backwards, "ended_at", "flags") == [None, "clock"]


@pytest.mark.parametrize(
    "at",
    [
        EPOCH,
        datetime(2262, 4, 11, tzinfo=UTC),
        NOW + timedelta(days=1),
        NOW + timedelta(minutes=10, seconds=1),
        NOW - timedelta(days=31, seconds=1),
    ],
    ids=["1970", "2262", "tomorrow", "over 10 minutes ahead", "over 31 days ago"],
)
def test_24_what_began_at_no_likely_time_is_not_billed_and_its_sender_told(
    served: Served, at: datetime
) -> None:
    def late() -> Sample:
        return llm_span(fresh(), startTimeUnixNano=ns(at), endTimeUnixNano=ns(at))

    kept = counted(served.http, "quarantined_calls")
    words = refused_alone(served, late, "quarantined")
    assert f"began {at:%Y-%m-%d}" in words
    assert "quarantined, not billed" in words
    assert counted(served.http, "quarantined_calls") == kept + 2


@pytest.mark.parametrize(
    ("at_ns", "hour"),
    [
        ("1767225599999999999", "2025-12-31T23:00:00Z"),
        ("1767225600000000000", "2026-01-01T00:00:00Z"),
        # 2016-12-31T23:59:60Z has no number of its own: it is the first second of the year after.
        ("1483228800500000000", "2017-01-01T00:00:00Z"),
        ("1792889999999999999", "2026-10-25T00:00:00Z"),
        ("1792890000000000000", "2026-10-25T01:00:00Z"),
    ],
    ids=["last ns of a year", "first ns of a year", "leap second", "before clocks go back", "after it"],
)
def test_26_an_instant_is_in_one_hour_whatever_clocks_do(served: Served, at_ns: str, hour: str) -> None:
    span = llm_span(fresh(), startTimeUnixNano=at_ns, endTimeUnixNano=at_ns)
    assert rejected(served.http.post("/v1/traces?history=true", json=request([span]))) == (0, "")
    settle(served.http)
    rows = served.rows(
        "SELECT date_trunc('hour', started_at) FROM calls WHERE span_id = ?", [span[1]["spanId"]]
    )
    assert rows == [[hour]]


@pytest.mark.parametrize(
    ("model", "kept"),
    [
        ("llm-9000", "llm-9000"),
        ("m" * 10_240, "m" * 256),
        ("\0\0", None),
        ("a'b\";--", "a'b\";--"),
        ("", None),
    ],
    ids=["unknown", "10 KB", "NUL", "quotes", "empty"],
)
def test_27_a_model_without_a_price_is_unpriced_and_never_free(
    served: Served, model: str, kept: str | None
) -> None:
    unpriced = counted(served.http, "unpriced_calls")
    odd = taken(served, lambda: llm_span(fresh(), dict.fromkeys(MODELS, model)), "model", "state", "cost")
    assert odd == [kept, "unpriced", None]
    assert counted(served.http, "unpriced_calls") == unpriced + 2


def test_28_a_price_book_that_cannot_be_is_refused_whole_and_the_old_one_stays(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Every reason for which a file is refused: tests/analytics/test_price_overrides.py."""
    good = "version: 1\nprices:\n  - {provider: openai, models: [gpt-4o-mini], currency: USD, input: 1, output: 10}\n"
    bad = {
        "negative": good.replace("output: 10", "output: -10"),
        "missing": good.replace("currency: USD, ", ""),
        "overlapping": good + good.splitlines()[-1].replace("input: 1", "input: 2") + "\n",
        "mixed": good.replace("input: 1", 'input: "1 EUR"'),
        "empty": "",
    }
    file = tmp_path / "prices.yaml"
    file.write_text(good)
    book = LivePrices(file)
    served = Served(tmp_path / "data", limits=Limits(), now=lambda: NOW, price=book.quote)
    try:
        versions = set()
        for name, text in bad.items():
            file.write_text(text)
            caplog.clear()
            book.look()
            assert f"{file}:" in caplog.text, name
            # 400 + 600 cached x 1 + 50 x 10 per million: by the file as it was.
            cost, version = taken(served, lambda: llm_span(fresh()), "cost", "price_version")
            assert cost == "0.0015", name
            versions.add(version)
        assert versions == {book.book.version}
    finally:
        served.stop()


@pytest.mark.parametrize("cost", [0, 1e9, -5, "free"], ids=str)
@pytest.mark.parametrize("name", ["gen_ai.usage.cost", "llm.cost.total"])
def test_29_a_cost_that_a_client_states_is_never_the_cost(
    served: Served, name: str, cost: float | str
) -> None:
    # 400 x 0.15 + 600 x 0.075 + 50 x 0.60 per million.
    assert taken(served, lambda: llm_span(fresh(), {name: cost}), "cost") == ["0.000135"]
