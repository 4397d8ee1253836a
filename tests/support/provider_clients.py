"""The provider SDKs' own clients, sync and async, and a call by each of them to the local provider."""

from __future__ import annotations

from decimal import Decimal

import anthropic
import openai

from switchgear.testing import Provider

# 40 characters of input make 10 tokens; the marker fixes the answer's length.
TEXT = "Summarise this. [[demo output=50]]      "
OPENAI = {"model": "gpt-4o", "messages": [{"role": "user", "content": TEXT}], "max_tokens": 100}
ANTHROPIC = {"model": "claude-haiku-4-5", "messages": [{"role": "user", "content": TEXT}], "max_tokens": 100}

MILLION = Decimal(1_000_000)
OPENAI_COST = (10 * Decimal("2.50") + 50 * Decimal("10.00")) / MILLION
ANTHROPIC_COST = (10 * Decimal("1.00") + 50 * Decimal("5.00")) / MILLION


def openai_client(at: Provider) -> openai.OpenAI:
    return openai.OpenAI(base_url=at.openai_url, api_key="sk-test")


def anthropic_client(at: Provider) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=at.anthropic_url, api_key="sk-test")


def async_openai_client(at: Provider) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=at.openai_url, api_key="sk-test")


def async_anthropic_client(at: Provider) -> anthropic.AsyncAnthropic:
    return anthropic.AsyncAnthropic(base_url=at.anthropic_url, api_key="sk-test")


def openai_call(client: openai.OpenAI) -> None:
    client.chat.completions.create(**OPENAI)


def openai_stream(client: openai.OpenAI) -> None:
    for _ in client.chat.completions.create(**OPENAI, stream=True, stream_options={"include_usage": True}):
        pass


def anthropic_call(client: anthropic.Anthropic) -> None:
    client.messages.create(**ANTHROPIC)


def anthropic_stream(client: anthropic.Anthropic) -> None:
    with client.messages.stream(**ANTHROPIC) as stream:
        stream.until_done()


async def async_openai_call(client: openai.AsyncOpenAI) -> None:
    await client.chat.completions.create(**OPENAI)


async def async_openai_stream(client: openai.AsyncOpenAI) -> None:
    options = {"include_usage": True}
    async for _ in await client.chat.completions.create(**OPENAI, stream=True, stream_options=options):
        pass


async def async_anthropic_call(client: anthropic.AsyncAnthropic) -> None:
    await client.messages.create(**ANTHROPIC)


async def async_anthropic_stream(client: anthropic.AsyncAnthropic) -> None:
    async with client.messages.stream(**ANTHROPIC) as stream:
        await stream.until_done()
