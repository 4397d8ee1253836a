"""Anthropic: the pages of `GET /v1/organizations/cost_report` and of `/v1/organizations/usage_report/messages`.

An amount is a text in the currency's lowest unit: "123.45" is $1.2345. The cost report has no Priority Tier.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from .figures import EXACT, amount_of, currency_of, figure_of, moment_of, text_of
from .line import USAGE_ONLY, InvoiceLine, Parsed
from .names import kind_of
from .pages import Page, buckets, finished, results, span
from .problems import Problems, shown

__all__ = ["costs", "usage"]

PROVIDER = "anthropic"
_CENTS = -2
Times = list[tuple[datetime, datetime]]


def costs(pages: Sequence[tuple[str, Page]], problems: Problems) -> Parsed:
    """Lines with amounts and no quantities, which the cost report does not have."""
    lines: list[InvoiceLine] = []
    times: Times = []
    for path, bucket in buckets(pages):
        day = _day(path, bucket, times, problems)
        for where, result in results(path, bucket, problems):
            if (line := _cost(where, result, day, problems)) is not None:
                lines.append(line)
    return Parsed("anthropic costs", tuple(lines), span(times), finished(pages))


def usage(pages: Sequence[tuple[str, Page]], problems: Problems) -> Parsed:
    """Lines with quantities and no amounts, a line for each kind of token that was used."""
    lines: list[InvoiceLine] = []
    times: Times = []
    for path, bucket in buckets(pages):
        day = _day(path, bucket, times, problems)
        for where, result in results(path, bucket, problems):
            for kind, quantity in _counts(where, result, problems):
                lines.append(_used(where, result, day, kind, quantity, problems))
    return Parsed("anthropic usage", tuple(lines), span(times), finished(pages))


def _day(path: str, bucket: Mapping[str, Any], times: Times, problems: Problems) -> date:
    start = moment_of(bucket.get("starting_at"), f"{path}.starting_at", problems)
    stop = moment_of(bucket.get("ending_at"), f"{path}.ending_at", problems)
    if start is None or stop is None:
        return date.min
    times.append((start, stop))
    return start.date()


def _cost(where: str, result: Mapping[str, Any], day: date, problems: Problems) -> InvoiceLine | None:
    cents = amount_of(result.get("amount"), f"{where}.amount", problems)
    currency = currency_of(result.get("currency"), f"{where}.currency", problems)
    if currency not in (None, "USD"):
        problems.add(
            f"{where}.currency",
            f"{shown(currency)}: cents are known of USD alone; write the amounts as a CSV table",
        )
    if cents is None or currency is None:
        return None
    model, workspace, tier, meter, description, cost = (
        text_of(result.get(name), f"{where}.{name}", problems)
        for name in ("model", "workspace_id", "service_tier", "token_type", "description", "cost_type")
    )
    kind, item = kind_of(meter or "other"), description or cost or "costs"
    amount = EXACT.scaleb(cents, _CENTS)
    return InvoiceLine(PROVIDER, day, model, workspace, kind, tier, None, amount, currency, item)


def _used(
    where: str, result: Mapping[str, Any], day: date, kind: str, quantity: Decimal, problems: Problems
) -> InvoiceLine:
    model, workspace, tier = (
        text_of(result.get(name), f"{where}.{name}", problems)
        for name in ("model", "workspace_id", "service_tier")
    )
    item = f"{model or 'usage'}, {kind}"
    return InvoiceLine(PROVIDER, day, model, workspace, kind, tier, quantity, None, USAGE_ONLY, item)


def _counts(where: str, result: Mapping[str, Any], problems: Problems) -> Iterator[tuple[str, Decimal]]:
    written = result.get("cache_creation")
    written = written if isinstance(written, dict) else {}
    given = {
        "input": ("uncached_input_tokens", result.get("uncached_input_tokens")),
        "cache_read": ("cache_read_input_tokens", result.get("cache_read_input_tokens")),
        "cache_write_5m": (
            "cache_creation.ephemeral_5m_input_tokens",
            written.get("ephemeral_5m_input_tokens"),
        ),
        "cache_write_1h": (
            "cache_creation.ephemeral_1h_input_tokens",
            written.get("ephemeral_1h_input_tokens"),
        ),
        "output": ("output_tokens", result.get("output_tokens")),
    }
    for kind, (name, value) in given.items():
        if value is not None and (count := figure_of(value, f"{where}.{name}", problems)):
            yield kind, count
