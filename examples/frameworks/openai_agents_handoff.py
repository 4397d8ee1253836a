"""The OpenAI Agents SDK: a handoff, and a sub-agent behind a tool."""

import asyncio
import sys

from agents import Agent, Runner, function_tool, set_default_openai_client
from openai import AsyncOpenAI

import switchgear as sg

client = sg.wrap(AsyncOpenAI())
set_default_openai_client(client, use_for_tracing=False)

reader = Agent(name="reader", model="gpt-4o", instructions="Sum up what the report says.")


@function_tool  # of a denial in here the model is told as of any error; its own next call may be denied as itself
@sg.task("read-report")
async def read_report(quarter: str) -> str:
    """What the sales report of a quarter says, in short."""
    return (await Runner.run(reader, f"The sales report of {quarter}")).final_output


analyst = Agent(name="analyst", model="gpt-4o", instructions="Answer by the reports.", tools=[read_report])
desk = Agent(name="desk", model="gpt-4o", instructions="Hand questions on sales over.", handoffs=[analyst])


async def answer(question: str) -> str:
    async with sg.task("answer-question", tenant="acme", tier="interactive", budget="0.50 USD"):
        try:
            return (await Runner.run(desk, question)).final_output
        except sg.BudgetExceeded as denied:
            return f"stopped: {denied.reason}"


if __name__ == "__main__":
    sg.configure()
    print(asyncio.run(answer(sys.argv[1] if len(sys.argv) > 1 else "How did sales go in Q3?")))
