"""LangChain: a chat model under a budget, read as it streams."""

import sys

from langchain_openai import ChatOpenAI

import switchgear as sg

model = sg.wrap(ChatOpenAI(model="gpt-4o", max_tokens=300))  # the same model, guarded


def summarize(question: str) -> str:
    with sg.task("summarize-sales", tenant="acme", tier="interactive", budget="0.50 USD"):
        try:
            return "".join(chunk.text for chunk in model.stream(question))
        except sg.BudgetExceeded as denied:
            return f"stopped: {denied.reason}"


if __name__ == "__main__":
    sg.configure()
    print(summarize(sys.argv[1] if len(sys.argv) > 1 else "How did sales go in Q3?"))
