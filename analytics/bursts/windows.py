"""Windows: how far a tenant's busiest moment is above its mean, in sliding windows."""

from __future__ import annotations

import operator
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from itertools import accumulate, islice

from analytics.contracts.exact import EXACT

from .call import Call

__all__ = ["WINDOWS_S", "Peak", "peaks"]

WINDOWS_S = (1, 10, 60, 300)


@dataclass(frozen=True, slots=True)
class Peak:
    """A tenant's busiest windows: most calls, tokens and money in any `window_s` seconds, and each over its mean.

    The mean is what an average window of the range holds. A ratio is None where the tenant has nothing of it, or
    where the range is shorter than the window. Calls of unknown usage or price are in `calls` alone.
    """

    tenant: str
    window_s: int
    calls: int
    tokens: int | Decimal
    cost: Decimal
    calls_ratio: float | None
    tokens_ratio: float | None
    cost_ratio: float | None


def peaks(calls: Iterable[Call], range_us: int, windows_s: Sequence[int] = WINDOWS_S) -> list[Peak]:
    """The peaks of each tenant, by name, within a range of `range_us` microseconds. Calls come in order of time.

    Windows are half-open and begin anywhere: a fullest one ends with a call, so that looking at those is exact.
    """
    of: dict[str, list[Call]] = defaultdict(list)
    for call in calls:
        of[call.tenant].append(call)
    return [peak for tenant in sorted(of) for peak in _of_tenant(tenant, of[tenant], range_us, windows_s)]


def _of_tenant(tenant: str, calls: Sequence[Call], range_us: int, windows_s: Sequence[int]) -> list[Peak]:
    times = [call.at_us for call in calls]
    with localcontext(EXACT):
        counts = range(len(calls) + 1)
        tokens = list(accumulate((call.tokens or 0 for call in calls), initial=0))
        costs = list(accumulate((call.cost or Decimal(0) for call in calls), initial=Decimal(0)))
        kinds: tuple[Sequence[int | Decimal], ...] = (counts, tokens, costs)
        found: list[Peak] = []
        for window_s in windows_s:
            firsts = _firsts(times, window_s * 1_000_000)
            windows = Decimal(range_us) / (window_s * 1_000_000)
            most = [_most(sums, firsts) for sums in kinds]
            ratios = [_ratio(peak, sums[-1], windows) for peak, sums in zip(most, kinds, strict=True)]
            found.append(Peak(tenant, window_s, int(most[0]), most[1], Decimal(most[2]), *ratios))
    return found


def _firsts(times: Sequence[int], window_us: int) -> list[int]:
    """For each call the place of the first one that shares a window with it and does not come after it."""
    firsts: list[int] = []
    first = 0
    for time in times:
        while times[first] <= time - window_us:
            first += 1
        firsts.append(first)
    return firsts


def _most(sums: Sequence[int | Decimal], firsts: Sequence[int]) -> int | Decimal:
    """The largest sum of a window: `sums` holds those of all calls before each place."""
    most: int | Decimal = max(map(operator.sub, islice(sums, 1, None), map(sums.__getitem__, firsts)))
    return most


def _ratio(most: int | Decimal, total: int | Decimal, windows: Decimal) -> float | None:
    return float(most * windows / total) if total and windows >= 1 else None
