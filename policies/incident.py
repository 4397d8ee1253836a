"""What people do by hand beside moving breakers: overrides, and stopping a task. Each as far as its key reaches."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from collector.keys.idempotency import DOCUMENTED
from collector.keys.key import Key, key_of
from collector.wire import decimal_text, rfc3339
from switchgear.money import Money
from switchgear.tier import Tier

from .access import concerns, reaches, signed
from .files.fields import Limit
from .model import Ceiling, Dimension, Override, PolicySet, Unit
from .runtime import Runtime
from .wire import Name

__all__ = ["IDEMPOTENT", "routes", "scope_of"]

IDEMPOTENT = {("POST", "/v1/overrides")}
"""The routes that take an idempotency key. Stopping a task twice, or ending an override, is harmless without."""

_LONGEST_S = 30 * 86400
_ID_BYTES = 6

Reason = Annotated[str, Field(min_length=1, max_length=500)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)


class OverrideScopeBody(_Body):
    """The values of a ceiling's `per` that an override is for."""

    tenant: Name | None = None
    workload: Name | None = None
    task: Name | None = None
    tier: Tier | None = None
    owner: Name | None = None
    model: Name | None = None
    provider: Name | None = None

    def values(self) -> tuple[tuple[Dimension, str], ...]:
        """Those that are named, in the order of dimensions."""
        named = ((dimension, getattr(self, dimension.value)) for dimension in Dimension)
        return tuple((dimension, str(value)) for dimension, value in named if value is not None)


class OverrideBody(_Body):
    """For `for_s` seconds another limit in place of a ceiling's own: "20 USD", "500000 tokens"."""

    ceiling: Name
    scope: OverrideScopeBody = OverrideScopeBody()
    limit: Limit
    for_s: Annotated[float, Field(gt=0, le=_LONGEST_S)]
    by: Name
    reason: Reason


class StopBody(_Body):
    """Every further call of a tenant's task tree is refused."""

    tenant: Name
    by: Name
    reason: Reason


def routes(app: FastAPI, runtime: Runtime) -> None:
    """Add the routes to `app`. Each needs a line in `access.RULES`, or it is not served."""

    @app.get("/v1/overrides", summary="Limits that hold in place of a ceiling's own, by hand and by the file")
    async def overrides(request: Request) -> JSONResponse:
        key, engine, now = key_of(request.scope), runtime.engine, runtime.clock()
        by_hand = list(engine.accounts.overrides.items())
        by_file = [(None, override) for override in engine.policies.overrides if override.until > now]
        shown = [
            _shown(override_id, override, engine.policies)
            for override_id, override in (*by_hand, *by_file)
            if concerns(key, engine.policies, scope_of(override, engine.policies))
        ]
        return JSONResponse({"overrides": shown})

    @app.post(
        "/v1/overrides",
        summary="Give a ceiling another limit for a time",
        status_code=201,
        dependencies=DOCUMENTED,
    )
    async def override(request: Request, body: OverrideBody) -> JSONResponse:
        key, policies, now = key_of(request.scope), runtime.engine.policies, runtime.clock()
        ceiling = _ceiling(policies, body.ceiling, key, dict(body.scope.values()))
        made = Override(
            ceiling.name,
            _amount(body, ceiling, policies),
            now + body.for_s,
            signed(body.by, key),
            body.reason,
            body.scope.values(),
        )
        override_id = f"o{secrets.token_hex(_ID_BYTES)}"
        runtime.engine.by_hand.override(override_id, made, now)
        runtime.after_change()
        return JSONResponse(_shown(override_id, made, policies), 201)

    @app.delete("/v1/overrides/{id}", summary="End an override that was given by hand")
    async def end(
        request: Request,
        id: str,  # noqa: A002 - as the path has it
        by: Annotated[Name, Query()],
        reason: Annotated[Reason, Query()],
    ) -> JSONResponse:
        key, engine = key_of(request.scope), runtime.engine
        ending = engine.accounts.overrides.get(id)
        if ending is None or not reaches(key, scope_of(ending, engine.policies).get("tenant")):
            raise HTTPException(404, f'no override "{id[:64]}" holds; GET /v1/overrides lists them')
        engine.by_hand.end_override(id, signed(by, key), reason, runtime.clock())
        runtime.after_change()
        return JSONResponse(_shown(id, ending, engine.policies))

    @app.post("/v1/tasks/{id}:stop", summary="Refuse every further call of a task tree")
    async def stop(request: Request, id: str, body: StopBody) -> JSONResponse:  # noqa: A002
        key, engine = key_of(request.scope), runtime.engine
        if not reaches(key, body.tenant):
            raise HTTPException(403, f"the key does not speak for tenant {body.tenant[:64]!r}")
        known = (body.tenant, id) in engine.accounts.stopped
        if not known:
            engine.by_hand.stop_task(body.tenant, id, signed(body.by, key), body.reason, runtime.clock())
            runtime.after_change()
        return JSONResponse({"tenant": body.tenant, "task": id, "was_stopped_before": known})


def _ceiling(policies: PolicySet, name: str, key: Key, scope: dict[Dimension, str]) -> Ceiling:
    """The ceiling of that name, if the key reaches it, and if it has such a scope. Raises HTTPException."""
    mine = [c for c in policies.ceilings if reaches(key, c.scope.tenant or scope.get(Dimension.TENANT))]
    found = next((ceiling for ceiling in mine if ceiling.name == name), None)
    if found is None:
        there_are = ", ".join(ceiling.name for ceiling in mine) or "none"
        raise HTTPException(404, f'no ceiling "{name}"; there are: {there_are}')
    if other := set(scope) - set(found.per):
        goes = f"goes per {', '.join(found.per)}" if found.per else "is one for all that it counts"
        raise HTTPException(422, f'scope.{min(other)}: "{name}" {goes}')
    return found


def _amount(body: OverrideBody, ceiling: Ceiling, policies: PolicySet) -> Any:
    """The limit in the ceiling's unit. Raises HTTPException for another."""
    wanted = policies.currency if ceiling.unit is Unit.MONEY else Unit.TOKENS.value
    given = body.limit.currency if isinstance(body.limit, Money) else Unit.TOKENS.value
    if given != wanted:
        raise HTTPException(422, f'limit: "{body.limit}" is in {given}, and "{ceiling.name}" counts {wanted}')
    return body.limit.amount if isinstance(body.limit, Money) else body.limit.count


def scope_of(override: Override, policies: PolicySet) -> dict[str, str]:
    """What alone it is for, by name: of its ceiling's scope and its own."""
    of = next((c.scope.to_wire() for c in policies.ceilings if c.name == override.ceiling), {})
    return of | {dimension.value: value for dimension, value in override.scope}


def _shown(override_id: str | None, override: Override, policies: PolicySet) -> dict[str, Any]:
    """An override for people; `id` is null for one that stands in the policy file."""
    unit = next((c.unit for c in policies.ceilings if c.name == override.ceiling), Unit.MONEY)
    counted_in = policies.currency if unit is Unit.MONEY else unit.value
    return {
        "id": override_id,
        "ceiling": override.ceiling,
        "scope": {dimension.value: value for dimension, value in override.scope},
        "limit": f"{decimal_text(override.limit)} {counted_in}",
        "until": rfc3339(datetime.fromtimestamp(override.until, UTC)),
        "by": override.author,
        "reason": override.reason,
    }
