"""`switchgear audit top-workloads`: the workloads to cap, with the cap, what it would have refused, and its policy
lines.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal

from ..calls import CallsError, MisuseError
from ..console import fail, misuse, plain, say
from ..tables import table
from .reporting import Question, Row, reports
from .wording import amount, number, percent, times

__all__ = ["run"]

_NUMBERS = ("cost", "share", "growth", "middle task", "largest task")


def run(question: Question, *, collector: str, api_key: str | None, as_json: bool) -> int:
    """Print the audit; 1 where a cap would have refused anything or the collector cannot be asked, 2 for misuse."""
    try:
        (rows,) = reports(question, "audit_top_workloads", collector=collector, api_key=api_key)
    except MisuseError as problem:
        return misuse(f"audit top-workloads: {problem}")
    except CallsError as problem:
        return fail(f"audit top-workloads: {problem}")
    if as_json:
        say(json.dumps({"workloads": rows}, ensure_ascii=False))
    else:
        _show(rows)
    return int(any(row["refused_calls"] for row in rows))


def _show(rows: Sequence[Row]) -> None:
    if not rows:
        say("No calls in that range")
        return
    firsts = {row["place"]: row for row in reversed(rows)}
    table(
        ("", "tenant", "workload", "owner", *_NUMBERS, "currency"),
        (
            (
                place,
                *(row[name] for name in ("tenant", "workload", "owner")),
                amount(row["cost"]),
                percent(row["share"]),
                None if row["growth"] is None else f"{row['growth']:.1f} x",
                amount(row["task_p50"]),
                amount(row["largest_task"]),
                row["currency"],
            )
            for place, row in sorted(firsts.items())
        ),
        numbers=_NUMBERS,
    )
    for place in sorted(firsts):
        row = firsts[place]
        say(f"\n{place}. {plain(row['tenant'])} / {plain(row['workload'] or '-')}: {plain(row['why'])}")
        for cap in (each for each in rows if each["place"] == place):
            _show_cap(cap)
    lines = [row["policy"] for row in rows if row["recommended"] and row["policy"]]
    if lines:
        say("\nFor the policy file (docs/policy-file.md), tenants and workloads declared under tenants:\n")
        say("ceilings:")
        for text in lines:
            for line in text.splitlines():
                say(plain(line))


def _show_cap(cap: Row) -> None:
    if cap["cap"] is None:
        say(f"   no cap: {plain(cap['basis'])}")
        return
    mark = "*" if cap["recommended"] else " "
    limit = f"{Decimal(cap['limit']).normalize():f} {cap['currency']} a {cap['cap']}"
    say(f" {mark} {limit}: {plain(cap['basis'])}")
    if not cap["refused_calls"]:
        say("     would have refused nothing in this range")
        return
    say(
        f"     would have refused {times(cap['refused_calls'], 'call')} of {times(cap['refused_tasks'], 'task')}, "
        f"{amount(cap['refused_cost'])} {cap['currency']}; harm: {number(cap['refused_succeeded_tasks'])} of these "
        f"tasks ended well ({amount(cap['refused_succeeded_cost'])}), of {number(cap['refused_unknown_tasks'])} "
        "the end is not known"
    )
