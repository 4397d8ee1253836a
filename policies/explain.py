"""Explaining: what every ceiling says of a scope, now or beside a decision that was made, as far as the key reaches."""

from __future__ import annotations

from collections.abc import Sequence
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

from .access import concerns, sees
from .bodies import ScopeBody
from .caching.words import told_of
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
                "decision": _told(decision, said, who, runtime, key),
                "ceilings": [_shown(each, runtime, decision, who, key, now) for each in said],
                "cache": told_of(runtime.engine.policies, who.tenant, who.workload),
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
        if found is None or not _may_ask(key, runtime, found[0].tenant, found[0].workload):
            raise HTTPException(
                404, f'no decision "{asked.decision[:64]}" is remembered; the last 10,000 are'
            )
        return found
    missing = [name for name in ("tenant", "workload") if name not in scope]
    if missing:
        raise HTTPException(422, f"{missing[0]}: name a tenant and a workload, or a decision")
    if not _may_ask(key, runtime, scope["tenant"], scope["workload"]):
        raise HTTPException(
            403,
            f"the key does not speak for tenant {scope['tenant'][:64]!r}, nor for an owner of the workload",
        )
    who = ScopeBody(**scope).who(runtime.engine.policies)
    return who, runtime.engine.decide(who, now)


def _may_ask(key: Key, runtime: Runtime, tenant: str, workload: str) -> bool:
    return concerns(key, runtime.engine.policies, {"tenant": tenant, "workload": workload})


def _told(decision: Decision, said: Sequence[Said], who: Who, runtime: Runtime, key: Key) -> dict[str, Any]:
    """The decision. An owner is not told what is left of a ceiling that counts others too."""
    whole = decision.to_wire()
    scopes = [each.account.scope() for each in said if each.account.ceiling.name == decision.policy]
    is_theirs = bool(scopes) and all(concerns(key, runtime.engine.policies, each) for each in scopes)
    if decision.policy is None or sees(key, who.tenant) or is_theirs:
        return whole
    reason = f"{decision.policy}: {_OTHERS_TOO}"
    return {**whole, "remaining": None, "projected": None, "reason": reason}


def _shown(
    said: Said, runtime: Runtime, decision: Decision, who: Who, key: Key, now: float
) -> dict[str, Any]:
    """What one ceiling says. What it has counted of others too is seen by whoever sees all of them."""
    account, engine = said.account, runtime.engine
    forced = engine.accounts.forced.get(account.ceiling.name)
    whole = budget(account, said.stand, engine.policies, forced.until if forced else None, now)
    is_seen = concerns(key, engine.policies, account.scope())
    shown = whole if is_seen else {name: whole[name] for name in _FOR_ANYONE}
    counts = account.ceiling.name == decision.policy and not account.ceiling.shadow
    reason = said.reason if is_seen or sees(key, who.tenant) else _OTHERS_TOO
    return {**shown, "action": said.action.value, "reason": reason, "restricts": counts}


_OTHERS_TOO = "it counts the calls of others too"
_FOR_ANYONE = ("ceiling", "scope", "window_s", "limit", "currency", "state", "shadow", "since", "until")
