"""API: the routes of the collector beside POST /v1/traces. Errors are RFC 9457 problem documents."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from hashlib import sha256
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import duckdb
from fastapi import FastAPI, Query, Request, Response
from fastapi import Path as PathParameter
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from .asgi import PROBLEM, problem
from .audit import Transitions, keep
from .call import MAX_NAME_CHARS
from .erasing.erasure import Eraser
from .errors import BusyError, CollectorError, DeniedError, QueryError, RerateError, StoreError
from .facts.backup import take
from .facts.feed import Feed, page
from .facts.store import Store
from .facts.writer import Writer
from .ingest.intake import Intake
from .keys import identity
from .keys.access import Access
from .keys.idempotency import DOCUMENTED
from .keys.key import EVERYTHING, key_of
from .merging.settlement import Settlements, settled_call
from .metrics import CONTENT_TYPE, Metrics
from .queries.query import Queries, Question
from .queries.reader import Reader
from .queries.tables import ENCODERS
from .reporting import Registry, Report, ReportError
from .rerating.asked import Asked
from .rerating.rerater import Rerater
from .wire import dump, rfc3339

__all__ = ["WRITES", "Parts", "add_routes", "booked"]

WRITES = frozenset({("PUT", "/v1/registry"), ("POST", "/v1/audit"), ("POST", "/v1/rerate")})
"""The writes that take an idempotency key."""

MAX_WAIT_S = 60.0
CATCH_UP_S = 1.0
Format = Literal["json", "arrow"]
Source = Literal["policies", "imported"]
Scalar = str | int | float | bool | None
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Parts:
    """What the routes work with."""

    access: Access
    data: Path
    now: Callable[[], datetime]
    store: Store
    writer: Writer
    feed: Feed
    reader: Reader
    queries: Queries
    eraser: Eraser
    rerater: Rerater
    intake: Intake
    metrics: Metrics
    reports: Mapping[str, Report]
    registry: Registry | None


class Sql(BaseModel):
    """One SELECT over the documented views (docs/query.md), with its parameters."""

    model_config = ConfigDict(extra="forbid")

    sql: Annotated[str, Field(min_length=1)]
    params: list[Scalar] | dict[str, Scalar] = []
    format: Format = "json"


class Problem(Exception):  # noqa: N818 - it is named for the document that it becomes
    """An answer other than 2xx."""

    def __init__(self, status: int, detail: str, *, retry_after_s: int | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.retry_after_s = retry_after_s


def add_routes(app: FastAPI, parts: Parts) -> None:
    """Put every route on `app`. Each needs a line in the guard's `RULES`, or it is not served."""
    _add_health(app, parts)
    identity.routes(app, parts.access)
    _add_reading(app, parts)
    _add_writing(app, parts)
    _add_errors(app)


def _add_health(app: FastAPI, parts: Parts) -> None:
    @app.get("/healthz", tags=["health"])
    async def healthz() -> dict[str, str]:
        """The process answers."""
        return {"status": "ok"}

    @app.get("/readyz", tags=["health"])
    async def readyz() -> dict[str, str]:
        """The store can be written."""
        if not parts.writer.healthy:
            raise Problem(503, "the store cannot be written; see the log", retry_after_s=1)
        return {"status": "ready"}

    @app.get("/metrics", tags=["health"], response_class=Response)
    async def metrics() -> Response:
        """Counters in the Prometheus text format."""
        return Response(parts.metrics.render(), media_type=CONTENT_TYPE)


async def booked(writer: Writer, feed: Feed, within_s: float = CATCH_UP_S) -> None:
    """Return when all is booked that was acknowledged by now, or when time is over."""
    writer.hurry()
    await feed.wait(writer.acknowledged - 1, within_s)


