"""What no single setting of a policy file shows: names twice, references to nothing, combinations that mean nothing.

Each check yields the place of the setting to change, why, and what to write instead.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from analytics.documents import Location, nearest, quoted
from switchgear.money import Money
from switchgear.tier import Tier

from ..calendars import Cut
from ..model import OWN_BUDGET, Dimension, Step
from .document import (
    CacheDocument,
    CalendarDocument,
    CapacityDocument,
    CeilingDocument,
    OverrideDocument,
    OverrideScopeDocument,
    PolicyDocument,
    ScopeDocument,
)
from .fields import Tokens

__all__ = ["problems"]

Problems = Iterator[tuple[Location, str]]

_TAKEN = {OWN_BUDGET: "what an agent sets for its own task", "*": "every ceiling"}
_LISTED = 8
_LONGEST_OVERRIDE_S = 366 * 86400.0


def problems(document: PolicyDocument, tree: Mapping[str, Any], now: float | None = None) -> Problems:
    """Every problem of a document whose settings are each right by themselves.

    With `now` (epoch seconds) it is one, too, that an override has ended.
    """
    yield from _names_of_ceilings(document.ceilings)
    declared = _Declared(document)
    for index, ceiling in enumerate(document.ceilings):
        where: Location = ("ceilings", index)
        yield from declared.problems(ceiling.scope, (*where, "scope"))
        yield from _extent(ceiling, where)
        yield from _window(ceiling, where)
        yield from _ladder(ceiling, where)
    yield from _overrides(document, declared, now)
    yield from _capacity(document.capacity)
    yield from _cache(document, declared)
    yield from _currencies(document, tree)


def _names_of_ceilings(ceilings: Iterable[CeilingDocument]) -> Problems:
    seen: dict[str, int] = {}
    for index, ceiling in enumerate(ceilings):
        where: Location = ("ceilings", index, "name")
        if ceiling.name in seen:
            first = seen[ceiling.name]
            yield where, f"{quoted(ceiling.name)} is already the name of ceilings[{first}]; choose another"
        seen.setdefault(ceiling.name, index)
        if ceiling.name in _TAKEN:
            yield where, f"{quoted(ceiling.name)} is taken: it means {_TAKEN[ceiling.name]}; choose another"


class _Declared:
    """Who is declared, and whether the names that a scope holds mean somebody's calls together."""

    def __init__(self, document: PolicyDocument) -> None:
        self._workloads = {tenant: set(body.workloads) for tenant, body in document.tenants.items()}
        self._names = {name for names in self._workloads.values() for name in names}
        self._owners = {
            workload.owner
            for body in document.tenants.values()
            for workload in body.workloads.values()
            if workload.owner is not None
        }
        self._owned = {
            (part, name, workload.owner)
            for tenant, body in document.tenants.items()
            for workload_name, workload in body.workloads.items()
            for part, name in ((tenant, workload_name), (tenant, None), (None, workload_name), (None, None))
        }

    def problems(self, scope: ScopeDocument | OverrideScopeDocument, where: Location) -> Problems:
        """Names that nobody declared; else an owner who owns nothing of the rest."""
        tenant, workload, owner = scope.tenant, scope.workload, scope.owner
        known: dict[str, tuple[str | None, Collection[str]]] = {
            "tenant": (tenant, self._workloads.keys()),
            "workload": (
                workload,
                self._names if tenant is None else self._workloads.get(tenant, self._names),
            ),
            "owner": (owner, self._owners),
        }
        unknown = [part for part, (name, names) in known.items() if name is not None and name not in names]
        for part in unknown:
            name, names = known[part]
            yield (*where, part), f"no {part} {quoted(name)} is declared{_among(str(name), names)}"
        if owner is not None and not unknown and (tenant, workload, owner) not in self._owned:
            named = (("tenant", tenant), ("workload", workload))
            rest = " and ".join(f"{part} {quoted(name)}" for part, name in named if name is not None)
            yield (
                (*where, "owner"),
                f"{quoted(owner)} owns nothing of {rest}: no call would count; leave one out",
            )


def _among(name: str, known: Iterable[str]) -> str:
    """The name that was perhaps meant, or some of those that there are."""
    names = sorted(known)
    if close := nearest(name, names):
        return close
    if not names:
        return "; there are none: declare it first"
    return f"; there are: {', '.join(names[:_LISTED])}{', ...' if len(names) > _LISTED else ''}"


