"""What a task may be called and may allow itself: what engine and collector take, and nothing else."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import Any, TypeVar

from .errors import ConfigError
from .money import Money

__all__ = ["MOST_BUDGETS", "budget_of", "name", "parsed"]

_NAME_LIMIT = 128
# As many as the engine takes with one call.
MOST_BUDGETS = 32

T = TypeVar("T")


def name(what: str, value: Any) -> str:
    """The name in Unicode's composed form (NFC), by which it is booked. Raises ConfigError that begins with `what`."""
    if not isinstance(value, str) or not value.strip():
        raise ConfigError(f"{what}: {value!r} is no name; write a non-empty string")
    composed = value if value.isascii() else unicodedata.normalize("NFC", value)
    if len(composed) > _NAME_LIMIT or not composed.isprintable():
        raise ConfigError(f"{what}: {value[:40]!r} has over {_NAME_LIMIT} or unprintable characters")
    return composed


def budget_of(text: str) -> Money:
    """The money that "0.50 USD" names, more than nothing. Raises ValueError."""
    money = Money.parse(text)
    if money.amount <= 0:
        raise ValueError(f'"{text}" is not above zero')
    return money


def parsed(what: str, parse: Callable[[str], T], value: Any) -> T:
    """What `parse` makes of a text. Raises ConfigError that begins with `what`."""
    if not isinstance(value, str):
        raise ConfigError(f"{what}: {value!r} is no text; write it in quotes")
    try:
        return parse(value)
    except ValueError as error:
        raise ConfigError(f"{what}: {error}") from None
