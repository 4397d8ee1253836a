"""LangChain's chat models of Google and Bedrock make their calls by the guarded clients that they hold."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cloud_clients import TEXT, bedrock_client
from cloud_rates import CLAUDE, GEMINI
from langchain_aws import ChatBedrockConverse
from langchain_google_genai import ChatGoogleGenerativeAI
from opentelemetry.sdk.trace import TracerProvider
from waiting import until

import switchgear as sg
from switchgear.testing import Engine, Provider, decisions, deny

Configure = Callable[..., TracerProvider]


@pytest.fixture
def engine() -> Iterator[Engine]:
    """One that allows the first call, and denies the second."""
    with decisions(deny("over", after=1)) as running:
        yield running


def google(at: Provider) -> Any:
    # It asks for six attempts at each request, unless it is told otherwise.
    return ChatGoogleGenerativeAI(model=GEMINI, api_key="key", base_url=at.google_url, max_tokens=100)


def bedrock(at: Provider) -> Any:
    client = bedrock_client(at)
    # With a client of its own for the control plane it makes none.
    return ChatBedrockConverse(model=CLAUDE, client=client, bedrock_client=client, max_tokens=100)


def invoke(model: Any) -> None:
    model.invoke(TEXT)


def stream(model: Any) -> None:
    for _ in model.stream(TEXT):
        pass


def invoke_async(model: Any) -> None:
    asyncio.run(model.ainvoke(TEXT))


def stream_async(model: Any) -> None:
    async def asynchronously() -> None:
        async for _ in model.astream(TEXT):
            pass

    asyncio.run(asynchronously())


# What their clients leave open when a loop ends is theirs.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
@pytest.mark.parametrize("model_of", [google, bedrock])
@pytest.mark.parametrize("call", [invoke, stream, invoke_async, stream_async])
def test_a_call_is_counted_and_a_denial_reaches_the_caller_as_itself(
    model_of: Any, call: Any, provider: Provider, engine: Engine, configured: Configure
) -> None:
    configured(engine.url)
    model = sg.wrap(model_of(provider))

    with sg.task("writer", tenant="acme"):
        call(model)
        until(lambda: engine.settled, "the first call is settled")
        with pytest.raises(sg.BudgetExceeded, match="over"):
            call(model)

    (settled,) = engine.settled
    assert settled.usage is not None
    assert (settled.usage.input_total, settled.usage.output) == (10, 50)
    assert len(provider.log().served) == 1
