"""The agents of one tenant, in a process of their own: `python -m cli.demo.agents --tenant northwind ...`.

They know nothing of the other tenants. With `--guarded` their clients are switchgear's; without it the same code runs
with the providers' SDKs alone, which retry what the provider refuses.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

import switchgear as sg

from .callers import Caller, caller
from .instruments import instrument
from .outcome import CallEnd, CallSeen, Outcome, TaskSeen, judge
from .parent import report_ready, stop_with_parent
from .workload import Branch, CallPlan, TaskPlan, TenantPlan, plan

__all__ = ["play"]

# A pipeline has so many workers, however many documents wait.
_WORKERS = 24


@dataclass(slots=True)
class _Run:
    """One task on its way: what its calls came to, and whether it is time to wrap up."""

    closes_at: float
    ends: list[CallEnd] = field(default_factory=list)
    denied: bool = False

    @property
    def over(self) -> bool:
        return self.denied or time.monotonic() >= self.closes_at


@dataclass(slots=True)
class _Stage:
    """Where all tasks of a tenant run: its way of calling, its workers, and the calls seen."""

    call_model: Caller
    workers: asyncio.Semaphore
    seen: list[CallSeen] = field(default_factory=list)

    async def task(self, tenant: TenantPlan, wanted: TaskPlan, began: float) -> TaskSeen:
        await asyncio.sleep(max(0.0, began + wanted.starts_s - time.monotonic()))
        run = _Run(closes_at=began + tenant.closes_s)
        async with sg.task(wanted.workload, tenant=tenant.tenant, tier=wanted.tier, id=wanted.id):
            for branches in wanted.stages:
                await asyncio.gather(*(self._branch(wanted, branch, run) for branch in branches))
        return TaskSeen(wanted.id, wanted.workload, judge(wanted.calls, run.ends, wanted.tolerance))

    async def _branch(self, wanted: TaskPlan, branch: Branch, run: _Run) -> None:
        if branch.sub_agent:
            async with sg.task(wanted.workload):
                await self._work(branch, run)
        else:
            await self._work(branch, run)

    async def _work(self, branch: Branch, run: _Run) -> None:
        waiting = deque(branch.calls)

        async def worker() -> None:
            while waiting and not run.over:
                call = waiting.popleft()
                async with self.workers:
                    if not run.over:
                        await self._one(call, run)

        await asyncio.gather(*(worker() for _ in range(branch.width)))

    async def _one(self, call: CallPlan, run: _Run) -> None:
        began, response_id = time.monotonic(), None
        try:
            response_id, model = await self.call_model(call)
            end = CallEnd.ANSWERED if model == call.model else CallEnd.DEGRADED
        except sg.BudgetExceeded:
            # Final: what is there must do. The task takes up no further call.
            end, run.denied = CallEnd.DENIED, True
        except Exception as error:  # noqa: BLE001 - whatever the SDK gives up with is a lost call
            logging.getLogger(__name__).debug("call lost: %r", error)
            end = CallEnd.FAILED
        self.seen.append(CallSeen(response_id, time.monotonic() - began, end))
        run.ends.append(end)


async def play(tenant: TenantPlan, call_model: Caller) -> Outcome:
    """Run all tasks of a tenant at their times; returns when the last one has ended."""
    stage = _Stage(call_model, asyncio.Semaphore(_WORKERS))
    began = time.monotonic()
    try:
        tasks = await asyncio.gather(*(stage.task(tenant, wanted, began) for wanted in tenant.tasks))
    finally:
        await call_model.close()
    return Outcome(tenant.tenant, stage.seen, tasks)


def main() -> None:
    """Play one tenant's part and write its outcome to `--out`."""
    parser = argparse.ArgumentParser(description="The agents of one tenant in the demo.")
    for name in ("--tenant", "--provider", "--collector", "--policies"):
        parser.add_argument(name, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--guarded", action="store_true")
    parser.add_argument("--unwatched", action="store_true", help="neither instrumented nor guarded")
    given = parser.parse_args()
    # A guarded call is recorded by the SDK where no span tells of it.
    guarded = given.guarded and not given.unwatched
    sg.configure(collector=given.collector, policies=given.policies, guard=guarded)
    if not given.unwatched:
        instrument(given.tenant)
    wanted = plan(given.tenant, seed=given.seed, scale=given.scale)
    call_model = caller(given.tenant, given.provider)
    report_ready()
    stop_with_parent()
    outcome = asyncio.run(play(wanted, call_model))
    sg.flush(30.0)
    sg.shutdown()
    outcome.write(given.out)


if __name__ == "__main__":
    main()
