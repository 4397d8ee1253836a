"""A denial comes out of a framework as itself, after one attempt, whatever that framework tries again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import agents
import openai
import pydantic_ai
import pytest
from agents import ModelRetrySettings, ModelSettings, Runner, retry_policies
from attempts import counted
from langchain_anthropic import ChatAnthropic
from langchain_aws import ChatBedrockConverse
from langchain_google_genai import ChatGoogleGenerativeAI
from langchain_openai import ChatOpenAI
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import RetryPolicy
from opentelemetry.sdk.trace import TracerProvider
from provider_clients import async_anthropic_client, async_openai_client
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.fallback import FallbackModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.openai import OpenAIProvider

import switchgear as sg
from switchgear.testing import Provider

Engines = Callable[..., Any]
Configure = Callable[..., TracerProvider]
# What is asked, and the provider SDKs' clients through which its requests go.
Made = tuple[Any, tuple[Any, ...]]

ASKED = "How did sales go in Q3?"


def chat_openai(at: Provider) -> Made:
    model = ChatOpenAI(model="gpt-4o", base_url=at.openai_url, api_key="sk-test", max_tokens=100)
    return sg.wrap(model), (model.root_client, model.root_async_client)


def chat_anthropic(at: Provider) -> Made:
    model = ChatAnthropic(
        model="claude-haiku-4-5", base_url=at.anthropic_url, api_key="sk-test", max_tokens=100
    )
    return sg.wrap(model), (model._client, model._async_client)


def chat_bedrock(at: Provider) -> Made:
    keys = {"aws_access_key_id": "k", "aws_secret_access_key": "k", "region_name": "eu-west-1"}
    model = ChatBedrockConverse(model="anthropic.claude-haiku-4-5", endpoint_url=at.url, **keys)
    return sg.wrap(model), (model.client,)


def chat_google(at: Provider) -> Made:
    model = ChatGoogleGenerativeAI(model="gemini-2.5-flash", base_url=at.url, api_key="k")
    return sg.wrap(model), (model.client,)


def with_fallback(at: Provider) -> Made:
    """The other model stands outside any guard of ours, so that a call of it would be served."""
    (model, clients), other = (
        chat_openai(at),
        ChatAnthropic(model="claude-haiku-4-5", base_url=at.anthropic_url, api_key="sk-test", max_tokens=100),
    )
    retried = (openai.APIConnectionError, openai.RateLimitError)
    return model.with_fallbacks([other], exceptions_to_handle=retried), clients


def with_retry(at: Provider) -> Made:
    model, clients = chat_openai(at)
    retried = (openai.APIConnectionError, openai.RateLimitError)
    return model.with_retry(retry_if_exception_type=retried, wait_exponential_jitter=False), clients


def chat_invoke(model: Any) -> None:
    model.invoke(ASKED)


def chat_stream(model: Any) -> None:
    list(model.stream(ASKED))


def chat_batch(model: Any) -> None:
    model.batch([ASKED])


async def chat_ainvoke(model: Any) -> None:
    await model.ainvoke(ASKED)


async def chat_astream(model: Any) -> None:
    async for _ in model.astream(ASKED):
        pass


def graph(at: Provider) -> Made:
    """Its one node may be tried three times, by the default rule."""
    model, clients = chat_openai(at)
    return _graph(lambda state: {"messages": [model.invoke(state["messages"])]}), clients


def async_graph(at: Provider) -> Made:
    model, clients = chat_openai(at)

    async def node(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await model.ainvoke(state["messages"])]}

    return _graph(node), clients


def _graph(node: Any) -> Any:
    made = StateGraph(MessagesState)
    made.add_node("node", node, retry_policy=RetryPolicy(initial_interval=0.01, max_attempts=3))
    made.add_edge(START, "node")
    return made.compile()


def graph_invoke(graph: Any) -> None:
    graph.invoke({"messages": [ASKED]})


def graph_stream(graph: Any) -> None:
    list(graph.stream({"messages": [ASKED]}, stream_mode="messages"))


async def graph_ainvoke(graph: Any) -> None:
    await graph.ainvoke({"messages": [ASKED]})


async def graph_astream(graph: Any) -> None:
    async for _ in graph.astream({"messages": [ASKED]}, stream_mode="messages"):
        pass


def openai_agent(at: Provider) -> Made:
    client = sg.wrap(async_openai_client(at))
    return agents.Agent(name="a", model=agents.OpenAIResponsesModel("gpt-4o", client)), (client,)


def openai_agent_of_chat(at: Provider) -> Made:
    client = sg.wrap(async_openai_client(at))
    return agents.Agent(name="a", model=agents.OpenAIChatCompletionsModel("gpt-4o", client)), (client,)


def openai_agent_that_retries(at: Provider) -> Made:
    agent, clients = openai_agent(at)
    policy = retry_policies.any(
        retry_policies.provider_suggested(),
        retry_policies.network_error(),
        retry_policies.http_status([408, 409, 429, 500, 502, 503, 504]),
    )
    settings = ModelSettings(retry=ModelRetrySettings(max_retries=2, policy=policy))
    return agent.clone(model_settings=settings), clients


def runner_sync(agent: Any) -> None:
    Runner.run_sync(agent, ASKED)


async def runner(agent: Any) -> None:
    await Runner.run(agent, ASKED)


async def runner_streamed(agent: Any) -> None:
    async for _ in Runner.run_streamed(agent, ASKED).stream_events():
        pass


def pydantic_agent(at: Provider) -> Made:
    client = sg.wrap(async_openai_client(at))
    model = OpenAIChatModel("gpt-4o", provider=OpenAIProvider(openai_client=client))
    return pydantic_ai.Agent(model), (client,)


def pydantic_agent_of_responses(at: Provider) -> Made:
    client = sg.wrap(async_openai_client(at))
    model = OpenAIResponsesModel("gpt-4o", provider=OpenAIProvider(openai_client=client))
    return pydantic_ai.Agent(model), (client,)


def pydantic_agent_of_anthropic(at: Provider) -> Made:
    client = sg.wrap(async_anthropic_client(at))
    model = AnthropicModel("claude-haiku-4-5", provider=AnthropicProvider(anthropic_client=client))
    return pydantic_ai.Agent(model), (client,)


def pydantic_agent_that_retries(at: Provider) -> Made:
    agent, clients = pydantic_agent(at)
    return pydantic_ai.Agent(agent.model, retries=2, model_settings={"max_retries": 2}), clients


def pydantic_agent_with_fallback(at: Provider) -> Made:
    agent, clients = pydantic_agent(at)
    provider = AnthropicProvider(anthropic_client=async_anthropic_client(at))
    return pydantic_ai.Agent(
        FallbackModel(agent.model, AnthropicModel("claude-haiku-4-5", provider=provider))
    ), clients


def agent_run_sync(agent: Any) -> None:
    agent.run_sync(ASKED)


def agent_run_stream_sync(agent: Any) -> None:
    list(agent.run_stream_sync(ASKED).stream_text())


async def agent_run(agent: Any) -> None:
    await agent.run(ASKED)


async def agent_run_stream(agent: Any) -> None:
    async with agent.run_stream(ASKED) as result:
        async for _ in result.stream_text():
            pass


CHAT = {"": chat_invoke, "stream": chat_stream, "async": chat_ainvoke, "async stream": chat_astream}
GRAPH = {"": graph_invoke, "stream": graph_stream}
ASYNC_GRAPH = {"async": graph_ainvoke, "async stream": graph_astream}
RUNNER = {"": runner_sync, "async": runner, "async stream": runner_streamed}
AGENT = {
    "": agent_run_sync,
    "stream": agent_run_stream_sync,
    "async": agent_run,
    "async stream": agent_run_stream,
}


def two(ways: dict[str, Any]) -> dict[str, Any]:
    """One way of each kind: enough where only what stands around the call differs."""
    return {way: ways[way] for way in ("", "async stream")}


FRAMEWORKS: list[tuple[str, Callable[[Provider], Made], dict[str, Any]]] = [
    ("LangChain openai", chat_openai, {**CHAT, "batch": chat_batch}),
    ("LangChain anthropic", chat_anthropic, CHAT),
    ("LangChain bedrock", chat_bedrock, CHAT),
    ("LangChain google", chat_google, CHAT),
    ("LangChain with_retry", with_retry, two(CHAT)),
    ("LangChain with_fallbacks", with_fallback, two(CHAT)),
    ("LangGraph retry policy", graph, GRAPH),
    ("LangGraph retry policy", async_graph, ASYNC_GRAPH),
    ("OpenAI Agents", openai_agent, RUNNER),
    ("OpenAI Agents chat completions", openai_agent_of_chat, RUNNER),
    ("OpenAI Agents retry policy", openai_agent_that_retries, two(RUNNER)),
    ("pydantic-ai", pydantic_agent, AGENT),
    ("pydantic-ai responses", pydantic_agent_of_responses, two(AGENT)),
    ("pydantic-ai anthropic", pydantic_agent_of_anthropic, AGENT),
    ("pydantic-ai max_retries", pydantic_agent_that_retries, two(AGENT)),
    ("pydantic-ai FallbackModel", pydantic_agent_with_fallback, two(AGENT)),
]
WAYS = [
    pytest.param(make, ask, id=f"{name} {way}".strip())
    for name, make, ways in FRAMEWORKS
    for way, ask in ways.items()
]


def run(ask: Callable[[Any], Any], made: Any) -> None:
    """Ask, synchronously or not. What frameworks offer as synchronous runs on the thread's loop, and leaves it open."""
    with asyncio.Runner() as runner:
        if asyncio.iscoroutinefunction(ask):
            runner.run(ask(made))
            return
        asyncio.set_event_loop(runner.get_loop())
        ask(made)


