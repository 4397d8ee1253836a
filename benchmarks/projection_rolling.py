"""Rolling windows of many tenants: bands and open-loop breakers of the product and of simpler rules, in one pass."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from projection_bands import TAUS, Score, Summary, errors, pooled_band, score, summary
from projection_breakers import LEVELS, Tally, ceilings, jumps, tally, total
from projection_drive import Truth, Window, driven, truth
from projection_streams import STEP_S, Stream

__all__ = ["Judgement", "judge"]

Array = NDArray[np.float64]
_BANDS = ("mean rate", "EWMA")
_WEEK_S = 604_800


@dataclass(frozen=True, slots=True)
class Judgement:
    """Of all tenants of one density and one window, by method."""

    window: Window
    tenants: int
    bands: dict[str, Summary]
    tallies: dict[str, Tally]
    by_ceiling: list[Tally]
    """The product's upper quantile (.8), ceiling by ceiling."""
    jumps: int

    @property
    def levels(self) -> list[Tally]:
        return [self.tallies[f"level {level:.2f}"] for level in LEVELS]

    @property
    def skill(self) -> float:
        """1 - pinball / pinball of the mean rate with a pooled band."""
        return 1 - self.bands["product"].pinball / self.bands["mean rate"].pinball


_Part = tuple[dict[str, Score], list[dict[str, Tally]], int]


def judge(streams: list[Stream], window: Window, pool: Executor) -> Judgement:
    """Learn from the first half of all, judge on the second."""
    learned = list(pool.map(_errors, [(each, window) for each in streams], chunksize=4))
    pooled = [
        np.quantile(np.concatenate([each[place] for each in learned]), TAUS) for place in range(len(_BANDS))
    ]
    parts = list(pool.map(_part, [(each, window, pooled) for each in streams], chunksize=1))
    return Judgement(
        window,
        len(streams),
        {name: summary([scores[name] for scores, _, _ in parts]) for name in parts[0][0]},
        {name: total([each[name] for _, tallies, _ in parts for each in tallies]) for name in parts[0][1][0]},
        [total([tallies[place]["product q80"] for _, tallies, _ in parts]) for place in range(4)],
        sum(count for _, _, count in parts),
    )


def _points(stream: Stream, window: Window, known: Truth) -> dict[str, Array]:
    """Points of X_h of the simpler rules, each of which may look back only."""
    ticks = window.tick_s // STEP_S
    spent = stream.cost[: len(stream.cost) // ticks * ticks].reshape(-1, ticks).sum(axis=1)
    smooth = pl.Series(spent).ewm_mean(half_life=window.ticks / 12, adjust=False).to_numpy()
    total = np.concatenate([[0.0], np.cumsum(stream.cost)])
    ago = (known.at_s - _WEEK_S) // STEP_S
    horizon = int(window.horizon_s) // STEP_S
    points = {
        "mean rate": known.spent * window.horizon_s / window.length_s,
        "EWMA": smooth[known.at_s // window.tick_s - 1] * window.horizon_s / window.tick_s,
    }
    if (ago >= 0).all():
        points["same hour last week"] = total[ago + horizon] - total[ago]
    return points


def _errors(job: tuple[Stream, Window]) -> list[Array]:
    stream, window = job
    known = truth(stream, window, learning=True)
    points = _points(stream, window, known)
    return [errors(known, points[name], window) for name in _BANDS]


def _part(job: tuple[Stream, Window, list[Array]]) -> _Part:
    stream, window, pooled = job
    known = truth(stream, window)
    points = _points(stream, window, known)
    quantiles = np.nan_to_num(driven(stream, window, known.at_s).quantiles)
    scores = {"product": score(known, quantiles[:, 0], quantiles[:, 2], quantiles[:, 4], window)}
    for name, z in zip(_BANDS, pooled, strict=True):
        scores[name] = score(known, *pooled_band(points[name], known.floor, z), window)
    rates = {share: _spent_in(stream, known, window.length_s // share) for share in (2, 24)}
    tallies = []
    for ceiling in ceilings(known):
        rules = {"reactive": known.spent > ceiling}
        rules |= {f"level {level:.2f}": known.spent > level * ceiling for level in LEVELS}
        rules |= {name: known.kept + point > ceiling for name, point in points.items()}
        rules["SRE pair"] = (rates[2] > ceiling / 2) & (rates[24] > ceiling / 24)
        for place, name in ((2, "q50"), (3, "q80"), (4, "q95")):
            rules[f"product {name}"] = known.kept + quantiles[:, place] > ceiling
        tallies.append({name: tally(known, ceiling, rule, window) for name, rule in rules.items()})
    return scores, tallies, sum(jumps(known.spent, ceiling) for ceiling in ceilings(known))


def _spent_in(stream: Stream, known: Truth, length_s: int) -> Array:
    total = np.concatenate([[0.0], np.cumsum(stream.cost)])
    return total[known.at_s // STEP_S] - total[np.maximum(0, known.at_s - length_s) // STEP_S]


def lines(judged: Judgement) -> Iterable[str]:
    """The two tables of one density and window."""
    yield "  band: coverage / near / upper misses near / tenants in [.85, .95] / width / pinball"
    for name, each in judged.bands.items():
        yield f"    {name:<22}{each}"
    whole = next(iter(judged.tallies.values()))
    yield (
        f"  breaker ({whole.breaches} breaches, {judged.jumps} jumps, {whole.contested} contested windows): before / "
        "lead >= 2 / 5 / 10 % of W / false share / false per contested / wrongly open"
    )
    for name, tallied in judged.tallies.items():
        yield f"    {name:<22}{tallied}"
    for share, tallied in zip((0.6, 0.9, 1.2, 2.0), judged.by_ceiling, strict=True):
        yield f"    {f'product q80, C x {share}':<22}{tallied}"
