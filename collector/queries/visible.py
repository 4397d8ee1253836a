"""Visible: which rows of each documented view a key may read, as SQL conditions. The one place that says so.

Two rights add up. A key that reads (scope read, finance, internal or admin) sees what is of its tenants; what is of no
tenant in particular needs a key for all of them. A key with `owner:NAME` sees what is of the workloads that the
registry gives to NAME, in whichever tenant: of the time in which it does. A view that is not named here is seen by
nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ..keys.key import Key

__all__ = ["VIEWS", "condition", "of_tenants"]

_READING = ("read", "finance", "internal")


@dataclass(frozen=True, slots=True)
class _View:
    """How the rows of one view belong to tenants and to owners: SQL over its columns.

    `{is_of_tenants}` stands for a condition on `tenant`, `{owners}` for a list of names, `{registry}` for the view
    `registry` with all of its rows.
    """

    tenant: str = "tenant"
    """Where the tenant of a row stands."""
    by_tenant: str = "{is_of_tenants}"
    by_owner: str = "false"
    """False where the view does not say which workload a row is about."""
    scopes: tuple[str, ...] = _READING
    """One of them lets a key for some tenants see what is of these,"""
    everywhere: tuple[str, ...] = _READING
    """and one of these lets a key for all tenants see every row."""
    hidden: frozenset[str] = frozenset()
    """Columns that are the store's own business: no query sees them."""


_OF_CENTRES = "cost_centre IN (SELECT cost_centre FROM {registry} WHERE %s)"


def _held(view: str, first: str, last: str | None = None, within: str = "") -> str:
    """Whether the workload of a row was one owner's from `first` to `last`, in one piece; or at `first`.

    `within` names the struct in which tenant and workload stand.
    """
    return (
        f"EXISTS (FROM {{registry}} AS held WHERE held.owner IN {{owners}} "
        f"AND held.tenant = {view}.{within}tenant AND held.workload = {view}.{within}workload "
        f'AND (held.begins IS NULL OR held.begins <= {view}."{first}") '
        f'AND (held.ends IS NULL OR {view}."{last or first}" < held.ends))'
    )


VIEWS: Mapping[str, _View] = {
    "adjustments": _View(by_owner="owner IN {owners}"),
    "calls": _View(by_owner="owner IN {owners}"),
    "conflicts": _View(),
    "cost_centres": _View(
        by_tenant=_OF_CENTRES % "{is_of_tenants}", by_owner=_OF_CENTRES % "owner IN {owners}"
    ),
    # A tenant stands there under its pseudonym, or not at all.
    "deletions": _View(by_tenant="false"),
    # What rules share names other tenants, and what is booked by hand is finance's: readers of tenants do without.
    "ledger": _View(by_owner="owner IN {owners}", scopes=("finance",)),
    "merged_spans": _View(by_owner=_held("merged_spans", "started_at")),
    "not_billed": _View(),
    "not_billed_counts": _View(),
    # A plan is of a cost centre, which may pay for several tenants: whoever has one of these may see it.
    "plans": _View(
        by_tenant=_OF_CENTRES % "{is_of_tenants}",
        by_owner=_OF_CENTRES % "owner IN {owners}",
        scopes=("finance",),
    ),
    "quarantine": _View(
        by_owner=_held("quarantine", "started_at"),
        hidden=frozenset(
            {
                "identity_hash",
                "parent_hash",
                "response_hash",
                "lease_hash",
                "reported",
                "marks",
                "price_version",
                "list_cost",
                "contract",
                "saved",
            }
        ),
    ),
    "registry": _View(by_owner="owner IN {owners}"),
    "revenue": _View(scopes=("finance",), everywhere=("finance",)),
    "rollup_cache": _View(by_owner="owner IN {owners}"),
    "rollup_hours": _View(by_owner="owner IN {owners}"),
    # A task that went on when its workload moved is nobody's as a whole.
    "rollup_tasks": _View(by_owner=_held("rollup_tasks", "first_at", "last_at")),
    "served": _View(by_owner="owner IN {owners}"),
    "task_ends": _View(by_owner=_held("task_ends", "started_at"), hidden=frozenset({"identity_hash"})),
    # A breaker without a tenant is for all of them; one for an owner counts that owner's workloads and no others.
    "transitions": _View(
        tenant="scope.tenant",
        by_owner=f"scope.owner IN {{owners}} OR {_held('transitions', 'at', within='scope.')}",
    ),
}


def condition(view: str, key: Key, registry: str) -> str | None:
    """What the rows of `view` meet that `key` may read, in SQL; None where it may read all of them.

    `registry` names the view `registry` with all of its rows.
    """
    rules = VIEWS[view]
    if key.all_tenants and _has_one(key, rules.everywhere):
        return None
    rights = []
    if key.tenants and _has_one(key, rules.scopes):
        rights.append(
            rules.by_tenant.format(is_of_tenants=_is_of(rules.tenant, key.tenants), registry=registry)
        )
    if key.owners:
        rights.append(rules.by_owner.format(owners=_listed(key.owners), registry=registry))
    return " OR ".join(f"({right})" for right in rights) or "false"


def of_tenants(key: Key) -> str:
    """What the rows meet that are of the key's tenants, in SQL over their `tenant`."""
    if key.all_tenants:
        return "true"
    return _is_of("tenant", key.tenants) if key.tenants else "false"


def _has_one(key: Key, scopes: Iterable[str]) -> bool:
    return any(key.allows(scope) for scope in scopes)


def _is_of(column: str, tenants: Iterable[str]) -> str:
    """Whether the column holds one of these names, or of these patterns, in which `*` stands for any characters."""
    names = [each for each in tenants if "*" not in each]
    patterns = [each for each in tenants if "*" in each]
    tests = [f"{column} IN {_listed(names)}"] if names else []
    return " OR ".join([*tests, *(f"{column} LIKE {_like(each)} ESCAPE '!'" for each in patterns)])


def _like(pattern: str) -> str:
    for special in "!%_":
        pattern = pattern.replace(special, f"!{special}")
    return _text(pattern.replace("*", "%"))


def _listed(names: Iterable[str]) -> str:
    return f"({', '.join(_text(name) for name in sorted(names))})"


def _text(value: str) -> str:
    """A string constant: nothing but the quote is special inside one."""
    return f"'{value.replace(chr(39), chr(39) * 2)}'"
