"""What a request asks the cache: equal only where nothing differs that may change its answer, else unfit."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchgear.cache.asked import question_of
from switchgear.cache.model import Question
from switchgear.request import Api, CallRequest, read

PATHS = {
    Api.CHAT: ("openai", "/v1/chat/completions"),
    Api.COMPLETIONS: ("openai", "/v1/completions"),
    Api.RESPONSES: ("openai", "/v1/responses"),
    Api.COMPACT: ("openai", "/v1/responses/compact"),
    Api.EMBEDDINGS: ("openai", "/v1/embeddings"),
    Api.MESSAGES: ("anthropic", "/v1/messages"),
    Api.COMPLETE: ("anthropic", "/v1/complete"),
    Api.GENERATE: ("google", "/v1beta/models/gemini-2.5-flash:generateContent"),
    Api.PREDICT: ("google", "/v1/models/textembedding-gecko:predict"),
    Api.CONVERSE: ("aws", "/model/anthropic.claude-haiku-4-5/converse"),
    Api.INVOKE: ("aws", "/model/anthropic.claude-haiku-4-5/invoke"),
}
WORDING = "How do I reset my password?"
USER = {"role": "user", "content": WORDING}
SYSTEM = {"role": "system", "content": "Answer in one line."}
FIT: dict[Api, dict[str, Any]] = {
    Api.CHAT: {"model": "gpt-4o", "messages": [SYSTEM, USER], "temperature": 0},
    Api.RESPONSES: {"model": "gpt-4o", "instructions": "Be brief.", "input": WORDING, "temperature": 0},
    Api.MESSAGES: {
        "model": "claude-haiku-4-5",
        "system": "Be brief.",
        "messages": [USER],
        "max_tokens": 9,
        "temperature": 0,
    },
    Api.GENERATE: {
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "contents": [{"role": "user", "parts": [{"text": WORDING}]}],
        "generationConfig": {"temperature": 0},
    },
}
CONVERSATIONS = {Api.CHAT: "messages", Api.MESSAGES: "messages", Api.GENERATE: "contents"}
TOOL = {"type": "function", "function": {"name": "search"}}


def request_of(api: Api, body: dict[str, Any]) -> CallRequest:
    provider, path = PATHS[api]
    found = read(provider, "POST", path, json.dumps(body).encode())
    assert found is not None
    assert found.api is api
    return found


def asked(api: Api, body: dict[str, Any], allow: tuple[str, ...] = (), **more: Any) -> Question:
    return question_of(request_of(api, body), allow, **more)


def chat(**changed: Any) -> dict[str, Any]:
    return {**FIT[Api.CHAT], **changed}


def content(api: Api, value: Any) -> dict[str, Any]:
    """The request with another last turn."""
    if api is Api.RESPONSES:
        return {**FIT[api], "input": [{"role": "user", "content": value}]}
    name = CONVERSATIONS[api]
    within = "parts" if api is Api.GENERATE else "content"
    return {**FIT[api], name: [*FIT[api][name][:-1], {"role": "user", within: value}]}


# -- equal and unequal


@pytest.mark.parametrize("api", FIT)
def test_the_last_turn_of_a_user_is_the_wording_and_no_part_of_the_setting(api: Api) -> None:
    said = {"text": "Where is my parcel?"} if api is Api.GENERATE else "Where is my parcel?"
    one = asked(api, content(api, [{"text": WORDING}] if api is Api.GENERATE else WORDING))
    other = asked(api, content(api, [said] if api is Api.GENERATE else said))
    assert (one.unfit, one.wording, other.wording) == (None, WORDING, "Where is my parcel?")
    assert one.exact != other.exact
    assert one.setting == other.setting
    assert WORDING.encode() in one.exact
    assert WORDING.encode() not in one.setting


@pytest.mark.parametrize("api", FIT)
def test_the_order_of_the_fields_changes_nothing(api: Api) -> None:
    turned = dict(reversed(FIT[api].items()))
    assert asked(api, turned) == asked(api, FIT[api])


@pytest.mark.parametrize(
    ("api", "changed"),
    [
        (Api.CHAT, {"messages": [{**SYSTEM, "content": "Answer in rhymes."}, USER]}),
        (Api.CHAT, {"messages": [USER]}),
        (Api.CHAT, {"messages": [SYSTEM, {**USER, "content": "Hi"}, {"role": "assistant", "content": "Hi"}, USER]}),
        (Api.CHAT, {"model": "gpt-4o-mini"}),
        (Api.CHAT, {"max_tokens": 5}),
        (Api.CHAT, {"top_p": 0.5}),
        (Api.CHAT, {"seed": 7}),
        (Api.CHAT, {"stop": ["."]}),
        (Api.CHAT, {"response_format": {"type": "json_object"}}),
        (Api.CHAT, {"logit_bias": {"50256": -100}}),
        (Api.CHAT, {"stream": True}),
        (Api.CHAT, {"stream": True, "stream_options": {"include_usage": True}}),
        (Api.CHAT, {"temperature": 0.0}),
        (Api.CHAT, {"a_field_of_tomorrow": 1}),
        (Api.RESPONSES, {"instructions": "Be long."}),
        (Api.RESPONSES, {"text": {"verbosity": "low"}}),
        (Api.RESPONSES, {"reasoning": {"effort": "low"}}),
        (Api.MESSAGES, {"system": "Be long."}),
        (Api.MESSAGES, {"max_tokens": 10}),
        (Api.MESSAGES, {"top_k": 1}),
        (Api.MESSAGES, {"stop_sequences": ["."]}),
        (Api.GENERATE, {"systemInstruction": {"parts": [{"text": "Be long."}]}}),
        (Api.GENERATE, {"generationConfig": {"temperature": 0, "maxOutputTokens": 5}}),
        (Api.GENERATE, {"safetySettings": [{"category": "C", "threshold": "BLOCK_NONE"}]}),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else str(value),
)  # fmt: skip
def test_what_may_change_an_answer_is_another_question_in_another_setting(
    api: Api, changed: dict[str, Any]
) -> None:
    one, other = asked(api, FIT[api]), asked(api, {**FIT[api], **changed})
    assert (one.unfit, other.unfit) == (None, None)
    assert one.exact != other.exact
    assert one.setting != other.setting
    assert one.wording == other.wording


def test_with_other_tools_it_is_another_question_in_another_setting() -> None:
    bodies = [chat(), chat(tools=[TOOL]), chat(tools=[{**TOOL, "function": {"name": "delete"}}])]
    questions = [asked(Api.CHAT, body, ("tools",)) for body in bodies]
    assert [question.unfit for question in questions] == [None] * 3
    assert len({question.exact for question in questions}) == 3
    assert len({question.setting for question in questions}) == 3


@pytest.mark.parametrize(
    "changed",
    [
        {"user": "u-17"},
        {"metadata": {"ticket": "4711"}},
        {"store": False},
        {"safety_identifier": "u-17"},
        {"service_tier": "flex"},
        {"prompt_cache_key": "k"},
        {"prompt_cache_retention": "24h"},
    ],
    ids=lambda value: next(iter(value)),
)
def test_who_asks_and_how_it_is_booked_there_changes_nothing(changed: dict[str, Any]) -> None:
    assert asked(Api.CHAT, chat(**changed)) == asked(Api.CHAT, chat())


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"host": "eu.example.com"}, {"host": "us.example.com"}),
        ({"host": "h", "path": "/a"}, {"host": "h", "path": "/b"}),
        ({"host": "h"}, {"host": "h", "anthropic-beta": "context-1m"}),
    ],
)
def test_where_it_goes_is_part_of_the_question(one: dict[str, str], other: dict[str, str]) -> None:
    here, there = (asked(Api.CHAT, chat(), at=at) for at in (one, other))
    assert here.exact != there.exact
    assert here.setting != there.setting


def test_the_same_body_for_another_provider_is_another_question() -> None:
    request = request_of(Api.CHAT, chat())
    other = CallRequest("groq", request.model, request.body, request.size, request.api)
    assert question_of(request).exact != question_of(other).exact
    assert question_of(request).setting != question_of(other).setting


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
# Fields that no rule knows, as tomorrow's are, beside those that are known to change answers.
FIELDS = st.dictionaries(
    st.sampled_from(["top_p", "seed", "stop", "max_tokens", "presence_penalty", "verbosity", "x", "y", "😀"]),
    JSON,
    max_size=4,
)


@given(FIELDS, FIELDS, st.text(min_size=1), st.text(min_size=1))
def test_two_requests_are_one_question_only_where_all_that_may_change_the_answer_is_equal(
    one: dict[str, Any], other: dict[str, Any], said: str, also_said: str
) -> None:
    bodies = [
        chat(messages=[SYSTEM, {"role": "user", "content": text}], **fields)
        for text, fields in ((said, one), (also_said, other))
    ]
    first, second = (asked(Api.CHAT, body) for body in bodies)
    alike = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (first.setting == second.setting) == alike
    assert (first.exact == second.exact) == (alike and said == also_said)
    assert (first.wording, second.wording) == (said, also_said)


@given(JSON)
def test_no_body_makes_it_raise(value: Any) -> None:
    for api, (provider, _) in PATHS.items():
        for name in ("messages", "input", "contents", "tools", "prompt", "generationConfig", "include"):
            question_of(CallRequest(provider, "m", {"temperature": 0, name: value}, 1, api))


def test_half_a_surrogate_pair_can_be_asked() -> None:
    body = chat(messages=[{"role": "user", "content": "\ud800"}])
    assert asked(Api.CHAT, body).wording == "\ud800"


# -- the wording


TEXTS = [{"type": "text", "text": "How do I"}, {"type": "text", "text": "reset it?"}]


@pytest.mark.parametrize(
    ("api", "said", "wording"),
    [
        (Api.CHAT, TEXTS, "How do I\nreset it?"),
        (Api.MESSAGES, [{**TEXTS[0], "cache_control": {"type": "ephemeral"}}, TEXTS[1]], "How do I\nreset it?"),
        (Api.RESPONSES, [{"type": "input_text", "text": WORDING}], WORDING),
        (Api.GENERATE, [{"text": "How do I"}, {"text": "reset it?"}], "How do I\nreset it?"),
        (Api.CHAT, [*TEXTS, {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}], None),
        (Api.CHAT, [*TEXTS, {"type": "input_audio", "input_audio": {"data": "AA", "format": "wav"}}], None),
        (Api.CHAT, [{"type": "file", "file": {"file_id": "f-1"}}], None),
        (Api.MESSAGES, [{"type": "image", "source": {"type": "base64", "data": "AA"}}], None),
        (Api.MESSAGES, [{**TEXTS[0], "citations": []}], None),
        (Api.RESPONSES, [{"type": "input_file", "file_id": "f-1"}], None),
        (Api.GENERATE, [{"inlineData": {"mimeType": "image/png", "data": "AA"}}], None),
        (Api.CHAT, [], None),
        (Api.CHAT, "", None),
        (Api.CHAT, None, None),
    ],
)  # fmt: skip
def test_the_wording_is_plain_text_and_nothing_else(api: Api, said: Any, wording: str | None) -> None:
    question = asked(api, content(api, said))
    assert (question.unfit, question.wording) == (None, wording)
    if wording is None:
        assert question.setting == question.exact


@pytest.mark.parametrize(
    "last",
    [
        {"role": "assistant", "content": "Here is"},
        {"role": "system", "content": "Now answer."},
        {**USER, "name": "ann"},
    ],
    ids=["a beginning of the answer", "an instruction", "one of several users"],
)
def test_where_the_last_turn_is_no_users_there_is_no_wording(last: dict[str, Any]) -> None:
    question = asked(Api.CHAT, chat(messages=[USER, last]))
    assert (question.unfit, question.wording) == (None, None)


@pytest.mark.parametrize(
    ("api", "body"),
    [
        (Api.EMBEDDINGS, {"model": "text-embedding-3-small", "input": "a"}),
        (Api.COMPLETIONS, {"model": "gpt-3.5-turbo-instruct", "prompt": "a", "temperature": 0}),
    ],
)
def test_where_there_is_no_conversation_only_the_very_same_request_is_found(
    api: Api, body: dict[str, Any]
) -> None:
    question = asked(api, body)
    assert (question.unfit, question.wording) == (None, None)
    assert question.exact != asked(api, {**body, "model": "another"}).exact


# -- unfit


RESULT = [
    USER,
    {"role": "assistant", "tool_calls": [{"id": "c", **TOOL}]},
    {"role": "tool", "content": "3"},
    USER,
]


@pytest.mark.parametrize(
    ("api", "changed"),
    [
        (Api.CHAT, {"tools": [TOOL]}),
        (Api.CHAT, {"functions": [{"name": "search"}]}),
        (Api.CHAT, {"messages": RESULT}),
        (Api.CHAT, {"messages": [USER, {"role": "function", "name": "search", "content": "3"}, USER]}),
        (Api.RESPONSES, {"tools": [{"type": "function", "name": "search"}]}),
        (Api.RESPONSES, {"input": [{"type": "function_call_output", "call_id": "c", "output": "3"}]}),
        (Api.MESSAGES, {"tools": [{"name": "search", "input_schema": {}}]}),
        (Api.MESSAGES, {"messages": [{"role": "user", "content": [{"type": "tool_result", "content": "3"}]}]}),
        (Api.GENERATE, {"tools": [{"functionDeclarations": [{"name": "search"}]}]}),
        (Api.GENERATE, {"contents": [{"role": "user", "parts": [{"functionResponse": {"name": "search"}}]}]}),
    ],
)  # fmt: skip
def test_turns_with_tools_are_unfit_unless_allowed(api: Api, changed: dict[str, Any]) -> None:
    body = {**FIT[api], **changed}
    assert asked(api, body) == Question(b"", b"", None, "tools")
    assert asked(api, body, ("tools",)).unfit is None


@pytest.mark.parametrize(
    "said",
    [{"temperature": 0.1}, {"temperature": 1}, {"temperature": None}, {"temperature": False}, {}],
    ids=str,
)
def test_only_a_temperature_of_zero_is_fit_unless_allowed(said: dict[str, Any]) -> None:
    body = {name: value for name, value in chat().items() if name != "temperature"} | said
    assert asked(Api.CHAT, body).unfit == "temperature"
    assert asked(Api.CHAT, body, ("temperature",)).unfit is None


def test_gemini_says_its_temperature_among_its_settings() -> None:
    warm = {**FIT[Api.GENERATE], "generationConfig": {"temperature": 0.5}}
    assert asked(Api.GENERATE, warm).unfit == "temperature"
    assert asked(Api.GENERATE, {**warm, "generationConfig": {}, "temperature": 0}).unfit == "temperature"


def test_what_the_caller_calls_volatile_is_unfit_unless_allowed() -> None:
    assert asked(Api.CHAT, chat(), volatile=True).unfit == "volatile"
    assert asked(Api.CHAT, chat(), ("volatile",), volatile=True) == asked(Api.CHAT, chat())


ALL = ("tools", "temperature", "volatile")


@pytest.mark.parametrize(
    ("reason", "api", "changed"),
    [
        ("choices", Api.CHAT, {"n": 2}),
        ("choices", Api.COMPLETIONS, {"prompt": ["a", "b"]}),
        ("choices", Api.COMPLETIONS, {"prompt": "a", "best_of": 2}),
        ("choices", Api.GENERATE, {"generationConfig": {"temperature": 0, "candidateCount": 2}}),
        ("logprobs", Api.CHAT, {"logprobs": True}),
        ("logprobs", Api.COMPLETIONS, {"prompt": "a", "logprobs": 0}),
        ("logprobs", Api.RESPONSES, {"include": ["message.output_text.logprobs"]}),
        ("logprobs", Api.GENERATE, {"generationConfig": {"temperature": 0, "responseLogprobs": True}}),
        ("state", Api.CHAT, {"store": True}),
        ("state", Api.RESPONSES, {"previous_response_id": "resp_1"}),
        ("state", Api.RESPONSES, {"conversation": "conv_1"}),
        ("state", Api.RESPONSES, {"prompt": {"id": "pmpt_1"}}),
        ("state", Api.RESPONSES, {"input": [{"type": "item_reference", "id": "msg_1"}]}),
        ("state", Api.MESSAGES, {"container": "c_1"}),
        ("state", Api.GENERATE, {"cachedContent": "cachedContents/1"}),
        ("background", Api.RESPONSES, {"background": True}),
        ("modalities", Api.CHAT, {"modalities": ["text", "audio"], "audio": {"voice": "alloy"}}),
        ("modalities", Api.GENERATE, {"generationConfig": {"temperature": 0, "responseModalities": ["IMAGE"]}}),
        ("server_tools", Api.CHAT, {"web_search_options": {"search_context_size": "low"}}),
        ("server_tools", Api.CHAT, {"search_parameters": {"mode": "on"}}),
        ("server_tools", Api.CHAT, {"plugins": [{"id": "web"}]}),
        ("server_tools", Api.CHAT, {"model": "gpt-4o-search-preview"}),
        ("server_tools", Api.CHAT, {"model": "perplexity/sonar-pro"}),
        ("server_tools", Api.RESPONSES, {"tools": [{"type": "web_search"}]}),
        ("server_tools", Api.RESPONSES, {"tools": [{"type": "file_search", "vector_store_ids": ["v"]}]}),
        ("server_tools", Api.RESPONSES, {"input": [{"type": "web_search_call", "id": "w"}, USER]}),
        ("server_tools", Api.MESSAGES, {"tools": [{"type": "web_search_20260101", "name": "web_search"}]}),
        ("server_tools", Api.MESSAGES, {"mcp_servers": [{"url": "https://example.com"}]}),
        ("server_tools", Api.GENERATE, {"tools": [{"googleSearch": {}}]}),
        ("elsewhere", Api.CHAT, {"messages": [{"role": "user", "content": [{"image_url": {"url": "https://x/i"}}]}]}),
        ("elsewhere", Api.RESPONSES, {"input": [{"role": "user", "content": [
            {"type": "input_image", "image_url": "https://x/i"}]}]}),
        ("elsewhere", Api.MESSAGES, {"messages": [{"role": "user", "content": [
            {"type": "document", "source": {"type": "url", "url": "https://x/d"}}]}]}),
        ("elsewhere", Api.GENERATE, {"contents": [{"parts": [{"fileData": {"fileUri": "https://x/v"}}]}]}),
        ("form", Api.CHAT, {"messages": []}),
        ("form", Api.CHAT, {"messages": [1]}),
    ],
)  # fmt: skip
def test_what_no_cache_can_answer_is_unfit_whatever_is_allowed(
    reason: str, api: Api, changed: dict[str, Any]
) -> None:
    usual = FIT.get(api, {"model": "gpt-3.5-turbo-instruct", "temperature": 0})
    assert asked(api, {**usual, **changed}, ALL, volatile=True) == Question(b"", b"", None, reason)


@pytest.mark.parametrize("api", [Api.COMPACT, Api.COMPLETE, Api.PREDICT, Api.CONVERSE, Api.INVOKE])
def test_a_form_that_is_not_read_here_is_unfit(api: Api) -> None:
    body = {"model": "m", "input": "a", "temperature": 0}
    assert asked(api, body, ALL).unfit == "form"


def test_a_call_of_no_known_form_is_unfit() -> None:
    assert question_of(CallRequest("openai", "m", {"temperature": 0}, 1)).unfit == "form"
