"""Lines: what a rerate makes of cost, added up by some dimensions and the currency."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any

import pyarrow as pa

__all__ = ["Line", "Lines"]

_COUNTS = ("calls", "changed", "newly_priced", "no_longer_priced", "unpriced")
_NOTHING = Decimal(0)
_Key = tuple[str | None, ...]
"""What a line is of, and its currency."""


@dataclass(slots=True)
class Line:
    """Calls that are alike in what a line is of, in one currency.

    A call counts once: in the currency that it had, or else that it gets; its old and its new amount in their own.
    """

    calls: int = 0
    changed: int = 0
    """These are what is written; newly priced ones are among them."""
    newly_priced: int = 0
    no_longer_priced: int = 0
    """The book has no price for them any more: they keep what they have."""
    unpriced: int = 0
    """Whose cost is not known, before and after."""
    old: Decimal | None = None
    """What is known of their cost; None where nothing is."""
    new: Decimal | None = None

    @property
    def delta(self) -> Decimal | None:
        """New less old, exactly; None where neither is known."""
        if self.old is None and self.new is None:
            return None
        return (self.new or _NOTHING) - (self.old or _NOTHING)

    def add(self, other: Line) -> None:
        for name in _COUNTS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.old, self.new = _sum(self.old, other.old), _sum(self.new, other.new)

    def document(self) -> dict[str, Any]:
        return {each.name: getattr(self, each.name) for each in fields(self)} | {"delta": self.delta}


class Lines:
    """The lines of a rerate, made batch by batch."""

    def __init__(self, by: Sequence[str]) -> None:
        self._by = list(by)
        self._lines: dict[_Key, Line] = {}

    def add(self, calls: pa.Table) -> None:
        """Add calls: the dimensions, the counts as 0 and 1, `old` and `new`, and the currency of each of these."""
        counted = [(name, "sum") for name in _COUNTS]
        self._merge(calls, "line_currency", counted)
        self._merge(calls, "old_currency", [("old", "sum")])
        self._merge(calls, "new_currency", [("new", "sum")])

    def documents(self) -> list[dict[str, Any]]:
        """Each line with what it is of: what changes most first, what has no price last."""
        return [self._named(key) | line.document() for key, line in sorted(self._lines.items(), key=_rank)]

    def totals(self) -> list[dict[str, Any]]:
        """The same by currency alone."""
        found: dict[_Key, Line] = {}
        for key, line in self._lines.items():
            found.setdefault(key[-1:], Line()).add(line)
        return [{"currency": key[0]} | line.document() for key, line in sorted(found.items(), key=_rank)]

    def _merge(self, calls: pa.Table, currency: str, sums: Sequence[tuple[str, str]]) -> None:
        grouped = calls.group_by([*self._by, currency]).aggregate(list(sums))
        for row in grouped.to_pylist():
            key = tuple(row[name] for name in (*self._by, currency))
            line = Line(**{name: row[f"{name}_sum"] for name, _ in sums})
            if line != Line():
                self._lines.setdefault(key, Line()).add(line)

    def _named(self, key: Sequence[str | None]) -> dict[str, Any]:
        return dict(zip((*self._by, "currency"), key, strict=True))


def _rank(each: tuple[_Key, Line]) -> tuple[bool, Decimal, str]:
    key, line = each
    return key[-1] is None, -abs(line.delta or _NOTHING), str(key)


def _sum(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    if one is None or other is None:
        return one if other is None else other
    return one + other
