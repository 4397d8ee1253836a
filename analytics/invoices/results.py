"""Results: how a ledger and a statement compare, down to a kind of token on a day."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum

from .figures import EXACT

__all__ = [
    "Allowed",
    "Cause",
    "Cell",
    "OurLine",
    "ProviderResult",
    "Reconciliation",
    "Row",
    "Tolerance",
    "by_cause",
    "total",
]


class Cause(StrEnum):
    """Why the two differ, in the order in which causes are tried."""

    LATE = "late"
    """Booked after the period was closed: in the ledger by now, as a correction in a later period."""
    TIME_ZONE = "time zone"
    """What one side has on one day and the other on the next."""
    UNPRICED = "unpriced"
    """Calls that were seen, and have no price here."""
    UNSEEN = "unseen calls"
    """They bill for more than was seen."""
    UNBILLED = "unbilled calls"
    """More was seen than they bill for."""
    ROUNDING = "rounding"
    """Less than what rounding to the last digit of theirs makes."""
    PRICE = "price difference"
    """The same tokens at another price."""
    NOT_COMPARABLE = "not comparable"
    """No quantity on their side, two currencies, or a tier that their statement leaves out."""


@dataclass(frozen=True, slots=True)
class OurLine:
    """A line of the ledger. `project` is the tenant or workload, by whichever name projects are mapped.

    `amount` None is a line without a price; `unpriced_calls` says of how many calls. `late` lines were booked after
    their period was closed: they are not in the period's total.
    """

    day: date
    provider: str
    model: str | None
    project: str | None
    kind: str
    service_tier: str | None
    quantity: Decimal | None
    amount: Decimal | None
    currency: str
    calls: int
    late: bool = False
    unpriced_calls: int = 0


@dataclass(frozen=True, slots=True)
class Allowed:
    """How far apart two totals may be: the larger of `relative` x theirs and `absolute`, in their currency."""

    relative: Decimal = Decimal("0.005")
    absolute: Decimal = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Tolerance:
    """What is allowed, for each provider; 0.5 % where nothing else is said."""

    default: Allowed = Allowed()
    by_provider: Mapping[str, Allowed] = field(default_factory=dict)

    def of(self, provider: str) -> Allowed:
        """What is allowed for this provider."""
        return self.by_provider.get(provider, self.default)


@dataclass(frozen=True, slots=True)
class Cell:
    """One kind of token of a row. `theirs` is None where no file says what they bill; then there are no causes."""

    kind: str
    ours: Decimal
    late: Decimal
    theirs: Decimal | None
    our_quantity: Decimal | None
    their_quantity: Decimal | None
    calls: int
    unpriced_calls: int
    causes: tuple[tuple[Cause, Decimal], ...]
    """Parts of `theirs` - `ours`, to which they add up exactly; none is 0."""


@dataclass(frozen=True, slots=True)
class Row:
    """One model on one day, of one project where both sides know projects; or one item that is of no model."""

    provider: str
    day: date
    model: str | None
    project: str | None
    item: str | None
    currency: str
    cells: tuple[Cell, ...]

    @property
    def ours(self) -> Decimal:
        """What the ledger has of these in the period, without what was booked late."""
        return total(cell.ours for cell in self.cells)

    @property
    def theirs(self) -> Decimal | None:
        """What they bill, None where no file says."""
        known = [cell.theirs for cell in self.cells if cell.theirs is not None]
        return total(known) if known else None

    @property
    def difference(self) -> Decimal | None:
        """Theirs less ours."""
        return None if self.theirs is None else EXACT.subtract(self.theirs, self.ours)

    @property
    def causes(self) -> Mapping[Cause, Decimal]:
        """The parts of the difference by cause."""
        return by_cause((cause, amount) for cell in self.cells for cause, amount in cell.causes)


@dataclass(frozen=True, slots=True)
class ProviderResult:
    """One provider in one currency."""

    provider: str
    currency: str
    days: tuple[date, date]
    rows: tuple[Row, ...]
    ours: Decimal
    late: Decimal
    theirs: Decimal | None
    causes: Mapping[Cause, Decimal]
    allowed: Decimal
    """How far `gap` may be from 0, in the currency."""
    unpriced_calls: int
    left_out_calls: int
    """Calls of the ledger on days that the statement does not cover."""
    notes: tuple[str, ...]

    @property
    def difference(self) -> Decimal | None:
        """Theirs less ours: the sum of the causes."""
        return None if self.theirs is None else EXACT.subtract(self.theirs, self.ours)

    @property
    def gap(self) -> Decimal | None:
        """The difference without what was booked late, which is in the ledger already: what a true-up would book."""
        return None if self.difference is None else EXACT.subtract(self.difference, self.late)

    @property
    def gap_percent(self) -> Decimal | None:
        """The gap in per cent of what they bill; None where they bill nothing."""
        if self.gap is None or not self.theirs:
            return None
        share = EXACT.divide(EXACT.multiply(self.gap, Decimal(100)), abs(self.theirs))
        return share.quantize(Decimal("0.0001"), context=EXACT)

    @property
    def turned_over(self) -> Decimal:
        """The sum of the sizes of all rows' gaps: far above the gap where differences cancel."""
        gaps = (
            total(amount for cause, amount in row.causes.items() if cause is not Cause.LATE)
            for row in self.rows
        )
        return total(abs(gap) for gap in gaps)

    @property
    def within(self) -> bool | None:
        """Whether the gap is within tolerance; None where no file says what they bill."""
        return None if self.gap is None else abs(self.gap) <= self.allowed


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """The result for each provider and currency, and the providers of ours of which no statement was given."""

    providers: tuple[ProviderResult, ...]
    without_statement: tuple[str, ...]

    @property
    def within(self) -> bool:
        """Whether there is a provider, and every one's gap is known and within tolerance."""
        return bool(self.providers) and all(result.within for result in self.providers)


def total(amounts: Iterable[Decimal]) -> Decimal:
    """Their exact sum: no digit is rounded, and the order does not matter."""
    found = Decimal(0)
    for amount in amounts:
        found = EXACT.add(found, amount)
    return found


def by_cause(parts: Iterable[tuple[Cause, Decimal]]) -> dict[Cause, Decimal]:
    """The exact sums by cause, in the order of causes, without those that come to 0."""
    found: dict[Cause, Decimal] = defaultdict(Decimal)
    for cause, amount in parts:
        found[cause] = EXACT.add(found[cause], amount)
    return {cause: found[cause] for cause in Cause if found[cause]}
