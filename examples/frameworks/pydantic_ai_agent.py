"""pydantic-ai: an agent with a tool that asks an agent itself."""

import asyncio
import sys

from openai import AsyncOpenAI
from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

import switchgear as sg

client = sg.wrap(AsyncOpenAI())
model = OpenAIChatModel("gpt-4o", provider=OpenAIProvider(openai_client=client), settings={"max_tokens": 300})
reader = Agent(model, instructions="Sum up what the report says.")
analyst = Agent(model, instructions="Answer by the reports.")


@analyst.tool_plain
@sg.task("read-report")
async def read_report(quarter: str) -> str:
    """What the sales report of a quarter says, in short."""
    return (await reader.run(f"The sales report of {quarter}")).output


async def answer(question: str) -> str:
    async with sg.task("answer-question", tenant="acme", tier="interactive", budget="0.50 USD"):
        try:
            return (await analyst.run(question)).output
        except sg.BudgetExceeded as denied:
            return f"stopped: {denied.reason}"


if __name__ == "__main__":
    sg.configure()
    print(asyncio.run(answer(sys.argv[1] if len(sys.argv) > 1 else "How did sales go in Q3?")))
