"""Reports on what is not billed, not known, or told in two ways: over the API, from spans."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from otlp_samples import BASE_NS, Served, llm_span, request

from analytics.reports import REPORTS

NOW = datetime.fromtimestamp(BASE_NS / 1e9, UTC) + timedelta(minutes=1)
RANGE = {"from": (NOW - timedelta(hours=1)).isoformat(), "to": "9999-01-01T00:00:00Z"}
NO_USAGE = dict.fromkeys(
    f"gen_ai.usage.{name}_tokens" for name in ("input", "output", "cache_read.input", "reasoning.output")
)
ANSWER = {"gen_ai.response.id": f"chatcmpl-{1:08x}"}

SENT = [
    # A call that another instrumentation counts otherwise; and its span again, with other content.
    llm_span(1),
    llm_span(
        2, {**ANSWER, "gen_ai.usage.output_tokens": 51}, scope="opentelemetry.instrumentation.openai.v1"
    ),
    llm_span(1, {"gen_ai.usage.output_tokens": 70}),
    # No calls: an agent's span twice, one that failed, one that no dialect knows.
    llm_span(3, {"gen_ai.operation.name": "invoke_agent"}),
    llm_span(4, {"gen_ai.operation.name": "invoke_agent"}),
    llm_span(5, {**NO_USAGE, "error.type": "429", "gen_ai.response.id": None}),
    ({"name": "http", "version": "1"}, {**llm_span(6)[1], "attributes": []}),
    # Incomplete: one like the call above, one like no other.
    llm_span(7, NO_USAGE),
    llm_span(8, {**NO_USAGE, "gen_ai.response.model": "unheard-of", "switchgear.workload": "new"}),
]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    running = Served(tmp_path_factory.mktemp("gaps"), reports=REPORTS, now=lambda: NOW)
    running.send(request(SENT))
    yield running
    running.stop()


def report(served: Served, name: str, **params: str) -> list[dict[str, Any]]:
    answer = served.http.get(f"/v1/reports/{name}", params={**RANGE, **params})
    assert answer.status_code == 200, answer.text
    table = answer.json()
    return [dict(zip(table["columns"], row, strict=True)) for row in table["rows"]]


def of(rows: list[dict[str, Any]], *names: str) -> list[tuple[Any, ...]]:
    return [tuple(row[name] for name in names) for row in rows]


def test_spans_that_are_no_calls_are_counted_by_why(served: Served) -> None:
    rows = report(served, "spans_not_billed", tenant="acme")
    assert of(rows, "dialect", "code", "spans") == [
        ("otel-genai", "wrong_kind", 2),
        ("openllmetry", "twin", 1),
        ("otel-genai", "failed", 1),
    ]
    assert rows[1]["last_span"] == f"{2:032x}:{2:016x}"
    assert rows[1]["last_reason"] == f"merged into {1:032x}:{1:016x}: both tell of one call"


def test_a_span_that_no_dialect_knows_is_counted_too(served: Served) -> None:
    rows = report(served, "spans_not_billed", code="no_dialect")
    assert of(rows, "tenant", "dialect", "spans", "last_span") == [(None, None, 1, None)]


def test_each_span_that_is_no_call_is_listed_with_its_reason(served: Served) -> None:
    rows = report(served, "spans_not_billed", by="span")
    assert sorted(of(rows, "span_id", "code")) == [
        (f"{2:016x}", "twin"),
        (f"{3:016x}", "wrong_kind"),
        (f"{4:016x}", "wrong_kind"),
        (f"{5:016x}", "failed"),
    ]
    assert all(row["reason"] and row["at"] for row in rows)
    assert len(report(served, "spans_not_billed", by="span", top="3")) == 3
    assert len(report(served, "spans_not_billed", by="span", dialect="openllmetry")) == 1


def test_what_was_told_in_two_ways_shows_both(served: Served) -> None:
    rows = report(served, "conflicts", tenant="acme")
    assert sorted(of(rows, "span_id", "kept_output", "refused_output")) == [
        (f"{1:016x}", 50, 70),
        (f"{2:016x}", 50, 51),
    ]
    assert of(rows, "kept_model", "refused_model") == [("gpt-4o-mini-2024-07-18",) * 2] * 2


def test_incomplete_calls_show_what_they_may_have_cost_and_how_that_is_known(served: Served) -> None:
    rows = report(served, "incomplete")
    shown = ("workload", "model", "calls", "known_cost", "estimated_cost", "method", "based_on")
    # 400 at 0.15, 600 cached at 0.075, 50 at 0.60 a million.
    assert of(rows, *shown) == [
        ("new", "unheard-of", 1, None, None, None, 0),
        (None, "gpt-4o-mini-2024-07-18", 1, None, "0.000135", "mean of tenant, workload and model", 1),
    ]
    assert report(served, "incomplete", workload="new") == rows[:1]


def test_what_is_outside_the_range_is_in_no_report(served: Served) -> None:
    earlier = {"from": "2020-01-01T00:00:00Z", "to": RANGE["from"]}
    for name in ("conflicts", "incomplete", "spans_not_billed"):
        assert report(served, name, **earlier) == []


@pytest.mark.parametrize(
    ("name", "params", "said"),
    [
        ("spans_not_billed", {"by": "dialect"}, "by: 'dialect' is unknown; there are: code, span"),
        ("spans_not_billed", {"model": "m"}, "model: unknown parameter"),
        ("conflicts", {"top": "0"}, "top: '0' is no number from 1 to 1000"),
        ("incomplete", {"from": "yesterday"}, "from: 'yesterday' is no time"),
    ],
)
def test_what_a_report_cannot_do_is_refused_with_what_it_can(
    served: Served, name: str, params: dict[str, str], said: str
) -> None:
    answer = served.http.get(f"/v1/reports/{name}", params={**RANGE, **params})
    assert answer.status_code == 422
    assert said in answer.json()["detail"]
