"""A streamed answer that outgrows its hold is held for more while there is room, and cut where the policy says so."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import httpx
import openai
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from waiting import until

import switchgear as sg

Engines = Callable[..., Any]
Configure = Callable[..., TracerProvider]

# gpt-4o's output, in USD a token: 10.00 a million.
OUTPUT = Decimal("0.00001")
USUAL = 50
LONG = 6000


def event(delta: dict[str, Any], finish: str | None = None, **more: Any) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    body = {
        "id": "c-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "gpt-4o",
        "choices": [choice],
    }
    return b"data: " + json.dumps(body | more).encode() + b"\n\n"


class Talkative(httpx.SyncByteStream):
    """An answer of so many tokens of four letters, some of them each few milliseconds."""

    def __init__(self, tokens: int) -> None:
        self.tokens, self.sent, self.closed = tokens, 0, False

    def __iter__(self) -> Iterator[bytes]:
        while self.sent < self.tokens:
            self.sent += 100
            yield event({"content": "word" * 100})
            time.sleep(0.01)
        yield event({}, "stop")
        usage = {"prompt_tokens": 10, "completion_tokens": self.tokens, "total_tokens": 10 + self.tokens}
        yield event({}, None, choices=[], usage=usage)
        yield b"data: [DONE]\n\n"

    def close(self) -> None:
        self.closed = True


class Model:
    """A model behind the real SDK and its real HTTP client, which says as much as it is asked for."""

    def __init__(self) -> None:
        self.long: list[Talkative] = []
        http = httpx.Client(transport=httpx.MockTransport(self._answer))
        self.client = sg.wrap(
            openai.OpenAI(api_key="sk-test", http_client=http, base_url="http://model.test")
        )

    def _answer(self, request: httpx.Request) -> httpx.Response:
        asked = json.loads(request.content)
        if asked.get("stream"):
            assert request.headers["accept-encoding"] == "identity"
            self.long.append(Talkative(LONG))
            return httpx.Response(200, stream=self.long[-1], headers={"content-type": "text/event-stream"})
        usage = {"prompt_tokens": 10, "completion_tokens": USUAL, "total_tokens": 10 + USUAL}
        message = {"role": "assistant", "content": "word"}
        choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
        body = {"id": "c-0", "object": "chat.completion", "created": 1, "model": "gpt-4o", "choices": choices}
        return httpx.Response(200, json=body | {"usage": usage})

    def ask(self) -> None:
        self.client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "go on"}])

    def ask_at_length(self) -> tuple[str, str | None]:
        """The text of a streamed answer, and why it ended."""
        text, reason = "", None
        for chunk in self.client.chat.completions.create(
            model="gpt-4o",
            messages=[{"role": "user", "content": "go on"}],
            stream=True,
            stream_options={"include_usage": True},
        ):
            for choice in chunk.choices:
                text += choice.delta.content or ""
                reason = choice.finish_reason or reason
        return text, reason


def learned(model: Model, engine: Any) -> None:
    """Let the engine see what such calls are like: 50 tokens each."""
    for _ in range(3):
        model.ask()
    until(lambda: Decimal(engine.budget()["spent"]) >= 3 * USUAL * OUTPUT, "the calls are settled")


def test_a_long_answer_is_held_for_more_and_comes_whole(engine_of: Engines, configured: Configure) -> None:
    engine = engine_of(ladder="[], overrun: cut")
    configured(engine.url)
    model = Model()
    with sg.task("writer", tenant="acme"):
        learned(model, engine)
        text, reason = model.ask_at_length()
    assert (len(text) // 4, reason) == (LONG, "stop")
    until(lambda: Decimal(engine.budget()["held"]) == 0, "the hold is settled")
    assert Decimal(engine.budget()["spent"]) > LONG * OUTPUT


@pytest.mark.parametrize(
    ("overrun", "cut"), [pytest.param("cut", True, id="cut"), pytest.param("extend", False, id="extend")]
)
def test_where_no_room_is_left_the_policy_says_whether_it_is_cut(
    engine_of: Engines, configured: Configure, spans: InMemorySpanExporter, overrun: str, *, cut: bool
) -> None:
    # Three calls of 50 tokens are 0.0015, and a little for their input; what is left is worth some 4,300 tokens.
    engine = engine_of(limit="0.0450", ladder=f"[], overrun: {overrun}")
    tracer = configured(engine.url).get_tracer("tests")
    model = Model()
    with sg.task("writer", tenant="acme"):
        learned(model, engine)
        with tracer.start_as_current_span("long"):
            text, reason = model.ask_at_length()
    until(lambda: Decimal(engine.budget()["held"]) == 0, "the hold is settled")
    (stream,) = model.long
    (span,) = (each for each in spans.get_finished_spans() if each.name == "long")
    assert span.attributes is not None
    if not cut:
        assert (len(text) // 4, reason) == (LONG, "stop")
        assert "switchgear.cut" not in span.attributes
        return
    assert reason == "length"
    assert USUAL < len(text) // 4 < LONG
    assert stream.closed
    assert stream.sent < LONG
    assert span.attributes["switchgear.cut"] is True
