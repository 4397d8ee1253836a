"""The policy engine as a service: wires engine, log, file, collector and routes into one ASGI app."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from fastapi import FastAPI

from collector.asgi import PROBLEMS, BodyLimit
from collector.keys import identity
from collector.keys.access import Access
from collector.keys.idempotency import Idempotent
from collector.keys.keyring import FILE_NAME, Keyring
from collector.keys.tokens import Tokens
from collector.pricing import PriceCall
from switchgear.usage import Usage

from . import api, explain, feed, hot, incident, inforce, leftovers, openapi
from .access import RULES
from .engine import Engine
from .files import load
from .journal import Journal
from .keeping import Keeper
from .notices import Notices
from .notices import load as load_notices
from .runtime import Runtime, steady_clock
from .transitions import TransitionLog

__all__ = ["create_app"]


def create_app(
    *,
    policy_file: Path,
    data: Path,
    price: PriceCall,
    collector: str | None,
    api_key: str | None = None,
    keyless: bool = False,
    tokens: Tokens | None = None,
    overdue_after_s: float = feed.OVERDUE_AFTER_S,
    notices: Path | None = None,
    own_process: bool = False,
) -> hot.HotRoutes:
    """The ASGI app. `data` holds the log of transitions, the journal of grants and the keys.

    `collector` None runs without a ledger behind it. `api_key` may do everything here, and is sent to the collector.
    With `keyless` nobody needs a key until there is one in the file. `tokens` are those of an issuer, taken beside
    keys. A settled hold that is not booked after `overdue_after_s` is handed to the collector. The file `notices` says
    who is told of breakers. In its `own_process` the engine sees to the garbage of all of it.

    Raises PolicyFileError or NoticeFileError for a file that cannot be used, BrokenChainError for a log that was
    changed, JournalError for a journal of grants that does not read, StoreError for a key file that cannot be read.
    """
    policies = load(policy_file)
    access = Access(RULES, Keyring(data / FILE_NAME), root=api_key, keyless=keyless, tokens=tokens)
    data.mkdir(parents=True, exist_ok=True)

    def cost(provider: str | None, model: str | None, usage: Usage, at: datetime) -> Decimal | None:
        return price(provider, model, usage, at).cost

    clock = steady_clock()
    engine, log = Engine(policies, cost), TransitionLog(data / "transitions.jsonl")
    engine.watch.blind = True
    engine.accounts.resume(log.states())
    engine.accounts.open_windows(clock())
    keeper = Keeper(engine, Journal(data), clock)
    runtime = Runtime(engine, log, policy_file, keeper, clock)
    if collector is None:
        runtime.ready()
    telling = None if notices is None else Notices(load_notices(notices), runtime.log, data)
    if telling is not None:
        runtime.figures.append(telling.figures)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        access.start()
        running = [runtime.tick(), runtime.watch_file(), keeper.run()]
        if own_process:
            running.append(leftovers.collect())
        background = [asyncio.create_task(each) for each in running]
        line = feed.client(collector, api_key) if collector else None
        if line is not None:
            following = feed.CollectorLine(
                runtime, line, overdue_after_s=overdue_after_s, position=keeper.feed_position
            )
            background.append(asyncio.create_task(following.run()))
        if telling is not None:
            background.append(asyncio.create_task(telling.run()))
        try:
            yield
        finally:
            for task in background:
                task.cancel()
            for task in background:
                with suppress(asyncio.CancelledError):
                    await task
            if line is not None:
                await line.aclose()
            keeper.close()
            access.close()

    app = FastAPI(
        title="switchgear policies",
        version="1",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        responses=PROBLEMS,
    )
    for each in (api, explain, inforce, incident):
        each.routes(app, runtime)
    identity.routes(app, access)
    described = app.openapi
    app.openapi = lambda: openapi.complete(described())  # type: ignore[method-assign]
    rest = BodyLimit(Idempotent(app, {("POST", "/v1/breakers")} | incident.IDEMPOTENT), hot.MAX_BODY_BYTES)
    return hot.HotRoutes(rest, runtime, access)
