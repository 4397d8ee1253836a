"""In force: the policy file that the engine works by, told to each key as far as it concerns the key's tenants."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from analytics.documents import DocumentError, read
from collector.keys.key import Key, key_of

from .access import concerns, looks, sees
from .caching.rules import CacheRule
from .files import version_of
from .files.writing import as_document
from .incident import scope_of
from .model import Ceiling, Dimension, PolicySet, Tenant
from .runtime import Runtime

__all__ = ["concerning", "routes"]


def routes(app: FastAPI, runtime: Runtime) -> None:
    """Add the route to `app`. It needs a line in `access.RULES`, or it is not served."""

    @app.get(
        "/v1/policies", summary="The policy file in force, and why the last change was refused if it was"
    )
    async def policies(request: Request) -> JSONResponse:
        key, in_force = key_of(request.scope), runtime.engine.policies
        # The error names what the file says, and the text is it, of whichever tenant.
        error = runtime.file_error and (
            runtime.file_error if sees(key, None) else "the last change was refused"
        )
        text = await asyncio.to_thread(_text, runtime) if sees(key, None) else None
        return JSONResponse(
            {
                "file": runtime.policy_file.name,
                "version": in_force.version,
                "loaded_at": _time(runtime.loaded_at),
                "error": error,
                "refused_at": None if runtime.refused_at is None else _time(runtime.refused_at),
                "ceilings": [c.name for c in in_force.ceilings if concerns(key, in_force, c.scope.to_wire())],
                "document": as_document(concerning(in_force, key)),
                "text": text,
            }
        )


def concerning(policies: PolicySet, key: Key) -> PolicySet:
    """What of the policies concerns the tenants that the key speaks for, or the workloads of its owners, and nobody
    else.

    A ceiling is among it that is for one of them, or gives each a limit of its own; one that counts several together
    is shown to keys for all of them alone, and plans to finance.
    """
    if sees(key, None):
        return policies
    seen = tuple(tenant for tenant in policies.tenants if sees(key, tenant.name))
    owned = tuple(_owned(tenant, key) for tenant in policies.tenants if tenant not in seen)
    ceilings = tuple(
        c for c in policies.ceilings if _is_of(c, seen, key) or _is_of_owners(c, owned, key.owners)
    )
    names = {ceiling.name for ceiling in ceilings}
    centres = {w.cost_centre for tenant in seen for w in tenant.workloads} if key.allows("finance") else ()
    return replace(
        policies,
        tenants=(*seen, *(tenant for tenant in owned if tenant.workloads)),
        ceilings=ceilings,
        plans=tuple(plan for plan in policies.plans if plan.cost_centre in centres),
        overrides=tuple(
            o
            for o in policies.overrides
            if o.ceiling in names and concerns(key, policies, scope_of(o, policies))
        ),
        cache=tuple(
            _caching(rule, key) for rule in policies.cache if _concerns_answers(rule, seen, owned, key)
        ),
    )


def _owned(tenant: Tenant, key: Key) -> Tenant:
    """The tenant with the workloads alone that the key's owners own."""
    return replace(tenant, workloads=tuple(w for w in tenant.workloads if w.owner in key.owners))


def _concerns_answers(rule: CacheRule, seen: tuple[Tenant, ...], owned: tuple[Tenant, ...], key: Key) -> bool:
    """Whether the entry holds, or can hold, for one of the tenants or workloads."""
    if rule.tenant is not None and sees(key, rule.tenant):
        return True
    if rule.tenant is None and rule.workload is None:
        return True
    workloads = [(t.name, w.name) for t in (*(() if rule.tenant else seen), *owned) for w in t.workloads]
    return any(rule.tenant in (None, t) and rule.workload in (None, w) for t, w in workloads)


def _caching(rule: CacheRule, key: Key) -> CacheRule:
    """The entry, without whom it shares with where that names tenants whom the key does not see."""
    if all(sees(key, tenant) for tenant in rule.share_with):
        return rule
    return replace(rule, share_with=frozenset())


def _is_of(ceiling: Ceiling, tenants: tuple[Tenant, ...], key: Key) -> bool:
    scope = ceiling.scope
    if scope.tenant is not None or Dimension.TENANT not in ceiling.per:
        return sees(key, scope.tenant)
    if not (key.tenants and looks(key)):
        return False
    # A rule for every tenant names a workload or an owner that may be others' alone.
    workloads = [workload for tenant in tenants for workload in tenant.workloads]
    return (scope.workload is None or any(w.name == scope.workload for w in workloads)) and (
        scope.owner is None or any(w.owner == scope.owner for w in workloads)
    )


def _is_of_owners(ceiling: Ceiling, tenants: tuple[Tenant, ...], owners: frozenset[str]) -> bool:
    """Whether it counts, or can count, a workload of these owners apart from all others."""
    scope = ceiling.scope
    names = {*scope.to_wire(), *ceiling.per}
    apart = Dimension.OWNER in names or {Dimension.TENANT, Dimension.WORKLOAD} <= names
    return apart and any(
        scope.tenant in (None, tenant.name)
        and scope.workload in (None, workload.name)
        and (scope.owner is None or scope.owner in owners)
        for tenant in tenants
        for workload in tenant.workloads
    )


def _text(runtime: Runtime) -> str | None:
    """The text of the file in force; None where the file is by now another one, or gone."""
    try:
        text = read(runtime.policy_file)
    except DocumentError:
        return None
    return text if version_of(text) == runtime.engine.policies.version else None


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()
