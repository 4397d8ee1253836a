"""What is kept of a response: a whole and good answer with its text, out of JSON and events, and nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchgear.cache.answers import MOST_BYTES, answer_of
from switchgear.cache.model import Answer
from switchgear.request import Api, CallRequest
from switchgear.testing.wire import anthropic, google, openai, responses
from switchgear.testing.wire.asked import Asked

TEXT = "Open the settings, and choose “reset”."
JSON_TYPE = "application/json; charset=utf-8"
EVENTS_TYPE = "text/event-stream; charset=utf-8"
FORMS = {
    Api.CHAT: ("openai", openai, openai.read),
    Api.RESPONSES: ("openai", responses, responses.read),
    Api.MESSAGES: ("anthropic", anthropic, anthropic.read),
    Api.GENERATE: ("google", google, google.read),
}
BODIES: dict[Api, dict[str, Any]] = {
    Api.CHAT: {"messages": [{"role": "user", "content": "[[demo output=9]]"}]},
    Api.RESPONSES: {"input": "[[demo output=9]]"},
    Api.MESSAGES: {"messages": [{"role": "user", "content": "[[demo output=9]]"}], "max_tokens": 99},
    Api.GENERATE: {"contents": [{"parts": [{"text": "[[demo output=9]]"}]}]},
}
SHORT = {
    Api.CHAT: {"max_tokens": 2},
    Api.RESPONSES: {"max_output_tokens": 2},
    Api.MESSAGES: {"max_tokens": 2},
    Api.GENERATE: {"generationConfig": {"maxOutputTokens": 2}},
}


def request_of(api: Api) -> CallRequest:
    return CallRequest(FORMS[api][0] if api in FORMS else "openai", "m", {}, 1, api)


def made(api: Api, **changed: Any) -> Asked:
    return FORMS[api][2]("m-1", {**BODIES[api], **changed})


def whole(api: Api, **changed: Any) -> dict[str, Any]:
    answer: dict[str, Any] = FORMS[api][1].answer(made(api, **changed), "id-1", 1)
    return answer


def streamed(api: Api, **changed: Any) -> bytes:
    return b"".join(FORMS[api][1].stream(made(api, **changed), "id-1", 1))


def of_json(api: Api, body: Any, status: int = 200) -> Answer | None:
    return answer_of(request_of(api), status, JSON_TYPE, json.dumps(body).encode())


def of_events(api: Api, body: bytes) -> Answer | None:
    return answer_of(request_of(api), 200, EVENTS_TYPE, body)


@pytest.mark.parametrize("api", FORMS)
def test_a_whole_answer_is_kept_as_it_came_with_what_it_says(api: Api) -> None:
    document, events = json.dumps(whole(api)).encode(), streamed(api)
    text = made(api).text
    assert answer_of(request_of(api), 200, JSON_TYPE, document) == Answer(JSON_TYPE, document, text, "m-1")
    assert of_events(api, events) == Answer(EVENTS_TYPE, events, text, "m-1")


@pytest.mark.parametrize("api", FORMS)
def test_an_answer_that_was_cut_at_its_maximum_is_not_kept(api: Api) -> None:
    assert of_json(api, whole(api, **SHORT[api])) is None
    assert of_events(api, streamed(api, **SHORT[api])) is None


@pytest.mark.parametrize("api", FORMS)
def test_a_stream_is_kept_only_once_its_end_was_seen(api: Api) -> None:
    events = streamed(api)
    parts = events.split(b"\n\n")
    for left in range(1, len(parts) - 1):
        cut = b"\n\n".join(parts[:left]) + b"\n\n"
        assert of_events(api, cut) is None, left
    # In the middle of an event, and of a line.
    assert of_events(api, events[:-1]) is None
    assert of_events(api, events[:-9]) is None


@pytest.mark.parametrize("api", FORMS)
def test_lines_may_end_in_any_way_that_events_allow(api: Api) -> None:
    answer = of_events(api, streamed(api).replace(b"\n", b"\r\n"))
    assert answer is not None
    assert answer.text == made(api).text


@pytest.mark.parametrize("api", FORMS)
def test_a_stream_with_an_error_in_it_is_not_kept(api: Api) -> None:
    error = b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"no"}}\n\n'
    first, rest = streamed(api).split(b"\n\n", 1)
    assert of_events(api, first + b"\n\n" + error + rest) is None


TOOLS = {
    Api.CHAT: {"tools": [{"type": "function", "function": {"name": "search", "parameters": {}}}]},
    Api.RESPONSES: {"tools": [{"type": "function", "name": "search", "parameters": {}}]},
    Api.MESSAGES: {"tools": [{"name": "search", "input_schema": {}}]},
    Api.GENERATE: {"tools": [{"functionDeclarations": [{"name": "search"}]}]},
}
ORDERS = "[[demo tool=search]]"
CALLS: dict[Api, dict[str, Any]] = {
    Api.CHAT: {"messages": [{"role": "user", "content": ORDERS}]},
    Api.RESPONSES: {"input": ORDERS},
    Api.MESSAGES: {"messages": [{"role": "user", "content": ORDERS}]},
    Api.GENERATE: {"contents": [{"parts": [{"text": ORDERS}]}]},
}


@pytest.mark.parametrize("api", FORMS)
def test_a_call_of_a_tool_is_no_answer(api: Api) -> None:
    changed = {**CALLS[api], **TOOLS[api]}
    assert made(api, **changed).tools
    assert of_json(api, whole(api, **changed)) is None
    assert of_events(api, streamed(api, **changed)) is None


def changed(api: Api, path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    """A good answer with one thing changed in it."""
    body = json.loads(json.dumps(whole(api)))
    at = body
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    return body


CHOICE, MESSAGE = ("choices", 0), ("choices", 0, "message")


@pytest.mark.parametrize(
    ("api", "path", "value"),
    [
        (Api.CHAT, (*CHOICE, "finish_reason"), "content_filter"),
        (Api.CHAT, (*CHOICE, "finish_reason"), None),
        (Api.CHAT, (*MESSAGE, "refusal"), "I can't help with that."),
        (Api.CHAT, (*MESSAGE, "content"), None),
        (Api.CHAT, (*MESSAGE, "content"), " \n"),
        (Api.CHAT, (*MESSAGE, "content"), [{"type": "text", "text": "a"}]),
        (Api.CHAT, (*MESSAGE, "audio"), {"id": "a"}),
        (Api.CHAT, (*MESSAGE, "function_call"), {"name": "search"}),
        (Api.CHAT, ("choices",), []),
        (Api.CHAT, ("choices",), [{}, {}]),
        (Api.CHAT, ("error",), {"message": "no"}),
        (Api.RESPONSES, ("status",), "failed"),
        (Api.RESPONSES, ("status",), "queued"),
        (Api.RESPONSES, ("incomplete_details",), {"reason": "content_filter"}),
        (Api.RESPONSES, ("error",), {"code": "server_error"}),
        (Api.RESPONSES, ("output", 0, "status"), "incomplete"),
        (Api.RESPONSES, ("output", 0, "type"), "web_search_call"),
        (Api.RESPONSES, ("output", 0, "content"), [{"type": "refusal", "refusal": "no"}]),
        (Api.RESPONSES, ("output",), []),
        (Api.MESSAGES, ("stop_reason",), "refusal"),
        (Api.MESSAGES, ("stop_reason",), "pause_turn"),
        (Api.MESSAGES, ("content", 0, "type"), "server_tool_use"),
        (Api.MESSAGES, ("content",), []),
        (Api.MESSAGES, ("type",), "error"),
        (Api.GENERATE, ("candidates", 0, "finishReason"), "SAFETY"),
        (Api.GENERATE, ("candidates", 0, "finishReason"), "RECITATION"),
        (Api.GENERATE, ("candidates", 0, "content", "parts", 0), {"executableCode": {"code": "1"}}),
        (Api.GENERATE, ("candidates",), []),
        (Api.GENERATE, ("promptFeedback",), {"blockReason": "SAFETY"}),
    ],
)
def test_what_is_refused_filtered_empty_or_no_text_is_not_kept(
    api: Api, path: tuple[Any, ...], value: Any
) -> None:
    assert of_json(api, whole(api)) is not None
    assert of_json(api, changed(api, path, value)) is None


def test_thoughts_are_no_part_of_what_is_said() -> None:
    thought = {"type": "thinking", "thinking": "Hm.", "signature": "s"}
    body = changed(Api.MESSAGES, ("content",), [thought, {"type": "text", "text": TEXT}])
    assert of_json(Api.MESSAGES, body).text == TEXT  # type: ignore[union-attr]
    reasoning = {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}]}
    body = whole(Api.RESPONSES)
    said = body["output"][0]["content"][0]["text"]
    body["output"].insert(0, reasoning)
    assert of_json(Api.RESPONSES, body).text == said  # type: ignore[union-attr]
    parts = [{"text": "Hm.", "thought": True}, {"text": TEXT, "thoughtSignature": "s"}]
    body = changed(Api.GENERATE, ("candidates", 0, "content", "parts"), parts)
    assert of_json(Api.GENERATE, body).text == TEXT  # type: ignore[union-attr]


def test_a_stop_sequence_of_the_callers_is_a_good_end() -> None:
    assert of_json(Api.MESSAGES, changed(Api.MESSAGES, ("stop_reason",), "stop_sequence")) is not None


def test_completions_say_their_text_in_choices_alone() -> None:
    choice = {"index": 0, "text": TEXT, "finish_reason": "stop", "logprobs": None}
    body = {"object": "text_completion", "model": "m-1", "choices": [choice]}
    assert of_json(Api.COMPLETIONS, body).text == TEXT  # type: ignore[union-attr]
    assert of_json(Api.COMPLETIONS, {**body, "choices": [{**choice, "finish_reason": "length"}]}) is None
    pieces = [{**choice, "text": "Open ", "finish_reason": None}, {**choice, "text": "it."}]
    events = b"".join(openai.event({**body, "choices": [piece]}) for piece in pieces) + b"data: [DONE]\n\n"
    assert of_events(Api.COMPLETIONS, events).text == "Open it."  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        ({"object": "list", "data": [{"embedding": [0.1, 0.2]}], "model": "e"}, True),
        ({"embedding": {"values": [0.1]}}, True),
        ({"embeddings": [{"values": [0.1]}, {"values": [0.2]}]}, True),
        ({"object": "list", "data": [], "model": "e"}, False),
        ({"error": {"message": "no"}}, False),
    ],
    ids=["openai", "google", "several of google", "none", "an error"],
)
def test_embeddings_are_kept_and_say_nothing(body: dict[str, Any], *, kept: bool) -> None:
    answer = of_json(Api.EMBEDDINGS, body)
    assert (answer is not None) == kept
    assert answer is None or answer.text == ""


@pytest.mark.parametrize("status", [201, 206, 400, 429, 500])
def test_only_a_response_of_200_is_kept(status: int) -> None:
    assert of_json(Api.CHAT, whole(Api.CHAT), status) is None


@pytest.mark.parametrize("kind", ["", "text/html", "application/x-ndjson", "application/json\r\nx-evil: 1"])
def test_only_json_and_event_streams_are_kept(kind: str) -> None:
    assert answer_of(request_of(Api.CHAT), 200, kind, json.dumps(whole(Api.CHAT)).encode()) is None


def test_an_answer_is_kept_up_to_a_mebibyte() -> None:
    empty = len(json.dumps(changed(Api.CHAT, (*MESSAGE, "content"), "")))
    fits = changed(Api.CHAT, (*MESSAGE, "content"), "a" * (MOST_BYTES - empty))
    longer = changed(Api.CHAT, (*MESSAGE, "content"), "a" * (MOST_BYTES - empty + 1))
    assert of_json(Api.CHAT, fits) is not None
    assert of_json(Api.CHAT, longer) is None


@pytest.mark.parametrize("api", [Api.COMPACT, Api.PREDICT, Api.CONVERSE, Api.INVOKE, Api.COMPLETE])
def test_a_form_that_is_not_read_here_is_not_kept(api: Api) -> None:
    assert of_json(api, whole(Api.CHAT)) is None


@given(st.sampled_from(sorted(FORMS)), st.binary(max_size=200), st.integers(0, 400))
def test_no_bytes_make_it_raise(api: Api, noise: bytes, at: int) -> None:
    events = streamed(api)
    for kind, body in ((EVENTS_TYPE, events), (JSON_TYPE, json.dumps(whole(api)).encode())):
        answer_of(request_of(api), 200, kind, noise)
        answer_of(request_of(api), 200, kind, body[:at] + noise + body[at + len(noise) :])


@given(st.sampled_from(sorted(FORMS)), st.text(min_size=1).filter(str.strip))
def test_whatever_a_model_says_is_read_as_it_said_it(api: Api, said: str) -> None:
    paths: dict[Api, tuple[Any, ...]] = {
        Api.CHAT: (*MESSAGE, "content"),
        Api.RESPONSES: ("output", 0, "content", 0, "text"),
        Api.MESSAGES: ("content", 0, "text"),
        Api.GENERATE: ("candidates", 0, "content", "parts", 0, "text"),
    }
    answer = of_json(api, changed(api, paths[api], said))
    assert answer is not None
    assert answer.text == said
