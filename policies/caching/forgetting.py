"""Forgetting: an end to answers, and to what was learned of their wordings where that is one tenant's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .names import name_of, owned

if TYPE_CHECKING:
    from switchgear.cache.cache import LocalCache

__all__ = ["Forgetting", "forgotten"]


class Forgetting(NamedTuple):
    """What is to be forgotten: of a tenant all, a workload's or what has a tag; a tag of every tenant; one answer."""

    tenant: str | None = None
    workload: str | None = None
    tag: str | None = None
    entry: int | None = None


def forgotten(cache: LocalCache, what: Forgetting, group: str | None = None) -> int:
    """End it: how many answers that were. `group` are those with whom the workload shares now.

    Raises ValueError where nothing is named.
    """
    if what.entry is not None:
        return int(cache.forget_entry(what.entry))
    if what.tag is not None:
        return cache.forget_tag(what.tenant, what.tag)
    if what.tenant is None:
        raise ValueError("nothing is named that is to be forgotten")
    count = 0 if what.workload is not None else cache.forget_tenant(what.tenant)
    for name in _names(cache, what.tenant, what.workload, group):
        whose = owned(name)
        alone = whose is not None and whose.tenants == (what.tenant,)
        # What others have learned with the tenant is theirs, too: of those names its answers end alone.
        count += cache.forget_workload(None if alone else what.tenant, name)
    return count


def _names(cache: LocalCache, tenant: str, workload: str | None, group: str | None) -> set[str]:
    """What the cache calls the workloads of a tenant: this one, or all of which anything was learned."""
    known = {
        state.workload
        for state in cache.states()
        if (whose := owned(state.workload)) is not None
        and tenant in whose.tenants
        and workload in (None, whose.workload)
    }
    if workload is None:
        return known
    # Processes that use the folder by themselves call it by its own name.
    return known | {workload, name_of(tenant, workload, None), name_of(tenant, workload, group)}
