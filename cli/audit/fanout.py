"""`switchgear audit fanout`: the task trees of each workload, how uneven their cost is, and tasks in a loop."""

from __future__ import annotations

import json
from collections.abc import Sequence

from ..calls import CallsError, MisuseError
from ..console import fail, misuse, plain, say
from ..tables import table
from .reporting import Question, Row, reports
from .wording import amount, number, percent, times

__all__ = ["run"]

_NUMBERS = (
    "tasks",
    "calls p50",
    "p95",
    "max",
    "depth",
    "breadth",
    "cost p50",
    "cost p95",
    "cost max",
    "top 1 %",
)


def run(question: Question, *, collector: str, api_key: str | None, as_json: bool) -> int:
    """Print the audit; 0 without a loop, 1 with one or where the collector cannot be asked, 2 for misuse.

    A heavy tail is told, and is no finding by itself: it is how most agents are.
    """
    try:
        trees, loops = reports(question, "audit_fanout", "audit_loops", collector=collector, api_key=api_key)
    except MisuseError as problem:
        return misuse(f"audit fanout: {problem}")
    except CallsError as problem:
        return fail(f"audit fanout: {problem}")
    if as_json:
        say(json.dumps({"fanout": trees, "loops": loops}, ensure_ascii=False))
    else:
        _show(trees, loops)
    return int(bool(loops))


def _show(trees: Sequence[Row], loops: Sequence[Row]) -> None:
    if not trees:
        say("No calls in that range")
        return
    table(
        ("tenant", "workload", *_NUMBERS[:-1], "currency", "top 1 %"),
        (
            (
                tree["tenant"],
                tree["workload"],
                *(number(tree[name]) for name in ("tasks", "calls_p50", "calls_p95", "calls_max")),
                *(number(tree[name]) for name in ("depth_max", "breadth_max")),
                *(amount(tree[name]) for name in ("cost_p50", "cost_p95", "cost_max")),
                tree["currency"],
                percent(tree["dearest_share"]),
            )
            for tree in trees
        ),
        numbers=_NUMBERS,
    )
    for tree in trees:
        if tree["finding"]:
            say(f"\n{plain(tree['tenant'])} / {plain(tree['workload'] or '-')}")
            say(f"  {plain(tree['finding'])}")
            say(f"  change: {plain(tree['advice'])}")
    if not loops:
        say("\nNo loop: no task made the same call over and over")
        return
    say(f"\n{times(len(loops), 'task')} in a loop")
    for loop in loops:
        _show_loop(loop)


def _show_loop(loop: Row) -> None:
    cost = "cost not known" if loop["cost"] is None else f"{amount(loop['cost'])} {loop['currency']}"
    if loop["excess_cost"] is not None and loop["cost"] is not None:
        cost += f", of it {amount(loop['excess_cost'])} by repeats"
    say(
        f"\n{plain(loop['task_id'])}  {plain(loop['tenant'])} / {plain(loop['workload'] or '-')}, owner "
        f"{plain(loop['owner'] or 'none')}: {loop['confidence']}"
    )
    say(f"  {loop['first_at']} to {loop['last_at']}, {plain(loop['model'] or '-')}, {cost}")
    say(f"  {plain(loop['finding'])}")
    say(f"  change: {plain(loop['advice'])}")
