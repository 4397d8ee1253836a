"""Streams of many tenants' spend: made from measured rates at two densities, or read from traces of calls.

A tenant is one client of ServeGen (m-mid and m-small): a rate and a coefficient of variation for each 10 minutes of 14
days. On a grid of 10 s the number of calls is negative binomial with mean `10 r` and variance `mean x D`, where
`D = clip(cv^2, 1, calls in the bin)`; N calls cost a gamma of mean `N m` and variance `N v`. m and v are of one of two
call traces (2.50 and 10.00 USD per million input and output tokens), times `exp(N(0, 0.5))` for each tenant, times a
slow drift (AR(1) of the logarithm, 0.95 per 10 minutes, standard deviation 0.2). The seed is 1.

`native` is that; `thin` keeps each call with p, so that no tenant has more than 0.05 calls/s on average
(`D' = 1 + p (D - 1)`): most tenants of a real installation look like it.
"""

from __future__ import annotations

import csv
import json
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zlib import crc32

import numpy as np
import polars as pl
from numpy.typing import NDArray

__all__ = [
    "DENSITIES",
    "SHARED",
    "STEP_S",
    "Rates",
    "Stream",
    "UnusableError",
    "call_costs",
    "rates_of",
    "stream",
]

SHARED = Path(os.environ.get("SWITCHGEAR_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))
STEP_S = 10
BIN_S = 600
SEED = 1
DENSITIES = ("thin", "native")
_THIN_PER_S = 0.05
_INPUT_USD, _OUTPUT_USD = 2.50e-6, 10.00e-6

Array = NDArray[np.float64]


class UnusableError(Exception):
    """A file cannot be judged; the message says why."""


@dataclass(frozen=True, slots=True)
class Stream:
    """Spend and calls of one tenant in steps of 10 s. The first half is to learn from, the second is judged."""

    name: str
    cost: Array
    calls: NDArray[np.int64]

    @property
    def half(self) -> int:
        return len(self.cost) // 2

    @property
    def eligible(self) -> bool:
        """Spend in at least a seventh of the bins of the half to learn from."""
        starts = np.arange(0, self.half, BIN_S // STEP_S)
        return self.half > 0 and float((np.add.reduceat(self.cost[: self.half], starts) > 0).mean()) >= 1 / 7


@dataclass(frozen=True, slots=True)
class Rates:
    """A client's calls per second and coefficient of variation in each bin of 10 minutes."""

    name: str
    rate: Array
    cv: Array


def rates_of(frame: pl.DataFrame, origin: str) -> list[Rates]:
    """The clients of a table in the shape of ServeGen: t (s), rate, cv, and client, where it holds several.

    Raises UnusableError where a column is missing, the bins are not of 10 minutes, or there are fewer than two hours.
    """
    missing = {"t", "rate", "cv"} - set(frame.columns)
    if missing:
        raise UnusableError(f"no column {', '.join(sorted(missing))}; found {', '.join(frame.columns)}")
    keys = [key for key in ("cat", "model", "client") if key in frame.columns]
    frame = frame.select(
        *keys,
        pl.col("t").cast(pl.Float64),
        pl.col("rate", "cv").cast(pl.Float64).fill_null(0.0).fill_nan(0.0),
    )
    groups = (
        frame.sort("t").partition_by(keys, as_dict=True, maintain_order=True)
        if keys
        else {(): frame.sort("t")}
    )
    clients = []
    for key, rows in sorted(groups.items(), key=lambda group: tuple(map(str, group[0]))):
        name = "/".join(map(str, key)) or origin
        since = rows["t"].to_numpy() - rows["t"].to_numpy()[0]
        if (since % BIN_S).any():
            raise UnusableError(f"client {name}: its rows are not {BIN_S} s apart")
        index = (since // BIN_S).astype(np.int64)
        if index[-1] + 1 < 2 * 6:
            raise UnusableError(f"client {name}: {index[-1] + 1} bins of {BIN_S} s, and two hours are 12")
        rate, cv = np.zeros(index[-1] + 1), np.zeros(index[-1] + 1)
        rate[index], cv[index] = rows["rate"].to_numpy(), rows["cv"].to_numpy()
        clients.append(Rates(name, rate, cv))
    return clients


def call_costs(file: Path) -> tuple[Array, Array, list[str]]:
    """When (s), what (USD) and whose each call of a trace was, in order of time.

    Reads the header, not the name: CSV with TIMESTAMP, ContextTokens, GeneratedTokens; JSON lines with timestamp (ms),
    input_length, output_length; CSV with time (s or ISO 8601), cost and, if it likes, tenant. Raises UnusableError.
    """
    with file.open(encoding="utf-8-sig", newline="") as text:
        first = text.readline()
        text.seek(0)
        if first.lstrip().startswith("{"):
            rows = [json.loads(line) for line in text if line.strip()]
            shape = ("timestamp", "input_length", "output_length")
        else:
            rows = list(csv.DictReader(text))
            names = rows[0].keys() if rows else ()
            shape = ("time", "cost") if "cost" in names else ("TIMESTAMP", "ContextTokens", "GeneratedTokens")
    if not rows:
        raise UnusableError("no rows")
    missing = [name for name in shape if name not in rows[0]]
    if missing:
        raise UnusableError(f"no column {', '.join(missing)}; found {', '.join(map(str, rows[0]))}")
    unit = 1e-3 if shape[0] == "timestamp" else 1.0
    try:
        at = np.array([_seconds(row[shape[0]]) * unit for row in rows])
        if shape[1] == "cost":
            cost = np.array([float(row["cost"]) for row in rows])
        else:
            cost = np.array(
                [_INPUT_USD * float(row[shape[1]]) + _OUTPUT_USD * float(row[shape[2]]) for row in rows]
            )
    except (TypeError, ValueError) as error:
        raise UnusableError(f"a value is no number and no time: {error}") from None
    if (cost < 0).any() or not np.isfinite(cost).all():
        raise UnusableError("a cost is negative or not finite")
    order = np.argsort(at, kind="stable")
    return at[order] - at[order[0]], cost[order], [rows[place].get("tenant") or "all" for place in order]


def stream(rates: Rates, density: str) -> Stream:
    """The tenant's stream at `density`. The same name gives the same stream, whatever else is read with it."""
    random = np.random.default_rng([SEED, crc32(rates.name.encode()), DENSITIES.index(density)])
    rate, spread = rates.rate, np.clip(rates.cv**2, 1.0, np.maximum(1.0, rates.rate * BIN_S))
    if density == "thin":
        kept = min(1.0, _THIN_PER_S / rate.mean()) if rate.mean() > 0 else 1.0
        rate, spread = rate * kept, 1.0 + kept * (spread - 1.0)
    per_bin = BIN_S // STEP_S
    mean, spread = np.repeat(rate * STEP_S, per_bin), np.repeat(spread, per_bin)
    calls = np.where(
        spread > 1.0 + 1e-9,
        random.negative_binomial(np.maximum(mean, 1e-12) / np.maximum(spread - 1.0, 1e-9), 1.0 / spread),
        random.poisson(mean),
    )
    calls[mean <= 0.0] = 0
    one, variance = _one_call()[int(random.integers(2))]
    size = np.exp(random.normal(0.0, 0.5))
    drift = np.empty(len(rates.rate))
    level = random.normal(0.0, 0.2)
    for place in range(len(drift)):
        drift[place] = level
        level = 0.95 * level + random.normal(0.0, 0.2 * np.sqrt(1 - 0.95**2))
    scale = np.repeat(size * np.exp(drift), per_bin)
    shape = np.maximum(calls, 1) * one**2 / variance
    cost = np.where(calls > 0, random.gamma(shape, scale * variance / one), 0.0)
    return Stream(rates.name, cost, calls.astype(np.int64))


def _one_call() -> list[tuple[float, float]]:
    """Mean and variance of one call's cost in each of the two call traces."""
    if not _ONE_CALL:
        for name in ("azure2023_code.csv", "mooncake_synthetic.jsonl"):
            _, cost, _ = call_costs(SHARED / "traces" / name)
            _ONE_CALL.append((float(cost.mean()), float(cost.var())))
    return _ONE_CALL


_ONE_CALL: list[tuple[float, float]] = []


def _seconds(value: object) -> float:
    try:
        return float(str(value))
    except ValueError:
        return datetime.fromisoformat(str(value)[:26]).timestamp()
