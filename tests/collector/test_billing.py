"""One span at a time: what is billed, what is not, and why."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from by_hand import booked as call
from by_hand import refused as none
from by_hand import span

from collector.billing import bill, priced
from collector.call import Call, NotBilled, Reported, State
from collector.pricing import Quote
from switchgear.usage import Usage

GENAI = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o-mini",
    "gen_ai.usage.input_tokens": 1000,
    "gen_ai.usage.output_tokens": 50,
}
OPENINFERENCE = {
    "openinference.span.kind": "LLM",
    "llm.system": "openai",
    "llm.model_name": "gpt-4o-mini",
    "llm.token_count.prompt": 1000,
    "llm.token_count.completion": 50,
}
ANTHROPIC_SDK = {
    **GENAI,
    "gen_ai.provider.name": "anthropic",
    "gen_ai.usage.cache_read.input_tokens": 600,
    "gen_ai.usage.cache_write.input_tokens": 100,
    "anthropic.usage.cache_creation.ephemeral_5m_input_tokens": 70,
    "anthropic.usage.cache_creation.ephemeral_1h_input_tokens": 30,
}


@pytest.mark.parametrize(
    ("attributes", "scope", "dialect", "usage"),
    [
        (GENAI, "by-hand", "otel-genai", Usage(1000, output=50)),
        (
            {
                **GENAI,
                "gen_ai.usage.cache_read.input_tokens": 600,
                "gen_ai.usage.cache_creation.input_tokens": 100,
            },
            "by-hand",
            "otel-genai",
            Usage(1000 - 600 - 100, 600, 100, output=50),
        ),
        (
            {
                "gen_ai.system": "openai",
                "gen_ai.request.model": "gpt-4o",
                "gen_ai.usage.prompt_tokens": 7,
                "gen_ai.usage.completion_tokens": 3,
            },
            "by-hand",
            "otel-genai",
            Usage(7, output=3),
        ),
        (
            {**GENAI, "gen_ai.usage.details.reasoning_tokens": 20},
            "pydantic-ai",
            "otel-genai",
            Usage(1000, output=50, reasoning=20),
        ),
        (
            ANTHROPIC_SDK,
            "com.anthropic.sdk.python",
            "anthropic-sdk",
            Usage(1000 - 600 - 70 - 30, 600, 70, 30, 50),
        ),
        (
            {
                "llm.request.type": "chat",
                "gen_ai.system": "OpenAI",
                "gen_ai.request.model": "gpt-4o",
                "gen_ai.usage.prompt_tokens": 10,
                "gen_ai.usage.completion_tokens": 5,
                "llm.usage.total_tokens": 15,
                "gen_ai.usage.cache_read_input_tokens": 4,
                "llm.usage.reasoning_tokens": 2,
            },
            "opentelemetry.instrumentation.openai.v1",
            "openllmetry",
            Usage(10 - 4, 4, output=5, reasoning=2),
        ),
        (
            {
                **OPENINFERENCE,
                "llm.token_count.prompt_details.cache_read": 600,
                "llm.token_count.prompt_details.cache_write": 100,
                "llm.token_count.completion_details.reasoning": 20,
            },
            "openinference.instrumentation.openai",
            "openinference",
            Usage(1000 - 600 - 100, 600, 100, output=50, reasoning=20),
        ),
    ],
    ids=[
        *("by hand", "deprecated cache name", "oldest names", "pydantic-ai", "anthropic sdk"),
        *("old openllmetry", "openinference"),
    ],
)
def test_usage_is_read_in_every_dialect(
    attributes: dict[str, Any], scope: str, dialect: str, usage: Usage
) -> None:
    found = call(attributes, scope=scope)
    assert (found.dialect, found.usage) == (dialect, usage)


@pytest.mark.parametrize(
    ("attributes", "usage"),
    [
        (
            {**GENAI, "gen_ai.usage.input_tokens": 300, "gen_ai.usage.cache_read.input_tokens": 600},
            Usage(300, 600, output=50),
        ),
        ({**GENAI, "gen_ai.usage.reasoning.output_tokens": 80}, Usage(1000, output=50 + 80, reasoning=80)),
    ],
    ids=["more cached than input", "more reasoning than output"],
)
def test_an_emitter_that_counts_parts_beside_the_whole_gives_itself_away(
    attributes: dict[str, Any], usage: Usage
) -> None:
    assert call(attributes).usage == usage


def test_bedrock_through_openllmetry_leaves_the_cached_tokens_out() -> None:
    found = call(
        {**GENAI, "gen_ai.usage.cache_read.input_tokens": 600},
        scope="opentelemetry.instrumentation.bedrock",
    )
    assert found.usage == Usage(1000, 600, output=50)


@pytest.mark.parametrize(
    ("attributes", "scope"),
    [
        ({**GENAI, "gen_ai.operation.name": name}, "by-hand")
        for name in (
            "invoke_agent",
            "invoke_workflow",
            "execute_tool",
            "create_agent",
            "fetch_response",
            "plan",
        )
    ]
    + [
        ({**OPENINFERENCE, "openinference.span.kind": kind}, "openinference.instrumentation.langchain")
        for kind in ("CHAIN", "AGENT", "TOOL", "PROMPT", "RETRIEVER", "RERANKER")
    ]
    + [
        ({**GENAI, "traceloop.span.kind": kind}, "opentelemetry.instrumentation.langchain")
        for kind in ("workflow", "task", "agent", "tool")
    ]
    + [
        (
            {"gen_ai.agent.name": "a", "gen_ai.aggregated_usage.input_tokens": 9, "gen_ai.system": "x"},
            "by-hand",
        ),
        ({"gen_ai.usage.input_tokens": 9, "gen_ai.system": "openai"}, "by-hand"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_only_leaves_are_billed_whatever_usage_a_span_carries(attributes: dict[str, Any], scope: str) -> None:
    found = none(attributes, scope=scope)
    assert found.code == "wrong_kind"
    assert found.reason
    assert not found.rejected


def test_a_span_of_something_else_is_no_call() -> None:
    assert none({"error.type": "500", "http.response.status_code": 500}).code == "no_dialect"
    assert none({}, scope="opentelemetry.instrumentation.openai.v1").code == "no_dialect"


@pytest.mark.parametrize(
    ("value", "count"),
    [(12, 12), ("12", 12), (12.0, 12), (0, 0), (10**8, 10**8)],
    ids=repr,
)
def test_a_count_is_a_whole_number_or_its_digits(value: Any, count: int) -> None:
    usage = call({**GENAI, "gen_ai.usage.input_tokens": value}).usage
    assert usage is not None
    assert usage.input_uncached == count


@pytest.mark.parametrize(
    "value",
    [-1, 2**63 - 1, 10**8 + 1, "1e3", "twelve", "-1", "", "٣", True, 12.7, float("nan"), float("inf"), ()],
    ids=repr,
)
def test_a_span_with_an_impossible_count_is_refused_and_says_which(value: Any) -> None:
    found = none({**GENAI, "gen_ai.usage.input_tokens": value})
    assert (found.code, found.rejected) == ("bad_value", True)
    assert "gen_ai.usage.input_tokens" in found.reason


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({}, True),
        ({"error.type": "RateLimitError"}, False),
        ({"http.response.status_code": 500, "gen_ai.response.id": "made-up"}, True),
        ({"error.type": "429", "gen_ai.response.id": "made-up"}, False),
        ({"error.type": "\N{SUPERSCRIPT TWO}"}, False),
        ({"error.type": "4" * 5000}, False),
    ],
    ids=["status", "error type", "http status", "error type is the http status", "a digit", "many digits"],
)
def test_a_failed_request_is_not_charged(fields: dict[str, Any], error: bool) -> None:  # noqa: FBT001
    bare = {name: GENAI[name] for name in ("gen_ai.operation.name", "gen_ai.request.model")}
    assert none({**bare, **fields}, error=error).code == "failed"


def test_a_failure_after_usage_was_reported_is_charged() -> None:
    assert call(GENAI, error=True).usage == Usage(1000, output=50)


def test_an_answer_that_broke_off_is_a_call_of_unknown_cost() -> None:
    bare = {"gen_ai.operation.name": "chat", "gen_ai.response.id": "chatcmpl-1"}
    found = priced(call(bare, error=True), _two_dollars)
    assert (found.state, found.usage, found.cost) == (State.INCOMPLETE, None, None)


@pytest.mark.parametrize(
    ("fields", "usage", "state", "cost"),
    [
        ({}, Usage(1000, output=50), State.COMPLETE, Decimal(2)),
        ({"gen_ai.usage.output_tokens": None}, Usage(1000), State.INCOMPLETE, Decimal(2)),
        ({"gen_ai.usage.input_tokens": None}, Usage(output=50), State.INCOMPLETE, Decimal(2)),
        (
            {"gen_ai.usage.input_tokens": None, "gen_ai.usage.output_tokens": None},
            None,
            State.INCOMPLETE,
            None,
        ),
        ({"gen_ai.usage.input_tokens": 0, "gen_ai.usage.output_tokens": 0}, None, State.INCOMPLETE, None),
        # What its instrumentation read at the end of such a stream was put there by the guard.
        ({"switchgear.cut": True}, None, State.INCOMPLETE, None),
        (
            {"gen_ai.operation.name": "embeddings", "gen_ai.usage.output_tokens": None},
            Usage(1000),
            State.COMPLETE,
            Decimal(2),
        ),
    ],
    ids=["whole", "no output", "no input", "no usage", "zero of both", "cut", "embeddings have no output"],
)
def test_what_is_not_known_is_incomplete_and_never_zero(
    fields: dict[str, Any], usage: Usage | None, state: State, cost: Decimal | None
) -> None:
    found = priced(call({**GENAI, **fields}), _two_dollars)
    assert (found.usage, found.state, found.cost) == (usage, state, cost)


def test_a_call_without_a_price_is_unpriced_and_its_cost_unknown() -> None:
    found = priced(call(GENAI), lambda *_: Quote(None, None, "book 1"))
    assert (found.state, found.cost, found.price_version) == (State.UNPRICED, None, "book 1")


@pytest.mark.parametrize(
    ("attributes", "tier"),
    [
        ({**GENAI, "openai.response.service_tier": "flex"}, "flex"),
        ({**GENAI, "gen_ai.openai.response.service_tier": "Priority"}, "priority"),
        (
            {**GENAI, "openai.request.service_tier": "priority", "openai.response.service_tier": "default"},
            None,
        ),
        ({**GENAI, "openai.request.service_tier": "flex"}, "flex"),
        ({**GENAI, "openai.request.service_tier": "auto"}, None),
        ({**ANTHROPIC_SDK, "anthropic.response.service_tier": "batch"}, "batch"),
        ({**ANTHROPIC_SDK, "anthropic.response.service_tier": "standard"}, None),
        ({**OPENINFERENCE, "output.value": '{"id": "x", "service_tier": "flex"}'}, "flex"),
        ({**OPENINFERENCE, "output.value": '{"usage": {"service_tier": "priority"}}'}, "priority"),
        (GENAI, None),
    ],
    ids=[
        *("served", "an older name", "asked for and not served", "asked for", "asked for any", "a batch"),
        *("the standard one", "inside the answer", "inside the usage", "not told"),
    ],
)
def test_a_call_is_priced_by_the_tier_that_served_it(attributes: dict[str, Any], tier: str | None) -> None:
    asked: list[str | None] = []

    def price(*given: Any) -> Quote:
        asked.append(given[4])
        return _two_dollars(*given)

    found = priced(call(attributes), price)
    assert (found.service_tier, asked) == (tier, [tier])


def test_a_call_that_a_contract_priced_keeps_the_list_price_and_the_contract() -> None:
    quote = Quote(Decimal(8), "USD", "book 1", list_cost=Decimal(10), contract="enterprise 1a2b")
    found = priced(call(GENAI), lambda *_: quote)
    assert (found.cost, found.list_cost, found.contract) == (Decimal(8), Decimal(10), "enterprise 1a2b")


def test_only_what_a_span_names_counts_as_reported() -> None:
    assert call(GENAI).reported == Reported.INPUT | Reported.OUTPUT


def test_the_six_names_of_a_task_are_kept() -> None:
    ours = {
        "switchgear.tenant": "acme",
        "switchgear.workload": "nightly",
        "switchgear.task.id": "t2",
        "switchgear.task.parent_id": "t1",
        "switchgear.task.root_id": "t0",
        "switchgear.tier": "batch",
        "switchgear.lease.id": "g:1",
        "switchgear.attempt": 3,
    }
    found = call({**GENAI, **ours})
    assert (found.tenant, found.workload, found.task_id) == ("acme", "nightly", "t2")
    assert (found.parent_task_id, found.root_task_id, found.tier) == ("t1", "t0", "batch")
    assert (found.lease_id, found.attempts) == ("g:1", 3)


def test_a_span_without_a_tenant_is_nobodys() -> None:
    assert call(GENAI).tenant == "unattributed"
    assert call({**GENAI, "switchgear.tenant": ""}).tenant == "unattributed"


@pytest.mark.parametrize(
    ("fields", "attempts"),
    [
        ({}, 1),
        ({"http.request.resend_count": 1}, 1 + 1),
        ({"switchgear.attempt": 2, "http.request.resend_count": 9}, 2),
        ({"switchgear.attempt": 0}, 1),
        ({"switchgear.attempt": True}, 1),
        ({"http.request.resend_count": -5}, 1),
    ],
    ids=repr,
)
def test_attempts_are_the_guards_count_or_one_more_than_the_resends(
    fields: dict[str, Any], attempts: int
) -> None:
    assert call({**GENAI, **fields}).attempts == attempts


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("'; DROP TABLE calls--", "'; DROP TABLE calls--"),
        ("../../etc", "../../etc"),
        ("=HYPERLINK()", "=HYPERLINK()"),
        ("Cafe\u0301", "Caf\u00e9"),
        ("x" * 128, "x" * 128),
        ("a\0b", None),
        ("x" * 129, None),
        ("\ud800", None),
        (7, None),
    ],
    ids=["sql", "path", "formula", "nfc", "128 long", "nul", "129 long", "half a pair", "a number"],
)
def test_tenant_names_are_kept_as_nfc_or_the_span_is_refused(name: Any, kept: str | None) -> None:
    result = bill(span({**GENAI, "switchgear.tenant": name}))
    if kept is None:
        assert isinstance(result, NotBilled)
        assert result.rejected
    else:
        assert isinstance(result, Call)
        assert result.tenant == kept


def test_a_model_name_of_10_kb_is_cut_and_still_billed() -> None:
    assert call({**GENAI, "gen_ai.request.model": "m" * 10_000}).model == "m" * 256


def test_a_cost_that_a_client_sends_is_ignored() -> None:
    assert priced(call({**GENAI, "gen_ai.usage.cost.amount": 1e9}), _two_dollars).cost == 2


def test_an_end_before_the_start_is_no_end() -> None:
    found = call(GENAI, start_ns=2_000_000_000, end_ns=1_000_000_000)
    assert found.started_at == datetime(1970, 1, 1, 0, 0, 2, tzinfo=UTC)
    assert found.ended_at is None


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ('{"id": "chatcmpl-9", "choices": []}', "chatcmpl-9"),
        ('{"generations": [[{"message": {"kwargs": {"response_metadata": {"id": "msg_9"}}}}]]}', "msg_9"),
        ('{"generations": [[]], "llm_output": {"id": "chatcmpl-9"}}', "chatcmpl-9"),
        ('{"id": "lc_run--9"}', None),
        ('[{"id": "x"}]', None),
        ("{broken", None),
        ('{"a":' * 5000 + "1" + "}" * 5000, None),
        ("hello", None),
    ],
    ids=["body", "langchain", "langchain output", "a run's id", "a list", "broken", "deep", "text"],
)
def test_openinference_keeps_the_response_id_inside_the_answer(answer: str, found: str | None) -> None:
    assert call({**OPENINFERENCE, "output.value": answer}).response_id == found


def _two_dollars(provider: str | None, model: str | None, usage: Usage, at: datetime, *_: object) -> Quote:
    return Quote(Decimal(2), "USD", "book 1")