def _add_reading(app: FastAPI, parts: Parts) -> None:
    async def caught_up() -> None:
        """Let whoever had its spans acknowledged find them: until they are booked, or a second has passed."""
        await booked(parts.writer, parts.feed)

    @app.get("/v1/feed", tags=["facts"], response_class=Response)
    async def feed(
        request: Request,
        after: Annotated[int, Query(ge=0, le=2**62)] = 0,
        wait: Annotated[float, Query(ge=0, le=MAX_WAIT_S)] = 0,
        limit: Annotated[int, Query(ge=1, le=10_000)] = 1_000,
    ) -> Response:
        """What was booked after a place in the feed, for the key's tenants; waits up to `wait` seconds for more.

        A call that became richer comes again under its key; one with `merged_into` was another call's twin.
        """
        key = key_of(request.scope)
        await parts.feed.wait(after, wait)
        parts.access.check(key)
        at, last = parts.store.last_booked_at, parts.store.last_seq
        # A page of everything, cut to the key's tenants after it is known how far it reaches.
        calls = await parts.reader.run(partial(page, after=after, limit=limit), EVERYTHING)
        reached = calls[-1]["seq"] if calls else min(max(after, last), parts.store.last_seq)
        calls = [call for call in calls if key.speaks_for(call["tenant"])]
        return _json({"calls": calls, "next": reached, "watermark": rfc3339(at) if at else None})

    @app.post("/v1/query", tags=["facts"], response_class=Response)
    async def query(asked: Sql, request: Request) -> Response:
        """The rows of one SELECT, as JSON or as an Arrow stream."""
        await caught_up()
        at = parts.store.last_booked_at
        question = Question(asked.sql, asked.params, asked.format, at.isoformat() if at else None)
        answer = await parts.queries.answer(question, key_of(request.scope))
        return Response(answer, media_type=ENCODERS[asked.format][0])

    @app.get("/v1/reports", tags=["facts"])
    async def reports() -> dict[str, list[str]]:
        """The names of the reports."""
        return {"reports": sorted(parts.reports)}

    @app.get("/v1/reports/{name}", tags=["facts"], response_class=Response)
    async def report(name: str, request: Request, format: Format = "json") -> Response:  # noqa: A002
        """One report; its parameters are those of the URL."""
        chosen = parts.reports.get(name)
        if chosen is None:
            raise Problem(404, f"no report {name[:64]!r}; there are {', '.join(sorted(parts.reports))}")
        params = {key: value for key, value in request.query_params.items() if key != "format"}

        def work(con: duckdb.DuckDBPyConnection) -> Response:
            watermark = parts.store.last_booked_at
            kind, encode = ENCODERS[format]
            return Response(encode(chosen(con, params), watermark), media_type=kind)

        await caught_up()
        return await parts.reader.run(work, key_of(request.scope))


