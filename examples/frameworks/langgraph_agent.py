"""LangGraph: a graph with a model, a tool that asks a model itself, and a retry policy."""

import sys
from typing import Any

from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition
from langgraph.types import RetryPolicy

import switchgear as sg

model = sg.wrap(ChatOpenAI(model="gpt-4o", max_tokens=300))


@tool
@sg.task("read-report")  # a task of its own inside the one that calls it
def read_report(quarter: str) -> str:
    """What the sales report of a quarter says, in short."""
    return model.invoke(f"Sum up the sales report of {quarter}.").text


def think(state: MessagesState) -> dict[str, Any]:
    task = sg.current_task()
    # Near the end of the budget it answers with what is there, and looks nothing up any more.
    asked = model if task is not None and task.wrap_up else model.bind_tools([read_report])
    return {"messages": [asked.invoke(state["messages"])]}


graph = StateGraph(MessagesState)
# The default rule of a retry policy leaves a denial alone.
graph.add_node("think", think, retry_policy=RetryPolicy(max_attempts=3))
graph.add_node("tools", ToolNode([read_report]))
graph.add_edge(START, "think")
graph.add_conditional_edges("think", tools_condition)
graph.add_edge("tools", "think")
agent = graph.compile()


def answer(question: str) -> str:
    with sg.task("answer-question", tenant="acme", tier="interactive", budget="0.50 USD"):
        try:
            return agent.invoke({"messages": [("user", question)]})["messages"][-1].text
        except sg.BudgetExceeded as denied:
            return f"stopped: {denied.reason}"


if __name__ == "__main__":
    sg.configure()
    print(answer(sys.argv[1] if len(sys.argv) > 1 else "How did sales go in Q3?"))
