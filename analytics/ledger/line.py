"""Line: what one day cost in one place, the unit of everything that is charged.

A table of lines is an Arrow table of the schema `LINES`. Every figure of it adds up over lines: reports, statements,
the ledger's entries and the FOCUS export are sums of the same lines. A line's `amount` is NULL where it is not known,
and never 0 for that reason.
"""

from __future__ import annotations

from enum import StrEnum

import pyarrow as pa

__all__ = ["AMOUNTS", "COUNTS", "KEYS", "LINES", "MEASURES", "METERS", "MONEY", "Kind"]

MONEY = pa.decimal128(38, 12)


class Kind(StrEnum):
    """What a line is for."""

    USAGE = "usage"
    """Calls, at what they were booked."""
    RERATE = "rerate"
    """What rerates have made of the cost of booked calls: the difference."""
    CHARGE = "charge"
    """What a contract charges by the minute or month beside its calls: idle units, a shortfall, overage, a tier."""
    SHARED = "shared"
    """A cost that is moved by an allocation rule: away from where it arose, and to whom it is for. They add up to 0."""
    ACCRUAL = "accrual"
    """What is expected on an invoice that has not come, booked at close and taken back when it comes."""
    TRUE_UP = "true_up"
    """The difference to an invoice, as it was booked."""
    CREDIT = "credit"
    """Given by hand; below 0."""
    ADJUSTMENT = "adjustment"
    """Made by hand."""


METERS = ("input", "cache_read", "cache_write_5m", "cache_write_1h", "output", "other")
"""The kinds of tokens that an amount is for, and all that is none."""

AMOUNTS = tuple(f"amount_{meter}" for meter in METERS)
"""The parts of `amount`, by meter."""

COUNTS = (
    *("calls", "attempts", "input_uncached", "cache_read", "cache_write_5m", "cache_write_1h", "output"),
    "reasoning",
)
"""Whole numbers that add up; `output` includes `reasoning`."""

MEASURES = (*AMOUNTS, "amount", "list_amount", "retry_amount", "cache_savings")
"""Amounts that add up. `retry_amount` is the part of `amount` that falls to attempts after the first:
cost x (attempts - 1) / attempts of each call; `cache_savings` what the tokens read from cache would have cost more as
uncached input, less what writing them cost more."""

KEYS = (
    *(
        "day",
        "kind",
        "tenant",
        "workload",
        "tier",
        "owner",
        "cost_centre",
        "provider",
        "model",
        "service_tier",
    ),
    *("state", "price_version", "contract", "currency", "item", "rule", "reference", "details"),
)
"""What tells two lines apart: no two lines of a table have the same."""

LINES = pa.schema(
    [
        pa.field("day", pa.date32(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        *(pa.field(name, pa.string()) for name in KEYS[2:]),
        *(pa.field(name, pa.int64(), nullable=False) for name in COUNTS),
        *(pa.field(name, MONEY) for name in MEASURES),
    ]
)
"""The columns of lines, which are those of the table `ledger_entries` but for the entry's own."""