@pytest.fixture(autouse=True)
def _no_traces_sent() -> None:
    """The Agents SDK sends traces to its maker by itself."""
    agents.set_tracing_disabled(disabled=True)


@pytest.mark.parametrize(("make", "ask"), WAYS)
def test_a_denial_comes_out_of_a_framework_as_itself_after_one_attempt(
    make: Callable[[Provider], Made], ask: Any, provider: Provider, engine_of: Engines, configured: Configure
) -> None:
    configured(engine_of(limit="0.000001").url)
    made, clients = make(provider)
    attempts = [counted(client) for client in clients]

    with sg.task("writer", tenant="acme"), pytest.raises(sg.BudgetExceeded) as denied:
        run(ask, made)

    assert denied.value.policy == "acme-hour"
    assert sum(len(each) for each in attempts) == 1
    assert (provider.log().served, provider.log().refused) == ((), ())


def test_langchain_s_with_retry_asks_again_unless_told_what_to_try_but_nothing_is_sent(
    provider: Provider, engine_of: Engines, configured: Configure
) -> None:
    configured(engine_of(limit="0.000001").url)
    model, (client, _) = chat_openai(provider)
    attempts = counted(client)

    with sg.task("writer", tenant="acme"), pytest.raises(sg.BudgetExceeded):
        model.with_retry(stop_after_attempt=3, wait_exponential_jitter=False).invoke(ASKED)

    assert len(attempts) == 3
    assert (provider.log().served, provider.log().refused) == ((), ())


def test_langchain_s_with_fallbacks_asks_the_next_model_which_is_denied_too_where_it_is_wrapped(
    provider: Provider, engine_of: Engines, configured: Configure
) -> None:
    configured(engine_of(limit="0.000001").url)
    (model, (client, _)), (other, (other_client, _)) = chat_openai(provider), chat_anthropic(provider)
    attempts = [counted(client), counted(other_client)]

    with sg.task("writer", tenant="acme"), pytest.raises(sg.BudgetExceeded):
        model.with_fallbacks([other]).invoke(ASKED)

    assert [len(each) for each in attempts] == [1, 1]
    assert (provider.log().served, provider.log().refused) == ((), ())
