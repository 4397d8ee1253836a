"""Stated: what a span says that it cost itself: a search, a vector store, a tool that is paid for by use.

`switchgear.cost.amount` is decimal text or a number, `.currency` its ISO 4217 letters, `.sku` what was bought. Nothing
else can know such a price, so that the sender is believed, if its key may say so (see `admission`). What a request to
a model cost is never taken from its sender.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal

from switchgear.attributes import COST_AMOUNT, COST_CURRENCY, COST_SKU

from .call import Stated
from .dialects.fields import BadValueError
from .span import Scalar

__all__ = ["stated_cost"]

MAX_SKU_CHARS = 256
_AMOUNT = re.compile(r"[0-9]{1,6}(?:\.[0-9]{1,24})?")
_CURRENCY = re.compile("[A-Za-z]{3}")
# What a row holds of an amount; what is finer is rounded half even.
_FINEST = Decimal("0.000000000001")
_BELOW = 1_000_000


def stated_cost(attributes: Mapping[str, Scalar]) -> Stated:
    """The cost that the attributes state. Raises BadValueError where that is none."""
    currency, sku = attributes.get(COST_CURRENCY), attributes.get(COST_SKU)
    if not (isinstance(currency, str) and _CURRENCY.fullmatch(currency)):
        raise BadValueError(
            f"{COST_CURRENCY} = {_shown(currency)}: a currency has three letters, such as USD"
        )
    if not (sku is None or isinstance(sku, str)):
        raise BadValueError(f"{COST_SKU} = {_shown(sku)}: what was bought is text")
    name = sku.replace("\0", "").encode(errors="replace").decode()[:MAX_SKU_CHARS] if sku else None
    return Stated(_amount(attributes.get(COST_AMOUNT)), currency.upper(), name or None)


def _amount(value: Scalar | None) -> Decimal:
    # As text a number is what was meant by it: 0.1, and not the binary fraction next to it.
    text = f"{Decimal(repr(value)):f}" if isinstance(value, float) else str(value)
    amount = Decimal(text).quantize(_FINEST) if _AMOUNT.fullmatch(text) else None
    if isinstance(value, bool) or amount is None or amount >= _BELOW:
        raise BadValueError(
            f"{COST_AMOUNT} = {_shown(value)}: an amount is a decimal from 0 to below {_BELOW:,}"
        )
    return amount


def _shown(value: Scalar | None) -> str:
    return "a list or map" if value == () else repr(value)[:64]
