"""What must not type-check: each line that says `refused` with that error of mypy, and no other line with any."""

from __future__ import annotations

from decimal import Decimal

import switchgear as sg
from switchgear import testing


@sg.task("adding", tenant="acme")
def added(first: int, *, start: int = 0) -> int:
    return first + start


@sg.guarded_tool()
async def noted(text: str) -> bool:
    return bool(text)


class Client:
    def ask(self, question: str) -> str:
        return question


def tasks(headers: dict[str, int]) -> None:
    sg.task()  # refused: call-arg
    sg.task("summary", teneant="acme")  # refused: call-arg
    sg.task("summary", "acme")  # refused: call-arg
    sg.task("summary", tenant=7)  # refused: arg-type
    sg.task("summary", budget=Decimal("0.50"))  # refused: arg-type
    sg.task("summary", on_wrap_up=lambda: None)  # refused: arg-type misc
    with sg.task("summary", tenant="acme") as task:
        task.tenant = "other"  # refused: misc
        task.wrap_up = True  # refused: misc
        task.remaining + 1  # refused: operator
        str(task.decision.reason)  # refused: union-attr
    sg.current_task().carry()  # refused: union-attr
    added("1")  # refused: arg-type
    added(1, begin=2)  # refused: call-arg
    len(added(1))  # refused: arg-type
    sg.child_environment()  # refused: call-arg
    sg.inject(headers, "http://agents.internal")  # refused: arg-type
    sg.extracted({})  # refused: call-arg
    sg.configure("http://127.0.0.1:4318")  # refused: call-arg
    sg.configure(tracer_provider="global")  # refused: arg-type


async def calls() -> None:
    sg.wrap(Client()).tell("a")  # refused: attr-defined
    sg.http_client("openai")  # refused: call-arg
    sg.http_client(for_="cohere")  # refused: arg-type
    sg.wrap(Client(), cache="always")  # refused: arg-type
    sg.guard.call(lambda: 1)  # refused: call-arg
    sg.guard.call(1, provider="cohere", model="command-a")  # refused: arg-type
    len(sg.guard.call(lambda: 1, provider="cohere", model="command-a"))  # refused: arg-type
    await sg.guard.call_async(lambda: 1, provider="cohere", model="r")  # refused: arg-type return-value
    await noted(1)  # refused: arg-type
    noted("a")  # refused: unused-coroutine
    sg.guarded_tool("critical")  # refused: arg-type call-arg
    sg.BudgetExceeded("too dear")  # refused: arg-type


def values(decision: sg.Decision) -> None:
    decision.action = sg.Action.ALLOW  # refused: misc
    sg.Money("0.50", "USD")  # refused: arg-type
    sg.Usage(input_uncached=1.5)  # refused: arg-type
    sg.Usage(input=1)  # refused: call-arg


def waiting(scheduler: sg.Scheduler) -> None:
    sg.Scheduler(20)  # refused: call-arg
    scheduler.slot(tenant="acme")  # refused: call-arg
    scheduler.slot(tenant="acme", tier=1)  # refused: arg-type
    scheduler.limit(["openai"], concurrency=1)  # refused: arg-type
    with scheduler.slot(tenant="acme", tier="batch") as slot:
        slot.settle("900")  # refused: arg-type


def under_test() -> None:
    testing.deny(after="2")  # refused: arg-type
    testing.decisions("deny")  # refused: arg-type
    testing.provider(limits={"openai": 600})  # refused: dict-item
