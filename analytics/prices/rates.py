"""Rates: what a token or a unit costs in its context, and the lines that a usage makes of them.

A kind is a count of `Usage`, a name of `APART`, or "request". Where a sheet has no rate of its own for a kind:

- a cache read is priced as input, cached audio, images and video as the input of their modality;
- a 5-minute cache write as input, a 1-hour write as a 5-minute one;
- reasoning, audio, images and video as what they are a part of;
- images, pages and seconds of audio by the tokens that count them too, where the call has any;
- a tool by the fee of the request, where there is one.

Anything else without a rate makes the call unpriced: unknown is never 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from collector.pricing import Line
from switchgear.usage import APART, Usage

__all__ = ["MILLION", "REQUEST", "SMALLEST", "Amount", "Rate", "Rates", "Sheet", "filled", "scaled"]

SMALLEST = Decimal("0.000000000001")
"""What a stored cost can hold: a line is rounded here (half to even), so that lines and sum agree."""
MILLION = 1_000_000
REQUEST = "request"

_FALLBACK: Mapping[str, tuple[str, ...]] = {
    "cache_read": ("input_uncached",),
    "cache_write_5m": ("input_uncached",),
    "cache_write_1h": ("cache_write_5m", "input_uncached"),
    "cache_read_audio": ("input_audio",),
    "cache_read_image": ("input_image",),
    "cache_read_video": ("input_video",),
}
_NOTHING: Mapping[str, int] = {}
_OTHERWISE_COUNTED = frozenset({"images", "pages", "audio_seconds"})
_FEES = frozenset({REQUEST, *(name for name, whole in APART.items() if whole is None)})


@dataclass(frozen=True, slots=True)
class Amount:
    """A rate, and what it makes of one unit: worked out once, since a call is priced in some microseconds."""

    per_million: Decimal
    per_unit: Decimal
    is_exact: bool
    """Whether any number of units costs an amount that a stored cost can hold."""

    @classmethod
    def of(cls, per_million: Decimal) -> Amount:
        per_unit = per_million / MILLION
        return cls(per_million, per_unit, is_exact=per_unit == per_unit.quantize(SMALLEST))

    def line(self, kind: str, quantity: int) -> Line:
        amount = self.per_unit * quantity
        return Line(kind, quantity, self.per_million, amount if self.is_exact else amount.quantize(SMALLEST))


@dataclass(frozen=True, slots=True)
class Rate:
    """`base`, or the amount of the highest step whose start the whole input is above: a cliff, for every unit."""

    base: Amount
    steps: tuple[tuple[int, Amount], ...] = ()
    """(start in input tokens, amount), ascending."""

    @classmethod
    def of(cls, per_million: Decimal, steps: Mapping[int, Decimal] | None = None) -> Rate:
        found = sorted((steps or {}).items())
        return cls(Amount.of(per_million), tuple((start, Amount.of(each)) for start, each in found))

    def at(self, input_total: int) -> Amount:
        amount = self.base
        for start, stepped in self.steps:
            if input_total <= start:
                break
            amount = stepped
        return amount

    def times(self, factor: Decimal) -> Rate:
        steps = {start: amount.per_million * factor for start, amount in self.steps}
        return Rate.of(self.base.per_million * factor, steps)


Rates = Mapping[str, Rate]
"""The rate of each kind that has one of its own."""


def scaled(rates: Rates, factor: Decimal) -> Rates:
    """The rates with those of tokens times `factor`; a discount on tokens is none on fees."""
    return {kind: rate if kind in _FEES else rate.times(factor) for kind, rate in rates.items()}


def filled(rates: Rates) -> Rates:
    """The rates, and by the rules above those of what has none of its own."""
    whole = dict(rates)
    for kind, others in _FALLBACK.items():
        found = next((whole[other] for other in others if other in whole), None)
        if found is not None:
            whole.setdefault(kind, found)
    return whole


@dataclass(frozen=True, slots=True)
class Sheet:
    """All rates of one model at one time, in one currency."""

    currency: str
    rates: Rates

    def lines(self, usage: Usage) -> tuple[Line, ...] | None:
        """One line for each kind that is not zero, or None where one of them has no rate."""
        rates, input_total = self.rates, usage.input_total
        lines: list[Line] = []
        for kind, quantity in self._parts(usage):
            if not quantity:
                continue
            rate = rates.get(kind)
            if rate is None:
                return None
            lines.append(rate.at(input_total).line(kind, quantity))
        if (fee := rates.get(REQUEST)) is not None:
            lines.append(fee.base.line(REQUEST, 1))
        return tuple(lines) if lines or rates else None

    def _parts(self, usage: Usage) -> Iterable[tuple[str, int]]:
        """The usage by kind, each unit once: by the closest kind that has a rate."""
        taken: Mapping[str, int] = _NOTHING
        apart: list[tuple[str, int]] = []
        if usage.apart:
            apart = [each for each in usage.apart if self._is_own(each[0], usage)]
            taken = _taken(apart)
        output = usage.output - taken.get("output", 0)
        thought = min(usage.reasoning, output) if "reasoning" in self.rates else 0
        return (
            ("input_uncached", usage.input_uncached - taken.get("input_uncached", 0)),
            ("cache_read", usage.cache_read - taken.get("cache_read", 0)),
            ("cache_write_5m", usage.cache_write_5m),
            ("cache_write_1h", usage.cache_write_1h),
            ("output", output - thought),
            ("reasoning", thought),
            *apart,
        )

    def _is_own(self, kind: str, usage: Usage) -> bool:
        """Whether what is billed apart is a line of its own, rather than within the price of others."""
        if kind in self.rates:
            return True
        if APART[kind] is not None:
            return False
        return not (usage.total if kind in _OTHERWISE_COUNTED else REQUEST in self.rates)


def _taken(apart: Iterable[tuple[str, int]]) -> dict[str, int]:
    """How many tokens of each count have a line of their own."""
    taken: dict[str, int] = {}
    for kind, quantity in apart:
        if (whole := APART[kind]) is not None:
            taken[whole] = taken.get(whole, 0) + quantity
    return taken
