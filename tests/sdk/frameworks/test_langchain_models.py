"""`wrap` guards a chat model of LangChain's by the provider SDKs' clients that it holds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal
from inspect import iscoroutinefunction
from itertools import count
from typing import Any

import pytest
from langchain_anthropic import ChatAnthropic
from langchain_aws import ChatBedrockConverse
from langchain_core.language_models import FakeListChatModel
from langchain_google_genai import ChatGoogleGenerativeAI
from langchain_openai import AzureChatOpenAI, ChatOpenAI
from opentelemetry.sdk.trace import TracerProvider
from provider_clients import ANTHROPIC_COST, OPENAI_COST, TEXT
from waiting import until

import switchgear as sg
from switchgear.clients.langchain import inner_clients
from switchgear.testing import Provider

Engines = Callable[..., Any]
Configure = Callable[..., TracerProvider]


# LangChain keeps one HTTP client for each address and time limit, and ports come round again.
seconds = count(60)


def chat_openai(at: Provider, **options: Any) -> ChatOpenAI:
    given = {"timeout": next(seconds), "max_tokens": 100, **options}
    return ChatOpenAI(model="gpt-4o", base_url=at.openai_url, api_key="sk-test", **given)


def chat_openai_responses(at: Provider) -> ChatOpenAI:
    return chat_openai(at, use_responses_api=True)


def chat_openai_with_usage(at: Provider) -> ChatOpenAI:
    return chat_openai(at, stream_usage=True)


def chat_anthropic(at: Provider) -> ChatAnthropic:
    given = {"timeout": next(seconds), "max_tokens": 100}
    return ChatAnthropic(model="claude-haiku-4-5", base_url=at.anthropic_url, api_key="sk-test", **given)


def invoke(model: Any) -> None:
    model.invoke(TEXT)


def stream(model: Any) -> None:
    list(model.stream(TEXT))


async def ainvoke(model: Any) -> None:
    await model.ainvoke(TEXT)


async def astream(model: Any) -> None:
    async for _ in model.astream(TEXT):
        pass


WAYS = [
    pytest.param(model_of, call, cost, id=f"{name} {call.__name__}")
    for name, model_of, cost in [
        ("openai", chat_openai_with_usage, OPENAI_COST),
        ("openai responses", chat_openai_responses, OPENAI_COST),
        ("anthropic", chat_anthropic, ANTHROPIC_COST),
    ]
    for call in (invoke, stream, ainvoke, astream)
]


def run(call: Callable[[Any], Any], model: Any) -> None:
    """Make a sync or async call, and close the client that an async one leaves open."""

    async def asynchronous() -> None:
        *_, client = inner_clients(model)
        async with client:
            await call(model)

    asyncio.run(asynchronous()) if iscoroutinefunction(call) else call(model)


@pytest.mark.parametrize(("model_of", "call", "cost"), WAYS)
def test_a_chat_model_s_call_is_counted_at_what_it_cost(
    model_of: Callable[[Provider], Any],
    call: Callable[[Any], Any],
    cost: Decimal,
    provider: Provider,
    engine_of: Engines,
    configured: Configure,
) -> None:
    engine = engine_of(limit="100")
    configured(engine.url)
    model = model_of(provider)
    assert sg.wrap(model) is model

    with sg.task("writer", tenant="acme"):
        run(call, model)

    assert sg.flush()
    until(lambda: Decimal(engine.budget()["spent"]) == cost, "the call is settled at its cost")


def test_a_stream_that_tells_no_usage_counts_at_its_hold(
    provider: Provider, engine_of: Engines, configured: Configure
) -> None:
    engine = engine_of(limit="100")
    configured(engine.url)

    with sg.task("writer", tenant="acme"):
        # At an address of one's own LangChain does not ask for usage, unless told to.
        stream(sg.wrap(chat_openai(provider)))

    assert sg.flush()
    # The bound of its hold: never less than all the output that it may ask for, 100 tokens at 10 USD a million.
    until(lambda: Decimal(engine.budget()["spent"]) >= Decimal("0.001"), "the call is settled at its hold")


def test_models_of_one_base_url_are_guarded_together(
    provider: Provider, engine_of: Engines, configured: Configure
) -> None:
    configured(engine_of(limit="0.000001").url)
    other = chat_openai(provider, timeout=50)
    sg.wrap(chat_openai(provider, timeout=50))

    with sg.task("writer", tenant="acme"), pytest.raises(sg.BudgetExceeded):
        other.invoke(TEXT)
    assert provider.log().served == ()


def test_a_copy_with_tools_bound_is_guarded_as_its_model_is(
    provider: Provider, engine_of: Engines, configured: Configure
) -> None:
    configured(engine_of(limit="0.000001").url)
    model = sg.wrap(chat_anthropic(provider))

    with sg.task("writer", tenant="acme"), pytest.raises(sg.BudgetExceeded):
        model.bind_tools([{"name": "f", "input_schema": {"type": "object"}}]).invoke(TEXT)
    assert provider.log().served == ()


def test_the_clients_that_a_chat_model_calls_by_are_found() -> None:
    openai = ChatOpenAI(model="gpt-4o", api_key="k")
    azure = AzureChatOpenAI(azure_endpoint="https://a.example", api_version="1", api_key="k")
    anthropic = ChatAnthropic(model="claude-haiku-4-5", api_key="k")
    bedrock = ChatBedrockConverse(
        model="anthropic.claude-haiku-4-5",
        region_name="eu-west-1",
        aws_access_key_id="k",
        aws_secret_access_key="k",
    )
    google = ChatGoogleGenerativeAI(model="gemini-2.5-flash", api_key="k")

    assert [*inner_clients(openai)] == [openai.root_client, openai.root_async_client]
    assert [*inner_clients(azure)] == [azure.root_client, azure.root_async_client]
    assert [*inner_clients(anthropic)] == [anthropic._client, anthropic._async_client]
    assert [*inner_clients(bedrock)] == [bedrock.client]
    assert [*inner_clients(google)] == [google.client]
    assert [*inner_clients(openai.root_client)] == []


def test_a_chat_model_that_calls_by_no_known_client_is_refused() -> None:
    with pytest.raises(sg.ConfigError, match="FakeListChatModel is no client of"):
        sg.wrap(FakeListChatModel(responses=["a"]))
