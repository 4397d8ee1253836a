"""The targets that a projection must reach on unseen tenants, and whether a figure does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from projection_breakers import lead_at
from projection_calendar import Calendar
from projection_closed import Outcome
from projection_rolling import Judgement

__all__ = ["Row", "calendar_rows", "closed_rows", "rolling_rows", "table"]

# Shares of fewer breaches say nothing: no row is made of them.
_ENOUGH = 20


@dataclass(frozen=True, slots=True)
class Row:
    """One target: `unit` is % for shares of 1; a bound that is None does not apply."""

    what: str
    where: str
    target: str
    value: float
    unit: str = "%"
    at_least: float | None = None
    at_most: float | None = None

    @property
    def met(self) -> bool:
        low = self.at_least is None or self.value >= self.at_least
        return low and (self.at_most is None or self.value <= self.at_most)


def table(rows: Iterable[Row]) -> Iterator[str]:
    """Target, figure, met or missed: a line each."""
    for row in rows:
        figure = f"{row.value:.2%}" if row.unit == "%" else f"{row.value:.2f} {row.unit}"
        yield f"  {row.where:<18}{row.what:<52}{row.target:<16}{figure:>10}  {'met' if row.met else 'MISSED'}"


def rolling_rows(name: str, judged: Judgement) -> Iterator[Row]:
    """Bands, early trips and the comparison with the level rule."""
    window, band = judged.window.name, judged.bands["product"]
    where = f"{name}, {window}"
    day, short = window == "24 h", window == "5 min"
    tenants, skill = (0.50 if day else 0.80), (0.05 if short else 0.20)
    yield Row("band: coverage, pooled", where, "86-93 %", band.coverage, at_least=0.86, at_most=0.93)
    yield Row("band: coverage near the ceiling", where, "85-95 %", band.near, at_least=0.85, at_most=0.95)
    yield Row("band: upper misses near the ceiling", where, "<= 6 %", band.near_above, at_most=0.06)
    yield Row("band: tenants within 85-95 %", where, f">= {tenants:.0%}", band.tenants, at_least=tenants)
    yield Row("band: skill over the mean rate", where, f">= {skill:.0%}", judged.skill, at_least=skill)
    early, deny = judged.tallies["product q80"], judged.tallies["product q50"]
    if early.breaches < _ENOUGH:
        return
    if not short:
        before, lead, false, wrong = (0.88, 0.55, 0.35, 0.01) if day else (0.95, 0.85, 0.25, 0.003)
        yield Row(
            "q80: trips before the breach", where, f">= {before:.0%}", early.before_share, at_least=before
        )
        yield Row("q80: lead of 5 % of the window", where, f">= {lead:.0%}", early.lead_share, at_least=lead)
        yield Row("q80: false share of trips", where, f"<= {false:.0%}", early.false_share, at_most=false)
        yield Row("q80: wrongly open", where, f"<= {wrong:.1%}", early.wrongly_open_share, at_most=wrong)
    contested = 0.06 if day else 0.02
    yield Row(
        "q50: false trips of contested windows", where, f"<= {contested:.0%}", deny.false_per_contested,
        at_most=contested,
    )  # fmt: skip
    gain = 0.08 if day else 0.15
    ahead = early.lead_share - lead_at(early.false_share, judged.levels)
    yield Row(
        "q80: lead over a level rule as often false", where, f">= {gain:.0%} points", ahead, at_least=gain
    )


def calendar_rows(name: str, period: str, found: Calendar) -> Iterator[Row]:
    """The band and the middle at each share of the period that has passed."""
    for share, coverage, error, naive in zip(
        found.shares, found.coverage, found.error, found.naive, strict=True
    ):
        where = f"{name}, {period} {share:.0%}"
        yield Row("calendar: coverage, pooled", where, "85-95 %", coverage, at_least=0.85, at_most=0.95)
        most = 0.7 if period == "24 h" and share <= 0.5 else 1.0
        ratio = error / naive if naive else 0.0
        yield Row("calendar: error over spend / elapsed's", where, f"<= {most}", ratio, "x", at_most=most)


def closed_rows(name: str, outcomes: dict[str, Outcome]) -> Iterator[Row]:
    """The gate, and the throttle before it."""
    gate, both = outcomes["gate"], outcomes["throttle + gate"]
    where = f"{name}, 1 h"
    yield Row("gate: time over the ceiling", where, "0", gate.over, at_most=0.0)
    yield Row("gate: wrongly denied", where, "0", gate.wrongly, at_most=0.0)
    yield Row("throttle + gate: time over the ceiling", where, "0", both.over, at_most=0.0)
    yield Row("throttle + gate: wrongly denied", where, "<= 0.1 %", both.wrongly, at_most=0.001)
