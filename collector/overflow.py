"""Overflow: what stands for names that are over a cap, and whether two calls say the same but for those."""

from __future__ import annotations

from msgspec.structs import replace

from .call import Call

__all__ = ["OVERFLOW", "alike", "overflowed"]

OVERFLOW = "__overflow__"


def overflowed(call: Call, *, workload: bool, tasks: bool) -> Call:
    """`call` with `__overflow__` for its workload, or for every task that it names."""

    def renamed(name: str | None, over: bool) -> str | None:  # noqa: FBT001 - one line above its only uses
        return OVERFLOW if over and name is not None else name

    return replace(
        call,
        workload=renamed(call.workload, workload),
        task_id=renamed(call.task_id, tasks),
        parent_task_id=renamed(call.parent_task_id, tasks),
        root_task_id=renamed(call.root_task_id, tasks),
    )


def alike(one: Call, other: Call) -> bool:
    """Whether two spans say the same, whichever of their names were over a cap when each of them came."""
    if one == other:
        return True
    workload = OVERFLOW in (one.workload, other.workload)
    tasks = any(OVERFLOW in (call.task_id, call.parent_task_id, call.root_task_id) for call in (one, other))
    if not (workload or tasks):
        return False
    return overflowed(one, workload=workload, tasks=tasks) == overflowed(
        other, workload=workload, tasks=tasks
    )
