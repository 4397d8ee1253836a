"""`switchgear top`: what burns money now, by task, from a collector's calls and the engine's ceilings."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx

from collector.wire import decimal_text, rfc3339

from .answers import key_refused, reason, stranger
from .client import connect
from .console import fail, misuse, say
from .durations import duration
from .tables import table

__all__ = ["run"]

_WITHIN_S = 10.0
_SHORTEST = timedelta(seconds=1)
_PLACES = Decimal("0.0001")
_CLEAR = "\x1b[H\x1b[J"
_NUMBERS = ("a minute", "spent", "calls", "agents")
# A task is its whole tree; its agents are the tasks of the tree that have called.
_BURN = """\
SELECT tenant, coalesce(root_task_id, task_id) AS task, min(workload) AS workload, min(tier) AS tier,
    count(*) AS calls, count(DISTINCT task_id) AS agents, sum(cost) AS cost, currency
FROM calls WHERE started_at >= TIMESTAMPTZ '{begin}'
GROUP BY ALL ORDER BY cost DESC NULLS LAST, calls DESC LIMIT {rows}"""


class _NoAnswerError(Exception):
    """Why there is nothing to show."""


def run(
    *,
    window: str,
    every: str,
    rows: int,
    once: bool,
    collector: str,
    policies: str,
    api_key: str | None,
    as_json: bool,
) -> int:
    """Print what burned in the last `window`, and again `every` so often until it is interrupted; the exit code."""
    try:
        length, pause = duration(window), max(duration(every), _SHORTEST)
    except ValueError as problem:
        return misuse(f"top: {problem}")
    try:
        with (
            connect(collector, api_key, timeout_s=_WITHIN_S) as facts,
            connect(policies, api_key, timeout_s=_WITHIN_S) as engine,
        ):
            while True:
                _show(_burning(facts, engine, length, rows), window, once=once, as_json=as_json)
                if once:
                    return 0
                time.sleep(pause.total_seconds())
    except KeyboardInterrupt:
        return 0
    except _NoAnswerError as problem:
        return fail(f"top: {problem}")
    except (httpx.HTTPError, httpx.InvalidURL) as problem:
        return fail(f"top: no collector answers at {collector} ({problem}); start one with: switchgear up")
    except UnicodeEncodeError:
        return misuse("top: SWITCHGEAR_API_KEY holds a character that no key has")
    except (ValueError, KeyError, TypeError):
        return fail(f"top: {stranger(collector)}")


def _burning(facts: httpx.Client, engine: httpx.Client, window: timedelta, rows: int) -> dict[str, Any]:
    """The tasks that cost most in the window, each with the ceilings that the engine has for it."""
    now = datetime.now(UTC)
    sql = _BURN.format(begin=(now - window).isoformat(), rows=rows)
    answer = facts.post("/v1/query", json={"sql": sql, "params": [], "format": "json"})
    if answer.status_code == httpx.codes.UNAUTHORIZED:
        raise _NoAnswerError(key_refused(answer))
    if not answer.is_success:
        raise _NoAnswerError(f"the collector answered {answer.status_code}: {reason(answer)}")
    found = answer.json()
    names: list[str] = found["columns"]
    tasks = [dict(zip(names, row, strict=True)) for row in found["rows"]]
    ceilings = _ceilings(engine)
    for task in tasks:
        cost = task["cost"] and Decimal(task["cost"])
        minutes = Decimal(int(window.total_seconds())) / 60
        task["per_minute"] = None if cost is None else decimal_text((cost / minutes).quantize(_PLACES))
        task["ceilings"] = ceilings.get((task["tenant"], task["task"]), []) if ceilings is not None else None
    return {"at": rfc3339(now), "window_s": window.total_seconds(), "tasks": tasks}


def _ceilings(engine: httpx.Client) -> dict[tuple[str | None, str], list[Mapping[str, Any]]] | None:
    """What the engine counts for single tasks, by tenant and task; None where it does not answer.

    In an incident the engine may be what does not answer: what burns is shown all the same.
    """
    try:
        answer = engine.get("/v1/budgets")
        answer.raise_for_status()
        of: dict[tuple[str | None, str], list[Mapping[str, Any]]] = {}
        for budget in answer.json()["budgets"]:
            if task := budget["scope"].get("task"):
                of.setdefault((budget["scope"].get("tenant"), task), []).append(budget)
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        return None
    return of


def _show(found: Mapping[str, Any], window: str, *, once: bool, as_json: bool) -> None:
    if as_json:
        say(json.dumps(found, ensure_ascii=False))
        return
    if not once and sys.stdout.isatty():
        sys.stdout.write(_CLEAR)
    if not found["tasks"]:
        say(f"{found['at']}: no call in the last {window}")
        return
    say(f"{found['at']}: what cost most in the last {window}")
    table(
        ["tenant", "workload", "task", "tier", *_NUMBERS, "", "ceilings"],
        (
            [
                *(task[name] for name in ("tenant", "workload", "task", "tier", "per_minute", "cost")),
                *(task[name] for name in ("calls", "agents", "currency")),
                _standing(task["ceilings"]),
            ]
            for task in found["tasks"]
        ),
        numbers=_NUMBERS,
    )


def _standing(ceilings: list[Mapping[str, Any]] | None) -> str:
    if ceilings is None:
        return "the engine does not answer"
    return ", ".join(
        f"{each['ceiling']} {each['state']}: {each['spent']} of {each['limit']}" for each in ceilings
    )
