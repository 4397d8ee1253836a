"""Line: what a provider says was used or spent on one day, whichever file said it; and the statement it stands in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

__all__ = ["ALL", "KINDS", "USAGE_ONLY", "Invoice", "InvoiceLine", "Parsed"]

KINDS = ("input", "cache_read", "cache_write_5m", "cache_write_1h", "output", "other")
"""What a line is for: the ledger's meters. `input` is uncached input; `other` is all that is no text token."""

ALL = "all"
"""In place of a kind: what is compared as a whole, because the statement does not tell kinds."""

USAGE_ONLY = ""
"""The currency of a line without an amount."""


@dataclass(frozen=True, slots=True)
class InvoiceLine:
    """One line of a statement, as it was said.

    `day` is a day in UTC, as providers bill; `model`, `project` and `service_tier` are None where the statement does
    not tell. `quantity` is in tokens, None where it is unknown or in another unit. `amount` is exact, as it was
    written, and may be below 0; None is a line of a usage report, which says nothing of money and has no currency.
    """

    provider: str
    day: date
    model: str | None
    project: str | None
    kind: str
    service_tier: str | None
    quantity: Decimal | None
    amount: Decimal | None
    currency: str
    item: str
    """What the provider calls it: "gpt-4o-2024-08-06, cached input"."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a file holds, before it is known which file that is."""

    shape: str
    lines: tuple[InvoiceLine, ...]
    days: tuple[date, date] | None = None
    """The first and last day that it speaks of, lines or none; None: those of its lines."""
    complete: bool = True
    """Whether its last page is there."""
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class Invoice:
    """What one file says of one provider in one currency."""

    provider: str
    source: str
    sha256: str
    currency: str
    days: tuple[date, date]
    """The first and the last day, both included."""
    zone: str
    lines: tuple[InvoiceLine, ...]
    shape: str
    """"openai costs", "openai usage", "anthropic costs", "anthropic usage", "table" or "focus"."""
    complete: bool = True
    """False where the file's last page says that another follows, and the file does not have it."""
    left_out: int = 0
    """Lines of a FOCUS file that are for no AI service."""
