"""Open grants: what is held for calls that were granted and have not ended, by workload and tier. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from ...look import attribute, count, money, span, text

__all__ = ["held", "table"]

Holds = Mapping[str, Any]

_ROWS = 8


def held(rows: Sequence[Holds]) -> tuple[Decimal, int, int]:
    """In all: the amount that is held, the calls that it is for, and the grants that they are of."""
    amounts = sum((Decimal(row["held"]) for row in rows), Decimal(0))
    return amounts, sum(row["calls"] for row in rows), sum(row["grants"] for row in rows)


def table(rows: Sequence[Holds], currency: str, *, now: datetime) -> str:
    """A line for each workload and tier, the most held first, with its part of all that is held."""
    most = max((Decimal(row["held"]) for row in rows), default=Decimal(0))
    lines = "".join(_line(row, most, currency, now) for row in rows[:_ROWS])
    rest = rows[_ROWS:]
    if rest:
        amount, calls, _ = held(rest)
        lines += f'<div class="sg-rest">{len(rest)} more hold {money(amount, currency)} for {count(calls)} calls</div>'
    return f'<div class="sg sg-holds">{lines}</div>'


def _line(row: Holds, most: Decimal, currency: str, now: datetime) -> str:
    amount = Decimal(row["held"])
    share = 100 * amount / most if most else Decimal(0)
    whose = " / ".join(str(row[name]) for name in ("tenant", "workload"))
    left = (datetime.fromisoformat(row["expires_at"]) - now).total_seconds()
    note = f"{whose}; owner {row['owner'] or 'unknown'}; the first is given back in {span(left)} if nothing is heard"
    return (
        f'<div title="{attribute(note)}"><b>{text(whose)}</b><span class="n">{money(amount, currency)}</span>'
        f'<div class="sg-track"><i style="width:{share:.1f}%"></i></div>'
        f'<small>{text(row["tier"])}</small><small class="n">{count(row["calls"])} calls</small></div>'
    )
