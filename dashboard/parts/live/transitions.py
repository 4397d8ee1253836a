"""Transitions: what breakers did lately as a list, and as lanes for the picture of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa

from ...board import chip, scope_name
from ...look import STATES, attribute, clock, text, words

__all__ = ["PARTS", "from_report", "listed", "merged"]

Line = Mapping[str, Any]

PARTS = ("tenant", "workload", "tier", "task", "owner", "model", "provider")
_READ = ["id", "at", "policy", *PARTS, "from", "to", "by", "reason", "shadow"]
_WORDS = {"warned": "warned", "overridden": "limit changed", "stopped": "task stopped", "runaway": "ran away"}
_NEARLY_A_DAY_S = 43_200


def from_report(table: pa.Table | None) -> list[Line]:
    """The collector's report as lines like the engine's: with the scope in one and the time as text."""
    rows = [] if table is None else table.select(_READ).to_pylist()
    return [
        {
            **row,
            "at": row["at"].isoformat(),
            "scope": {name: row[name] for name in PARTS if row[name] is not None},
        }
        for row in rows
    ]


def merged(engine: Iterable[Line], collector: Iterable[Line]) -> list[Line]:
    """The lines of both, each once, newest first. The engine is ahead by a moment, the collector reaches far back.

    The collector knows a line by its hash, the engine by its place in the log, too.
    """
    found = {str(line.get("hash") or line["id"]): line for line in (*collector, *engine)}
    return sorted(found.values(), key=_order, reverse=True)


def listed(lines: Sequence[Line], *, now: datetime, most: int) -> str:
    """The newest lines: when, from what to what, for whom, by whom and why."""
    return f'<div class="sg sg-events">{"".join(_event(line, now) for line in lines[:most])}</div>'


def _order(line: Line) -> tuple[datetime, int]:
    told = str(line["id"])
    return datetime.fromisoformat(line["at"]), int(told) if told.isdigit() else 0


def _event(line: Line, now: datetime) -> str:
    at = datetime.fromisoformat(line["at"])
    when = clock(at) if (now - at).total_seconds() < _NEARLY_A_DAY_S else f"{at:%-d %b %H:%M}"
    by = "" if line["by"] == "engine" else f' · by <b class="by">{text(line["by"])}</b>'
    shadow = " · shadow" if line.get("shadow") else ""
    scope, reason = scope_name(line["scope"] or {}), line.get("reason") or ""
    if line["to"] in STATES:
        moved = f"{chip(line['from'])} → {chip(line['to'])}"
    else:
        moved = f'<span class="sg-chip sg-warm"><i>▲</i>{_WORDS.get(line["to"], text(line["to"]))}</span>'
    return (
        f'<div class="sg-event"><time title="{attribute(line["at"])}">{when}</time><div class="w">'
        f'{moved}{shadow} &nbsp;<b title="{attribute(scope)}">{text(scope)}</b>'
        f"<small>{text(line['policy'])}: {words(reason)}{by}</small></div></div>"
    )
