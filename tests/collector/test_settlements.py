"""Settled holds over the API: a call of their own until the span comes, and never beside it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from otlp_samples import BASE_NS, Served, llm_span, request
from pydantic import ValidationError

from collector.ingest.limits import Limits
from collector.merging.settlement import Settlement

Serve = Callable[..., Served]
BEGAN = datetime.fromtimestamp(BASE_NS / 1e9, UTC)
# 400 uncached, 600 cached, 50 out: what `llm_span` tells too.
COUNTS = {"input_uncached": 400, "cache_read": 600, "output": 50}
SEEN = "SELECT state, tenant, workload, trace_id, input_uncached, cost IS NULL, lease_id FROM calls ORDER BY trace_id"


def settled(**fields: Any) -> dict[str, Any]:
    return {
        "lease_id": "g:1",
        "tenant": "acme",
        "workload": "w",
        "provider": "openai",
        "model": "gpt-4o-mini",
        "usage": COUNTS,
        "started_at": BEGAN.isoformat(),
        "ended_at": (BEGAN + timedelta(seconds=1)).isoformat(),
        **fields,
    }


def settle(served: Served, *settlements: dict[str, Any]) -> httpx.Response:
    return served.http.post("/v1/settlements", json={"settlements": list(settlements)})


def spans(*attributes: dict[str, Any]) -> dict[str, Any]:
    return request([llm_span(number, each) for number, each in enumerate(attributes, 1)])


@pytest.fixture
def served(serve: Serve) -> Served:
    return serve(now=lambda: BEGAN + timedelta(minutes=1))


def test_a_settlement_without_a_span_is_a_call_that_says_so_however_often_it_is_sent(served: Served) -> None:
    for _ in range(2):
        assert settle(served, settled(), settled(lease_id="g:2")).json() == {"received": 2, "refused": []}
    assert served.rows("SELECT state, count(*), count(DISTINCT cost) FROM calls GROUP BY state") == [
        ["settled_only", 2, 1]
    ]


@pytest.mark.parametrize("first", ["span", "settlement"])
def test_a_span_and_its_settlement_are_one_call_whichever_comes_first(served: Served, first: str) -> None:
    span = spans({"switchgear.lease.id": "g:1", "switchgear.workload": "of the span"})
    steps = [lambda: served.send(span), lambda: settle(served, settled())]
    for step in steps if first == "span" else steps[::-1]:
        assert step().status_code == 200
    assert served.rows(SEEN) == [["complete", "acme", "of the span", f"{1:032x}", 400, False, "g:1"]]


def test_a_span_without_usage_gets_it_from_the_settlement(served: Served) -> None:
    unknown = {f"gen_ai.usage.{name}": None for name in ("input_tokens", "output_tokens")}
    details = {"gen_ai.usage.cache_read.input_tokens": None, "gen_ai.usage.reasoning.output_tokens": None}
    served.send(spans({"switchgear.lease.id": "g:1", **unknown, **details}))
    assert served.rows("SELECT state, cost FROM calls") == [["incomplete", None]]
    settle(served, settled())
    assert served.rows("SELECT state, input_uncached, cache_read, output FROM calls") == [
        ["complete", 400, 600, 50]
    ]


def test_a_span_whose_instrumentation_lost_the_hold_is_found_by_its_response(served: Served) -> None:
    settle(served, settled(response_id="chatcmpl-00000001"))
    served.send(spans({}))
    assert served.rows(SEEN) == [["complete", "acme", "w", f"{1:032x}", 400, False, "g:1"]]


def test_the_hold_of_another_tenant_is_another_call(served: Served) -> None:
    settle(served, settled(tenant="globex"))
    served.send(spans({"switchgear.lease.id": "g:1"}))
    assert served.rows("SELECT tenant, state FROM calls ORDER BY tenant") == [
        ["acme", "complete"],
        ["globex", "settled_only"],
    ]


def test_a_settlement_without_usage_or_price_is_incomplete_or_unpriced(served: Served) -> None:
    settle(served, settled(usage=None), settled(lease_id="g:2", model="no such model"))
    assert served.rows("SELECT state, cost FROM calls ORDER BY state") == [
        ["incomplete", None],
        ["unpriced", None],
    ]


def test_whoever_follows_the_feed_counts_the_money_once(served: Served) -> None:
    settle(served, settled())
    served.send(spans({"switchgear.lease.id": "g:1"}))
    served.rows(SEEN)
    held = {entry["key"]: entry for entry in served.http.get("/v1/feed").json()["calls"]}
    by_state = sorted((entry["merged_into"] or entry["key"], entry["cost"] == "0") for entry in held.values())
    key = f"acme/{1:032x}:{1:016x}"
    assert by_state == [(key, False), (key, True)]
    assert held[key]["lease_id"] == "g:1"


@pytest.mark.parametrize(
    ("unfit", "said"),
    [
        ({"tenant": ""}, "tenant"),
        ({"lease_id": "a\0b"}, "lease_id"),
        ({"usage": {"output": 1, "reasoning": 2}}, "reasoning: 2 tokens is more than the output's 1"),
        ({"usage": {"output": -1}}, "output"),
        ({"ended_at": (BEGAN - timedelta(seconds=1)).isoformat()}, "before started_at"),
        ({"started_at": "2026-11-24T12:00:00"}, "started_at"),
    ],
    ids=["no tenant", "NUL", "reasoning beyond output", "negative", "backwards", "no zone"],
)
def test_a_settlement_that_cannot_be_is_refused(unfit: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Settlement.model_validate(settled(**unfit))


def test_of_a_batch_with_one_that_cannot_be_nothing_is_booked(served: Served) -> None:
    answer = settle(served, settled(), settled(tenant=""))
    assert answer.status_code == 422
    assert "settlements.1.tenant" in answer.json()["detail"]
    assert served.rows("SELECT count(*) FROM calls") == [[0]]


def test_a_settlement_whose_time_cannot_be_is_named_in_the_answer(serve: Serve) -> None:
    served = serve(now=lambda: BEGAN + timedelta(minutes=1), limits=Limits())
    ages_ago = {"started_at": "2020-01-01T00:00:00Z", "ended_at": "2020-01-01T00:00:01Z"}
    answer = settle(served, settled(), settled(lease_id="g:2", **ages_ago)).json()
    assert answer["received"] == 2
    assert ["quarantined" in reason for reason in answer["refused"]] == [True]
    assert served.rows("SELECT lease_id FROM calls") == [["g:1"]]
