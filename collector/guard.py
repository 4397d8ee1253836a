"""Guard: what every request passes first: the key and what it may do, and a limit on the body's size."""

from __future__ import annotations

from .asgi import App, BodyLimit, Receive, Scope, Send, deny, header
from .errors import DeniedError
from .ingest.answers import Refusal
from .ingest.lane import PATHS, Lane, refuse
from .keys.access import Access
from .keys.key import OWNER, with_key
from .keys.rules import ANY_KEY, OPEN, Everywhere, Rules

__all__ = ["RULES", "Guard"]

MAX_DOCUMENT_BYTES = 8 * 1024 * 1024

# What a route shows is cut to the key's tenants and owners by the route itself; `Everywhere` says that it cannot be.
RULES = Rules(
    {
        "GET /healthz": OPEN,
        "GET /readyz": OPEN,
        "GET /openapi.json": OPEN,
        "GET /metrics": (Everywhere("read"), Everywhere("operate")),
        "GET /v1/identity": ANY_KEY,
        # Metrics and logs are refused, by the lane and in the words of OTLP.
        "POST /v1/traces": ("ingest",),
        "POST /v1/metrics": ("ingest",),
        "POST /v1/logs": ("ingest",),
        "GET /v1/feed": ("read", "internal"),
        "POST /v1/query": ("read", "finance", OWNER),
        "GET /v1/reports": ("read", "finance", OWNER),
        "GET /v1/reports/{name}": ("read", "finance", OWNER),
        "GET /v1/registry": ("read", "finance", OWNER),
        "PUT /v1/registry": (Everywhere("finance"), Everywhere("internal")),
        "POST /v1/audit": (Everywhere("internal"),),
        "POST /v1/settlements": (Everywhere("internal"),),
        "GET /v1/rerate": ("finance",),
        "POST /v1/rerate": ("finance",),
        "POST /v1/backups": (Everywhere("admin"),),
        "DELETE /v1/tenants/{tenant}/details": (Everywhere("admin"),),
    }
)


class Guard:
    """The application: OTLP goes down its own lane, everything else to the API."""

    def __init__(self, access: Access, lane: Lane, api: App) -> None:
        self.access = access
        self._lane = lane
        self._api = BodyLimit(api, MAX_DOCUMENT_BYTES)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._api(scope, receive, send)
            return
        path = scope["path"]
        try:
            key = await self.access.admitted(scope["method"], path, header(scope, b"authorization"))
        except DeniedError as denied:
            if path in PATHS:
                answer = Refusal(denied.status, str(denied))
                await refuse(send, answer, header(scope, b"content-type"))
            else:
                await deny(send, denied)
            return
        if path in PATHS:
            await self._lane(with_key(scope, key), receive, send)
        else:
            await self._api(with_key(scope, key), receive, send)
