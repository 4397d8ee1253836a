"""Wire: how values stand in the JSON answers: decimals as text, times as RFC 3339 in UTC."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import orjson

__all__ = ["decimal_text", "dump", "rfc3339"]


def decimal_text(amount: Decimal) -> str:
    """The amount without trailing zeros and never with an exponent: 0.015000 is "0.015"."""
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def rfc3339(at: datetime) -> str:
    """The instant in UTC with a Z: "2026-11-16T02:00:00.123456Z"."""
    return at.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


def dump(document: Mapping[str, Any]) -> bytes:
    """The document as JSON."""
    return orjson.dumps(document, default=_default, option=orjson.OPT_PASSTHROUGH_DATETIME)


def _default(value: Any) -> Any:
    match value:
        case Decimal():
            return decimal_text(value)
        case datetime():
            return rfc3339(value) if value.tzinfo is not None else value.isoformat()
        case date():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case bytes():
            return value.hex()
        case set() | frozenset() | tuple():
            return list(value)
        case _:
            return str(value)
