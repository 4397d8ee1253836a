"""What is read from a provider request, and how it is made smaller without changing anything else."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchgear.request import Api, CallRequest, read

CHAT = "/v1/chat/completions"
MESSAGES = "/v1/messages"
RESPONSES = "/v1/responses"
SDK = {MESSAGES: "anthropic"}


def call(path: str, **body: Any) -> CallRequest:
    found = read(SDK.get(path, "openai"), "POST", path, json.dumps({"model": "m", **body}).encode())
    assert found is not None
    return found


def sent(request: CallRequest, **caps: Any) -> Any:
    """The body that goes out under these caps; None where it cannot be made."""
    content = request.rewritten(**caps)
    return None if content is None else json.loads(content)


CALLS = [
    ("openai", "/v1/chat/completions", Api.CHAT),
    ("openai", "/v1/completions", Api.COMPLETIONS),
    ("openai", "/v1/responses", Api.RESPONSES),
    ("openai", "/v1/responses/", Api.RESPONSES),
    ("openai", "/v1/responses/compact", Api.COMPACT),
    ("openai", "/v1/embeddings", Api.EMBEDDINGS),
    ("openai", "/openai/deployments/eu/chat/completions", Api.CHAT),
    ("anthropic", "/v1/messages", Api.MESSAGES),
    ("anthropic", "/v1/complete", Api.COMPLETE),
]
NO_CALLS = [
    ("openai", "POST", "/v1/responses/resp_1"),
    ("openai", "POST", "/v1/responses/resp_1/cancel"),
    ("openai", "GET", "/v1/responses/resp_1/input_items"),
    ("openai", "POST", "/v1/responses/input_tokens"),
    ("openai", "GET", "/v1/responses"),
    ("openai", "POST", "/v1/chat/completions/chatcmpl-1"),
    ("openai", "POST", "/v1/files"),
    ("anthropic", "POST", "/v1/messages/count_tokens"),
    ("anthropic", "POST", "/v1/messages/batches"),
]


@pytest.mark.parametrize(("sdk", "path", "api"), CALLS)
def test_a_request_that_is_billed_is_a_call(sdk: str, path: str, api: Api) -> None:
    found = read(sdk, "POST", path, b'{"model": "m"}')
    assert found is not None
    assert (found.provider, found.model, found.api, found.size) == (sdk, "m", api, 14)


@pytest.mark.parametrize(("sdk", "method", "path"), NO_CALLS)
def test_a_request_that_is_not_billed_by_itself_is_no_call(sdk: str, method: str, path: str) -> None:
    assert read(sdk, method, path, b'{"model": "m"}') is None


@pytest.mark.parametrize("content", [b"", b"{broken", b"[]", b"\xff", b"{}", b'{"model": 5}'])
def test_a_body_that_names_no_model_is_no_call(content: bytes) -> None:
    assert read("openai", "POST", CHAT, content) is None


def test_a_deployment_is_the_model_where_the_body_names_none() -> None:
    path = "/openai/deployments/gpt-eu/chat/completions"
    found = read("openai", "POST", path, b'{"messages": [], "max_tokens": 9}')
    assert found is not None
    assert found.model == "gpt-eu"
    # The path would still name the old one.
    assert found.rewritten(model="other") is None
    assert sent(found, max_output_tokens=5) == {"messages": [], "max_tokens": 5}


LIMITS = [
    pytest.param(CHAT, {}, None, id="chat without"),
    pytest.param(CHAT, {"max_tokens": 9}, 9, id="chat"),
    pytest.param(CHAT, {"max_tokens": None, "max_completion_tokens": 9}, 9, id="chat, the later name"),
    pytest.param(CHAT, {"max_tokens": 9, "n": 3}, 27, id="three choices"),
    pytest.param(CHAT, {"max_tokens": True}, None, id="no number"),
    pytest.param("/v1/completions", {}, 16, id="completions have a usual limit"),
    pytest.param("/v1/completions", {"max_tokens": 9, "n": 2, "best_of": 5}, 45, id="the best of five"),
    pytest.param("/v1/completions", {"max_tokens": 9, "prompt": ["a", "b"]}, 18, id="two prompts"),
    pytest.param("/v1/completions", {"max_tokens": 9, "prompt": [1, 2]}, 9, id="a prompt of tokens"),
    pytest.param(RESPONSES, {"max_output_tokens": 90, "max_tokens": 5}, 90, id="responses"),
    pytest.param(MESSAGES, {"max_tokens": 9, "n": 3}, 9, id="messages know no choices"),
    pytest.param("/v1/embeddings", {"input": "a"}, 0, id="embeddings"),
]


@pytest.mark.parametrize(("path", "body", "limit"), LIMITS)
def test_the_most_that_may_come_back_is_over_all_choices(
    path: str, body: dict[str, Any], limit: int | None
) -> None:
    assert call(path, **body).max_output_tokens == limit


SCHEMA = {"type": "json_schema", "schema": {"type": "object"}}
NEEDS = [
    pytest.param(CHAT, {"tools": []}, [], id="no tools"),
    pytest.param(CHAT, {"tools": [{}]}, ["tools"], id="tools"),
    pytest.param(CHAT, {"response_format": {"type": "text"}}, [], id="text"),
    pytest.param(CHAT, {"response_format": {"type": "json_object"}}, ["schema"], id="an object"),
    pytest.param(CHAT, {"reasoning_effort": "high"}, ["thinking"], id="effort"),
    pytest.param(CHAT, {"reasoning_effort": "none"}, [], id="no effort"),
    pytest.param(RESPONSES, {"text": {"format": SCHEMA}}, ["schema"], id="a response's schema"),
    pytest.param(RESPONSES, {"text": {"verbosity": "low"}, "reasoning": None}, [], id="a plain response"),
    pytest.param(RESPONSES, {"reasoning": {"summary": "auto"}}, ["thinking"], id="a response's summary"),
    pytest.param(RESPONSES, {"reasoning": {"effort": "none"}}, [], id="a response without reasoning"),
    pytest.param(
        MESSAGES, {"thinking": {"type": "enabled", "budget_tokens": 1024}}, ["thinking"], id="a budget"
    ),
    pytest.param(MESSAGES, {"thinking": {"type": "adaptive"}}, ["thinking"], id="adaptive"),
    pytest.param(MESSAGES, {"thinking": {"type": "disabled"}}, [], id="disabled"),
    pytest.param(MESSAGES, {"output_config": {"format": SCHEMA}}, ["schema"], id="a message's schema"),
    pytest.param(MESSAGES, {"output_format": SCHEMA}, ["schema"], id="a message's schema, the earlier name"),
    pytest.param(MESSAGES, {"output_config": {"effort": "low"}}, ["thinking"], id="a message's effort"),
]


@pytest.mark.parametrize(("path", "body", "needs"), NEEDS)
def test_a_call_says_what_a_stand_in_must_be_able_to_do(
    path: str, body: dict[str, Any], needs: list[str]
) -> None:
    assert call(path, **body).needs == needs


def test_only_a_mark_writes_a_cache_and_not_a_word_of_the_text() -> None:
    marked = {"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}
    assert call(MESSAGES, system=[marked]).writes_cache
    assert not call(MESSAGES, system='say "cache_control"').writes_cache


@pytest.mark.parametrize(
    ("options", "asked"), [({}, False), ({"stream_options": {"include_usage": True}}, True)]
)
def test_a_stream_tells_its_usage_to_who_asks(options: dict[str, Any], *, asked: bool) -> None:
    assert call(CHAT, stream=True, **options).streams_usage is asked


LOWERED = [
    pytest.param(CHAT, {"max_tokens": 90}, 50, {"max_tokens": 50}, id="chat"),
    pytest.param(CHAT, {"max_completion_tokens": 90}, 50, {"max_completion_tokens": 50}, id="the later name"),
    pytest.param(CHAT, {}, 50, {"max_completion_tokens": 50}, id="without one"),
    pytest.param(CHAT, {"max_tokens": None}, 50, {"max_completion_tokens": 50}, id="with one that is null"),
    pytest.param(CHAT, {"max_tokens": 90, "n": 2}, 50, {"max_tokens": 25}, id="two choices share it"),
    pytest.param(CHAT, {"max_tokens": 40}, 50, {"max_tokens": 40}, id="never raised"),
    pytest.param("/v1/completions", {}, 50, {}, id="never raised above what is usual"),
    pytest.param("/v1/completions", {}, 10, {"max_tokens": 10}, id="below what is usual"),
    pytest.param(RESPONSES, {}, 50, {"max_output_tokens": 50}, id="responses"),
    pytest.param(MESSAGES, {"max_tokens": 90}, 50, {"max_tokens": 50}, id="messages"),
]


@pytest.mark.parametrize(("path", "body", "most", "expected"), LOWERED)
def test_the_maximum_is_lowered_in_the_field_that_the_api_has(
    path: str, body: dict[str, Any], most: int, expected: dict[str, Any]
) -> None:
    out = sent(call(path, **body), max_output_tokens=most)
    limits = {name: value for name, value in out.items() if name.startswith("max_") and value is not None}
    assert limits == expected


def test_of_others_who_speak_its_chat_format_the_earlier_name_is_used() -> None:
    request = replace(call(CHAT), provider="mistral")
    assert sent(request, max_output_tokens=50) == {"model": "m", "max_tokens": 50}


THINKING = {"type": "enabled", "budget_tokens": 2048}
NOT_LOWERED = [
    pytest.param(MESSAGES, {"max_tokens": 4096, "thinking": THINKING}, 2048, id="a budget would not fit"),
    pytest.param(RESPONSES, {"max_output_tokens": 90}, 15, id="a response has at least 16"),
    pytest.param(CHAT, {"max_tokens": 90, "n": 3}, 2, id="less than one token a choice"),
    pytest.param("/v1/responses/compact", {}, 50, id="no limit in this API"),
]


@pytest.mark.parametrize(("path", "body", "most"), NOT_LOWERED)
def test_what_the_provider_would_refuse_is_not_made(path: str, body: dict[str, Any], most: int) -> None:
    assert call(path, **body).rewritten(max_output_tokens=most, model="small") is None


@pytest.mark.parametrize(
    ("body", "most"),
    [({"max_tokens": 4096, "thinking": THINKING}, 2049), ({"max_tokens": 2000, "thinking": THINKING}, 1000)],
    ids=["a budget that fits", "thinking between tools, whose budget was above the maximum before"],
)
def test_thinking_that_the_provider_takes_stays(body: dict[str, Any], most: int) -> None:
    out = sent(call(MESSAGES, **body), max_output_tokens=most)
    assert out == {"model": "m", **body, "max_tokens": most}


NAMES = st.sampled_from(
    ["model", "messages", "max_tokens", "n", "temperature", "tools", "metadata", "\ud800"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(
    body=st.dictionaries(NAMES, VALUES).map(lambda body: {**body, "model": "m"}),
    model=st.none() | st.just("small"),
    most=st.none() | st.integers(1, 1000),
)
def test_a_request_made_smaller_is_the_same_in_all_else(
    body: dict[str, Any], model: str | None, most: int | None
) -> None:
    request = read("openai", "POST", CHAT, json.dumps(body).encode())
    assert request is not None
    content = request.rewritten(model=model, max_output_tokens=most)
    if content is None:
        return
    out = json.loads(content)
    limits = ("max_tokens", "max_completion_tokens")
    assert out["model"] == (model or "m")
    assert [name for name in out if name not in limits] == [name for name in body if name not in limits]
    assert {k: v for k, v in out.items() if k not in (*limits, "model")} == {
        k: v for k, v in body.items() if k not in (*limits, "model")
    }
    again = read("openai", "POST", CHAT, content)
    assert again is not None
    bound, before = again.max_output_tokens, request.max_output_tokens
    if most is not None:
        assert bound is not None
        assert bound <= most
    if before is not None:
        assert bound is not None
        assert bound <= before
