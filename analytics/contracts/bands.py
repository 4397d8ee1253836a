"""Bands of a volume, and the 95th percentile: the two measures that contracts charge by."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from decimal import Decimal

from .terms import Band

__all__ = ["percentile_95", "reached", "slices"]

_NOTHING = Decimal(0)


def slices(volume: Decimal, bands: Sequence[Band]) -> list[Decimal]:
    """How much of `volume` lies in each band. What is below the first band's start is in none of them.

    150 in bands that start at 100 and 120: 20 and 30.
    """
    ends = [*(band.start for band in bands[1:]), max(volume, bands[-1].start)]
    return [max(_NOTHING, min(volume, end) - band.start) for band, end in zip(bands, ends, strict=True)]


def reached(volume: Decimal, bands: Sequence[Band]) -> Band:
    """The highest band whose start the volume has reached; the first one starts at 0."""
    return next(band for band in reversed(bands) if volume >= band.start)


def percentile_95(values: Collection[Decimal], samples: int) -> Decimal:
    """The largest of `samples` values once the top 5 % of them, rounded down, are dropped.

    The practice of burstable billing: no interpolation, and every minute is a sample. `values` are those above
    0, all other samples are 0. Of 43,200 minutes 2,160 are dropped, and the 2,161st highest counts.
    """
    dropped = samples * 5 // 100
    return sorted(values, reverse=True)[dropped] if dropped < len(values) else _NOTHING
