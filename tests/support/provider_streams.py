"""Streamed answers as providers send them, and what their real SDKs make of the bytes, sync and async."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import anthropic
import openai
from hypothesis import strategies as st

from switchgear.request import CallRequest, read
from switchgear.testing.wire import anthropic as anthropic_wire
from switchgear.testing.wire import openai as openai_wire

QUESTION = [{"role": "user", "content": "Summarise this. [[demo output=40 reasoning=7]]"}]


class Seen(NamedTuple):
    """What an SDK's user has got: the text, thought, said and passed to tools, and why it ended."""

    text: str
    why: str | None


@dataclass(frozen=True)
class Streamed:
    """One streamed answer: the request that it answers, its bytes, and the ways to read it with its SDK."""

    sdk: str
    path: str
    body: dict[str, Any]
    wire: bytes
    ways: tuple[Callable[[Any, dict[str, Any]], Any], ...]
    whole: str
    cut: str
    """Why it ended, where it was cut."""
    output: int | None = None
    """What the provider counts."""
    asynchronous: tuple[Callable[[Any, dict[str, Any]], Any], ...] = field(default=())

    @property
    def request(self) -> CallRequest:
        found = read(self.sdk, "POST", self.path, json.dumps(self.body).encode())
        assert found is not None
        return found


def seen(stream: Streamed, sent: bytes) -> list[Seen]:
    """What each way of reading makes of the bytes that were sent, sync and async."""
    found = []
    for way in stream.ways:
        with client(stream.sdk, [sent]) as sync:
            found.append(way(sync, stream.body))

    async def read_all() -> None:
        for way in stream.asynchronous:
            async with async_client(stream.sdk, [sent]) as one:
                found.append(await way(one, stream.body))

    asyncio.run(read_all())
    return found


def client(sdk: str, chunks: Iterable[bytes]) -> Any:
    """A client of the SDK whose provider sends these bytes."""
    module: Any = {"openai": openai, "anthropic": anthropic}[sdk]
    http, answer = _answering(module.DefaultHttpxClient, iter(chunks))
    return _sdk(module, asynchronous=False)(api_key="k", http_client=http(transport=answer), max_retries=0)


def async_client(sdk: str, chunks: Iterable[bytes]) -> Any:
    async def sending() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    module: Any = {"openai": openai, "anthropic": anthropic}[sdk]
    http, answer = _answering(module.DefaultAsyncHttpxClient, sending())
    return _sdk(module, asynchronous=True)(api_key="k", http_client=http(transport=answer), max_retries=0)


def _sdk(module: Any, *, asynchronous: bool) -> Any:
    name = {"openai": "OpenAI", "anthropic": "Anthropic"}[module.__name__]
    return getattr(module, f"Async{name}" if asynchronous else name)


def _answering(kind: Any, content: Any) -> tuple[Any, Any]:
    """The SDK's kind of HTTP client, and a transport of its library that answers with this content."""
    base = next(each for each in kind.__mro__ if each.__module__.partition(".")[0] in ("httpx", "httpx2"))
    library: Any = __import__(base.__module__.partition(".")[0])
    headers = {"content-type": "text/event-stream"}
    return kind, library.MockTransport(lambda _: library.Response(200, headers=headers, content=content))


# -- the ways of the SDKs


def _chat_chunks(chunks: Iterable[Any]) -> Seen:
    texts: dict[int, str] = {}
    why: dict[int, str | None] = {}
    for chunk in chunks:
        for choice in chunk.choices:
            calls = "".join(call.function.arguments or "" for call in choice.delta.tool_calls or ())
            texts[choice.index] = texts.get(choice.index, "") + (choice.delta.content or "") + calls
            why[choice.index] = choice.finish_reason or why.get(choice.index)
    reason = "length" if "length" in why.values() else why[0]
    return Seen("|".join(texts[index] for index in sorted(texts)), reason)


def chat(client: Any, body: dict[str, Any]) -> Seen:
    return _chat_chunks(client.chat.completions.create(**body))


async def chat_async(client: Any, body: dict[str, Any]) -> Seen:
    return _chat_chunks([chunk async for chunk in await client.chat.completions.create(**body)])


def _chat_final(completion: Any) -> Seen:
    message = completion.choices[0].message
    calls = "".join(call.function.arguments for call in message.tool_calls or ())
    return Seen((message.content or "") + calls, completion.choices[0].finish_reason)


def _without_stream(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name != "stream"}


def chat_helper(client: Any, body: dict[str, Any]) -> Seen:
    with client.chat.completions.stream(**_without_stream(body)) as stream:
        for _ in stream:
            pass
        try:
            return _chat_final(stream.get_final_completion())
        except openai.LengthFinishReasonError as error:
            # So the SDK itself tells of an answer that has reached its maximum.
            return _chat_final(error.completion)


