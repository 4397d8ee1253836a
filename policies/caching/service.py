"""The cache as a service: answers for many processes, wired from cache, policy file, keys and routes into one app."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import FastAPI

from collector.asgi import PROBLEMS
from collector.keys import identity
from collector.keys.access import Access
from collector.keys.keyring import FILE_NAME, Keyring
from collector.keys.tokens import Tokens

from . import api
from .access import RULES
from .desk import Desk
from .door import Door
from .following import Followed
from .workers import Workers

if TYPE_CHECKING:
    from switchgear.cache.cache import LocalCache

__all__ = ["create_app"]


def create_app(
    *,
    open_cache: Callable[[], LocalCache],
    policy_file: Path,
    data: Path,
    api_key: str | None = None,
    keyless: bool = False,
    tokens: Tokens | None = None,
    workers: Workers | None = None,
) -> Door:
    """The ASGI app. `data` holds the keys; `open_cache` opens the answers, which the app closes.

    `api_key` may do everything here. With `keyless` nobody needs a key until there is one in the file. `tokens` are
    those of an issuer, taken beside keys. Raises PolicyFileError for a file that cannot be used, StoreError for a key
    file that cannot be read, and what `open_cache` raises.
    """
    followed = Followed(policy_file)
    access = Access(RULES, Keyring(data / FILE_NAME), root=api_key, keyless=keyless, tokens=tokens)
    cache = open_cache()
    desk = Desk(cache, followed, workers or Workers())

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        access.start()
        background = [asyncio.create_task(each) for each in (followed.follow(), desk.sweep())]
        try:
            yield
        finally:
            for task in background:
                task.cancel()
            for task in background:
                with suppress(asyncio.CancelledError):
                    await task
            await asyncio.to_thread(desk.workers.close)
            cache.close()
            access.close()

    app = FastAPI(
        title="switchgear cache",
        version="1",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        responses=PROBLEMS,
    )
    api.routes(app, desk)
    identity.routes(app, access)
    return Door(app, access, followed, desk.workers)
