"""Concerned: which ceilings, transitions, holds and shares have to do with the calls that filters leave. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from ...view import View

__all__ = ["Registry", "concerned", "of_calls"]

Registry = Iterable[Mapping[str, Any]]
"""Lines of the registry: tenant, workload and owner."""

_NAMES = ("tenant", "workload", "tier", "owner")

T = TypeVar("T", bound=Mapping[str, Any])


def concerned(scopes: Iterable[tuple[Mapping[str, Any], T]], view: View, registry: Registry = ()) -> list[T]:
    """What goes with a scope that may count such calls: one that names nothing counts all of them.

    Of an owner, what counts a workload that the registry gives to them.
    """
    owned = [line for line in registry if line.get("owner") == view.owner] if view.owner else []
    return [each for scope, each in scopes if _may_count(scope, view, owned)]


def of_calls(rows: Iterable[T], view: View) -> list[T]:
    """Rows that each are of some calls, as far as they tell of whom: those that the filters leave."""
    wanted = {name: value for name in _NAMES if (value := getattr(view, name)) is not None}
    return [
        row for row in rows if all(name not in row or (row[name] or "") == wanted[name] for name in wanted)
    ]


def _may_count(scope: Mapping[str, Any], view: View, owned: list[Mapping[str, Any]]) -> bool:
    for name in ("tenant", "workload", "tier"):
        wanted, named = getattr(view, name), scope.get(name)
        if wanted is not None and named is not None and named != wanted:
            return False
    if view.owner is None:
        return True
    if scope.get("owner") is not None:
        return bool(scope["owner"] == view.owner)
    return any(
        scope.get("tenant") in (None, line["tenant"]) and scope.get("workload") in (None, line["workload"])
        for line in owned
    )
