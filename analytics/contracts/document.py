"""The shape of a contracts file, as pydantic checks it field by field."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, tzinfo
from decimal import Decimal
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from switchgear.money import Money

from ..prices.document import said
from ..prices.listed import names_of
from .terms import Basis, Measure, Method, Overflow

__all__ = [
    "BandDocument",
    "BurstDocument",
    "CommitmentDocument",
    "ContractDocument",
    "ContractsDocument",
    "DiscountDocument",
    "ProvisionedDocument",
    "TierDocument",
    "VolumeTiersDocument",
    "WeightsDocument",
]


# What a stored amount can hold.
_MOST_DECIMALS = 12
# Years in which any zone's midnight is a date in UTC too.
_FIRST_YEAR, _LAST_YEAR = 1970, 9000


def _quoted(value: Any) -> str:
    return said(value) if isinstance(value, list | Mapping) else f'"{value}"'


def _share(value: Any) -> Decimal:
    match = re.fullmatch(r"(\d{1,3}(?:\.\d{1,6})?)\s*%", value) if isinstance(value, str) else None
    if match is None or Decimal(match[1]) > 100:
        raise ValueError(f'{_quoted(value)} is no share of the price; write "15%", with at most six decimals')
    return Decimal(match[1]) / 100


def _money(value: Any) -> Money:
    if not isinstance(value, str):
        amount = value if isinstance(value, int | float) else 500
        raise ValueError(f'{said(value)} has no currency; write "{amount} USD"')  # noqa: TRY004 - pydantic wants ValueError
    money = Money.parse(value)
    if money.amount < 0:
        raise ValueError(f'"{value}" is negative; write what is paid as a positive amount')
    if len(money.amount.as_tuple().digits) - 1 - money.amount.adjusted() > _MOST_DECIMALS:
        raise ValueError(f"an amount has at most {_MOST_DECIMALS} decimals")
    return money


def _number(value: Any) -> Decimal:
    """The number as the file writes it: what YAML reads as a float is never calculated with."""
    text = str(value) if isinstance(value, str | int | float) else ""
    if re.fullmatch(r"\d{1,4}(?:\.\d{1,6})?", text) is None or Decimal(text) > 1000:
        raise ValueError(f"{_quoted(value)} is no number from 0 to 1000, with at most six decimals")
    return Decimal(text)


def _day(value: Any) -> date:
    try:
        day = date.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        day = None
    if not isinstance(day, date) or isinstance(day, datetime):
        raise ValueError(f"{_quoted(value)} is no day; write 2026-11-01")  # noqa: TRY004 - pydantic wants ValueError
    if not _FIRST_YEAR <= day.year <= _LAST_YEAR:
        raise ValueError(f"{day} is not in this age; write a day from {_FIRST_YEAR} to {_LAST_YEAR}")
    return day


def _provider(name: str) -> str:
    if not names_of(name):
        raise ValueError(
            f'"{name}" is the name of no provider; write whom the contract is with, such as openai'
        )
    return name


def _zone(value: Any) -> tzinfo:
    if value == "UTC":
        return UTC
    try:
        return ZoneInfo(value if isinstance(value, str) else "")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(
            f'{_quoted(value)} is no time zone; write a name such as "Europe/Berlin", or "UTC"'
        ) from None


def _volume(value: Any) -> Money | int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return int(value)
    if isinstance(value, str):
        return _money(value)
    raise ValueError(f"{said(value)} is no volume; write tokens such as 1000000, or money such as 5000 USD")


Name = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f]+$")]
Pattern = Annotated[str, Field(min_length=1, max_length=256, pattern=r"^[^\x00-\x1f\[\]]+$")]
Patterns = Annotated[list[Pattern], Field(min_length=1)]
Whole = Annotated[int, Field(gt=0, le=10**15, strict=True)]
Amount = Annotated[Money, BeforeValidator(_money)]
Share = Annotated[Decimal, BeforeValidator(_share)]
Day = Annotated[date, BeforeValidator(_day)]
Number = Annotated[Decimal, BeforeValidator(_number)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True, populate_by_name=True)


class _Dated(_Strict):
    start: Day | None = Field(default=None, alias="from")
    until: Day | None = None


class DiscountDocument(_Dated):
    models: Patterns = ["*"]
    discount: Share


class TierDocument(_Strict):
    start: Annotated[Money | int, BeforeValidator(_volume)] = Field(alias="from")
    discount: Share


class VolumeTiersDocument(_Strict):
    models: Patterns = ["*"]
    by: Basis
    method: Method
    tiers: Annotated[list[TierDocument], Field(min_length=1)]


class WeightsDocument(_Strict):
    input_uncached: Number = Decimal(1)
    cache_read: Number = Decimal(0)
    cache_write_5m: Number = Decimal(1)
    cache_write_1h: Number = Decimal(1)
    output: Number = Decimal(1)


class ProvisionedDocument(_Dated):
    name: Name
    models: Patterns
    units: Whole
    hourly_price: Amount
    tokens_per_minute: Whole
    overflow: Overflow
    weights: WeightsDocument = WeightsDocument()


class BandDocument(_Strict):
    up_to: Whole | None = None
    multiplier: Number


class BurstDocument(_Strict):
    name: Name
    models: Patterns = ["*"]
    committed_tokens_per_minute: Whole
    measure: Measure
    bands: Annotated[list[BandDocument], Field(min_length=1)]
    weights: WeightsDocument = WeightsDocument()


class CommitmentDocument(_Strict):
    monthly: Amount


class ContractDocument(_Strict):
    name: Name
    provider: Annotated[Name, AfterValidator(_provider)]
    tenants: list[Name] = []
    currency: str = Field(pattern=r"^[A-Z]{3}$")
    zone: Annotated[tzinfo, BeforeValidator(_zone)] = UTC
    start: Day = Field(alias="from")
    until: Day | None = None
    discounts: list[DiscountDocument] = []
    volume_tiers: VolumeTiersDocument | None = None
    provisioned: list[ProvisionedDocument] = []
    bursts: list[BurstDocument] = []
    commitment: CommitmentDocument | None = None


class ContractsDocument(_Strict):
    """The file's shape."""

    version: Literal[1]
    contracts: list[ContractDocument]
