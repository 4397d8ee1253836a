"""The engine's other routes: what people and pages ask for, each as far as its key reaches."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from starlette.exceptions import HTTPException

from collector.asgi import PROBLEM, problem
from collector.keys.idempotency import DOCUMENTED
from collector.keys.key import Key, key_of
from switchgear.tier import Tier

from . import metrics
from .access import concerns, reaches, sees, signed
from .accounts import Account
from .breaker import State
from .capacity import Backlog, LaneKey
from .ladder import stand
from .runtime import Runtime
from .wire import ForceBody, budget, held_by_workload

__all__ = ["routes"]

_TASKS_SHOWN, _TRANSITIONS_SHOWN = 200, 200
_FORCED = {"open": State.FORCED_OPEN, "disable": State.DISABLED, "restore": None}


def routes(app: FastAPI, runtime: Runtime) -> None:
    """Add the routes to `app`. Each needs a line in `access.RULES`, or it is not served."""

    @app.get("/v1/budgets", summary="Every ceiling: spent, held, projected, and its breaker")
    async def budgets(request: Request) -> JSONResponse:
        shown = _budgets(runtime, key_of(request.scope))
        return JSONResponse({"at": datetime.now(UTC).isoformat(), "budgets": shown})

    @app.get("/v1/breakers", summary="Breakers and their last transitions, newest first")
    async def breakers(
        request: Request, last: Annotated[int, Query(ge=0, le=_TRANSITIONS_SHOWN)] = _TRANSITIONS_SHOWN
    ) -> JSONResponse:
        key, policies = key_of(request.scope), runtime.engine.policies
        seen = [line for line in runtime.log.recent if concerns(key, policies, line["scope"])]
        return JSONResponse({"breakers": _budgets(runtime, key), "transitions": seen[::-1][:last]})

    @app.post("/v1/breakers", summary="Force breakers open, disable or restore them", dependencies=DOCUMENTED)
    async def force(request: Request, body: ForceBody) -> JSONResponse:
        key = key_of(request.scope)
        mine = _ceilings(runtime, key)
        chosen = {name for name in mine if body.ceiling in ("*", name)}
        if not chosen:
            raise HTTPException(404, f'no ceiling "{body.ceiling}"; there are: {", ".join(mine) or "none"}')
        runtime.force(chosen, _FORCED[body.do], signed(body.by, key), body.reason, body.for_s)
        return JSONResponse({"ceilings": len(chosen)})

    @app.get("/v1/grants", summary="What is held for calls that were granted and have not ended, by workload")
    async def grants(request: Request) -> JSONResponse:
        key, engine, now = key_of(request.scope), runtime.engine, runtime.clock()
        seen = (
            grant
            for grant in engine.book.grants()
            if grant.left
            and concerns(key, engine.policies, {"tenant": grant.who.tenant, "workload": grant.who.workload})
        )
        at, currency = datetime.fromtimestamp(now, UTC), engine.policies.currency
        return JSONResponse({"at": at.isoformat(), "currency": currency, "grants": held_by_workload(seen)})

    @app.get("/v1/shares", summary="Provider capacity: used in the last minute, and who waits for it")
    async def shares(request: Request) -> JSONResponse:
        return JSONResponse({"providers": _shares(runtime, key_of(request.scope))})

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

    seen = [account for account in engine.accounts if concerns(key, engine.policies, account.scope())]
    windows = [shown(account) for account in seen if account.task is None]
    tasks = [account for account in seen if account.task is not None]
    tasks.sort(key=lambda account: account.total.spent(now) + account.meter.held, reverse=True)
    return windows + [shown(account) for account in tasks[:_TASKS_SHOWN]]


def _shares(runtime: Runtime, key: Key) -> list[dict[str, Any]]:
    """Each lane's limits, how much of it is used (seen by keys for every tenant), and each party's share and queue."""
    now, engine = runtime.clock(), runtime.engine
    waiting: dict[LaneKey, list[Backlog]] = defaultdict(list)
    for waits in engine.queue.order.backlog():
        waiting[waits.lane].append(waits)
    shares = []
    for lane_key in sorted(dict(engine.queue.lanes) | waiting, key=str):
        lane, here = engine.queue.lanes.opened(lane_key), waiting[lane_key]
        use = lane.use(now, here, engine.policies.weight)
        queue = {(waits.tenant, waits.tier): waits.calls for waits in here if sees(key, waits.tenant)}
        shares.append(
            {
                "provider": lane_key.provider,
                "model": lane_key.model,
                "account": lane_key.account,
                "requests_per_minute": use.capacity.requests_per_minute,
                "tokens_per_minute": use.capacity.tokens_per_minute,
                "learned_requests_per_minute": use.requests_limit,
                "learned_tokens_per_minute": use.tokens_limit,
                "used_requests": use.requests if sees(key, None) else None,
                "used_tokens": use.tokens if sees(key, None) else None,
                "queued": {tier.value: sum(n for (_, t), n in queue.items() if t is tier) for tier in Tier},
                "queued_by_tenant": {
                    tenant: sum(n for (t, _), n in queue.items() if t == tenant)
                    for tenant in sorted({tenant for tenant, _ in queue})
                },
                "shares": [
                    {
                        "tenant": share.tenant,
                        "tier": share.tier.value,
                        "weight": share.weight,
                        "demand": share.demand,
                        "entitlement": share.entitlement,
                        "allotted": share.allotted,
                        "borrowed": share.borrowed,
                        "queue": queue.get((share.tenant, share.tier), 0),
                    }
                    for share in use.shares
                    if sees(key, share.tenant)
                ],
                "throttled": use.throttles if sees(key, None) else None,
                "throttled_until": datetime.fromtimestamp(use.paused_until, UTC).isoformat()
                if use.paused_until > now
                else None,
            }
        )
    return shares


def _problem(status: int, title: str, detail: str) -> Response:
    return Response(problem(status, title, detail), status, media_type=PROBLEM)
