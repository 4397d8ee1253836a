"""Explaining: what every ceiling says of a scope, now or beside a decision that was made, as far as the key reaches."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException

from collector.keys.key import Key, key_of
from collector.wire import rfc3339
from switchgear.decision import Decision
from switchgear.tier import Tier

from .access import reaches
from .bodies import ScopeBody
from .judge import Said
from .model import Dimension, Who
from .runtime import Runtime
from .wire import Name, budget

__all__ = ["routes"]


class ExplainQuery(BaseModel):
    """Either a scope, of which at least tenant and workload, or the id of a decision."""

    model_config = ConfigDict(extra="forbid")

    tenant: Name | None = None
    workload: Name | None = None
    tier: Tier | None = None
    task: Name | None = None
    provider: Name | None = None
    model: Name | None = None
    decision: Name | None = None


def routes(app: FastAPI, runtime: Runtime) -> None:
    """Add the route to `app`. It needs a line in `access.RULES`, or it is not served."""

    @app.get("/v1/explain", summary="What every ceiling says of a scope, and whose word counts")
    async def explain(request: Request, asked: Annotated[ExplainQuery, Query()]) -> JSONResponse:
        key, now = key_of(request.scope), runtime.clock()
        who, decision = _decided(runtime, asked, key, now)
        said = runtime.engine.explain(who, now)
        runtime.after_change()
        return JSONResponse(
            {
                "at": rfc3339(datetime.fromtimestamp(now, UTC)),
                "who": {d.value: str(value) for d in Dimension if (value := who.value(d)) is not None},
                "decision": decision.to_wire(),
                "ceilings": [_shown(each, runtime, decision, key, now) for each in said],
            }
        )


def _decided(runtime: Runtime, asked: ExplainQuery, key: Key, now: float) -> tuple[Who, Decision]:
    """For whom and what was decided, then or now. Raises HTTPException."""
    scope = asked.model_dump(exclude={"decision"}, exclude_none=True)
    if asked.decision is not None:
        if scope:
            raise HTTPException(422, f"{min(scope)}: a decision has its scope; leave it out")
        found = runtime.engine.decided(asked.decision)
        # Another tenant's decision is answered as one that never was.
        if found is None or not key.speaks_for(found[0].tenant):
            raise HTTPException(
                404, f'no decision "{asked.decision[:64]}" is remembered; the last 10,000 are'
            )
        return found
    missing = [name for name in ("tenant", "workload") if name not in scope]
    if missing:
        raise HTTPException(422, f"{missing[0]}: name a tenant and a workload, or a decision")
    if not key.speaks_for(scope["tenant"]):
        raise HTTPException(403, f"the key does not speak for tenant {scope['tenant'][:64]!r}")
    who = ScopeBody(**scope).who(runtime.engine.policies)
    return who, runtime.engine.decide(who, now)


def _shown(said: Said, runtime: Runtime, decision: Decision, key: Key, now: float) -> dict[str, Any]:
    """What one ceiling says. What it has counted of several tenants is seen by keys for all of them alone."""
    account, engine = said.account, runtime.engine
    forced = engine.accounts.forced.get(account.ceiling.name)
    whole = budget(account, said.stand, engine.policies, forced.until if forced else None, now)
    shown = whole if reaches(key, account.tenant) else {name: whole[name] for name in _FOR_ANYONE}
    counts = account.ceiling.name == decision.policy and not account.ceiling.shadow
    return {**shown, "action": said.action.value, "reason": said.reason, "restricts": counts}


_FOR_ANYONE = ("ceiling", "scope", "window_s", "limit", "currency", "state", "shadow", "since", "until")
