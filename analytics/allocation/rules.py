"""Rules: which shared cost is taken, by what it is divided, and for whom it is.

Each piece of cost is taken by one rule at the most: the first of the file that is in force on the day on which the
cost begins, and whose pool it is in. What a rule gives is not taken again. A day's usage is two pieces, its first
attempts and its further ones, so that retries can have a rule of their own.

Four methods, over the targets that a rule names:

- `EVEN`: the same to each.
- `FIXED`: by shares that the rule states.
- `PROPORTIONAL`: by the whole of what each used: its cost, tokens or calls.
- `MARGINAL`: by what each used beyond its share. Of a charge above a committed rate the shares are of that rate, and of
  plain cost, which has none, of what all targets used: who is within its share pays nothing. Of a charge below the rate
  (idle units, a shortfall) it is the other way round: by what each left unused of its share. Shares are by weight, 1
  where nothing is said. It is what `analytics.bursts.attribution` calls proportional, the integral of the marginal cost
  from the share to the use; over the whole use, which is its marginal, that integral is `PROPORTIONAL` here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from fnmatch import fnmatchcase

from analytics.bursts.attribution import Method
from collector.call import UNATTRIBUTED

__all__ = ["By", "Method", "Party", "Pool", "Rule", "To"]


class By(StrEnum):
    """What is counted of a target, where the method asks how much it used."""

    COST = "cost"
    TOKENS = "tokens"
    CALLS = "calls"


class To(StrEnum):
    """What the targets of a rule are."""

    COST_CENTRES = "cost_centres"
    TENANTS = "tenants"


@dataclass(frozen=True, slots=True)
class Party:
    """Where cost is: each part None where there is none."""

    tenant: str | None = None
    workload: str | None = None
    owner: str | None = None
    cost_centre: str | None = None

    @property
    def key(self) -> tuple[str, ...]:
        """By which parties are in order; nothing comes first."""
        return (self.cost_centre or "", self.tenant or "", self.workload or "", self.owner or "")


@dataclass(frozen=True, slots=True)
class Pool:
    """What a rule takes: workloads, or charges, or further attempts (of these workloads), or what has no tenant."""

    workloads: tuple[tuple[str, str], ...] = ()
    """Patterns of tenant and workload."""
    charges: tuple[str, ...] = ()
    """Kinds of a contract's charges: idle, shortfall, overage, tier."""
    retries: bool = False
    unattributed: bool = False

    def takes(self, party: Party, charge: str | None, *, further: bool) -> bool:
        """Whether a piece of cost is in it: a charge of this kind, or usage, of its further attempts or the first."""
        if charge is not None:
            return charge in self.charges
        if self.retries:
            return further and (not self.workloads or self._names(party))
        return self._names(party) or (self.unattributed and party.tenant == UNATTRIBUTED)

    def in_words(self) -> str:
        """What is in it, as a list of names."""
        names = [
            workload if workload != "*" else tenant if tenant != "*" else "all workloads"
            for tenant, workload in self.workloads
        ]
        names += self.charges
        if self.unattributed:
            names.append(UNATTRIBUTED)
        return f"retries{' of ' if names else ''}{', '.join(names)}" if self.retries else ", ".join(names)

    def _names(self, party: Party) -> bool:
        return any(
            fnmatchcase(party.tenant or "", tenant) and fnmatchcase(party.workload or "", workload)
            for tenant, workload in self.workloads
        )


@dataclass(frozen=True, slots=True)
class Rule:
    """One dated line: who pays for what is in `pool`, for cost that begins in [start, until)."""

    name: str
    start: date
    pool: Pool
    method: Method
    to: To = To.COST_CENTRES
    by: By = By.COST
    until: date | None = None
    only: tuple[str, ...] = ("*",)
    """Patterns of the targets; a plain name is a target whether it used anything or not."""
    excluded: tuple[str, ...] = ()
    """Patterns of those that are none."""
    shares: Mapping[str, Decimal] = field(default_factory=dict)
    """Of FIXED: what each target gets, as parts of 1 that add up to it."""
    weights: Mapping[str, Decimal] = field(default_factory=dict)
    """Of MARGINAL: what each target's share weighs."""

    def in_force(self, day: date) -> bool:
        """Whether it takes cost that begins on this day."""
        return self.start <= day and (self.until is None or day < self.until)

    def is_for(self, target: str) -> bool:
        """Whether the cost centre, or tenant, is one of its targets."""
        return _like(target, self.only) and not _like(target, self.excluded)

    def target_of(self, party: Party) -> str | None:
        """The target that a party belongs to; None for one that is none of them, unowned or unattributed."""
        name = party.cost_centre if self.to is To.COST_CENTRES else party.tenant
        return name if name and name != UNATTRIBUTED and self.is_for(name) else None

    def in_words(self) -> str:
        """ "Platform agents (router, evals): by tokens over cost centres"."""
        return f"{self.title}: {self.how} over {self.to.replace('_', ' ')}"

    @property
    def title(self) -> str:
        """Its name and what it takes."""
        return f"{self.name} ({self.pool.in_words()})"

    @property
    def how(self) -> str:
        """The method, as the result is told with."""
        match self.method:
            case Method.EVEN:
                return "evenly"
            case Method.FIXED:
                return "by fixed shares"
            case Method.PROPORTIONAL:
                return f"by {self.by}"
            case Method.MARGINAL:
                return f"by {self.by} against their share"


def _like(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
