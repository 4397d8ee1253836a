"""google-genai's and boto3's own clients, and a call by each of them, in each way, to the local provider."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import boto3
from botocore.config import Config
from cloud_rates import CLAUDE, CLAUDE_STAND_IN, CLOUD_RATES, GEMINI, GEMINI_STAND_IN
from google import genai
from google.genai import types

from switchgear.testing import Provider

__all__ = ["CONVERSATION", "TEXT", "WAYS", "Way", "bedrock_client", "google_client", "message"]

# 40 characters of input make 10 tokens; the marker fixes the answer's length.
TEXT = "Summarise this. [[demo output=50]]      "
CONVERSATION: dict[str, Any] = {
    "modelId": CLAUDE,
    "messages": [{"role": "user", "content": [{"text": TEXT}]}],
    "inferenceConfig": {"maxTokens": 100},
}
"""What Converse sends."""


@dataclass(frozen=True)
class Way:
    """One way in which a client makes a call."""

    provider: str
    """By which name the local provider knows it."""
    client_of: Callable[[Provider], Any]
    call: Callable[..., Any]
    """Make it, whole; a coroutine function where the client is asynchronous."""
    stream: Callable[..., Any] | None = None
    """Begin it, and return its events."""
    model: str = GEMINI
    stand_in: str = GEMINI_STAND_IN

    @property
    def cost(self) -> Decimal:
        """Of 10 tokens in and 50 out."""
        rates = CLOUD_RATES[self.model]
        return (10 * rates.input + 50 * rates.output) / 1_000_000


def google_client(at: Provider, **options: Any) -> genai.Client:
    return genai.Client(api_key="key", http_options=types.HttpOptions(base_url=at.google_url, **options))


def vertex_client(at: Provider) -> genai.Client:
    return genai.Client(vertexai=True, api_key="key", http_options=types.HttpOptions(base_url=at.google_url))


def bedrock_client(at: Provider | str, **config: Any) -> Any:
    """A client of the local provider, or of whoever answers at this URL."""
    return boto3.client(
        "bedrock-runtime",
        endpoint_url=at if isinstance(at, str) else at.bedrock_url,
        region_name="us-east-1",
        aws_access_key_id="id",
        aws_secret_access_key="secret",
        config=Config(**config),
    )


def _said(**config: Any) -> dict[str, Any]:
    return {"model": GEMINI, "contents": TEXT, "config": {"max_output_tokens": 100, **config}}


def _generate(client: genai.Client, **config: Any) -> None:
    client.models.generate_content(**_said(**config))


def _generate_streamed(client: genai.Client, **config: Any) -> Iterator[Any]:
    return client.models.generate_content_stream(**_said(**config))


def _chat(client: genai.Client, **config: Any) -> None:
    client.chats.create(model=GEMINI, config={"max_output_tokens": 100, **config}).send_message(TEXT)


async def _generate_async(client: genai.Client, **config: Any) -> None:
    await client.aio.models.generate_content(**_said(**config))


async def _generate_streamed_async(client: genai.Client, **config: Any) -> AsyncIterator[Any]:
    return await client.aio.models.generate_content_stream(**_said(**config))


def _converse(client: Any, **more: Any) -> None:
    client.converse(**CONVERSATION, **more)


def _converse_streamed(client: Any, **more: Any) -> Any:
    return client.converse_stream(**CONVERSATION, **more)["stream"]


def _invoke(client: Any, **more: Any) -> None:
    answer = json.loads(client.invoke_model(modelId=CLAUDE, body=message(**more))["body"].read())
    assert answer["usage"]["output_tokens"] == 50


def _invoke_streamed(client: Any, **more: Any) -> Any:
    return client.invoke_model_with_response_stream(modelId=CLAUDE, body=message(**more))["body"]


def message(**more: Any) -> bytes:
    """What InvokeModel sends to a model of Anthropic's."""
    said = {"role": "user", "content": TEXT}
    body = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 100, "messages": [said], **more}
    return json.dumps(body).encode()


def _whole(stream: Callable[..., Any]) -> Callable[..., None]:
    def call(client: Any, **more: Any) -> None:
        for _ in stream(client, **more):
            pass

    return call


async def _streamed_async(client: genai.Client, **config: Any) -> None:
    async for _ in await _generate_streamed_async(client, **config):
        pass


def _bedrock(call: Callable[..., Any], stream: Callable[..., Any] | None = None) -> Way:
    return Way("bedrock", bedrock_client, call, stream, CLAUDE, CLAUDE_STAND_IN)


WAYS = {
    "google": Way("google", google_client, _generate),
    "google stream": Way("google", google_client, _whole(_generate_streamed), _generate_streamed),
    "google chat": Way("google", google_client, _chat),
    "google async": Way("google", google_client, _generate_async),
    "google async stream": Way("google", google_client, _streamed_async, _generate_streamed_async),
    "vertex": Way("google", vertex_client, _generate),
    "converse": _bedrock(_converse),
    "converse stream": _bedrock(_whole(_converse_streamed), _converse_streamed),
    "invoke": _bedrock(_invoke),
    "invoke stream": _bedrock(_whole(_invoke_streamed), _invoke_streamed),
}
"""By name: the clients, and the ways to call by them, each for 10 tokens in and 50 out."""