def _extent(ceiling: CeilingDocument, where: Location) -> Problems:
    """Over what a ceiling counts, and whether what it asks for goes with that."""
    per_task, calendar = Dimension.TASK in ceiling.per, isinstance(ceiling.window, CalendarDocument)
    if ceiling.window is None and not per_task:
        yield where, 'say over what the limit counts: either "window: 1h" or "per: task"'
    if calendar and per_task:
        yield (
            (*where, "per"),
            "a calendar does not cut a task; leave the window out (its whole life counts), or write a length: 1h",
        )
    for dimension in ceiling.per:
        if dimension is not Dimension.TASK and getattr(ceiling.scope, dimension.value) is not None:
            yield (
                (*where, "per"),
                f"the scope names one {dimension.value} already, so there is nothing to fan out; "
                "leave one of the two out",
            )
    if ceiling.carry_over is not None and not calendar:
        yield (
            (*where, "carry_over"),
            "only a calendar has a last period to carry over from; write window: {calendar: month, zone: ...}",
        )
    if ceiling.wrap_up is not None and ceiling.window is not None:
        yield (
            (*where, "wrap_up"),
            "only a task wraps up, and this limit comes back with its window; "
            "leave it out, or write per: task and no window",
        )


def _window(ceiling: CeilingDocument, where: Location) -> Problems:
    """Settings of one calendar that stand in another."""
    window, where = ceiling.window, (*where, "window")
    if not isinstance(window, CalendarDocument):
        return
    fiscal = window.calendar is Cut.FISCAL
    weeks = window.periods is not None and window.periods.of_weeks
    for name in ("year_starts", "periods"):
        if getattr(window, name) is not None and not fiscal:
            yield (*where, name), f"a {window.calendar.value} has none; it goes with calendar: fiscal"
        if getattr(window, name) is None and fiscal:
            example = (
                'year_starts: "04-01"' if name == "year_starts" else "periods: months (or quarters, 4-4-5)"
            )
            yield (*where, name), f"is missing: a fiscal calendar needs it; write {example}"
    if window.week_starts is not None and window.calendar is not Cut.WEEK and not weeks:
        yield (
            (*where, "week_starts"),
            "no week begins here; it goes with calendar: week, and with the periods 4-4-5, 4-5-4 and 5-4-4",
        )
    if window.year_starts is not None and fiscal and not weeks and window.year_starts[1] > 28:
        yield (
            (*where, "year_starts"),
            "not every month has that day; a year of months starts on a day up to 28",
        )


def _ladder(ceiling: CeilingDocument, where: Location) -> Problems:
    """Rungs that can never act as they are written."""
    taken: dict[tuple[Decimal, Tier], Step] = {}
    for index, rung in enumerate(ceiling.ladder):
        place: Location = (*where, "ladder", index)
        if ceiling.window is None and rung.do in (Step.THROTTLE, Step.QUEUE):
            yield (
                (*place, "do"),
                f'"{rung.do.value}" waits for room, and a task\'s spend never leaves; use warn or degrade',
            )
        tier = ceiling.scope.tier
        if tier is not None and rung.tiers is not None and tier not in rung.tiers:
            yield (
                (*place, "tiers"),
                f"the scope is for the tier {tier.value} alone, which this rung leaves out; leave tiers out",
            )
        if rung.do is Step.OPEN and rung.tiers is not None:
            yield (*place, "tiers"), "an open breaker refuses every tier; leave tiers out"
        tiers = [each for each in Tier if rung.tiers is None or each in rung.tiers]
        if before := next((step for each in tiers if (step := taken.get((rung.at, each)))), None):
            yield (
                (*place, "at"),
                f'"{before.value}" stands at the same share for the same tier, and one step is done at a time; '
                "write another share",
            )
        taken.update({(rung.at, each): rung.do for each in tiers})


def _overrides(document: PolicyDocument, declared: _Declared, now: float | None) -> Problems:
    ceilings = {ceiling.name: ceiling for ceiling in document.ceilings}
    seen: dict[tuple[str, str], int] = {}
    for index, override in enumerate(document.overrides):
        where: Location = ("overrides", index)
        ceiling = ceilings.get(override.ceiling)
        if ceiling is None:
            yield (
                (*where, "ceiling"),
                f"no ceiling {quoted(override.ceiling)} is declared{_among(override.ceiling, ceilings)}",
            )
            continue
        yield from declared.problems(override.scope, (*where, "scope"))
        yield from _override(override, ceiling, where)
        if now is not None:
            yield from _time(override, (*where, "until"), now)
        key = (override.ceiling, override.scope.model_dump_json(exclude_none=True))
        if key in seen:
            yield where, f"overrides[{seen[key]}] is for the same ceiling and scope; keep one of the two"
        seen.setdefault(key, index)


