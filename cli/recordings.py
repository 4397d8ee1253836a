"""Recordings: the calls of a range as replays take them, with their prices; and what a policy set makes of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl

from policies.engine import Price
from policies.model import PolicySet
from policies.trials.judging import Effect, Money, judge
from policies.trials.recorded import RecordedCall, recorded_prices
from policies.trials.replay import in_shadow, replay
from switchgear.tier import Tier
from switchgear.usage import Usage

from .calls import COUNTS, CallsError, MisuseError, booked, from_file, instant
from .console import note
from .prices import book

__all__ = ["Recordings", "Wanted", "effect", "recorded"]

_PROGRESS_EVERY_S = 2.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was typed: which calls, from a collector or a file, and the prices of what is made otherwise."""

    start: str | None
    end: str | None
    calls: Path | None
    prices: Path | None
    collector: str
    api_key: str | None


@dataclass(frozen=True, slots=True)
class Recordings:
    """Calls in the order of their begin, and prices."""

    calls: Sequence[RecordedCall]
    price: Price

    @property
    def money(self) -> Money:
        """What they cost."""
        known = [call.cost for call in self.calls if call.cost is not None]
        return Money(len(self.calls), sum(known, Decimal(0)), len(self.calls) - len(known))


def recorded(wanted: Wanted, sets: Sequence[PolicySet]) -> Recordings:
    """The calls that are wanted, one or more, in the currency of all these policy sets.

    Raises CallsError where they cannot be read, its leaf MisuseError for what makes no sense, DocumentError for a price
    file that cannot be used.
    """
    prices = book(wanted.prices)
    found = _read(wanted)
    currencies = sorted({*found["currency"].drop_nulls().unique(), *(policies.currency for policies in sets)})
    if len(currencies) > 1:
        raise MisuseError(
            f"{' and '.join(currencies)} do not add up: the calls and the file have one currency"
        )
    calls = [_call(row) for row in found.iter_rows(named=True)]
    return Recordings(
        calls,
        recorded_prices(
            calls, lambda by, model, usage, at: prices.quote(by or "", model or "", usage, at).cost
        ),
    )


def effect(policies: PolicySet, recordings: Recordings, *, told_as: str) -> Effect:
    """What `policies` would have done; how far it is stands on stderr now and then, under the name `told_as`."""
    calls, price = recordings.calls, recordings.price
    as_it_was = replay(in_shadow(policies), calls, price, _progress(f"{told_as}, as it was", len(calls)))
    acting = replay(policies, calls, price, _progress(f"{told_as}, acting", len(calls)))
    return judge(policies, as_it_was, acting, recordings.money)


def _read(wanted: Wanted) -> pl.DataFrame:
    start = None if wanted.start is None else instant("--from", wanted.start)
    end = None if wanted.end is None else instant("--to", wanted.end)
    if start is not None and end is not None and end <= start:
        raise MisuseError(f"--to {wanted.end} is not after --from {wanted.start}")
    if wanted.calls is not None:
        found = from_file(wanted.calls)
        found = found if start is None else found.filter(pl.col("started_at") >= start)
        found = found if end is None else found.filter(pl.col("started_at") < end)
    elif start is None or end is None:
        raise MisuseError("name the range with --from and --to, or a file of calls with --calls")
    else:
        found = booked(start, end, collector=wanted.collector, api_key=wanted.api_key)
    if found.is_empty():
        raise CallsError("there are no calls in that range")
    return found


def _call(row: dict[str, Any]) -> RecordedCall:
    counts = [row[count] for count in COUNTS]
    begin = row["started_at"].timestamp()
    return RecordedCall(
        started_at=begin,
        ended_at=max(begin, row["ended_at"].timestamp()) if row["ended_at"] else begin,
        tenant=row["tenant"],
        workload=row["workload"] or "",
        tier=Tier(row["tier"]) if row["tier"] in set(Tier) else None,
        task=row["root_task_id"] or row["task_id"],
        provider=row["provider"] or "",
        model=row["model"] or "",
        usage=None if counts[0] is None else Usage(*counts),
        cost=row["cost"],
    )


def _progress(what: str, total: int) -> Callable[[int], None]:
    """Says on stderr now and then how far it is."""
    told_at = time.monotonic()

    def tell(done: int) -> None:
        nonlocal told_at
        if time.monotonic() - told_at >= _PROGRESS_EVERY_S:
            told_at = time.monotonic()
            note(f"{what}: {done:,} of {total:,} calls")

    return tell