async def chat_helper_async(client: Any, body: dict[str, Any]) -> Seen:
    async with client.chat.completions.stream(**_without_stream(body)) as stream:
        async for _ in stream:
            pass
        try:
            return _chat_final(await stream.get_final_completion())
        except openai.LengthFinishReasonError as error:
            return _chat_final(error.completion)


def completions(client: Any, body: dict[str, Any]) -> Seen:
    chunks = [chunk for chunk in client.completions.create(**body) if chunk.choices]
    return Seen("".join(chunk.choices[0].text for chunk in chunks), chunks[-1].choices[0].finish_reason)


async def completions_async(client: Any, body: dict[str, Any]) -> Seen:
    chunks = [chunk async for chunk in await client.completions.create(**body) if chunk.choices]
    return Seen("".join(chunk.choices[0].text for chunk in chunks), chunks[-1].choices[0].finish_reason)


def _response_events(events: Iterable[Any]) -> Seen:
    *_, last = events = list(events)
    deltas = "".join(event.delta for event in events if event.type.endswith(".delta"))
    held = "".join(_texts_of(item) for item in last.response.output)
    assert held == deltas, "the response at the end holds what its deltas said"
    numbers = [event.sequence_number for event in events]
    assert numbers == sorted(set(numbers))
    details = last.response.incomplete_details
    return Seen(deltas, details.reason if details is not None else last.response.status)


def _texts_of(item: Any) -> str:
    if item.type == "function_call":
        return str(item.arguments)
    return "".join(part.text for part in (item.summary if item.type == "reasoning" else item.content))


def responses(client: Any, body: dict[str, Any]) -> Seen:
    return _response_events(client.responses.create(**body))


async def responses_async(client: Any, body: dict[str, Any]) -> Seen:
    return _response_events([event async for event in await client.responses.create(**body)])


def responses_helper(client: Any, body: dict[str, Any]) -> Seen:
    with client.responses.stream(**_without_stream(body)) as stream:
        return _response_events(stream)


async def responses_helper_async(client: Any, body: dict[str, Any]) -> Seen:
    async with client.responses.stream(**_without_stream(body)) as stream:
        return _response_events([event async for event in stream])


def _message_events(events: Iterable[Any]) -> Seen:
    text, why, open_ = "", None, set()
    *_, last = events = list(events)
    for event in events:
        match event.type:
            case "content_block_start":
                open_.add(event.index)
            case "content_block_stop":
                open_.remove(event.index)
            case "content_block_delta":
                delta = event.delta
                text += getattr(delta, "text", "") or getattr(delta, "thinking", "")
                text += getattr(delta, "partial_json", "")
            case "message_delta":
                why = event.delta.stop_reason
    assert last.type == "message_stop"
    assert not open_
    return Seen(text, why)


def messages(client: Any, body: dict[str, Any]) -> Seen:
    return _message_events(client.messages.create(**body))


async def messages_async(client: Any, body: dict[str, Any]) -> Seen:
    return _message_events([event async for event in await client.messages.create(**body)])


def messages_helper(client: Any, body: dict[str, Any]) -> Seen:
    with client.messages.stream(**_without_stream(body)) as stream:
        events = [event for event in stream if event.type in _RAW]
        assert stream.get_final_message().stop_reason is not None
        return _message_events(events)


async def messages_helper_async(client: Any, body: dict[str, Any]) -> Seen:
    async with client.messages.stream(**_without_stream(body)) as stream:
        events = [event async for event in stream if event.type in _RAW]
        assert (await stream.get_final_message()).stop_reason is not None
        return _message_events(events)


_RAW = ("message_start", "message_delta", "message_stop", "content_block_start", "content_block_delta",
        "content_block_stop")  # fmt: skip


# -- the answers


def _data(event: Any, end: bytes = b"\n") -> bytes:
    return b"data: " + json.dumps(event, separators=(",", ":")).encode() + end + end


def _named(events: Iterable[dict[str, Any]]) -> bytes:
    return b"".join(b"event: " + event["type"].encode() + b"\n" + _data(event) for event in events)


def _local(provider: str, body: dict[str, Any], response_id: str) -> bytes:
    wire: Any = {"openai": openai_wire, "anthropic": anthropic_wire}[provider]
    return b"".join(wire.stream(wire.read(body["model"], body), response_id, 1_750_000_000))


