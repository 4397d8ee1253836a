"""Usage as contracts charge it: by minute and model, whatever calls it came from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from .errors import ContractError
from .periods import Period, minute_of
from .terms import Contract, Weights

__all__ = ["Cell", "Used", "by_minute"]


@dataclass(frozen=True, slots=True)
class Used:
    """One call, or the sum of calls of one minute; the five counts are disjoint, `output` includes reasoning."""

    provider: str
    model: str
    at: datetime
    """When the call began: all its tokens count in that minute."""
    list_cost: Decimal | None
    """By the price book; None where it has no price."""
    currency: str
    input_uncached: int = 0
    cache_read: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    output: int = 0
    tenant: str | None = None


@dataclass(slots=True)
class Cell:
    """The sum of what was used of one model in one minute."""

    minute: datetime
    model: str
    input_uncached: int = 0
    cache_read: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    output: int = 0
    list_cost: Decimal = Decimal(0)
    unpriced_tokens: int = 0

    @property
    def tokens(self) -> int:
        return self.input_uncached + self.cache_read + self.cache_write_5m + self.cache_write_1h + self.output

    def weighed(self, weights: Weights) -> Decimal:
        """What the tokens are worth in tokens per minute."""
        return (
            self.input_uncached * weights.input_uncached
            + self.cache_read * weights.cache_read
            + self.cache_write_5m * weights.cache_write_5m
            + self.cache_write_1h * weights.cache_write_1h
            + self.output * weights.output
        )

    def add(self, used: Used) -> None:
        self.input_uncached += used.input_uncached
        self.cache_read += used.cache_read
        self.cache_write_5m += used.cache_write_5m
        self.cache_write_1h += used.cache_write_1h
        self.output += used.output
        if used.list_cost is None:
            self.unpriced_tokens += (
                used.input_uncached
                + used.cache_read
                + used.cache_write_5m
                + used.cache_write_1h
                + used.output
            )
        else:
            self.list_cost += used.list_cost


def by_minute(contract: Contract, period: Period, used: Iterable[Used]) -> list[Cell]:
    """The sums by minute and model, in that order. To be called in the exact context.

    Raises ContractError for usage outside the period or in another currency.
    """
    cells: dict[tuple[datetime, str], Cell] = {}
    for each in used:
        _refuse_foreign(contract, period, each)
        minute = minute_of(each.at)
        cell = cells.get((minute, each.model))
        if cell is None:
            cell = cells[minute, each.model] = Cell(minute, each.model)
        cell.add(each)
    return [cells[key] for key in sorted(cells)]


def _refuse_foreign(contract: Contract, period: Period, used: Used) -> None:
    if not period.start <= used.at < period.end:
        raise ContractError(
            f"{_text(contract, used)} is outside {period.start.isoformat()} until {period.end.isoformat()}; "
            "leave it to the statement of its own month"
        )
    if used.list_cost is not None and used.currency != contract.currency:
        raise ContractError(
            f"{_text(contract, used)} costs {used.currency}, and the contract is in {contract.currency}; "
            "exchange it first"
        )


def _text(contract: Contract, used: Used) -> str:
    return f"{contract.version}: {used.model} at {used.at.isoformat()}"