def _override(override: OverrideDocument, ceiling: CeilingDocument, where: Location) -> Problems:
    named = set(override.scope.model_dump(exclude_none=True))
    per = [dimension.value for dimension in ceiling.per]
    for name in sorted(named - set(per)):
        counted = f"it counts per {' and '.join(per)}" if per else "it has no per, and one limit for all"
        yield (
            (*where, "scope", name),
            f"{quoted(ceiling.name)} has no limit per {name}: {counted}; leave it out",
        )
    if named and named < set(per):
        missing = ", ".join(name for name in per if name not in named)
        yield (
            (*where, "scope"),
            f"{quoted(ceiling.name)} counts per {' and '.join(per)}: name {missing} too, or leave the scope out",
        )
    if isinstance(override.limit, Tokens) != isinstance(ceiling.limit, Tokens):
        unit = "tokens" if isinstance(ceiling.limit, Tokens) else "money"
        yield (
            (*where, "limit"),
            f"{quoted(ceiling.name)} counts {unit}: {quoted(str(ceiling.limit))}; write the same unit here",
        )


def _time(override: OverrideDocument, where: Location, now: float) -> Problems:
    """An override that has ended does nothing; one without an end in sight is no override."""
    left_s = override.until.timestamp() - now
    if left_s <= 0:
        yield where, f"it ended at {override.until.isoformat()} and does nothing; take the override out"
    if left_s > _LONGEST_OVERRIDE_S:
        yield where, "it ends in more than a year; for so long, change the ceiling's own limit"


def _capacity(entries: Iterable[CapacityDocument]) -> Problems:
    seen: dict[tuple[str, str | None, str | None], int] = {}
    for index, entry in enumerate(entries):
        where: Location = ("capacity", index)
        key = (entry.provider, entry.model, entry.account)
        if key in seen:
            yield (
                where,
                f"capacity[{seen[key]}] is for the same provider, model and account; keep one of the two",
            )
        seen.setdefault(key, index)


def _cache(document: PolicyDocument, declared: _Declared) -> Problems:
    seen: dict[tuple[str | None, str | None], int] = {}
    for index, entry in enumerate(document.cache):
        where: Location = ("cache", index)
        yield from declared.problems(ScopeDocument(tenant=entry.tenant, workload=entry.workload), where)
        yield from _sharing(entry, document.tenants, (*where, "share_with"))
        key = (entry.tenant, entry.workload)
        if key in seen:
            yield where, f"cache[{seen[key]}] is for the same tenant and workload; keep one of the two"
        seen.setdefault(key, index)


def _sharing(entry: CacheDocument, tenants: Collection[str], where: Location) -> Problems:
    """With whom answers are shared. That the others say so too is no matter of the file: whoever does not, does not
    share, and one who takes it back must not make the file one that is refused.
    """
    if not entry.share_with:
        return
    if entry.tenant is None:
        yield where, "each tenant says for itself with whom it shares; name the tenant of this entry"
    elif set(entry.share_with) <= {entry.tenant}:
        yield where, "it names nobody else; name the other tenants, or leave it out"
    for index, name in enumerate(entry.share_with):
        if name not in tenants:
            yield (*where, index), f"no tenant {quoted(name)} is declared{_among(name, tenants)}"
        if name in entry.share_with[:index]:
            yield (*where, index), f"{quoted(name)} stands twice in the list; write it once"


def _currencies(document: PolicyDocument, tree: Mapping[str, Any]) -> Problems:
    amounts: list[tuple[Location, Money | Tokens]] = [
        *((("ceilings", i, "limit"), ceiling.limit) for i, ceiling in enumerate(document.ceilings)),
        *((("overrides", i, "limit"), override.limit) for i, override in enumerate(document.overrides)),
        *((("plans", i, "amount"), plan.amount) for i, plan in enumerate(document.plans)),
    ]
    if "unpriced_rate" in tree:
        amounts.append((("unpriced_rate",), document.unpriced_rate))
    for where, amount in amounts:
        if isinstance(amount, Money) and amount.currency != document.currency:
            yield (
                where,
                f'"{amount}" is not in the file\'s currency {document.currency}; '
                f"write it in {document.currency}, or set currency: {amount.currency}",
            )
