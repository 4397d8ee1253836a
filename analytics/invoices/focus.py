"""FOCUS: rows of a Cost and Usage dataset, versions 1.0 to 1.4, from CSV or Parquet.

The amount is BilledCost, what the invoice is made of, or EffectiveCost where a file has only that. Rows of other
services (ServiceCategory) are left out and counted. A row counts on the UTC day on which its charge period begins.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from .figures import EXACT, amount_of, currency_of, figure_of, moment_of, text_of
from .line import InvoiceLine, Parsed
from .names import Item, item_of, kind_of, provider_of
from .problems import Problems, shown

__all__ = ["is_focus", "lines"]

Row = tuple[str, Mapping[str, Any]]

_CATEGORY = "AI and Machine Learning"
_MODELS = ("modelid", "modelversion", "modelname", "model")
_MODEL_COLUMNS = ("x_RequestModel", "x_Model", "x_ModelId")
_UNIT = re.compile(r"^(?P<many>\d+|1[km])? ?tokens?$", re.IGNORECASE | re.ASCII)
_MANY = {"1k": 1000, "1m": 1_000_000}


def is_focus(names: Iterable[str]) -> bool:
    """Whether these are the columns of such a dataset."""
    given = set(names)
    return "ChargePeriodStart" in given and bool(given & {"BilledCost", "EffectiveCost"})


def lines(names: Sequence[str], rows: Iterable[Row], provider: str | None, problems: Problems) -> Parsed:
    """The lines of the rows. `provider` is whose they are where no column says so."""
    given = set(names)
    cost = "BilledCost" if "BilledCost" in given else "EffectiveCost"
    if "BillingCurrency" not in given:
        problems.add("columns", "no BillingCurrency; a FOCUS file has one, write it for each row")
    problems.stop()
    found, left_out = [], 0
    for place, row in rows:
        if row.get("ServiceCategory") not in (None, "", _CATEGORY):
            left_out += 1
        elif (line := _line(place, row, cost, provider, problems)) is not None:
            found.append(line)
    return Parsed("focus", tuple(found), left_out=left_out)


def _line(
    place: str, row: Mapping[str, Any], cost: str, provider: str | None, problems: Problems
) -> InvoiceLine | None:
    start = moment_of(row["ChargePeriodStart"], f"{place}, ChargePeriodStart", problems)
    amount = amount_of(row[cost], f"{place}, {cost}", problems)
    currency = currency_of(row["BillingCurrency"], f"{place}, BillingCurrency", problems)
    whose = _text(row, ("ServiceProviderName", "ProviderName"), place, problems) or provider
    if whose is None:
        problems.add(place, "no ServiceProviderName or ProviderName; name the provider beside the file")
    details = _details(row.get("SkuPriceDetails"), f"{place}, SkuPriceDetails", problems)
    item = _item(row, details, place, problems)
    quantity = _quantity(row, place, problems) if item.kind != "other" else None
    if start is None or amount is None or currency is None or whose is None:
        return None
    return InvoiceLine(
        provider_of(whose),
        start.date(),
        item.model,
        _text(row, ("SubAccountId",), place, problems),
        item.kind,
        item.service_tier,
        quantity,
        amount,
        currency,
        _text(row, ("ChargeDescription", "SkuMeter", "SkuId", "ChargeCategory"), place, problems) or "charge",
    )


def _item(row: Mapping[str, Any], details: Mapping[str, str], place: str, problems: Problems) -> Item:
    """What a row is for, from what says it most plainly to what only names it."""
    sku = item_of(_text(row, ("SkuId",), place, problems) or "")
    model = next((details[name] for name in _MODELS if details.get(name)), None)
    model = model or _text(row, _MODEL_COLUMNS, place, problems) or sku.model
    meters = (
        _text(row, ("x_TokenType",), place, problems),
        _text(row, ("SkuMeter",), place, problems),
        _direction(details),
        sku.kind,
    )
    kinds = (kind_of(meter) for meter in meters if meter)
    tier = _text(row, ("x_ServiceTier",), place, problems) or details.get("servicetier") or sku.service_tier
    return Item(model, next((kind for kind in kinds if kind != "other"), "other"), tier)


def _direction(details: Mapping[str, str]) -> str:
    """The draft 1.5 keys as a meter: Input that was Read from the cache is a cache read."""
    action = details.get("tokencacheaction", "").lower()
    if action in ("read", "write"):
        return f"cache {action}"
    return details.get("tokendirection", "")


def _quantity(row: Mapping[str, Any], place: str, problems: Problems) -> Decimal | None:
    """In tokens, from the consumed quantity, or from the priced one by its unit; None for another unit."""
    for column, unit in (("ConsumedQuantity", "ConsumedUnit"), ("PricingQuantity", "PricingUnit")):
        match = _UNIT.match(str(row.get(unit) or "").strip())
        if match is None or row.get(column) in (None, ""):
            continue
        given = figure_of(row[column], f"{place}, {column}", problems)
        many = (match["many"] or "1").lower()
        return EXACT.multiply(given, Decimal(_MANY.get(many) or many)) if given is not None else None
    return None


def _details(value: object, place: str, problems: Problems) -> dict[str, str]:
    """The keys of SkuPriceDetails in small letters, without `x_`: a JSON text, or a map of Parquet."""
    if value is None or value == "":
        return {}
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            problems.add(place, f'{shown(value)} is no JSON; write an object such as {{"ModelId": "gpt-4o"}}')
            return {}
    if isinstance(value, list):
        value = dict(value) if all(isinstance(pair, tuple) and len(pair) == 2 for pair in value) else {}
    if not isinstance(value, dict):
        return {}
    return {str(key).removeprefix("x_").lower(): str(told) for key, told in value.items() if told is not None}


def _text(row: Mapping[str, Any], columns: Iterable[str], place: str, problems: Problems) -> str | None:
    """The first of the columns that has a value."""
    for column in columns:
        if (found := text_of(row.get(column), f"{place}, {column}", problems)) is not None:
            return found
    return None
