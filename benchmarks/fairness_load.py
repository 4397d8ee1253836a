"""Load: arrivals of the fairness simulation, from recorded request rates and from the runs of the VTC artifact."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq

from switchgear.tier import Tier

__all__ = ["Call", "Reference", "Source", "arrivals", "flood", "references", "sources"]

SHARED = Path(os.environ.get("SWITCHGEAR_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))
_TRACES = SHARED / "traces" / "servegen_mid_small.parquet"
_RUNS = SHARED / "fairness"
_BIN_S = 600
# A working day's morning, where clients of middling rates are all at work.
_FROM_S = 360_000
_CLIENTS = ((41, "m-mid"), (92, "m-mid"), (31, "m-small"), (11, "m-mid"), (40, "m-mid"), (99, "m-mid"),
            (2, "m-small"), (71, "m-mid"))  # fmt: skip
# Where the recording is not at hand: requests a second and coefficient of variation of those clients, roughly.
_ROUGHLY = ((3.9, 1.0), (3.4, 1.4), (3.3, 0.9), (3.0, 2.7), (2.6, 1.0), (2.3, 6.9), (1.8, 13.3), (1.3, 1.0))
# The recording holds no sizes. Input and output are log-normal with p99/p50 = 10 each, as the overspend figure of the
# design has it; a fifth of the tokens is output, as agents have it that read much and write little.
_SPREAD = math.log(10) / 2.326
_LARGEST_TOKENS = 60_000
_OUTPUT_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class Call:
    """One call: when it is asked for, what it takes and for how long it runs.

    Its input is known when it asks, as an engine knows it from the request's bytes; its output only when it has ended.
    """

    at: float
    tenant: str
    tier: Tier
    input: int
    output: int
    weight: float = 1.0
    runs_s: float = 0.0

    @property
    def tokens(self) -> int:
        """Both."""
        return self.input + self.output


@dataclass(frozen=True, slots=True)
class Source:
    """Requests of one client: (per second, coefficient of variation) for each ten minutes."""

    name: str
    bins: tuple[tuple[float, float], ...]

    def at(self, now: float) -> tuple[float, float]:
        """Those of the ten minutes that hold `now`."""
        return self.bins[min(int(now / _BIN_S), len(self.bins) - 1)]


@dataclass(frozen=True, slots=True)
class Reference:
    """One run of the VTC artifact: (asked at, tenant, prompt, output, first token at, end), seconds and tokens."""

    order: str
    load: str
    served: tuple[tuple[float, str, int, int, float, float], ...]


def sources(seconds: int) -> list[Source]:
    """Eight clients as ServeGen recorded them; roughly like them where the recording is not at hand."""
    if not _TRACES.is_file():
        print(
            f"no recording at {_TRACES}: steady clients instead (name the folder in SWITCHGEAR_SHARED_DATA)"
        )
        return [Source(f"client-{n}", ((*each,),) * -(-seconds // _BIN_S)) for n, each in enumerate(_ROUGHLY)]
    table = pq.read_table(_TRACES, filters=[("t", ">=", _FROM_S), ("t", "<", _FROM_S + seconds)])
    found = []
    for client, model in _CLIENTS:
        mine = table.filter((pc.field("client") == client) & (pc.field("model") == model)).sort_by("t")
        bins = zip(mine["rate"].to_pylist(), mine["cv"].to_pylist(), strict=True)
        found.append(Source(f"{model}-{client}", tuple(bins)))
    return found


def arrivals(
    source: Source,
    seconds: int,
    random: Random,
    *,
    tier: Tier,
    median: int,
    weight: float = 1.0,
) -> list[Call]:
    """Calls of one client: a gamma renewal process at its rates, sizes log-normal about `median` tokens."""
    calls, at = [], 0.0
    while at < seconds:
        rate, cv = source.at(at)
        if rate <= 0.0:
            at = float((int(at / _BIN_S) + 1) * _BIN_S)
            continue
        shape = 1.0 / max(cv, 0.1) ** 2
        at += random.gammavariate(shape, 1.0 / (rate * shape))
        if at < seconds and source.at(at)[0] > 0.0:
            calls.append(_sized(at, source.name, tier, median, weight, random))
    return calls


def flood(tenant: str, seconds: int, tokens_per_s: float, random: Random, *, median: int) -> list[Call]:
    """Background work that is all there at once: as much as would fill `seconds` at `tokens_per_s`."""
    calls, left = [], seconds * tokens_per_s
    while left > 0:
        calls.append(_sized(0.0, tenant, Tier.BACKGROUND, median, 1.0, random))
        left -= calls[-1].tokens
    return calls


def references() -> Iterator[Reference]:
    """The recorded runs, where they are at hand."""
    for load in ("overload", "poisson_short_long"):
        for order in ("FCFS", "VTC"):
            file = _RUNS / f"vtc_artifact_{order}_{load}.jsonl"
            if not file.is_file():
                print(f"no run at {file}: left out")
                continue
            yield Reference(order, load, tuple(map(_served, _responses(file))))


def _responses(file: Path) -> Sequence[Mapping[str, Any]]:
    responses: list[Mapping[str, Any]] = json.loads(file.read_text())["result"]["responses"]
    return responses


def _served(said: Mapping[str, Any]) -> tuple[float, str, int, int, float, float]:
    at = float(said["req_time"])
    return (
        at, str(said["adapter_dir"])[-1], int(said["prompt_len"]), int(said["output_len"]),
        at + float(said["first_token_latency"]), at + float(said["request_latency"]),
    )  # fmt: skip


def _sized(at: float, tenant: str, tier: Tier, median: int, weight: float, random: Random) -> Call:
    """It runs for a second, and five milliseconds for each token of output."""
    parts = []
    for share in (1.0 - _OUTPUT_SHARE, _OUTPUT_SHARE):
        tokens = random.lognormvariate(math.log(median * share), _SPREAD)
        parts.append(max(10, int(min(tokens, _LARGEST_TOKENS * share))))
    return Call(at, tenant, tier, parts[0], parts[1], weight, 1.0 + 0.005 * parts[1])
