"""API of invoices: statements of providers taken in, compared with the ledger, and the difference booked."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import asdict
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from collector.extension import Facts
from collector.keys.idempotency import DOCUMENTED
from collector.keys.key import key_of
from collector.keys.rules import Everywhere
from collector.wire import dump

from ..invoices import Invoice, InvoiceLine, ProviderResult, Row, provider_of
from .invoiced import Compared, keep
from .keeper import Keeper

__all__ = ["RULES", "add_invoices"]

_log = logging.getLogger(__name__)
_ALL = (Everywhere("finance"),)
RULES = {
    "PUT /v1/invoices": _ALL,
    "GET /v1/invoices": _ALL,
    "GET /v1/reconciliations": _ALL,
    "POST /v1/reconciliations/{period}/book": _ALL,
}
_Text = Annotated[str, Field(max_length=500)]
# Sixteen digits before the point, as files are read: sums of such amounts fit into what the ledger keeps.
_Amount = Annotated[Decimal, Field(allow_inf_nan=False, max_digits=28, decimal_places=12)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Line(_Strict):
    """One line of a statement, exactly as it was said."""

    day: date
    model: _Text | None = None
    project: _Text | None = None
    kind: Literal["input", "cache_read", "cache_write_5m", "cache_write_1h", "output", "other"]
    service_tier: _Text | None = None
    quantity: _Amount | None = None
    amount: _Amount | None = None
    item: _Text = ""


class Statement(_Strict):
    """What one file says of one provider in one currency."""

    provider: Annotated[str, Field(min_length=1, max_length=64)]
    source: _Text
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    currency: Annotated[str, Field(pattern="^([A-Z]{3})?$")]
    shape: Annotated[str, Field(min_length=1, max_length=64)]
    first_day: date
    last_day: date
    lines: Annotated[list[Line], Field(max_length=200_000)]

    def invoice(self) -> Invoice:
        """As a value."""
        provider = provider_of(self.provider)
        lines = tuple(
            InvoiceLine(
                provider=provider,
                currency=self.currency if each.amount is not None else "",
                **each.model_dump(),
            )
            for each in self.lines
        )
        days = (self.first_day, self.last_day)
        return Invoice(provider, self.source, self.sha256, self.currency, days, "UTC", lines, self.shape)


class Statements(_Strict):
    """Statements that are given together: none of them takes the place of another."""

    invoices: Annotated[list[Statement], Field(min_length=1, max_length=500)]
    account: Annotated[str | None, Field(max_length=200)] = None
    month: Annotated[
        str | None, Field(description="What tables and FOCUS files are all of, such as 2026-10.")
    ] = None


class Booked(_Strict):
    """Book what differs."""

    by: Annotated[str | None, Field(max_length=200)] = None


def add_invoices(router: APIRouter, facts: Facts, keeper: Keeper) -> None:
    """Put the routes on `router`."""

    @router.put("/v1/invoices", response_class=Response, dependencies=DOCUMENTED)
    async def take(asked: Statements, request: Request) -> Response:
        """Keep statements, each once. A later one counts for its days in place of an earlier of its account."""
        month = keeper.period(asked.month) if asked.month is not None else None
        invoices = [each.invoice() for each in asked.invoices]
        by, now = key_of(request.scope).id, facts.now()
        new = await facts.write(lambda con: keep(con, invoices, asked.account, month, by, now))
        return _json({"received": len(invoices), "new": new})

    @router.get("/v1/invoices", response_class=Response)
    async def listed() -> Response:
        """The statements that were taken in."""

        def work() -> list[dict[str, Any]]:
            with facts.reader.cursor() as con:
                found = con.sql("FROM invoices ORDER BY imported_at, id").to_arrow_table()
            rows: list[dict[str, Any]] = found.to_pylist()
            return rows

        return _json({"invoices": await asyncio.to_thread(work)})

    @router.get("/v1/reconciliations", response_class=Response)
    async def reconciliation(period: str) -> Response:
        """A month of the ledger beside the statements of providers; nothing is written."""
        await facts.caught_up()
        return _json(_told(await asyncio.to_thread(keeper.reconcile, keeper.period(period)), period))

    @router.post("/v1/reconciliations/{period}/book", response_class=Response)
    async def book(period: str, asked: Booked, request: Request) -> Response:
        """Book what differs beyond what is booked, into the month or, where it is closed, the one that is open."""
        await facts.caught_up()
        by = asked.by or key_of(request.scope).id
        found = await asyncio.to_thread(keeper.true_up, keeper.period(period))
        _log.warning("%s: %d true-ups booked by %s", period, found.lines.num_rows, by)
        lines = [
            {name: line[name] for name in ("day", "provider", "currency", "item", "amount", "details")}
            for line in found.lines.to_pylist()
        ]
        return _json({"period": found.period, "booked": lines, "head": found.posted and asdict(found.posted)})


def _told(found: Compared, period: str) -> dict[str, Any]:
    return {
        "period": period,
        "providers": [
            {
                "provider": each.provider,
                "currency": each.currency,
                "days": list(each.days),
                "ours": each.ours,
                "late": each.late,
                "theirs": each.theirs,
                "gap": each.gap,
                "gap_percent": each.gap_percent,
                "allowed": each.allowed,
                "within": _within(found, each),
                "turned_over": each.turned_over,
                "causes": {cause.value: amount for cause, amount in each.causes.items()},
                "booked": _booked(found, each.provider, each.currency),
                "accrued": found.accrued.get((each.provider, each.currency)),
                "unpriced_calls": each.unpriced_calls,
                "left_out_calls": each.left_out_calls,
                "notes": list(each.notes),
                "rows": [_row(row) for row in each.rows if row.difference],
            }
            for each in found.result.providers
        ],
        "without_statement": list(found.result.without_statement),
    }


def _within(found: Compared, result: ProviderResult) -> bool | None:
    """Whether what is left of the gap once the booked part is taken off is let pass; None where there is no gap."""
    if result.gap is None:
        return None
    return abs(result.gap - _booked(found, result.provider, result.currency)) <= result.allowed


def _row(row: Row) -> dict[str, Any]:
    return {
        **{
            name: getattr(row, name)
            for name in ("day", "model", "project", "item", "ours", "theirs", "difference")
        },
        "causes": {cause.value: amount for cause, amount in row.causes.items()},
    }


def _booked(found: Compared, provider: str, currency: str) -> Decimal:
    return sum(
        (amount for key, amount in found.booked.items() if key[:2] == (provider, currency)), Decimal(0)
    )


def _json(document: dict[str, Any]) -> Response:
    return Response(dump(document), media_type="application/json")
