"""Service: the collector put together: store, writer, lane and API as one ASGI application."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from .api import WRITES, Parts, add_routes, booked
from .asgi import PROBLEMS
from .erasing.erasure import Eraser
from .erasing.horizon import Horizon
from .erasing.retention import Retention, Sweep
from .extension import Extension, Facts
from .facts.booker import Booker
from .facts.feed import Feed
from .facts.journal import Journal
from .facts.statements import statement
from .facts.store import Store
from .facts.writer import Writer
from .guard import RULES, Guard
from .ingest.admission import Admission
from .ingest.billers import Billers
from .ingest.body import bill_body
from .ingest.grpc_server import Endpoint, GrpcServer
from .ingest.intake import Intake
from .ingest.lane import TRACES, Lane
from .ingest.limits import Limits
from .ingest.names import WORKLOAD_LIVES
from .ingest.room import Room
from .keys.access import Access
from .keys.idempotency import Idempotent
from .keys.keyring import FILE_NAME, Keyring
from .keys.tokens import Tokens
from .metrics import Metrics
from .otlp import JSON, PROTOBUF
from .pricing import PriceCall
from .queries.query import Queries
from .queries.reader import Reader
from .queries.sandbox.workers import Workers
from .reporting import Registry, Report
from .rerating.repricing import PriceCalls
from .rerating.rerater import Rerater

__all__ = ["create_app"]


def create_app(
    *,
    data: Path,
    price: PriceCall,
    price_calls: PriceCalls | None = None,
    reports: Mapping[str, Report] | None = None,
    registry: Registry | None = None,
    extensions: Sequence[Extension] = (),
    limits: Limits | None = None,
    retention: Retention | None = None,
    api_key: str | None = None,
    keyless: bool = False,
    tokens: Tokens | None = None,
    grpc: Endpoint | None = None,
    workers: Workers | None = None,
    billers: int = 0,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Guard:
    """The collector on the store in `data`. Raises StoreError, in one line, where that cannot be used.

    The store is opened here and closed with the application's lifespan, after everything that was taken in has been
    written. Without `retention` everything is kept. `api_key` may do everything; the other keys are in `data`. With
    `keyless` nobody needs one until there is one. `tokens` are those of an issuer, taken beside keys. `grpc` is where
    it takes OTLP over gRPC too; None is nowhere.
    `price_calls` prices many calls at once as `price` does each, for a rerate; None asks for each by itself.
    `extensions` are further routes.
    `workers` are processes for queries that several applications share; whoever made them closes them. `billers` is
    how many processes read and bill what comes in; with 0 that is done in this one.
    """
    rules = RULES.with_those_of(*(each.rules for each in extensions))
    access = Access(rules, Keyring(data / FILE_NAME), root=api_key, keyless=keyless, tokens=tokens)
    store = Store(data)
    metrics = Metrics()
    feed = Feed(store)
    journal = Journal(data)
    horizon = Horizon(store)
    sweep = Sweep(store, retention or Retention.of_everything(), horizon, now=now)
    booker = Booker(store, journal, price, metrics, committed=feed.announce, idle=sweep)
    writer = Writer(journal, booker, metrics, now=now)
    limits = limits or Limits()
    room = Room(requests_per_key=limits.requests_in_flight)
    admission = Admission(limits, metrics.count, horizon.of)
    _remember(admission, store, now())
    apart = Billers(billers) if billers else None
    bill = apart.bill if apart else bill_body
    intake = Intake(writer, metrics, admission, room, bill, price, billers=billers, now=now)
    lane = Lane(intake, metrics)
    grpc_server = GrpcServer(grpc, intake, metrics, partial(access.admit, "POST", TRACES)) if grpc else None
    reader = Reader(store)
    processes = workers or Workers()
    queries = Queries(reader, processes)
    alone = threading.Lock()
    rerater = Rerater(store, reader, writer, price, price_calls=price_calls, alone=alone)
    metrics.gauge("waiting_calls", lambda: writer.waiting)
    metrics.gauge("feed_seq", lambda: store.last_seq)
    metrics.gauge("healthy", lambda: writer.healthy)
    metrics.gauge("rollup_differences", lambda: sweep.differences)
    metrics.gauge("journal_bytes", lambda: journal.size)
    metrics.gauge("lag_seconds", lambda: (now() - store.newest).total_seconds() if store.newest else 0)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        access.start()
        feed.bind()
        writer.start()
        try:
            if grpc_server:
                await grpc_server.start()
            yield
        finally:
            if grpc_server:
                await grpc_server.stop()
            rerater.close()
            writer.close()
            feed.close()
            intake.close()
            if apart:
                apart.close()
            reader.close()
            queries.close()
            if workers is None:
                processes.close()
            store.close()
            journal.close()
            access.close()

    api = FastAPI(
        title="switchgear collector",
        version="1",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        responses=PROBLEMS,
    )
    add_routes(
        api,
        Parts(
            access=access,
            data=data,
            now=now,
            store=store,
            writer=writer,
            feed=feed,
            reader=reader,
            queries=queries,
            eraser=Eraser(data, store, journal, reader, horizon, alone=alone),
            rerater=rerater,
            intake=intake,
            metrics=metrics,
            reports=reports or {},
            registry=registry,
        ),
    )
    facts = Facts(
        *(data, now, store, reader, partial(booked, writer, feed)),
        behind=lambda: max(0, writer.acknowledged - store.last_seq),
    )
    for each in extensions:
        api.include_router(each.router(facts))
    _document_traces(api)
    return Guard(access, lane, Idempotent(api, WRITES.union(*(each.idempotent for each in extensions))))


def _remember(admission: Admission, store: Store, now: datetime) -> None:
    """Workloads that are in use keep their names, however many others come first after a start."""
    since = {"since": now - WORKLOAD_LIVES}
    for tenant, workload in store.cursor().execute(statement("workloads"), since).fetchall():
        admission.remember(tenant, workload, now)


def _document_traces(api: FastAPI) -> None:
    """Show POST /v1/traces in the OpenAPI document: it is served before the framework sees it."""
    generated = api.openapi

    def openapi() -> dict[str, Any]:
        document = generated()
        binary = {
            PROTOBUF: {"schema": {"type": "string", "format": "binary"}},
            JSON: {"schema": {"type": "object"}},
        }
        document["paths"].setdefault(
            TRACES,
            {
                "post": {
                    "tags": ["facts"],
                    "summary": "OTLP traces; answered when they are on disk.",
                    "requestBody": {"required": True, "content": binary},
                    "responses": {
                        "200": {"description": "ExportTraceServiceResponse", "content": binary},
                        **{
                            str(status): {"description": "google.rpc.Status", "content": binary}
                            for status in (400, 401, 403, 408, 413, 415, 429, 503)
                        },
                    },
                }
            },
        )
        return document

    api.openapi = openapi  # type: ignore[method-assign]
