"""Threads: parts of the work in a pool, each a task inside the one that fans out, under one budget."""

import sys
from concurrent.futures import ThreadPoolExecutor

import openai

import switchgear as sg

client = sg.wrap(openai.OpenAI())


@sg.task("read-report")
def read_report(quarter: str) -> str:
    question = [{"role": "user", "content": f"Sum up the sales report of {quarter}."}]
    read = client.chat.completions.create(model="gpt-4o", messages=question, max_tokens=300)
    return read.choices[0].message.content


def read_all(quarters: list[str]) -> list[str]:
    with (
        sg.task("summarize-sales", tenant="acme", budget="0.50 USD"),
        ThreadPoolExecutor(max_workers=8) as pool,  # its threads work for the task that gave them the work
    ):
        reading = [pool.submit(read_report, quarter) for quarter in quarters]
        read = []
        for part in reading:
            try:
                read.append(part.result())
            except sg.BudgetExceeded as denied:
                read.append(f"stopped: {denied.reason}")
        return read


if __name__ == "__main__":
    sg.configure()
    print(*read_all(sys.argv[1:] or ["Q1", "Q2", "Q3", "Q4"]), sep="\n")
