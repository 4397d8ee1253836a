"""Trends: the report `timeline` as a series for each key, one value a bucket."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import pyarrow as pa

__all__ = ["Trend", "trend_of"]


@dataclass(frozen=True, slots=True)
class Trend:
    """A measure in each bucket from the first to the last; `series` by the report's key, dearest first."""

    buckets: Sequence[datetime]
    series: Mapping[str | None, Sequence[float]]
    rest: Sequence[float] | None = None

    @property
    def whole(self) -> list[float]:
        """All of them together."""
        every = [*self.series.values(), *([self.rest] if self.rest is not None else [])]
        return [sum(values) for values in zip(*every, strict=True)] if every else [0.0] * len(self.buckets)


def trend_of(
    timeline: pa.Table, measure: str, start: datetime, stop: datetime, bucket_s: int, top: int | None = None
) -> Trend:
    """The report `timeline` as series; all but the `top` of them are one, beside what the report itself left over."""
    step = timedelta(seconds=bucket_s)
    # Buckets are whole multiples since 1970; a range may begin within one.
    first = start - timedelta(seconds=start.timestamp() % bucket_s)
    count = max(1, -(-(stop - first) // step))
    buckets = [first + place * step for place in range(count)]
    found: dict[tuple[bool, str | None], list[float]] = {}
    for row in timeline.select(["bucket", "key", "rest", measure]).to_pylist():
        values = found.setdefault((row["rest"], row["key"]), [0.0] * count)
        place = (row["bucket"] - first) // step
        if 0 <= place < count:
            values[place] += float(row[measure] or 0)
    rest = [values for (is_rest, _), values in found.items() if is_rest]
    series = {key: values for (is_rest, key), values in found.items() if not is_rest}
    ranked = sorted(series, key=lambda key: (-sum(series[key]), key is None, key or ""))
    if top is not None and len(ranked) > top:
        rest += [series[key] for key in ranked[top:]]
        ranked = ranked[:top]
    together = [sum(values) for values in zip(*rest, strict=True)] if rest else None
    return Trend(buckets, {key: series[key] for key in ranked}, together)
