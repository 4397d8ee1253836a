"""Identity: what a key is told of itself, the same by both services: a page shows by it what its viewer may do."""

from __future__ import annotations

from datetime import UTC, datetime
from math import isinf

from fastapi import FastAPI, Request
from pydantic import BaseModel

from .access import Access
from .key import EVERYTHING, ROOT, Holder

__all__ = ["Identity", "identity", "routes"]


class Identity(BaseModel):
    """Who asks, and what they may. Nothing of it is secret."""

    id: str
    name: str
    tenants: list[str]
    scopes: list[str]
    owners: list[str]
    options: list[str]
    expires_at: datetime | None
    """Null where it goes on until it is revoked."""
    keyless: bool
    """Whether no key is needed: whoever is on the machine may do everything."""
    root: bool
    """Whether it is the installation's own key."""


def identity(holder: Holder) -> Identity:
    """What is told of whoever holds a key; names in order, so that an answer stays the same."""
    key = holder.key
    return Identity(
        id=key.id,
        name=holder.name,
        tenants=sorted(key.tenants),
        scopes=sorted(key.scopes),
        owners=sorted(key.owners),
        options=sorted(key.options),
        expires_at=None if isinf(holder.ends_at) else datetime.fromtimestamp(holder.ends_at, UTC),
        keyless=key is EVERYTHING,
        root=key is ROOT,
    )


def routes(app: FastAPI, access: Access) -> None:
    """Add the route to `app`. It needs a line in the service's rules: `ANY_KEY`."""

    @app.get("/v1/identity", tags=["identity"], summary="Who asks, and what their key may do")
    async def told(request: Request) -> Identity:
        return identity(access.holder(request.headers.get("authorization", "")))