HEAD = {"id": "chatcmpl-9", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o", "usage": None}


def _tool_chunks() -> Iterator[bytes]:
    """Two choices side by side: one speaks, one calls a tool; OpenAI pads its chunks."""

    def chunk(index: int, delta: dict[str, Any], why: str | None = None) -> bytes:
        choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": why}
        return _data({**HEAD, "choices": [choice], "obfuscation": "kPq1"}, end=b"\r\n")

    yield b": keep-alive\r\n\r\n"
    yield chunk(0, {"role": "assistant", "content": ""})
    yield chunk(1, {"role": "assistant", "content": None})
    call = {"index": 0, "id": "c1", "type": "function", "function": {"name": "look", "arguments": ""}}
    yield chunk(1, {"tool_calls": [call]})
    for said, argument in (("Grüße, ", '{"q":'), ('"wörtlich" ', ' "a\\n'), ("und mehr", 'b"}')):
        yield chunk(0, {"content": said})
        yield chunk(1, {"tool_calls": [{"index": 0, "function": {"arguments": argument}}]})
    yield chunk(1, {}, "tool_calls")
    yield chunk(0, {}, "stop")
    counts = {"prompt_tokens": 9, "completion_tokens": 33, "total_tokens": 42}
    yield _data({**HEAD, "choices": [], "usage": counts}, end=b"\r\n")
    yield b"data: [DONE]\r\n\r\n"


def _completion_chunks() -> Iterator[bytes]:
    head = {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": "gpt-3.5-turbo-instruct"}
    for text, why in (("One,", None), (" two,", None), (" three.", None), ("", "stop")):
        yield _data({**head, "choices": [{"index": 0, "text": text, "logprobs": None, "finish_reason": why}]})
    yield b"data: [DONE]\n\n"


def _response() -> Iterator[dict[str, Any]]:
    """A summary of the reasoning, a message, and a call of a tool."""
    base = {
        "id": "resp_1", "object": "response", "created_at": 1, "model": "gpt-5", "status": "in_progress",
        "output": [], "usage": None, "incomplete_details": None, "error": None, "instructions": "Be brief.",
        "tools": [], "tool_choice": "auto", "parallel_tool_calls": True, "metadata": {},
    }  # fmt: skip
    yield {"type": "response.created", "response": base}
    yield {"type": "response.in_progress", "response": base}
    thought = {"id": "rs_1", "type": "reasoning", "summary": []}
    yield {"type": "response.output_item.added", "output_index": 0, "item": thought}
    of = {"item_id": "rs_1", "output_index": 0, "summary_index": 0}
    part = {"type": "summary_text", "text": ""}
    yield {"type": "response.reasoning_summary_part.added", **of, "part": part}
    for delta in ("Look ", "it up."):
        yield {"type": "response.reasoning_summary_text.delta", **of, "delta": delta, "obfuscation": "x"}
    yield {"type": "response.reasoning_summary_text.done", **of, "text": "Look it up."}
    part = {"type": "summary_text", "text": "Look it up."}
    yield {"type": "response.reasoning_summary_part.done", **of, "part": part}
    thought = {**thought, "summary": [part]}
    yield {"type": "response.output_item.done", "output_index": 0, "item": thought}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "status": "in_progress", "content": []}
    yield {"type": "response.output_item.added", "output_index": 1, "item": message}
    of = {"item_id": "msg_1", "output_index": 1, "content_index": 0}
    text = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
    yield {"type": "response.content_part.added", **of, "part": text}
    for delta in ("The ", '"answer"', " is 42."):
        yield {"type": "response.output_text.delta", **of, "delta": delta, "logprobs": [], "obfuscation": "y"}
    text = {**text, "text": 'The "answer" is 42.'}
    yield {"type": "response.output_text.done", **of, "text": text["text"], "logprobs": []}
    yield {"type": "response.content_part.done", **of, "part": text}
    message = {**message, "status": "completed", "content": [text]}
    yield {"type": "response.output_item.done", "output_index": 1, "item": message}
    call = {"id": "fc_1", "type": "function_call", "call_id": "call_1", "name": "look", "arguments": "",
            "status": "in_progress"}  # fmt: skip
    yield {"type": "response.output_item.added", "output_index": 2, "item": call}
    of = {"item_id": "fc_1", "output_index": 2}
    for delta in ('{"q"', ': "a"}'):
        yield {"type": "response.function_call_arguments.delta", **of, "delta": delta}
    call = {**call, "status": "completed", "arguments": '{"q": "a"}'}
    yield {
        "type": "response.function_call_arguments.done",
        **of,
        "name": "look",
        "arguments": call["arguments"],
    }
    yield {"type": "response.output_item.done", "output_index": 2, "item": call}
    counts = {"input_tokens": 9, "input_tokens_details": {"cached_tokens": 0}, "output_tokens": 21,
              "output_tokens_details": {"reasoning_tokens": 8}, "total_tokens": 30}  # fmt: skip
    ended = {**base, "status": "completed", "output": [thought, message, call], "usage": counts}
    yield {"type": "response.completed", "response": ended}


def _message() -> Iterator[dict[str, Any]]:
    """Thinking, a text, and a call of a tool."""
    begun = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-haiku-4-5", "content": [],
             "stop_reason": None, "stop_sequence": None,
             "usage": {"input_tokens": 11, "cache_read_input_tokens": 5, "output_tokens": 2}}  # fmt: skip
    yield {"type": "message_start", "message": begun}
    yield {"type": "ping"}
    blocks: list[tuple[dict[str, Any], str, str, list[str]]] = [
        (
            {"type": "thinking", "thinking": "", "signature": ""},
            "thinking_delta",
            "thinking",
            ["Hm, ", "so {it} is."],
        ),
        ({"type": "text", "text": ""}, "text_delta", "text", ["Because ", '"it"', " is."]),
        (
            {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {}},
            "input_json_delta",
            "partial_json",
            ["", '{"q": ', '"a"}'],
        ),
    ]
    for index, (block, kind, name, pieces) in enumerate(blocks):
        yield {"type": "content_block_start", "index": index, "content_block": block}
        for piece in pieces:
            yield {"type": "content_block_delta", "index": index, "delta": {"type": kind, name: piece}}
        if name == "thinking":
            signed = {"type": "signature_delta", "signature": "EqQB" * 20}
            yield {"type": "content_block_delta", "index": index, "delta": signed}
        yield {"type": "content_block_stop", "index": index}
    yield {
        "type": "message_delta",
        "delta": {"stop_reason": "tool_use", "stop_sequence": None},
        "usage": {"output_tokens": 37},
    }
    yield {"type": "message_stop"}