def _add_writing(app: FastAPI, parts: Parts) -> None:
    async def in_transaction(work: Callable[[duckdb.DuckDBPyConnection], T]) -> T:
        def whole() -> T:
            with parts.store.transaction() as con:
                return work(con)

        return await asyncio.to_thread(whole)

    def registry() -> Registry:
        if parts.registry is None:
            raise Problem(404, "this collector was started without a registry")
        return parts.registry

    @app.get("/v1/registry", tags=["registry"], response_class=Response)
    async def read_registry(request: Request, source: Source | None = None) -> Response:
        """Who owns which workload since when, and what is planned: as far as the key may see it.

        Of one `source` it is a document that can be put back; else what counts of both, with the source of each line.
        """
        found = await parts.reader.run(partial(registry().read, source=source), key_of(request.scope))
        return _json(found, {} if source is None else {"ETag": _tag(found)})

    @app.put("/v1/registry", tags=["registry"], response_class=Response, dependencies=DOCUMENTED)
    async def replace_registry(document: dict[str, Any], request: Request) -> Response:
        """Put this in place of everything that its source said: `policies`, if it names none, or `imported`.

        With `If-Match` only if that is still what the answer with this `ETag` held.
        """
        book, key, source = registry(), key_of(request.scope), document.get("source", "policies")
        if source == "imported" and not key.allows("finance"):
            raise Problem(403, "what is imported takes a key with the scope finance for every tenant")
        known = request.headers.get("if-match")

        def put(con: duckdb.DuckDBPyConnection) -> None:
            if known is not None and known != _tag(book.read(con, str(source))):
                raise Problem(
                    412, "somebody else has changed the registry meanwhile; read it and write it again"
                )
            book.replace(con, document)

        try:
            await in_transaction(put)
        except ValueError as unfit:
            raise Problem(422, str(unfit)) from unfit
        found = await parts.reader.run(partial(book.read, source=source), key)
        return _json(found, {"ETag": _tag(found)})

    @app.post("/v1/audit", tags=["audit"], response_class=Response, dependencies=DOCUMENTED)
    async def audit(batch: Transitions) -> Response:
        """Keep transitions of breakers, each once by its id."""
        kept = await in_transaction(lambda con: keep(con, batch.transitions))
        return _json({"received": len(batch.transitions), "kept": kept})

    @app.post("/v1/settlements", tags=["facts"], response_class=Response)
    async def settlements(batch: Settlements, request: Request) -> Response:
        """Book settled holds whose span has not come, each once by its tenant and hold; answered when on disk."""
        refused = await parts.intake.book(
            [settled_call(each) for each in batch.settlements], key_of(request.scope)
        )
        reasons = [each.reason for each in refused]
        return _json({"received": len(batch.settlements), "refused": reasons})

    @app.post("/v1/rerate", tags=["prices"], response_class=Response, dependencies=DOCUMENTED)
    async def rerate(asked: Asked, request: Request) -> Response:
        """What calls would cost by the price book that is loaded; with `write`, as adjustments of them."""
        await booked(parts.writer, parts.feed)
        return _json(await asyncio.to_thread(parts.rerater.rerate, asked, key_of(request.scope), parts.now()))

    @app.get("/v1/rerate", tags=["prices"], response_class=Response)
    async def rerating(request: Request) -> Response:
        """How far the rerate is that the key has asked for."""
        return _json({"under_way": parts.rerater.progress(key_of(request.scope))})

    @app.post("/v1/backups", tags=["backup"], response_class=Response)
    async def backup() -> Response:
        """Copy what is booked, and the keys, into a new folder beside the data; taking spans goes on meanwhile."""
        await booked(parts.writer, parts.feed, MAX_WAIT_S)
        now = parts.now()
        folder = parts.data / "backups" / f"{now:%Y%m%dT%H%M%S.%fZ}"
        manifest = await asyncio.to_thread(take, parts.store, parts.data, folder, now)
        return _json({"folder": str(folder.resolve()), **asdict(manifest)})

    @app.delete("/v1/tenants/{tenant}/details", tags=["retention"], response_class=Response)
    async def erase(
        tenant: Annotated[str, PathParameter(min_length=1, max_length=MAX_NAME_CHARS)],
        reason: Annotated[str, Query(min_length=1, max_length=500)],
        request: Request,
    ) -> Response:
        """Delete every detail of a tenant; its amounts stay in the sums by hour, under a pseudonym."""
        work = partial(
            parts.eraser.erase, tenant, by=key_of(request.scope).id, reason=reason, now=parts.now()
        )
        try:
            erased = await asyncio.to_thread(work)
        except LookupError as missing:
            raise Problem(404, str(missing)) from missing
        return _json(asdict(erased))


def _add_errors(app: FastAPI) -> None:
    @app.exception_handler(Problem)
    async def of_problem(_: Request, error: Problem) -> Response:
        return _problem(error.status, error.detail, error.retry_after_s)

    @app.exception_handler(CollectorError)
    async def of_collector(_: Request, error: CollectorError) -> Response:
        if isinstance(error, BusyError | StoreError):
            return _problem(503, str(error), 1)
        return _problem(
            error.status if isinstance(error, QueryError | DeniedError | RerateError) else 422, str(error)
        )

    @app.exception_handler(ReportError)
    async def of_report(_: Request, error: ReportError) -> Response:
        return _problem(422, str(error))

    @app.exception_handler(duckdb.Error)
    async def of_duckdb(_: Request, error: duckdb.Error) -> Response:
        if isinstance(error, duckdb.InterruptException):
            return _problem(422, "it did not finish in time; ask for less")
        return _problem(503, f"the store does not answer: {str(error).splitlines()[0][:200]}", 1)

    @app.exception_handler(RequestValidationError)
    async def of_request(_: Request, error: RequestValidationError) -> Response:
        found = [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()[:10]]
        return _problem(422, "; ".join(found)[:2000])

    @app.exception_handler(HTTPException)
    async def of_http(_: Request, error: HTTPException) -> Response:
        answer = _problem(error.status_code, str(error.detail))
        answer.headers.update(error.headers or {})
        return answer


def _json(document: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    return Response(dump(document), media_type="application/json", headers=headers)


def _tag(document: Mapping[str, Any]) -> str:
    """The entity tag of an answer: another for other content."""
    return f'"{sha256(dump(document)).hexdigest()}"'


def _problem(status: int, detail: str, retry_after_s: int | None = None) -> Response:
    headers = {"Retry-After": str(retry_after_s)} if retry_after_s is not None else None
    return Response(
        problem(status, HTTPStatus(status).phrase, detail), status, headers=headers, media_type=PROBLEM
    )
