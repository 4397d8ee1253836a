"""Reviews made by hand: lines of a week as a test writes them, and a collector with the routes of reviews."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from fastapi import APIRouter
from otlp_samples import Served, llm_span, request

from analytics import registry
from analytics.ledger import api as ledger
from analytics.ledger import reports as charged
from analytics.ledger.live import LiveLines
from analytics.ledger.settings import Chargeback, load
from analytics.live import Followed, LivePrices
from analytics.registry import Plan, Registry, Workload
from analytics.reports import REPORTS
from analytics.reviews import api
from analytics.reviews.assembling import Material, Month, assembled
from analytics.reviews.document import Cover, OwnerLine, Review
from collector.extension import Extension, Facts

__all__ = ["MONDAY", "WEEK", "Reviewing", "cover", "line", "material", "of", "owner_of", "review"]

WEEK, MONDAY = "2026-W47", date(2026, 11, 16)
_AFTER = datetime(2026, 11, 24, 6, tzinfo=UTC)
_COUNTS = ("input_uncached", "cache_read", "cache_write_5m", "cache_write_1h", "output")
_METERS = ("input", "cache_read", "cache_write_5m", "cache_write_1h", "output", "other")


def line(owner: str | None, amount: str | None, *, day: int = 0, **other: Any) -> dict[str, Any]:
    """A line of the ledger, of so many days after Monday: one call with output alone."""
    nothing = dict.fromkeys(_COUNTS, 0) | {f"amount_{name}": Decimal(0) for name in _METERS}
    cost = None if amount is None else Decimal(amount)
    return {
        **nothing,
        "day": MONDAY + timedelta(days=day),
        "kind": "usage",
        "tenant": "acme",
        "workload": "writer",
        "owner": owner,
        "cost_centre": None,
        "provider": "openai",
        "model": "gpt-4o",
        "service_tier": None,
        "state": "unpriced" if cost is None else "complete",
        "currency": None if cost is None else "USD",
        "calls": 1,
        "output": 10,
        "amount_output": cost,
        "amount": cost,
        "retry_amount": Decimal(0),
    } | other


def cover(**other: Any) -> Cover:
    """A cover with nothing odd about it."""
    usual: dict[str, Any] = {
        "generated_at": _AFTER,
        "watermark": _AFTER,
        "price_versions": ("list 1",),
        "coverage": Decimal(1),
        "ledger_seq": 0,
        "ledger_hash": "",
        "ledger_state": "no period is closed yet",
        **dict.fromkeys(("unowned_calls", "unpriced_calls", "incomplete_calls", "overflow_calls"), 0),
        "unowned": Decimal(0),
    }
    return Cover(**{**usual, **other})


def material(
    now: Sequence[Mapping[str, Any]] = (),
    before: Sequence[Mapping[str, Any]] = (),
    *,
    plans: tuple[Plan, ...] = (),
    workloads: tuple[Workload, ...] = (),
    costs: Mapping[str | None, Mapping[date, Decimal]] = {},
    first_day: date = MONDAY,
    **other: Any,
) -> Material:
    """What was read of a week in which nothing else happened."""
    last = first_day + timedelta(days=6)
    start = last.replace(day=1)
    month = Month(
        f"{last:%Y-%m}",
        start,
        (start + timedelta(days=31)).replace(day=1),
        datetime.combine(last + timedelta(days=1), datetime.min.time(), UTC),
        "UTC",
        costs,
    )
    nothing = dict.fromkeys(
        ("foreign", "trips", "anomalies", "caps", "herds", "loops", "savings", "units", "shares", "gaps"), ()
    )
    usual: dict[str, Any] = {
        **nothing,
        **dict.fromkeys(("late", "last_actions", "actions"), ()),
        "week": f"{first_day:%G-W%V}",
        "first_day": first_day,
        "cover": cover(),
        "currency": "USD",
        "month": month,
        "now": now,
        "before": before,
        "registry": Registry(workloads, plans),
    }
    return Material(**{**usual, **other})


def review(*given: Any, **named: Any) -> Review:
    """The document of `material`."""
    return assembled(material(*given, **named))


def owner_of(made: Review, owner: str | None) -> OwnerLine:
    """One owner's line."""
    return next(each for each in made.owners if each.owner == owner)


def of(tenant: str, workload: str, number: int, at: datetime, model: str = "gpt-4o-mini") -> Any:
    """A span of a call that began then."""
    named = {"switchgear.tenant": tenant, "switchgear.workload": workload}
    start = int(at.timestamp() * 1_000_000_000)
    return llm_span(
        number,
        {**named, "gen_ai.request.model": model, "gen_ai.response.model": model},
        startTimeUnixNano=str(start),
        endTimeUnixNano=str(start + 1_000_000),
    )


class Reviewing(Served):
    """A collector with the routes of the ledger and of reviews, at the `now` that a test sets."""

    def __init__(
        self, data: Path, now: datetime = _AFTER, chargeback: Path | None = None, **options: Any
    ) -> None:
        self.data, self.now = data, now
        prices = LivePrices()
        followed: Followed[Chargeback] = Followed("chargeback", chargeback, load)
        live = LiveLines(prices, followed, lambda: self.now)
        reports = {**REPORTS, **charged.reports(live)}
        super().__init__(
            data,
            price=prices.quote,
            registry=registry,
            reports=reports,
            extensions=[
                ledger.extension(live.of_period, lambda: live.chargeback, "test"),
                self._watched(api.extension(live, reports)),
            ],
            now=lambda: self.now,
            **options,
        )

    def _watched(self, reviews: Extension) -> Extension:
        def router(facts: Facts) -> APIRouter:
            self.facts = facts
            return reviews.router(facts)

        return replace(reviews, router=router)

    def sql(self, sql: str) -> list[tuple[Any, ...]]:
        """What a statement gives, run by the writer."""
        with self.facts.store.transaction() as con:
            return con.execute(sql).fetchall()

    def book(self, *spans: Any) -> None:
        """Send calls, and wait until they are booked."""
        assert self.send(request(spans)).status_code == 200
