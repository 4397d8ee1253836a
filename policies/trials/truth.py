"""What each ceiling's scopes have really spent, call by call: what the engine's trips are judged by.

Exact sums over the calls themselves, with nothing of the engine's own counters in them. A *breach* begins with the
call that takes a scope's spend above its limit. It is over once the spend is back at 90 % of the limit, with the next
period of a calendar, and never for a task; the next breach needs a new crossing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from ..model import Ceiling, Dimension, Rolling, Unit, Who

__all__ = ["Breach", "Names", "Truth", "names_of"]

_OVER_AT = Decimal("0.9")
_ZERO = Decimal(0)

Names = frozenset[tuple[str, str]]
"""One scope of a ceiling: what its rule names, and the values of what it goes `per`, as ("tenant", "acme")."""


@dataclass(slots=True)
class Breach:
    """A scope's spend went above its limit at `at`, and up to `most` before it was over at `over_at`.

    Times are epoch seconds, UTC; while nothing has shown that it is over, that is infinity.
    """

    ceiling: str
    scope: Names
    at: float
    limit: Decimal
    most: Decimal
    over_at: float = float("inf")


@dataclass(slots=True)
class _Spent:
    """What one scope of a ceiling has in its window; `ends` is the end of a calendar's period."""

    total: Decimal = _ZERO
    calls: deque[tuple[float, Decimal]] = field(default_factory=deque)
    ends: float | None = None
    unspent: Decimal = _ZERO
    breach: Breach | None = None
    most: Decimal = _ZERO

    def over(self, at: float) -> None:
        """The breach, if there is one, is over."""
        if self.breach is not None:
            self.breach.over_at, self.breach = at, None


class Truth:
    """Counts calls under ceilings, in the order of their ends."""

    def __init__(self, ceilings: Sequence[Ceiling]) -> None:
        self._ceilings = ceilings
        self._scopes: dict[tuple[str, Names], _Spent] = {}
        self.breaches: list[Breach] = []

    def add(self, who: Who, cost: Decimal | None, tokens: int | None, at: float) -> None:
        """Count one call; an amount that is not known counts nothing."""
        for ceiling in self._ceilings:
            amount = cost if ceiling.unit is Unit.MONEY else None if tokens is None else Decimal(tokens)
            if amount is not None and (scope := names_of(ceiling, who)) is not None:
                self._count(ceiling, scope, amount, at)

    def most(self, ceiling: str) -> Decimal | None:
        """The most that any scope of this ceiling has had in its window; None where nothing was counted."""
        return max((spent.most for (name, _), spent in self._scopes.items() if name == ceiling), default=None)

    def _count(self, ceiling: Ceiling, scope: Names, amount: Decimal, at: float) -> None:
        spent = self._scopes.setdefault((ceiling.name, scope), _Spent())
        _let_go(ceiling, spent, at)
        limit = ceiling.limit + min(spent.unspent, ceiling.carry_over * ceiling.limit)
        spent.total += amount
        spent.most = max(spent.most, spent.total)
        if isinstance(ceiling.window, Rolling):
            spent.calls.append((at, amount))
        if spent.breach is not None:
            spent.breach.most = max(spent.breach.most, spent.total)
        elif spent.total > limit:
            spent.breach = Breach(ceiling.name, scope, at, limit, spent.total)
            self.breaches.append(spent.breach)


def names_of(ceiling: Ceiling, who: Who) -> Names | None:
    """The scope of the ceiling that counts what is done for `who`; None where the ceiling does not apply."""
    if not ceiling.scope.matches(who):
        return None
    names = ceiling.scope.to_wire()
    for dimension in ceiling.per:
        value = who.value(dimension)
        if value is None and dimension is not Dimension.OWNER:
            return None
        # What nobody owns is one scope among the owners.
        names[dimension.value] = "" if value is None else str(value)
    return frozenset(names.items())


def _let_go(ceiling: Ceiling, spent: _Spent, at: float) -> None:
    """Take out what has left the window by `at`."""
    window = ceiling.window
    if isinstance(window, Rolling):
        while spent.calls and spent.calls[0][0] <= at - window.length_s:
            counted_at, amount = spent.calls.popleft()
            spent.total -= amount
            if spent.total <= _OVER_AT * ceiling.limit:
                spent.over(counted_at + window.length_s)
    elif window is not None and (spent.ends is None or at >= spent.ends):
        begins, ends = window.bounds(at)
        if spent.ends is not None:
            # A period without a call, which is not here at all, left everything.
            spent.unspent = max(ceiling.limit - spent.total, _ZERO) if spent.ends == begins else ceiling.limit
        spent.over(begins)
        spent.ends, spent.total = ends, _ZERO
