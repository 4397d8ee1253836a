"""The engine's other routes: what people and pages ask for."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from starlette.exceptions import HTTPException

from collector.asgi import PROBLEM, problem

from . import metrics
from .book import Account
from .breaker import State
from .ladder import stand
from .runtime import Runtime
from .wire import ForceBody, budget

__all__ = ["routes"]

_TASKS_SHOWN = 200
_FORCED = {"open": State.FORCED_OPEN, "disable": State.DISABLED, "restore": None}


def routes(app: FastAPI, runtime: Runtime) -> None:
    """Add the routes to `app`."""

    @app.get("/v1/budgets", summary="Every ceiling: spent, held, projected, and its breaker")
    async def budgets() -> JSONResponse:
        return JSONResponse({"at": datetime.now(UTC).isoformat(), "budgets": _budgets(runtime)})

    @app.get("/v1/breakers", summary="Breakers and their last transitions, newest first")
    async def breakers() -> JSONResponse:
        return JSONResponse({"breakers": _budgets(runtime), "transitions": list(runtime.log.recent)[::-1]})

    @app.post("/v1/breakers", summary="Force breakers open, disable or restore them")
    async def force(body: ForceBody) -> JSONResponse:
        touched = runtime.force(body.ceiling, _FORCED[body.do], body.by, body.reason, body.for_s)
        if not touched:
            known = ", ".join(c.name for c in runtime.engine.policies.ceilings) or "none"
            raise HTTPException(404, f'no ceiling "{body.ceiling}"; there are: {known}')
        return JSONResponse({"ceilings": touched})

    @app.get("/v1/shares", summary="Provider capacity: used in the last minute, and who waits for it")
    async def shares() -> JSONResponse:
        return JSONResponse({"providers": _shares(runtime)})

    @app.get(
        "/v1/policies", summary="The policy file in force, and why the last change was refused if it was"
    )
    async def policies() -> JSONResponse:
        return JSONResponse(
            {
                "file": runtime.policy_file.name,
                "version": runtime.engine.policies.version,
                "loaded_at": datetime.fromtimestamp(runtime.loaded_at, UTC).isoformat(),
                "error": runtime.file_error,
                "ceilings": [c.name for c in runtime.engine.policies.ceilings],
            }
        )

    @app.get("/healthz", summary="The process is alive")
    @app.get("/readyz", summary="Policies are loaded")
    async def healthy() -> JSONResponse:
        return JSONResponse({"status": "ok", "policies": runtime.engine.policies.version})

    @app.get("/metrics", summary="Prometheus text")
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


def _budgets(runtime: Runtime) -> list[dict[str, Any]]:
    now = runtime.clock()
    engine = runtime.engine

    def shown(account: Account) -> dict[str, Any]:
        forced = engine.accounts.forced.get(account.ceiling.name)
        return budget(account, stand(account, now), engine.policies, forced.until if forced else None, now)

    windows = [shown(account) for account in engine.accounts if account.task is None]
    tasks = [account for account in engine.accounts if account.task is not None]
    tasks.sort(key=lambda account: account.total.spent(now) + account.held, reverse=True)
    return windows + [shown(account) for account in tasks[:_TASKS_SHOWN]]


def _shares(runtime: Runtime) -> list[dict[str, Any]]:
    now = runtime.clock()
    engine = runtime.engine
    providers = set(engine.lanes) | {t.request.call.provider for t in engine.pending.values()}
    shares = []
    for provider in sorted(providers):
        queue = [
            t.request.who
            for t in engine.pending.values()
            if t.request.call.provider == provider and t.attended
        ]
        lane = engine.lanes.get(provider)
        paused = lane is not None and lane.paused_until > now
        requests, tokens = lane.used(now) if lane is not None else (None, None)
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
