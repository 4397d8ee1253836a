"""`switchgear audit savings`: what could cost less, each with its assumption and the next step."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from collector.wire import decimal_text

from ..calls import CallsError, MisuseError
from ..console import fail, misuse, plain, say
from ..tables import table
from .reporting import Question, Row, reports
from .wording import amount, number, times

__all__ = ["run"]

_ALL = 1000
_NUMBERS = ("calls", "cost", "saving", "counted")


def run(question: Question, *, collector: str, api_key: str | None, as_json: bool) -> int:
    """Print the audit; 0 without a candidate, 1 with one or where the collector cannot be asked, 2 for misuse."""
    try:
        # The total is of all, however few are printed.
        asked = replace(question, top=_ALL)
        (rows,) = reports(asked, "audit_savings", collector=collector, api_key=api_key)
    except MisuseError as problem:
        return misuse(f"audit savings: {problem}")
    except CallsError as problem:
        return fail(f"audit savings: {problem}")
    total = sum((Decimal(row["counted"]) for row in rows), Decimal(0))
    if as_json:
        shown = rows[: question.top]
        say(json.dumps({"total": decimal_text(total), "candidates": shown}, ensure_ascii=False))
    else:
        _show(rows, question.top, total)
    return int(bool(rows))


def _show(rows: Sequence[Row], top: int, total: Decimal) -> None:
    if not rows:
        say("No candidate: nothing that would save a hundredth of what a workload costs")
        return
    say(
        f"{times(len(rows), 'candidate')}, {total:,.4f} {rows[0]['currency']} without overlap; not a sum of savings:"
    )
    say("they overlap, so that of each workload and model only the largest counts")
    table(
        ("kind", "tenant", "workload", "model", "candidate", *_NUMBERS, "currency", "confidence"),
        (
            (
                *(row[name] for name in ("kind", "tenant", "workload", "model", "candidate")),
                number(row["calls"]),
                *(amount(row[name]) for name in ("cost", "saving", "counted")),
                row["currency"],
                row["confidence"],
            )
            for row in rows[:top]
        ),
        numbers=_NUMBERS,
    )
    for row in rows[:top]:
        names = (row["tenant"], row["workload"] or "-", row["model"] or "-")
        say(f"\n{row['kind']}: {' / '.join(map(plain, names))}, {amount(row['saving'])} {row['currency']}")
        say(f"  {plain(row['evidence'])}")
        say(f"  assumes {plain(row['assumption'])}")
        say(f"  next: {plain(row['next_step'])}")
