"""`switchgear audit retries`: attempts and what they cost, and the herds that retried together."""

from __future__ import annotations

import json
from collections.abc import Sequence

from ..calls import CallsError, MisuseError
from ..console import fail, misuse, plain, say
from ..tables import table
from .reporting import Question, Row, reports
from .wording import amount, listed, number, percent, times

__all__ = ["run"]

_NUMBERS = ("calls", "retried", "attempts a call", "most", "retries cost", "at most", "in herds")


def run(question: Question, *, collector: str, api_key: str | None, as_json: bool) -> int:
    """Print the audit; 0 without a finding, 1 with one or where the collector cannot be asked, 2 for misuse."""
    try:
        lines, herds = reports(question, "audit_retries", "audit_herds", collector=collector, api_key=api_key)
    except MisuseError as problem:
        return misuse(f"audit retries: {problem}")
    except CallsError as problem:
        return fail(f"audit retries: {problem}")
    if as_json:
        say(json.dumps({"retries": lines, "herds": herds}, ensure_ascii=False))
    else:
        _show(lines, herds)
    return int(bool(herds) or any(line["finding"] for line in lines))


def _show(lines: Sequence[Row], herds: Sequence[Row]) -> None:
    if not lines:
        say("No calls in that range")
        return
    table(
        ("tenant", "workload", "model", "provider", *_NUMBERS[:-1], "currency", "in herds"),
        (
            (
                *(line[name] for name in ("tenant", "workload", "model", "provider")),
                number(line["calls"]),
                number(line["retried_calls"]),
                f"{line['attempts_per_call']:.2f}",
                number(line["most_attempts"]),
                amount(line["retry_cost"]),
                amount(line["retry_cost_at_most"]),
                line["currency"],
                percent(line["synchrony"]),
            )
            for line in lines
        ),
        numbers=_NUMBERS,
    )
    for line in lines:
        if line["finding"]:
            say(
                f"\n{plain(line['tenant'])} / {plain(line['workload'] or '-')} / {plain(line['model'] or '-')}"
            )
            say(f"  {plain(line['finding'])}")
            say(f"  change: {plain(line['advice'])}")
    if not herds:
        say("\nNo herd: tasks that retried did so apart from each other")
        return
    say(f"\n{times(len(herds), 'herd')}")
    for herd in herds:
        _show_herd(herd)


def _show_herd(herd: Row) -> None:
    cost = "cost not known" if herd["cost"] is None else f"{amount(herd['cost'])} {herd['currency']}"
    model = f"{plain(herd['model'] or '-')} ({plain(herd['provider'] or '-')})"
    say(
        f"\n{herd['at']}  {model}: {times(herd['tasks'], 'task')}, "
        f"{times(herd['calls'], 'retried call')} of {number(herd['calls_at_that_time'])}, "
        f"{times(herd['attempts'], 'attempt')}, {cost}, p = {herd['p_value']:.2g}"
    )
    say(f"  tenants: {listed(herd['tenants'])}; workloads: {listed(herd['workloads'])}")
    say(f"  tasks: {listed(herd['task_ids'])}")
    say(f"  {plain(herd['finding'])}")
    say(f"  change: {plain(herd['advice'])}")
