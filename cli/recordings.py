"""Recordings: the calls of a range as replays take them, with their prices; and how far a replay of them is."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from policies.model import PolicySet
from policies.trials.effects import MixedCurrenciesError, Recordings, recordings
from policies.trials.recorded import recorded_call

from .calls import CallsError, MisuseError, booked, from_file, instant
from .console import note
from .prices import book

__all__ = ["Wanted", "progress", "recorded"]

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


def recorded(wanted: Wanted, sets: Sequence[PolicySet]) -> Recordings:
    """The calls that are wanted, one or more, in the currency of all these policy sets.

    Raises CallsError where they cannot be read, its leaf MisuseError for what makes no sense, DocumentError for a price
    file that cannot be used.
    """
    prices = book(wanted.prices)
    found = _read(wanted)
    calls = [recorded_call(row) for row in found.iter_rows(named=True)]
    currencies = found["currency"].drop_nulls().unique()
    try:
        return recordings(calls, currencies, sets, prices.quote)
    except MixedCurrenciesError as problem:
        raise MisuseError(str(problem)) from None


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


def progress(what: str, total: int) -> Callable[[str, int], None]:
    """Says on stderr now and then how far it is."""
    told_at = time.monotonic()

    def tell(replay: str, done: int) -> None:
        nonlocal told_at
        if time.monotonic() - told_at >= _PROGRESS_EVERY_S:
            told_at = time.monotonic()
            note(f"{what}, {replay}: {done:,} of {total:,} calls")

    return tell
