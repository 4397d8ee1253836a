"""API: the routes of the ledger under /v1/ledger, as an extension of the collector.

Reading takes `finance`, cut to the key's tenants where a row has one; whatever is of the whole takes a key for every
tenant, and so does all writing.
"""

from __future__ import annotations

import asyncio
import io
import logging
from collections.abc import Callable, Coroutine, Iterator, Mapping
from dataclasses import asdict
from datetime import date
from decimal import Decimal
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any, Literal

import pyarrow as pa
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, Field

from collector.asgi import PROBLEM, problem
from collector.extension import Extension, Facts
from collector.keys.idempotency import DOCUMENTED
from collector.keys.key import key_of
from collector.keys.rules import Everywhere
from collector.queries.visible import of_tenants
from collector.wire import dump

from .anchors import parsed
from .api_invoices import RULES, add_invoices
from .blockers import worded
from .calendar import CalendarError
from .chain import ENTRIES
from .closing import Accepted, summed
from .corrections import Compute
from .drafts import Draft, Person, drafts
from .entries import head, of_period, page
from .errors import BrokenLedgerError, LedgerError
from .files import JOURNAL, built
from .keeper import Corrections, Keeper
from .line import Kind
from .periods import closed, open_for
from .settings import Chargeback

__all__ = ["extension"]