CHAT = {"model": "gpt-4o", "messages": QUESTION, "stream": True}
COUNTED = {**CHAT, "stream_options": {"include_usage": True}}
MESSAGES = {"model": "claude-haiku-4-5", "messages": QUESTION, "max_tokens": 900, "stream": True}
TWO = {**COUNTED, "n": 2}
PROSE = openai_wire.answer(openai_wire.read("gpt-4o", CHAT), "x", 1)["choices"][0]["message"]["content"]
_CHAT_WAYS = (chat, chat_helper)
_CHAT_ASYNC = (chat_async, chat_helper_async)
_MESSAGE_WAYS = (messages, messages_helper)
_MESSAGE_ASYNC = (messages_async, messages_helper_async)

STREAMS: dict[str, Streamed] = {
    "chat": Streamed(
        "openai", "/v1/chat/completions", CHAT, _local("openai", CHAT, "chatcmpl-1"),
        _CHAT_WAYS, PROSE, "length", None, _CHAT_ASYNC,
    ),
    "chat that counts": Streamed(
        "openai", "/v1/chat/completions", COUNTED, _local("openai", COUNTED, "chatcmpl-1"),
        _CHAT_WAYS, PROSE, "length", 40, _CHAT_ASYNC,
    ),
    "two choices": Streamed(
        "openai", "/v1/chat/completions", TWO, b"".join(_tool_chunks()),
        (chat,), 'Grüße, "wörtlich" und mehr|{"q": "a\\nb"}', "length", 33, (chat_async,),
    ),
    "completions": Streamed(
        "openai", "/v1/completions", {"model": "gpt-3.5-turbo-instruct", "prompt": "Count.", "stream": True},
        b"".join(_completion_chunks()), (completions,), "One, two, three.", "length", None,
        (completions_async,),
    ),
    "responses": Streamed(
        "openai", "/v1/responses", {"model": "gpt-5", "input": "Why?", "stream": True},
        _named({**event, "sequence_number": number} for number, event in enumerate(_response())),
        (responses, responses_helper), 'Look it up.The "answer" is 42.{"q": "a"}', "max_output_tokens", 21,
        (responses_async, responses_helper_async),
    ),
    "messages": Streamed(
        "anthropic", "/v1/messages", MESSAGES, _local("anthropic", MESSAGES, "msg_1"),
        _MESSAGE_WAYS, PROSE, "max_tokens", 40, _MESSAGE_ASYNC,
    ),
    "messages with thinking and a tool": Streamed(
        "anthropic", "/v1/messages", MESSAGES, _named(_message()), _MESSAGE_WAYS,
        'Hm, so {it} is.Because "it" is.{"q": "a"}', "max_tokens", 37, _MESSAGE_ASYNC,
    ),
}  # fmt: skip


# -- events that are almost as they should be

START = {"type": "message_start", "message": {"model": "m", "usage": {"input_tokens": 9, "output_tokens": 1}}}
RESPONSE = {"type": "response.created", "response": {"id": "r", "model": "m", "usage": None}}

KEYS = st.sampled_from(
    ["type", "object", "choices", "delta", "index", "usage", "usageMetadata", "message", "response", "model",
     "id", "content", "tool_calls", "function", "candidates", "contentBlockDelta", "text", "tool_usage"]
)  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5) | KEYS, inner, max_size=4)
    ),
    max_leaves=12,
)
EVENTS = st.dictionaries(KEYS, JSON, min_size=1)
