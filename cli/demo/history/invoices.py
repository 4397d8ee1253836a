"""Invoices: what OpenAI and Anthropic would bill for a history, in the shapes of their cost APIs.

They bill more than was booked, by differences that are known and stand in `truth.json`: the calls whose usage was never
told, the model without a price here, and calls that nobody metered, `UNSEEN` of what was booked.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from .archetypes import MODELS
from .costs import KINDS, NOTHING, Cost, Pricing

__all__ = ["PROVIDERS", "UNSEEN", "Bill", "bills", "document", "project"]

PROVIDERS = ("openai", "anthropic")
UNSEEN = Decimal("0.003")
_UNSEEN_MODELS = {"openai": "gpt-4.1", "anthropic": "sonnet"}
_HOUSE_RATES = dict(zip(KINDS, map(Decimal, ("2", "0.5", "2", "2", "8")), strict=True))
_MILLION = 1_000_000
_DAY = timedelta(days=1)
_PLACES = Decimal("1e-10")
# What the two call each kind of token.
_METERS = {
    "openai": ("input", "cached input", "cache write", "cache write", "output"),
    "anthropic": (
        "uncached_input_tokens",
        "cache_read_input_tokens",
        "cache_creation.ephemeral_5m_input_tokens",
        "cache_creation.ephemeral_1h_input_tokens",
        "output_tokens",
    ),
}

# Project, model, service tier, meter -> tokens, amount.
Charges = dict[tuple[str | None, str, str | None, str], tuple[int, Decimal]]


@dataclass(slots=True)
class Bill:
    """What one provider bills for one month, and why that is not what was booked."""

    provider: str
    month: str
    days: dict[datetime, Charges] = field(default_factory=lambda: defaultdict(dict))
    booked: Decimal = NOTHING
    untold: Decimal = NOTHING
    unpriced: Decimal = NOTHING
    unseen: Decimal = NOTHING

    @property
    def amount(self) -> Decimal:
        """All of it."""
        return self.booked + self.untold + self.unpriced + self.unseen

    def charge(
        self, day: datetime, key: tuple[str | None, str, str | None], meter: str, tokens: int, rate: Decimal
    ) -> Decimal:
        """Put so many tokens at that rate for a million on the bill; what they cost."""
        amount = rate * tokens / _MILLION
        before = self.days[day].get((*key, meter), (0, NOTHING))
        self.days[day][*key, meter] = (before[0] + tokens, before[1] + amount)
        return amount


def bills(found: Sequence[Cost], pricing: Pricing, start: datetime, end: datetime) -> list[Bill]:
    """Of each provider and month, with a day for each day from `start` to `end`."""
    made: dict[tuple[str, str], Bill] = {}
    for provider in PROVIDERS:
        day = start.replace(hour=0)
        while day < end:
            bill = made.setdefault((provider, f"{day:%Y-%m}"), Bill(provider, f"{day:%Y-%m}"))
            bill.days[day] = {}
            day += _DAY
    for cost in found:
        if cost.line.model.provider in PROVIDERS:
            _add(made[cost.line.model.provider, f"{cost.line.day:%Y-%m}"], cost)
    for bill in made.values():
        _add_unseen(bill, pricing)
    return list(made.values())


def project(provider: str, tenant: str) -> str:
    """The provider's name of the project (workspace) that a tenant's calls are billed under."""
    return f"proj_{tenant}" if provider == "openai" else f"wrkspc_{tenant}"


def document(bill: Bill) -> str:
    """The answer of the provider's API, as JSON."""
    buckets = [_BUCKETS[bill.provider](day, charges) for day, charges in sorted(bill.days.items())]
    page = {"object": "page"} if bill.provider == "openai" else {}
    return json.dumps({**page, "data": buckets, "has_more": False, "next_page": None}, indent=1) + "\n"


def _add(bill: Bill, cost: Cost) -> None:
    line = cost.line
    rates = cost.rates or _HOUSE_RATES
    key = (project(bill.provider, line.workload.tenant), line.model.answers, line.service_tier)
    for kind, meter, told, hidden in zip(KINDS, _METERS[bill.provider], line.told, line.hidden, strict=False):
        if told or hidden:
            seen = bill.charge(line.day, key, meter, told, rates[kind])
            untold = bill.charge(line.day, key, meter, hidden, rates[kind])
            if cost.rates is None:
                bill.unpriced += seen + untold
            else:
                bill.booked += seen
                bill.untold += untold


def _add_unseen(bill: Bill, pricing: Pricing) -> None:
    """Calls outside of any tenant's project: input of one model, each day the same share of what was booked."""
    model = MODELS[_UNSEEN_MODELS[bill.provider]]
    of_nobody = ("proj_sandbox" if bill.provider == "openai" else None, model.answers, None)
    for day, charges in bill.days.items():
        rates = pricing.rates(model.provider, model.answers, None, day)
        assert rates is not None  # noqa: S101 - a test says that every model but one has a price
        rate = rates["input_uncached"]
        spent = sum((amount for _, amount in charges.values()), NOTHING)
        tokens = int(spent * UNSEEN / rate * _MILLION)
        bill.unseen += bill.charge(day, of_nobody, _METERS[bill.provider][0], tokens, rate)


def _openai(day: datetime, charges: Charges) -> dict[str, Any]:
    results = [
        {
            "object": "organization.costs.result",
            "amount": {"value": float(amount.quantize(_PLACES)), "currency": "usd"},
            "line_item": f"{f'{tier} | ' if tier else ''}{model}, {meter}",
            "project_id": owner,
            "quantity": tokens,
            "quantity_unit": "tokens",
        }
        for (owner, model, tier, meter), (tokens, amount) in _sorted(charges)
    ]
    times = {"start_time": int(day.timestamp()), "end_time": int((day + _DAY).timestamp())}
    return {"object": "bucket", **times, "results": results}


def _anthropic(day: datetime, charges: Charges) -> dict[str, Any]:
    results = [
        {
            "currency": "USD",
            "amount": f"{(amount * 100).quantize(_PLACES).normalize():f}",
            "workspace_id": owner,
            "description": f"{model} usage, {meter.replace('_', ' ')}",
            "cost_type": "tokens",
            "context_window": "0-200k",
            "model": model,
            "service_tier": tier or "standard",
            "token_type": meter,
        }
        for (owner, model, tier, meter), (_, amount) in _sorted(charges)
    ]
    times = {"starting_at": f"{day:%Y-%m-%dT00:00:00Z}", "ending_at": f"{day + _DAY:%Y-%m-%dT00:00:00Z}"}
    return {**times, "results": results}


def _sorted(
    charges: Charges,
) -> Iterator[tuple[tuple[str | None, str, str | None, str], tuple[int, Decimal]]]:
    return iter(sorted(charges.items(), key=lambda each: tuple(part or "" for part in each[0])))


_BUCKETS = {"openai": _openai, "anthropic": _anthropic}
