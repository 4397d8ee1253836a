"""A denial inside a tool: what each framework makes of it on the way to the caller."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import agents
import openai
import pydantic_ai
import pytest
from agents import OpenAIChatCompletionsModel, Runner, UserError, function_tool
from langchain_core.messages import AIMessage
from langchain_core.tools import tool as langchain_tool
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from opentelemetry.sdk.trace import TracerProvider
from provider_clients import OPENAI, async_openai_client
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

import switchgear as sg
from switchgear.testing import Provider

Engines = Callable[..., Any]
Configure = Callable[..., TracerProvider]
Tool = Callable[[], Any]

CALLS_THE_TOOL = "[[demo output=20 tool=look_up]]"


def tool_of(client: openai.AsyncOpenAI) -> Tool:
    """A tool that asks a model within a budget of its own, which nothing fits in."""

    async def look_up() -> str:
        """Look it up."""
        with sg.task("look-up", budget="0.000001 USD"):
            await client.chat.completions.create(**OPENAI)
        return "found"

    return look_up


async def langgraph(client: openai.AsyncOpenAI, tool: Tool) -> Any:
    """A tool node, as after a model's answer that calls the tool."""
    graph = StateGraph(MessagesState)
    graph.add_node("tools", ToolNode([langchain_tool(tool)]))
    graph.add_edge(START, "tools")
    called = AIMessage("", tool_calls=[{"name": "look_up", "args": {}, "id": "1"}])
    return await graph.compile().ainvoke({"messages": [called]})


async def pydantic(client: openai.AsyncOpenAI, tool: Tool) -> Any:
    model = OpenAIChatModel("gpt-4o", provider=OpenAIProvider(openai_client=client))
    agent = pydantic_ai.Agent(model, tools=[tool])
    return (await agent.run(CALLS_THE_TOOL)).output


async def openai_agents(client: openai.AsyncOpenAI, tool: Tool, **options: Any) -> Any:
    agents.set_tracing_disabled(disabled=True)
    model = OpenAIChatCompletionsModel("gpt-4o", client)
    agent = agents.Agent(name="a", model=model, tools=[function_tool(tool, **options)])
    return (await Runner.run(agent, CALLS_THE_TOOL)).final_output


async def openai_agents_that_raise(client: openai.AsyncOpenAI, tool: Tool) -> Any:
    return await openai_agents(client, tool, failure_error_function=None)


def run(ask: Callable[[openai.AsyncOpenAI, Tool], Any], at: Provider) -> Any:
    async def asynchronous() -> Any:
        async with sg.wrap(async_openai_client(at)) as client, sg.task("writer", tenant="acme"):
            return await ask(client, tool_of(client))

    return asyncio.run(asynchronous())


@pytest.mark.parametrize(
    ("ask", "served"),
    [pytest.param(langgraph, 0, id="LangGraph"), pytest.param(pydantic, 1, id="pydantic-ai")],
)
def test_a_denial_in_a_tool_comes_out_as_itself(
    ask: Any, served: int, provider: Provider, engine_of: Engines, configured: Configure
) -> None:
    configured(engine_of(limit="100").url)
    with pytest.raises(sg.BudgetExceeded, match="task budget"):
        run(ask, provider)
    # Of the tool nothing was sent; the call by which a model called the tool was.
    assert len(provider.log().served) == served


def test_the_agents_sdk_tells_the_model_of_a_denial_in_a_tool_and_goes_on(
    provider: Provider, engine_of: Engines, configured: Configure
) -> None:
    configured(engine_of(limit="100").url)
    assert run(openai_agents, provider).startswith("word")
    assert len(provider.log().served) == 2


def test_the_agents_sdk_raises_a_denial_in_a_tool_as_the_cause_of_its_own_error_where_told_to(
    provider: Provider, engine_of: Engines, configured: Configure
) -> None:
    configured(engine_of(limit="100").url)
    with pytest.raises(UserError) as raised:
        run(openai_agents_that_raise, provider)
    assert isinstance(raised.value.__cause__, sg.BudgetExceeded)
    assert len(provider.log().served) == 1
