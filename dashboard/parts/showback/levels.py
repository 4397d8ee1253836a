"""Levels: where a reader stands on the way from all tenants to one call, and how its cost is cut there. Pure.

The way is tenant, workload, task; at a task there are its calls. On every level cost may be grouped by something else
as well. All of it is in the URL: the way as filters, the rest as the page's own names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from dashboard.view import View

__all__ = [
    "GROUPS",
    "MEASURES",
    "Crumb",
    "Group",
    "beside",
    "crumbs",
    "filters",
    "group_of",
    "groups",
    "narrowed",
    "opened",
    "params",
    "topic",
]

MEASURES: Mapping[str, str] = {"cost": "Cost", "calls": "Calls", "tokens": "Tokens"}


@dataclass(frozen=True, slots=True)
class Group:
    """How cost may be cut: the words for one and for many, and the two names that its areas are nested by."""

    one: str
    many: str
    nested: tuple[str, str]


GROUPS: Mapping[str, Group] = {
    "tenant": Group("Tenant", "Tenants", ("tenant", "workload")),
    "owner": Group("Owner", "Owners", ("owner", "workload")),
    "cost_centre": Group("Cost centre", "Cost centres", ("cost_centre", "owner")),
    "workload": Group("Workload", "Workloads", ("workload", "model")),
    "task": Group("Task", "Tasks", ("provider", "model")),
    "call": Group("Call", "Calls", ("provider", "model")),
    "tier": Group("Tier", "Tiers", ("tier", "workload")),
    "model": Group("Model", "Models", ("provider", "model")),
    "provider": Group("Provider", "Providers", ("provider", "model")),
}
_WAY = ("tenant", "workload", "task")
_ALL = "All tenants"
# Filters that the head of a page does not offer: they are the page's own in the URL.
_OWN = ("cost_centre", "provider")


@dataclass(frozen=True, slots=True)
class Crumb:
    """One level of the way here: its kind, its name (empty for what has none) and the view of it."""

    kind: str
    name: str
    view: View


def filters(view: View) -> dict[str, str]:
    """All that the view is filtered by."""
    return view.filters() | {name: view.more[name] for name in _OWN if name in view.more}


def params(view: View, now: datetime, *, before: bool = False) -> dict[str, str]:
    """A report's parameters for the view, or for the range before it."""
    return (view.params_before(now) if before else view.params(now)) | view.priced() | filters(view)


def topic(view: View) -> str:
    """The name among questions of what is asked of the view: the same however it is grouped and measured."""
    return View(view.range, view.start, view.stop, currency=view.currency).topic + repr(
        sorted(filters(view).items())
    )


def groups(view: View) -> list[str]:
    """What the view may be grouped by: whatever it is not down to one of. Calls only of one task."""
    chosen = filters(view)
    return [name for name in GROUPS if name not in chosen and (name != "call" or "task" in chosen)]


def group_of(view: View) -> str:
    """What the view is grouped by: what the URL says, else the next level of the way."""
    asked = view.more.get("group")
    if asked in groups(view):
        return str(asked)
    chosen = filters(view)
    return next((name for name in _WAY if name not in chosen), "call")


def opened(view: View, kind: str, row: Mapping[str, str | None]) -> View:
    """The view one level down, at a row of a table grouped by `kind`. A task is known with its tenant and workload."""
    names = _WAY if kind == "task" else (kind,)
    return view.but(group=None, **{name: row.get(name) or "" for name in names})


def narrowed(view: View, names: Mapping[str, str | None]) -> View:
    """The view of these names alone."""
    return view.but(group=None, **{kind: name or "" for kind, name in names.items()})


def crumbs(view: View) -> list[Crumb]:
    """The way here, first of all the whole; where each leads, nothing below it is chosen any more."""
    found = [Crumb("all", _ALL, _without(view, _WAY))]
    for depth, kind in enumerate(_WAY):
        name = getattr(view, kind)
        if name is not None:
            found.append(Crumb(kind, name, _without(view, _WAY[depth + 1 :])))
    return found


def beside(view: View) -> list[Crumb]:
    """Filters that no list above the page shows; where each leads, it is gone."""
    return [Crumb(name, view.more[name], view.but(**{name: None})) for name in _OWN if name in view.more]


def _without(view: View, names: tuple[str, ...]) -> View:
    return view.but(group=None, **dict.fromkeys(names))