_log = logging.getLogger(__name__)
_FINANCE, _ALL = ("finance",), (Everywhere("finance"),)
_RULES = {
    "GET /v1/ledger/head": _ALL,
    "GET /v1/ledger/progress": _ALL,
    "GET /v1/ledger/verify": _ALL,
    "GET /v1/ledger/periods": _ALL,
    "GET /v1/ledger/periods/{period}/check": _ALL,
    "POST /v1/ledger/periods/{period}/close": _ALL,
    "GET /v1/ledger/corrections": _ALL,
    "POST /v1/ledger/corrections": _ALL,
    "GET /v1/ledger/drafts": _ALL,
    "POST /v1/ledger/drafts": _ALL,
    "POST /v1/ledger/drafts/{draft}/approve": _ALL,
    "POST /v1/ledger/drafts/{draft}/refuse": _ALL,
    "GET /v1/ledger/entries": _FINANCE,
    "GET /v1/ledger/journal": _ALL,
}
_ONCE = frozenset(
    {("POST", "/v1/ledger/corrections"), ("POST", "/v1/ledger/drafts"), ("PUT", "/v1/invoices")}
)
MOST_SHOWN = 1_000
"""Lines of corrections that an answer holds; the totals are of all."""
_CSV = "text/csv; charset=utf-8"
_ARROW = "application/vnd.apache.arrow.stream"
_NAME = Annotated[str | None, Field(max_length=200)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")

    by: Annotated[str | None, Field(max_length=200, description="Who does it, by name.")] = None


class _Accept(BaseModel):
    model_config = ConfigDict(extra="forbid")

    code: Annotated[str, Field(min_length=1, max_length=64)]
    reason: Annotated[str, Field(min_length=1, max_length=500)]


class Close(_Body):
    """What is accepted of what speaks against the close."""

    accept: Annotated[list[_Accept], Field(max_length=50)] = []


class Correct(_Body):
    """Post what closed periods cost now beyond what is posted."""


class Prepared(_Body):
    """A credit or an adjustment, for somebody else to approve. Below 0 it takes something off."""

    kind: Literal["credit", "adjustment"]
    amount: Decimal
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")]
    day: date
    reason: Annotated[str, Field(min_length=1, max_length=500)]
    owner: _NAME = None
    cost_centre: _NAME = None
    tenant: _NAME = None
    workload: _NAME = None
    provider: _NAME = None
    model: _NAME = None
    item: _NAME = None

    def draft(self) -> Draft:
        """As a value."""
        return Draft(**{**self.model_dump(exclude={"by"}), "kind": Kind(self.kind)})


class Decided(_Body):
    """Who approves."""


class Refused(_Body):
    """Why it is none."""

    note: Annotated[str, Field(min_length=1, max_length=500)]


def extension(compute: Compute, settings: Callable[[], Chargeback], software: str) -> Extension:
    """The ledger's routes. `compute` gives the lines of a period, `settings` what chargeback.yaml says now, and
    `software` stands in manifests."""
    return Extension({**_RULES, **RULES}, partial(_router, compute, settings, software), _ONCE)


class _Route(APIRoute):
    """A route that answers with what the ledger refuses."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handled(request: Request) -> Response:
            try:
                return await handle(request)
            except LedgerError as refused:
                return _problem(refused.status, str(refused))
            except CalendarError as unfit:
                return _problem(422, str(unfit))

        return handled


def _router(compute: Compute, settings: Callable[[], Chargeback], software: str, facts: Facts) -> APIRouter:
    keeper = Keeper(facts, compute, settings, software)
    try:
        keeper.recover()
    except (BrokenLedgerError, OSError) as broken:
        # Calls are taken all the same: whoever wants something of the ledger is told then.
        _log.error("the ledger needs somebody: %s", broken)
    router = APIRouter(prefix="/v1/ledger", tags=["ledger"], route_class=_Route)
    _add_periods(router, facts, keeper)
    _add_drafts(router, facts, keeper)
    _add_reading(router, facts, keeper)
    # Its routes answer with what the ledger refuses as well.
    whole = APIRouter(tags=["ledger"], route_class=_Route)
    add_invoices(whole, facts, keeper)
    whole.include_router(router)
    return whole


def _add_periods(router: APIRouter, facts: Facts, keeper: Keeper) -> None:
    @router.get("/periods", response_class=Response)
    async def periods() -> Response:
        """The periods that are closed, and which is open next."""

        def work() -> dict[str, Any]:
            with facts.reader.cursor() as con:
                calendar = keeper.settings.calendar
                ((first,),) = con.execute('SELECT min("hour") FROM rollup_hours').fetchall()
                begins = calendar.period_of(calendar.day_of(first or facts.now()))
                return {
                    "closed": [each.told() for each in closed(con)],
                    "open": open_for(con, begins, calendar).name,
                }

        return _json(await asyncio.to_thread(work))

    @router.get("/periods/{period}/check", response_class=Response)
    async def check(period: str) -> Response:
        """What speaks against closing a period, and what it would be closed with."""
        await facts.caught_up()
        found, blocking, lines = await asyncio.to_thread(keeper.check, keeper.period(period))
        if found is not None:
            return _json(
                {"period": period, "closed": found.told(), "blockers": [], "lines": 0, "totals": found.totals}
            )
        return _json(
            {
                "period": period,
                "closed": None,
                "blockers": worded(blocking),
                "lines": lines.num_rows,
                "totals": summed(lines),
            }
        )

    @router.post("/periods/{period}/close", response_class=Response)
    async def close(period: str, asked: Close, request: Request) -> Response:
        """Close a period: all of it is there when this is answered, or nothing. Closing it again changes nothing."""
        await facts.caught_up()
        accepted = [Accepted(each.code, each.reason) for each in asked.accept]
        found, before = await asyncio.to_thread(
            keeper.close, keeper.period(period), _person(request, asked), accepted
        )
        return _json({"already": before, **found.told()})

    @router.get("/corrections", response_class=Response)
    async def corrections() -> Response:
        """What closed periods cost now beyond what is posted: nothing is written."""
        await facts.caught_up()
        return _corrections(await asyncio.to_thread(keeper.correct, write=False))

    @router.post("/corrections", response_class=Response, dependencies=DOCUMENTED)
    async def correct(asked: Correct, request: Request) -> Response:
        """Post it into the first period that is open."""
        await facts.caught_up()
        by = _person(request, asked)
        found = await asyncio.to_thread(keeper.correct, write=True)
        _log.warning("corrections by %s: %d lines", by.shown, found.lines.num_rows)
        return _corrections(found)


def _add_drafts(router: APIRouter, facts: Facts, keeper: Keeper) -> None:
    @router.get("/drafts", response_class=Response)
    async def listed(state: Literal["waiting", "approved", "refused"] | None = None) -> Response:
        """Credits and adjustments by hand, and what became of them."""

        def work() -> list[dict[str, Any]]:
            with facts.reader.cursor() as con:
                return drafts(con, state)

        return _json({"drafts": await asyncio.to_thread(work)})

    @router.post("/drafts", response_class=Response, dependencies=DOCUMENTED)
    async def prepare(asked: Prepared, request: Request) -> Response:
        """Prepare one. It counts once somebody else has approved it."""
        return _json(await asyncio.to_thread(keeper.prepare, asked.draft(), _person(request, asked)))

    @router.post("/drafts/{draft}/approve", response_class=Response)
    async def approve(draft: str, asked: Decided, request: Request) -> Response:
        """Make an entry of it. Whoever prepared it cannot."""
        return _json(await asyncio.to_thread(keeper.approve, draft, _person(request, asked)))

    @router.post("/drafts/{draft}/refuse", response_class=Response)
    async def refuse(draft: str, asked: Refused, request: Request) -> Response:
        """Let it be none."""
        return _json(await asyncio.to_thread(keeper.refuse, draft, _person(request, asked), asked.note))


def _add_reading(router: APIRouter, facts: Facts, keeper: Keeper) -> None:
    @router.get("/head", response_class=Response)
    async def at_head() -> Response:
        """How far the ledger goes: what to note down as an anchor."""

        def work() -> dict[str, Any]:
            with facts.reader.cursor() as con:
                found = head(con)
                return {"seq": found.seq, "hash": found.hash, "anchor": f"{found.seq}:{found.hash}"}

        return _json(await asyncio.to_thread(work))

    @router.get("/progress", response_class=Response)
    async def progress() -> Response:
        """What is being done to the ledger, and how far it is."""
        return _json({"under_way": keeper.progress})

    @router.get("/verify", response_class=Response)
    async def verified(anchor: Annotated[list[str] | None, Query(max_length=100)] = None) -> Response:
        """Whether everything is what it was; `anchor` is SEQ:HASH that somebody noted."""
        noted = [parsed(each) for each in anchor or ()]
        return _json(asdict(await asyncio.to_thread(keeper.verify, noted)))

    @router.get("/entries", response_class=Response)
    async def entries(
        request: Request,
        period: str | None = None,
        after: Annotated[int, Query(ge=0, le=2**62)] = 0,
        limit: Annotated[int, Query(ge=1, le=10_000)] = 1_000,
        format: Literal["json", "arrow"] = "json",  # noqa: A002
    ) -> Response:
        """Entries by their numbers, of the key's tenants: a page as JSON, or all as a stream of Arrow."""
        values = {} if period is None else {"period": keeper.period(period).name}
        condition = (
            f"({of_tenants(key_of(request.scope))}) AND {'true' if period is None else 'period = $period'}"
        )
        if format == "arrow":
            return StreamingResponse(_stream(facts, after, condition, values), media_type=_ARROW)

        def work() -> pa.Table:
            with facts.reader.cursor() as con:
                return page(con, after, condition, values, limit)

        rows = (await asyncio.to_thread(work)).to_pylist()
        more = rows[-1]["seq"] if len(rows) == limit else None
        return _json({"entries": rows, "next": more})

    @router.get("/journal", response_class=Response)
    async def journal(period: str) -> Response:
        """A closed period as balanced lines for an ERP, as CSV."""
        wanted = keeper.period(period)

        def work() -> bytes:
            with facts.reader.cursor() as con:
                found = next((each for each in closed(con) if each.period == wanted.name), None)
                if found is None:
                    raise LedgerError(f"{wanted.name} is open: its journal is made by its close", 409)
                return built(found, of_period(con, wanted.name))[JOURNAL]

        return Response(await asyncio.to_thread(work), media_type=_CSV)


def _stream(facts: Facts, after: int, condition: str, values: Mapping[str, object]) -> Iterator[bytes]:
    """An Arrow IPC stream, a page of entries at a time."""
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, ENTRIES) as writer:
        while True:
            with facts.reader.cursor() as con:
                found = page(con, after, condition, values)
            writer.write_table(found)
            yield _taken(sink)
            if not found.num_rows:
                break
            after = found["seq"][-1].as_py()
    yield _taken(sink)


def _taken(sink: io.BytesIO) -> bytes:
    content = sink.getvalue()
    sink.seek(0)
    sink.truncate()
    return content


def _corrections(found: Corrections) -> Response:
    lines = found.lines
    shown = lines.slice(0, MOST_SHOWN).to_pylist() if lines.num_rows else []
    return _json(
        {
            "period": found.period,
            "lines": lines.num_rows,
            "totals": summed(lines) if lines.num_rows else [],
            "shown": shown,
            "posted": found.posted and asdict(found.posted),
        }
    )


def _person(request: Request, asked: _Body) -> Person:
    return Person(key_of(request.scope).id, asked.by.strip() or None if asked.by else None)


def _json(document: Mapping[str, Any]) -> Response:
    return Response(dump(document), media_type="application/json")


def _problem(status: int, detail: str) -> Response:
    return Response(problem(status, HTTPStatus(status).phrase, detail), status, media_type=PROBLEM)
