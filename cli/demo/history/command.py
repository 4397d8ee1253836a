"""`switchgear demo --history`: what was typed, made into a history, and what the person is told of it."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from collector.wire import dump

from ...console import fail, misuse, say
from ...durations import duration, instant
from ..children import DemoError

__all__ = ["run"]

_TENANTS, _WORKLOADS = 30, 120
_LEAST = timedelta(days=1)


def run(
    *,
    length: str,
    seed: int,
    calls: int,
    end: str | None,
    plant: tuple[str, ...],
    data: Path,
    as_json: bool,
) -> int:
    """Book it and say what to try next: 0 done, 1 not, 2 misuse."""
    from .plan import Wanted
    from .planted import PLANTS
    from .run import run as book

    try:
        until = _last_monday(datetime.now(UTC)) if end is None else instant(end)
        lasts = duration(length)
    except ValueError as problem:
        return misuse(f"demo: {problem}")
    hour = timedelta(hours=1)
    if lasts < _LEAST or lasts % hour:
        return misuse(f"demo: --history {length}: write whole days or weeks, such as 90d or 13w")
    if until != until.replace(minute=0, second=0, microsecond=0) or until > datetime.now(UTC):
        return misuse(
            f"demo: --end {end}: write a full hour of the past, such as {_last_monday(datetime.now(UTC)):%Y-%m-%d}"
        )
    planted = tuple(PLANTS) if "all" in plant else tuple(dict.fromkeys(plant))
    try:
        wanted = Wanted(seed, until - lasts, until, _TENANTS, _WORKLOADS, calls, planted)
        done = book(wanted, data)
    except ValueError as problem:
        return misuse(f"demo: {problem}")
    except DemoError as problem:
        return fail(f"demo: {problem}")
    except KeyboardInterrupt:
        sys.stderr.write("broken off; the same command goes on with it\n")
        return 130
    told = done.truth
    if as_json:
        say(
            dump(
                {
                    "data": str(data),
                    "calls": told["calls"],
                    "cost": told["cost"]["total"],
                    "currency": "USD",
                    "seconds": round(done.seconds, 1),
                    "week": done.week,
                    "month": done.month,
                    "truth": str(data / "history" / "truth.json"),
                }
            ).decode()
        )
        return 0
    folder = data / "history"
    say(
        f"{told['calls']:,} calls, {told['cost']['total'][:-10]} USD, booked in {done.seconds:.0f} s in {data}"
    )
    say(
        f"{folder} has registry, plans, revenue, contracts, invoices, and in truth.json what there is to find"
    )
    say("try next:")
    for line in (
        f"switchgear up --data {data}",
        f"switchgear review --week {done.week}",
        f"switchgear ledger close {done.month} --check",
    ):
        say(f"  {line}")
    return 0


def _last_monday(now: datetime) -> datetime:
    """Its midnight in UTC, so that the last week is whole."""
    return (now - timedelta(days=now.weekday())).replace(hour=0, minute=0, second=0, microsecond=0)
