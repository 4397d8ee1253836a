"""OpenAI: the pages of `GET /v1/organization/costs` and of `/v1/organization/usage/completions`.

Shapes as in openai 3.57 (`types/admin/organization`). An amount is a JSON number, as text in some answers; a costs
result has a `quantity` with its unit where costs are grouped by line item.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from .figures import EXACT, amount_of, currency_of, figure_of, moment_of, text_of
from .line import USAGE_ONLY, InvoiceLine, Parsed
from .names import item_of
from .pages import Page, buckets, finished, results, span
from .problems import Problems, shown

__all__ = ["COSTS", "USAGE", "costs", "usage"]

PROVIDER = "openai"
COSTS = "organization.costs.result"
USAGE = ("organization.usage.completions.result", "organization.usage.embeddings.result")
"""Of what `object` says: results that are read as costs and as usage."""

Times = list[tuple[datetime, datetime]]
_TOKENS: Mapping[str, int] = {"tokens": 1, "1000_tokens": 1000}


def costs(pages: Sequence[tuple[str, Page]], problems: Problems) -> Parsed:
    """Lines with amounts; with quantities where the answer has them, in tokens."""
    lines: list[InvoiceLine] = []
    times: Times = []
    for path, bucket in buckets(pages):
        day = _day(path, bucket, times, problems)
        for where, result in results(path, bucket, problems):
            if (line := _cost(where, result, day, problems)) is not None:
                lines.append(line)
    return Parsed("openai costs", tuple(lines), span(times), finished(pages))


def usage(pages: Sequence[tuple[str, Page]], problems: Problems) -> Parsed:
    """Lines with quantities and no amounts, a line for each kind of token that was used."""
    lines: list[InvoiceLine] = []
    times: Times = []
    for path, bucket in buckets(pages):
        day = _day(path, bucket, times, problems)
        for where, result in results(path, bucket, problems):
            for kind, quantity in _counts(where, result, problems):
                lines.append(_used(where, result, day, kind, quantity, problems))
    return Parsed("openai usage", tuple(lines), span(times), finished(pages))


def _day(path: str, bucket: Mapping[str, Any], times: Times, problems: Problems) -> date:
    start = moment_of(bucket.get("start_time"), f"{path}.start_time", problems)
    stop = moment_of(bucket.get("end_time"), f"{path}.end_time", problems)
    if start is None or stop is None:
        return date.min
    times.append((start, stop))
    return start.date()


def _cost(where: str, result: Mapping[str, Any], day: date, problems: Problems) -> InvoiceLine | None:
    money = result.get("amount")
    if not isinstance(money, dict):
        problems.add(f"{where}.amount", f"{shown(money)} is no amount; it has a value and a currency")
        return None
    amount = amount_of(money.get("value"), f"{where}.amount.value", problems)
    currency = currency_of(money.get("currency"), f"{where}.amount.currency", problems)
    name = text_of(result.get("line_item"), f"{where}.line_item", problems) or "costs"
    project = text_of(result.get("project_id"), f"{where}.project_id", problems)
    item = item_of(name)
    quantity = None
    factor = _TOKENS.get(str(result.get("quantity_unit")))
    # Answers from before the unit was told count tokens wherever the item is one of tokens.
    if factor is None and result.get("quantity_unit") is None and item.kind != "other":
        factor = 1
    if result.get("quantity") is not None and factor is not None:
        given = figure_of(result["quantity"], f"{where}.quantity", problems)
        quantity = EXACT.multiply(given, Decimal(factor)) if given is not None else None
    if amount is None or currency is None:
        return None
    return InvoiceLine(
        PROVIDER,
        day,
        item.model,
        project,
        item.kind,
        item.service_tier,
        quantity,
        amount,
        currency,
        name,
    )


def _used(
    where: str, result: Mapping[str, Any], day: date, kind: str, quantity: Decimal, problems: Problems
) -> InvoiceLine:
    model, project, tier = (
        text_of(result.get(name), f"{where}.{name}", problems)
        for name in ("model", "project_id", "service_tier")
    )
    tier = "batch" if result.get("batch") is True else tier
    item = f"{model or 'usage'}, {kind}"
    return InvoiceLine(PROVIDER, day, model, project, kind, tier, quantity, None, USAGE_ONLY, item)


def _counts(where: str, result: Mapping[str, Any], problems: Problems) -> Iterator[tuple[str, Decimal]]:
    """Disjoint counts: `input_tokens` includes what was read from the cache and written to it."""

    def count(name: str) -> Decimal:
        given = result.get(name)
        return (figure_of(given, f"{where}.{name}", problems) if given is not None else None) or Decimal(0)

    if result.get("input_tokens") is None:
        problems.add(f"{where}.input_tokens", "is missing; give the answer of the API as it came")
    read, written = count("input_cached_tokens"), count("input_cache_write_tokens")
    fresh = count("input_tokens") - read - written
    if fresh < 0:
        problems.add(f"{where}.input_tokens", f"{count('input_tokens')} is less than what was cached of it")
    # OpenAI keeps what is written for 30 minutes or 12 hours; calls of it are booked with one price for both.
    counts = {"input": fresh, "cache_read": read, "cache_write_5m": written, "output": count("output_tokens")}
    yield from ((kind, quantity) for kind, quantity in counts.items() if quantity)
