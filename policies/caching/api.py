"""The routes of the cache service. Each needs a line in `access.RULES`, or it is not served."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from starlette.exceptions import HTTPException

from collector.asgi import PROBLEM, problem
from collector.keys.key import Key, key_of

from ..access import concerns, sees
from ..model import PolicySet
from ..wire import Name
from . import metrics
from .access import may_forget
from .bodies import (
    ForgetBody,
    Forgotten,
    LabelBody,
    Labelled,
    LearnBody,
    Learned,
    LookBody,
    Looked,
)
from .desk import Desk
from .door import BUSY
from .forgetting import Forgetting
from .judging import counted
from .names import Owned
from .standing import Standings, standings, whose
from .workers import BusyError

__all__ = ["routes"]

_NO_TICKET = "there is no such ticket: it was used, it is too old, or it is another's"


def routes(app: FastAPI, desk: Desk) -> None:
    """Add the routes to `app`."""

    @app.post("/v1/cache:look", summary="What is served for a request, if anything", response_model=Looked)
    async def look(request: Request, body: LookBody) -> Response:
        key = key_of(request.scope)
        _check_tenant(key, body.tenant)
        found, ticket = await desk.look(
            key, body.tenant, body.workload, body.question.question(), body.terms.terms()
        )
        return JSONResponse(Looked.of(found, ticket))

    @app.post("/v1/cache:learn", summary="The model was asked: what it answered", response_model=Learned)
    async def learn(request: Request, body: LearnBody) -> Response:
        answer = None if body.answer is None else body.answer.answer()
        outcome = await desk.learn(key_of(request.scope), body.ticket, answer)
        if outcome is None:
            raise HTTPException(404, _NO_TICKET)
        return JSONResponse({"outcome": outcome.value})

    @app.post("/v1/cache:forget", summary="End what is kept of a tenant, a workload, a tag or one answer")
    async def forget(request: Request, body: ForgetBody) -> Forgotten:
        key = key_of(request.scope)
        if not may_forget(key, body.tenant):
            whose = "every tenant's answers" if body.tenant is None else f"tenant {body.tenant[:64]!r}"
            raise HTTPException(403, f"key {key.id} may not end {whose}: it takes the scope operate there")
        what = Forgetting(body.tenant, body.workload, body.tag, body.entry)
        return Forgotten(forgotten=await desk.forget(what))

    @app.get("/v1/cache", summary="How each workload stands: in words, and in figures")
    async def stands(request: Request, tenant: Name | None = None, workload: Name | None = None) -> Standings:
        key, policies = key_of(request.scope), desk.followed.policies
        shown = [
            state
            for state in await desk.states()
            if _is_meant(whose(state), tenant, workload) and _is_seen(key, policies, whose(state))
        ]
        return Standings(at=desk.clock(), policies=policies.version, workloads=standings(shown))

    @app.post("/v1/cache:label", summary="Hand-labelled pairs of answers: how often its judge errs")
    async def label(request: Request, body: LabelBody) -> Labelled:
        _check_tenant(key_of(request.scope), body.tenant)
        pairs = [(each.kept, each.fresh, each.same) for each in body.pairs]
        said = await desk.label(body.tenant, body.workload, pairs)
        return Labelled(**counted(list(zip(said, (same for _, _, same in pairs), strict=True))))

    @app.get("/healthz", summary="The process is alive")
    @app.get("/readyz", summary="Policies are loaded, and the answers at hand")
    async def healthy() -> dict[str, str]:
        return {"status": "ok", "policies": desk.followed.policies.version}

    @app.get("/metrics", summary="Prometheus text", response_class=PlainTextResponse)
    async def prometheus() -> PlainTextResponse:
        return PlainTextResponse(metrics.text(desk), media_type="text/plain; version=0.0.4")

    @app.exception_handler(BusyError)
    async def busy(_: Request, __: Exception) -> Response:
        return _problem(503, "Busy", BUSY, {"retry-after": "1"})

    @app.exception_handler(HTTPException)
    async def http_error(_: Request, error: HTTPException) -> Response:
        return _problem(error.status_code, "Refused", str(error.detail))

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        # The place and the rule, and nothing of what was sent: it may be what a prompt says.
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"][1:]) or "body"
        return _problem(422, "Invalid request", f"{where[:128]}: {first['msg'][:256]}")


def _is_meant(of: Owned, tenant: str | None, workload: str | None) -> bool:
    return (tenant is None or tenant in of.tenants) and workload in (None, of.workload)


def _is_seen(key: Key, policies: PolicySet, of: Owned) -> bool:
    """Whether the key may see how it stands: what several tenants share is theirs together, and each sees it."""
    return sees(key, None) or any(
        concerns(key, policies, {"tenant": each, "workload": of.workload}) for each in of.tenants
    )


def _check_tenant(key: Key, tenant: str) -> None:
    """Refuse to speak of a tenant that the key does not speak for, whether or not there is any such."""
    if not key.speaks_for(tenant):
        raise HTTPException(403, f"key {key.id} does not speak for tenant {tenant[:64]!r}")


def _problem(status: int, title: str, detail: str, headers: dict[str, Any] | None = None) -> Response:
    return Response(problem(status, title, detail), status, headers, media_type=PROBLEM)
