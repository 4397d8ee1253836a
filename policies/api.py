"""The engine's other routes: what people and pages ask for, each as far as its key reaches."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from starlette.exceptions import HTTPException

from collector.asgi import PROBLEM, problem
from collector.keys.idempotency import DOCUMENTED
from collector.keys.key import Key, key_of

from . import metrics
from .access import reaches, signed
from .accounts import Account
from .breaker import State
from .ladder import stand
from .runtime import Runtime
from .wire import ForceBody, budget

__all__ = ["routes"]

_TASKS_SHOWN = 200
_FORCED = {"open": State.FORCED_OPEN, "disable": State.DISABLED, "restore": None}


def routes(app: FastAPI, runtime: Runtime) -> None:
    """Add the routes to `app`. Each needs a line in `access.RULES`, or it is not served."""

    @app.get("/v1/budgets", summary="Every ceiling: spent, held, projected, and its breaker")
    async def budgets(request: Request) -> JSONResponse:
        shown = _budgets(runtime, key_of(request.scope))
        return JSONResponse({"at": datetime.now(UTC).isoformat(), "budgets": shown})

    @app.get("/v1/breakers", summary="Breakers and their last transitions, newest first")
    async def breakers(request: Request) -> JSONResponse:
        key = key_of(request.scope)
        seen = [line for line in runtime.log.recent if reaches(key, line["scope"].get("tenant"))]
        return JSONResponse({"breakers": _budgets(runtime, key), "transitions": seen[::-1]})

    @app.post("/v1/breakers", summary="Force breakers open, disable or restore them", dependencies=DOCUMENTED)
    async def force(request: Request, body: ForceBody) -> JSONResponse:
        key = key_of(request.scope)
        mine = _ceilings(runtime, key)
        chosen = {name for name in mine if body.ceiling in ("*", name)}
        if not chosen:
            raise HTTPException(404, f'no ceiling "{body.ceiling}"; there are: {", ".join(mine) or "none"}')
        runtime.force(chosen, _FORCED[body.do], signed(body.by, key), body.reason, body.for_s)
        return JSONResponse({"ceilings": len(chosen)})

    @app.get("/v1/shares", summary="Provider capacity: used in the last minute, and who waits for it")
    async def shares(request: Request) -> JSONResponse:
        return JSONResponse({"providers": _shares(runtime, key_of(request.scope))})

    @app.get(
        "/v1/policies", summary="The policy file in force, and why the last change was refused if it was"
    )
    async def policies(request: Request) -> JSONResponse:
        key = key_of(request.scope)
        # The error names what the file says, of whichever tenant.
        error = runtime.file_error and (
            runtime.file_error if key.all_tenants else "the last change was refused"
        )
        return JSONResponse(
            {
                "file": runtime.policy_file.name,
                "version": runtime.engine.policies.version,
                "loaded_at": datetime.fromtimestamp(runtime.loaded_at, UTC).isoformat(),
                "error": error,
                "ceilings": _ceilings(runtime, key),
            }
        )

    @app.get("/healthz", summary="The process is alive")
    @app.get("/readyz", summary="Policies are loaded")
    async def healthy() -> JSONResponse:
        return JSONResponse({"status": "ok", "policies": runtime.engine.policies.version})

    @app.get("/metrics", summary="Prometheus text", response_class=PlainTextResponse)
    async def prometheus() -> PlainTextResponse:
        return PlainTextResponse(metrics.text(runtime), media_type="text/plain; version=0.0.4")

    @app.exception_handler(HTTPException)
    async def http_error(_: Request, error: HTTPException) -> Response:
        return _problem(error.status_code, "Refused", str(error.detail))

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"][1:]) or "body"
        return _problem(422, "Invalid request", f"{where}: {first['msg']}")


def _ceilings(runtime: Runtime, key: Key) -> list[str]:
    """The names of the ceilings within the key's reach."""
    return [c.name for c in runtime.engine.policies.ceilings if reaches(key, c.scope.tenant)]


def _budgets(runtime: Runtime, key: Key) -> list[dict[str, Any]]:
    now = runtime.clock()
    engine = runtime.engine

    def shown(account: Account) -> dict[str, Any]:
        forced = engine.accounts.forced.get(account.ceiling.name)
        return budget(account, stand(account, now), engine.policies, forced.until if forced else None, now)

    seen = [account for account in engine.accounts if reaches(key, account.tenant)]
    windows = [shown(account) for account in seen if account.task is None]
    tasks = [account for account in seen if account.task is not None]
    tasks.sort(key=lambda account: account.total.spent(now) + account.meter.held, reverse=True)
    return windows + [shown(account) for account in tasks[:_TASKS_SHOWN]]


def _shares(runtime: Runtime, key: Key) -> list[dict[str, Any]]:
    """What each provider's capacity is, how much of it is used (seen by keys for every tenant), and who waits."""
    now, engine = runtime.clock(), runtime.engine
    waiting = [
        ticket.request
        for ticket in engine.pending.values()
        if ticket.attended and key.speaks_for(ticket.request.who.tenant)
    ]
    shares = []
    for provider in sorted(set(engine.lanes) | {request.call.provider for request in waiting}):
        queue = [request.who for request in waiting if request.call.provider == provider]
        lane = engine.lanes.get(provider)
        paused = lane is not None and lane.paused_until > now
        requests, tokens = lane.used(now) if lane is not None and key.all_tenants else (None, None)
        shares.append(
            {
                "provider": provider,
                "requests_per_minute": lane.capacity.requests_per_minute if lane else None,
                "tokens_per_minute": lane.capacity.tokens_per_minute if lane else None,
                "used_requests": requests,
                "used_tokens": tokens,
                "queued": {
                    tier: sum(who.tier == tier for who in queue)
                    for tier in ("interactive", "batch", "background")
                },
                "queued_by_tenant": {
                    t: sum(w.tenant == t for w in queue) for t in sorted({w.tenant for w in queue})
                },
                "throttled_until": datetime.fromtimestamp(lane.paused_until, UTC).isoformat()
                if lane and paused
                else None,
            }
        )
    return shares


def _problem(status: int, title: str, detail: str) -> Response:
    return Response(problem(status, title, detail), status, media_type=PROBLEM)
