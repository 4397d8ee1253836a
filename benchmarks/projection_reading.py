"""Reads files of tenants and traces by what is in them, says what it read, and why one cannot be used."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import polars as pl
from projection_streams import STEP_S, Rates, Stream, UnusableError, call_costs, rates_of

__all__ = ["read"]

_LEAST_CALLS = 100
_SERVEGEN = ("t", "rate", "cv", "dist", "p1", "p2")


def read(files: Iterable[Path]) -> tuple[list[Rates], list[Stream]]:
    """Clients' rates and call-level streams of all usable files; a line is printed for each file."""
    clients: list[Rates] = []
    streams: list[Stream] = []
    for file in files:
        try:
            if (frame := _rates_frame(file)) is not None:
                found = rates_of(frame, file.stem)
                clients += found
                days = max(len(each.rate) for each in found) / 144
                print(f"{file}: rates of {len(found)} clients over {days:.1f} days, judged at both densities")
            else:
                traced, calls, hours = _traced(file)
                streams += traced
                print(f"{file}: {calls} calls of {len(traced)} tenants in {hours:.1f} h, judged call by call")
        except (UnusableError, OSError, UnicodeDecodeError, pl.exceptions.PolarsError, ValueError) as error:
            print(f"{file}: cannot be used: {error}")
    return clients, streams


def _rates_frame(file: Path) -> pl.DataFrame | None:
    """The table of a file in ServeGen's shape; None where it is of calls."""
    with file.open("rb") as opened:
        head = opened.read(4096)
    if head[:4] == b"PAR1":
        return pl.read_parquet(file)
    first = head.decode("utf-8-sig", "replace").splitlines()[0] if head else ""
    names = [name.strip() for name in first.split(",")]
    if {"t", "rate"} <= set(names):
        return pl.read_csv(file)
    if len(names) >= 3 and all(_number(name) for name in names[:3]):
        # ServeGen's own files have no header.
        frame = pl.read_csv(file, has_header=False, null_values=["", "None", "nan"])
        return frame.rename(dict(zip(frame.columns, _SERVEGEN, strict=False)))
    return None


def _traced(file: Path) -> tuple[list[Stream], int, float]:
    at, cost, tenants = call_costs(file)
    if len(at) < _LEAST_CALLS:
        raise UnusableError(f"{len(at)} calls, and {_LEAST_CALLS} are the least")
    steps = int(at[-1] // STEP_S) + 1
    streams = []
    for tenant in sorted(set(tenants)):
        own = np.array([each == tenant for each in tenants])
        place = (at[own] // STEP_S).astype(np.int64)
        spent = np.bincount(place, weights=cost[own], minlength=steps)
        streams.append(Stream(f"{file.stem}/{tenant}", spent, np.bincount(place, minlength=steps)))
    return streams, len(at), float(at[-1]) / 3600


def _number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
