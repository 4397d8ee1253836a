"""Cacheable: calls that a cache may serve, by each provider SDK in each way it has, to the local provider."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from inspect import iscoroutinefunction
from typing import Any

from cloud_clients import google_client
from provider_clients import anthropic_client, async_anthropic_client, async_openai_client, openai_client

import switchgear as sg
from switchgear.testing import Provider

__all__ = ["CHAT", "QUESTION", "STREAMED", "WAYS", "Way"]

# 40 characters of input make 10 tokens; the marker fixes the answer's length.
QUESTION = "How is it reset? [[demo output=50]]     "
_CHAT: dict[str, Any] = {"model": "gpt-4o", "max_tokens": 100, "temperature": 0}
_USAGE = {"stream": True, "stream_options": {"include_usage": True}}
CHAT: dict[str, Any] = {**_CHAT, "messages": [{"role": "user", "content": QUESTION}]}
STREAMED = {**CHAT, **_USAGE}
_RESPONSES: dict[str, Any] = {"model": "gpt-4o", "max_output_tokens": 100, "temperature": 0}
# By now its SDK has no argument for a temperature.
_MESSAGES: dict[str, Any] = {
    "model": "claude-haiku-4-5",
    "max_tokens": 100,
    "extra_body": {"temperature": 0},
}
_GENERATE: dict[str, Any] = {
    "model": "gemini-2.5-flash",
    "config": {"max_output_tokens": 100, "temperature": 0},
}


@dataclass(frozen=True)
class Way:
    """One way to ask: a client, and what by it is answered to a question."""

    client_of: Callable[[Provider], Any]
    _ask: Callable[[Any, str], Any]

    def ask(self, at: Provider, question: str = QUESTION, **wrapped: Any) -> str:
        """The text of the answer, by a client of its own, which is closed then."""
        if iscoroutinefunction(self._ask):
            return asyncio.run(self.ask_async(at, question, **wrapped))
        client = sg.wrap(self.client_of(at), **wrapped)
        with closing(client):
            return str(self._ask(client, question))

    async def ask_async(self, at: Provider, question: str = QUESTION, **wrapped: Any) -> str:
        """The same in an event loop."""
        client = sg.wrap(self.client_of(at), **wrapped)
        try:
            return str(await self._ask(client, question))
        finally:
            if hasattr(client, "aio"):
                client.close()
                await client.aio.aclose()
            else:
                await client.close()


def _turns(question: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": question}]


def _chat(client: Any, question: str) -> str:
    answer = client.chat.completions.create(**_CHAT, messages=_turns(question))
    return answer.choices[0].message.content


def _chat_stream(client: Any, question: str) -> str:
    stream = client.chat.completions.create(**_CHAT, **_USAGE, messages=_turns(question))
    return "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)


async def _chat_async(client: Any, question: str) -> str:
    answer = await client.chat.completions.create(**_CHAT, messages=_turns(question))
    return answer.choices[0].message.content


async def _chat_stream_async(client: Any, question: str) -> str:
    stream = await client.chat.completions.create(**_CHAT, **_USAGE, messages=_turns(question))
    return "".join([chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices])


def _responses(client: Any, question: str) -> str:
    return client.responses.create(**_RESPONSES, input=question).output_text


def _responses_stream(client: Any, question: str) -> str:
    with client.responses.stream(**_RESPONSES, input=question) as stream:
        return stream.get_final_response().output_text


def _messages(client: Any, question: str) -> str:
    return client.messages.create(**_MESSAGES, messages=_turns(question)).content[0].text


def _messages_stream(client: Any, question: str) -> str:
    with client.messages.stream(**_MESSAGES, messages=_turns(question)) as stream:
        return stream.get_final_text()


async def _messages_async(client: Any, question: str) -> str:
    answer = await client.messages.create(**_MESSAGES, messages=_turns(question))
    return answer.content[0].text


async def _messages_stream_async(client: Any, question: str) -> str:
    async with client.messages.stream(**_MESSAGES, messages=_turns(question)) as stream:
        return await stream.get_final_text()


def _generate(client: Any, question: str) -> str:
    return client.models.generate_content(**_GENERATE, contents=question).text


def _generate_stream(client: Any, question: str) -> str:
    stream = client.models.generate_content_stream(**_GENERATE, contents=question)
    return "".join(part.text for part in stream)


async def _generate_async(client: Any, question: str) -> str:
    return (await client.aio.models.generate_content(**_GENERATE, contents=question)).text


async def _generate_stream_async(client: Any, question: str) -> str:
    stream = await client.aio.models.generate_content_stream(**_GENERATE, contents=question)
    return "".join([part.text async for part in stream])


WAYS = {
    "openai": Way(openai_client, _chat),
    "openai stream": Way(openai_client, _chat_stream),
    "openai async": Way(async_openai_client, _chat_async),
    "openai async stream": Way(async_openai_client, _chat_stream_async),
    "openai responses": Way(openai_client, _responses),
    "openai responses stream": Way(openai_client, _responses_stream),
    "anthropic": Way(anthropic_client, _messages),
    "anthropic stream": Way(anthropic_client, _messages_stream),
    "anthropic async": Way(async_anthropic_client, _messages_async),
    "anthropic async stream": Way(async_anthropic_client, _messages_stream_async),
    "google": Way(google_client, _generate),
    "google stream": Way(google_client, _generate_stream),
    "google async": Way(google_client, _generate_async),
    "google async stream": Way(google_client, _generate_stream_async),
}
