"""A fan-out: sub-agents in three processes under one budget, and money that is kept for the answer made of their work.

    python examples/fanout.py "How did sales go in Q3?"

Each sub-agent is a task of its own: in this process on threads, in the other two on event loops. What they all spend
counts against one budget, whatever process they are in, and none of them knows of the others.
"""

import asyncio
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import openai

import switchgear as sg

IN_ALL = "0.50 USD"
FOR_PARTS = "0.45 USD"  # the rest is there for the answer, whatever the sub-agents do
PROCESSES, EACH = 3, 20
STEPS = 20


def asked(question: str, most: int = 1000) -> dict[str, Any]:
    messages = [{"role": "user", "content": question}]
    return {"model": "gpt-4o", "messages": messages, "max_tokens": most}


def questions(task: sg.Task, subject: str, agent: int) -> Iterator[str]:
    """What a sub-agent asks, one after the other, until it is time to be content with what it has."""
    for step in range(STEPS):
        if task.wrap_up:
            tell(agent, ended="wrapped up")
            return
        yield f"{subject} Part {agent}, step {step}."
    tell(agent, ended="done")


def explore(client: openai.OpenAI, subject: str, agent: int) -> None:
    with sg.task("explore") as task:
        try:
            for question in questions(task, subject, agent):
                tell(
                    agent, found=client.chat.completions.create(**asked(question)).choices[0].message.content
                )
        except sg.BudgetExceeded:
            tell(agent, ended="refused")  # what it has told until now is what it has


async def explore_async(client: openai.AsyncOpenAI, subject: str, agent: int) -> None:
    with sg.task("explore") as task:
        try:
            for question in questions(task, subject, agent):
                answer = await client.chat.completions.create(**asked(question))
                tell(agent, found=answer.choices[0].message.content)
        except sg.BudgetExceeded:
            tell(agent, ended="refused")


def tell(agent: int, **said: str | None) -> None:
    """A line at once: what a process has told is there, even if it is killed."""
    line = json.dumps({"agent": agent, **said})
    if "--part" in sys.argv:
        print(line, flush=True)
    else:
        told.append(line)


told: list[str] = []


async def part(subject: str, agents: range) -> None:
    """What another process does: its sub-agents are in the task that started it."""
    async with openai.AsyncOpenAI() as client:
        guarded = sg.wrap(client)
        print(flush=True)
        await asyncio.gather(*(explore_async(guarded, subject, agent) for agent in agents))


def fan_out(client: openai.OpenAI, subject: str) -> list[dict[str, Any]]:
    """What all the sub-agents told, each up to its end."""
    with sg.task("fan-out", budget=FOR_PARTS):
        command = [sys.executable, __file__, subject, "--part"]
        environment = sg.child_environment(os.environ)
        others = [
            subprocess.Popen([*command, str(n)], env=environment, stdout=subprocess.PIPE, text=True)  # noqa: S603
            for n in range(1, PROCESSES)
        ]
        for other in others:
            other.stdout.readline()  # it has started: all begin together
        with ThreadPoolExecutor(max_workers=EACH + len(others)) as pool:
            reading = [pool.submit(other.stdout.read) for other in others]
            for agent in range(EACH):
                pool.submit(explore, client, subject, agent)
    lines = [line for read in reading for line in read.result().splitlines()]
    return [json.loads(line) for line in (*told, *lines)]


def answer(subject: str) -> str:
    with sg.task("research", tenant="acme", budget=IN_ALL), openai.OpenAI() as own:
        client = sg.wrap(own)
        said = fan_out(client, subject)
        # The last word of each, and no more of it than the money that was kept is good for.
        last = {each["agent"]: each["found"][:300] for each in said if "found" in each}
        question = "\n".join([f"{subject} Answer from these notes:", *last.values()])
        try:
            whole = client.chat.completions.create(**asked(question, 500)).choices[0].message.content
        except sg.BudgetExceeded:
            # Part of the money is held for a process that died: it comes back five minutes later.
            whole = "\n".join(["Only notes:", *last.values()])
    ends = ", ".join(
        f"{n} {end}" for end, n in Counter(each["ended"] for each in said if "ended" in each).items()
    )
    return f"{len(last)} of {PROCESSES * EACH} sub-agents found something ({ends}).\n{whole}"


if __name__ == "__main__":
    sg.configure()
    subject = sys.argv[1] if len(sys.argv) > 1 else "How did sales go in Q3?"
    if "--part" in sys.argv:
        number = int(sys.argv[-1])
        asyncio.run(part(subject, range(number * EACH, (number + 1) * EACH)))
    else:
        print(answer(subject))
    sg.shutdown()
