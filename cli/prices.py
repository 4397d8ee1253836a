"""`switchgear prices quote`: price one usage as of a date."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from analytics.prices import PriceBook
from collector.pricing import Quote
from collector.wire import decimal_text
from switchgear.usage import COUNTS, Usage, UsageError

from .console import misuse, note, plain, say

__all__ = ["quote"]


class QuestionError(ValueError):
    """An argument that cannot be priced: names it and what to write."""


def quote(
    provider: str,
    model: str,
    usage_json: str,
    at: str | None,
    service_tier: str | None,
    *,
    as_json: bool,
) -> int:
    """Print what the usage costs; 0 where it has a price, 1 where it is unpriced, 2 for a bad question."""
    try:
        usage = _usage(usage_json)
        instant = _instant(at)
    except (QuestionError, UsageError) as problem:
        return misuse(str(problem))
    found = PriceBook().quote(provider, model, usage, instant, service_tier=service_tier, suggest=True)
    if as_json:
        say(json.dumps(_document(found), indent=2))
    else:
        _print(found, provider, model, instant)
    return 0 if found.cost is not None else 1


def _usage(text: str) -> Usage:
    try:
        counts = json.loads(text)
    # Too many digits or brackets are a ValueError and a RecursionError.
    except (ValueError, RecursionError) as problem:
        raise QuestionError(
            f"--usage is no JSON: {problem}; write " + "'{\"input_uncached\": 1000}'"
        ) from problem
    if not isinstance(counts, dict):
        raise QuestionError(f"--usage: an object is expected; its counts are {', '.join(COUNTS)}")
    for name, value in counts.items():
        if name not in COUNTS:
            raise QuestionError(f"--usage: {plain(name)!r} is no count; there are {', '.join(COUNTS)}")
        if isinstance(value, bool) or not isinstance(value, int):
            raise QuestionError(f"--usage: {name} = {value!r} is not a whole number of tokens")
    return Usage(**counts)


def _instant(at: str | None) -> datetime:
    if at is None:
        return datetime.now(UTC)
    try:
        instant = datetime.fromisoformat(at)
        if instant.tzinfo is not None:
            return instant.astimezone(UTC)
    except (ValueError, OverflowError):
        raise QuestionError(f"--at {plain(at)!r} is no date; write 2026-11-20T08:00:00Z") from None
    note(f"--at {plain(at)} names no time zone and is taken as UTC; write one, as in 2026-11-20T08:00:00Z")
    return instant.replace(tzinfo=UTC)


def _document(found: Quote) -> dict[str, Any]:
    return {
        "state": "unpriced" if found.cost is None else "priced",
        "cost": None if found.cost is None else decimal_text(found.cost),
        "currency": found.currency,
        "price_version": found.version,
        "lines": [
            {
                "kind": line.kind,
                "quantity": line.quantity,
                "rate_per_million": decimal_text(line.rate_per_million),
                "amount": decimal_text(line.amount),
            }
            for line in found.lines
        ],
        "near": list(found.near),
    }


def _print(found: Quote, provider: str, model: str, instant: datetime) -> None:
    head = f"{plain(provider)} {plain(model)} at {instant.isoformat()} by {found.version}"
    if found.cost is None:
        near = f"; known and close: {', '.join(found.near)}" if found.near else ""
        say(f"{head}: unpriced{near}")
        return
    say(head)
    for line in found.lines:
        rate, amount = decimal_text(line.rate_per_million), decimal_text(line.amount)
        say(f"  {line.kind:<15} {line.quantity:>12,} x {rate} / million = {amount}")
    say(f"  {'cost':<15} {decimal_text(found.cost)} {found.currency}")
