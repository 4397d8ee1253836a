"""Rules: a policy set in words, and the table of its ceilings with how each stands now. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa

from collector.wire import decimal_text
from policies.calendars import Calendar
from policies.model import Ceiling, Holds, Overrun, PolicySet, Rolling, Rung, Step, Unit

from ...board import scope_name, state_of
from ...look import attribute, money, period, text, words
from ...view import View

__all__ = [
    "as_table",
    "by_ceiling",
    "ceilings",
    "concerning",
    "limit_words",
    "scope_words",
    "window_words",
]

Budget = Mapping[str, Any]

_SHOWN = 60
_COLUMNS = (
    *("ceiling", "scope", "limit", "currency", "window", "ladder"),
    *("shadow", "details", "state", "scopes_seen"),
)
_STEPS = {
    Step.WARN: "warn",
    Step.THROTTLE: "throttle",
    Step.QUEUE: "queue",
    Step.DEGRADE: "degrade",
    Step.OPEN: "open",
}


def concerning(policies: PolicySet, view: View) -> list[Ceiling]:
    """The ceilings that may count calls of the tenant, workload, tier and model that the view names, in file order."""
    wanted = {name: getattr(view, name) for name in ("tenant", "workload", "tier", "model", "owner")}
    asked = {name: value for name, value in wanted.items() if value}
    return [
        ceiling
        for ceiling in policies.ceilings
        if all(getattr(ceiling.scope, name) in (None, value) for name, value in asked.items())
    ]


def by_ceiling(budgets: Iterable[Budget], view: View) -> dict[str, list[Budget]]:
    """How each ceiling's scopes stand, the most urgent first; those alone that the view's filters leave."""
    found: defaultdict[str, list[Budget]] = defaultdict(list)
    for budget in budgets:
        scope = budget["scope"]
        asked = ((name, getattr(view, name)) for name in ("tenant", "workload", "tier", "model", "owner"))
        if all(not value or scope.get(name) in (None, value) for name, value in asked):
            found[budget["ceiling"]].append(budget)
    for scopes in found.values():
        scopes.sort(key=_urgency)
    return dict(found)


def ceilings(shown: Sequence[Ceiling], standing: Mapping[str, Sequence[Budget]], policies: PolicySet) -> str:
    """The table of ceilings: whose calls, how much in which window, what happens on the way, and how it stands."""
    head = (
        '<div class="sg-rule head"><div>Ceiling</div><div class="n">Limit</div>'
        '<div>On the way to it</div><div class="s">Now</div></div>'
    )
    rows = "".join(_row(each, standing.get(each.name, ()), policies) for each in shown[:_SHOWN])
    more = (
        f'<div class="sg-why" style="padding:8px 10px">and {len(shown) - _SHOWN} more: choose a tenant or a '
        "workload above, or take the CSV</div>"
        if len(shown) > _SHOWN
        else ""
    )
    return f'<div class="sg sg-grid">{head}{rows}{more}</div>'


def as_table(
    shown: Sequence[Ceiling], standing: Mapping[str, Sequence[Budget]], policies: PolicySet
) -> pa.Table:
    """The same as a table with every digit, a row for each ceiling."""
    rows = []
    for ceiling in shown:
        first = next(iter(standing.get(ceiling.name, ())), None)
        rows.append(
            {
                "ceiling": ceiling.name,
                "scope": scope_words(ceiling),
                "limit": decimal_text(ceiling.limit),
                "currency": _unit(ceiling, policies.currency),
                "window": window_words(ceiling),
                "ladder": ", ".join(f"{_percent(rung.at)} {_does(rung)}" for rung in ceiling.ladder),
                "shadow": ceiling.shadow,
                "details": ", ".join(_details(ceiling)),
                "state": first and first["state"],
                "scopes_seen": len(standing.get(ceiling.name, ())),
            }
        )
    kinds = {"shadow": pa.bool_(), "scopes_seen": pa.int64()}
    return pa.Table.from_pylist(rows, pa.schema([(name, kinds.get(name, pa.string())) for name in _COLUMNS]))


def scope_words(ceiling: Ceiling) -> str:
    """Whose calls it counts: "each tenant and workload", "northwind / nightly-ingest, each model"."""
    named = scope_name(ceiling.scope.to_wire())
    each = " and ".join(dimension.value for dimension in ceiling.per)
    if not each:
        return named if ceiling.scope.to_wire() else "everything together"
    return f"{named}, each {each}" if ceiling.scope.to_wire() else f"each {each}"


def limit_words(limit: Decimal, unit: Unit, currency: str) -> str:
    """$40.00, or 2.00 M tokens."""
    return money(limit, "tokens" if unit is Unit.TOKENS else currency)


def window_words(ceiling: Ceiling) -> str:
    """In which time: "in any 1 h", "each month, Europe/Berlin", "in a task's life"."""
    window = ceiling.window
    if isinstance(window, Rolling):
        return f"in any {period(window.length_s)}"
    if isinstance(window, Calendar):
        cut = window.periods.value.removesuffix("s") if window.cut == "fiscal" else window.cut.value
        begins = (
            f" from {window.day_begins:%H:%M}" if window.day_begins.hour or window.day_begins.minute else ""
        )
        return f"each {'fiscal ' if window.cut == 'fiscal' else ''}{cut}{begins}, {window.zone.key}"
    return "in a task's life"


def _row(ceiling: Ceiling, scopes: Sequence[Budget], policies: PolicySet) -> str:
    shadow = '<span class="sg-tag">shadow</span>' if ceiling.shadow else ""
    details = ", ".join(_details(ceiling))
    aside = f'<small title="{attribute(details)}">{words(details)}</small>' if details else ""
    tone = state_of(scopes[0]["state"]).colour if scopes and not ceiling.shadow else ""
    return (
        f'<div class="sg-rule {tone if tone in ("hot", "warm", "trial") else ""}">'
        f'<div class="t"><b title="{attribute(ceiling.name)}">{text(ceiling.name)}</b>{shadow}'
        f"<small>{words(scope_words(ceiling))}</small></div>"
        f'<div class="n"><b>{text(limit_words(ceiling.limit, ceiling.unit, policies.currency))}</b>'
        f"<small>{text(window_words(ceiling))}</small></div>"
        f'<div class="l">{_ladder(ceiling)}{aside}</div>'
        f'<div class="s">{_standing(scopes, per_task=ceiling.per_task)}</div></div>'
    )


def _ladder(ceiling: Ceiling) -> str:
    rungs = "".join(
        f'<span class="sg-rung {rung.step.value}"><b>{_percent(rung.at)}</b> {text(_does(rung))}</span>'
        for rung in ceiling.ladder
    )
    wraps = (
        f'<span class="sg-rung"><b>{_percent(ceiling.wrap_up_at)}</b> wrap up</span>'
        if ceiling.wrap_up_at is not None
        else ""
    )
    last = "would refuse" if ceiling.shadow else "refuse"
    return f'{rungs}{wraps}<span class="sg-rung last"><b>100 %</b> {last}</span>'


def _does(rung: Rung) -> str:
    tiers = "" if rung.tiers is None else f" {', '.join(sorted(tier.value for tier in rung.tiers))}"
    return f"{_STEPS[rung.step]}{tiers}"


def _details(ceiling: Ceiling) -> list[str]:
    """What is set otherwise than usual."""
    told = []
    if ceiling.carry_over:
        told.append(f"up to {_percent(ceiling.carry_over)} carried over")
    if ceiling.holds is Holds.WORST_CASE:
        told.append("holds the worst case")
    if ceiling.overrun is Overrun.CUT:
        told.append("cuts answers that outgrow their hold")
    if ceiling.fail != "open":
        told.append("agents stop without a fresh decision")
    if ceiling.ladder and ceiling.cooldown_s != 10:
        told.append(f"opens for {period(ceiling.cooldown_s)} at least")
    return told


def _standing(scopes: Sequence[Budget], *, per_task: bool) -> str:
    if not scopes:
        return '<span class="sg-soft">no call yet</span>'
    first = scopes[0]
    state = state_of(first["state"])
    spent, limit = Decimal(str(first["spent"])), Decimal(str(first["limit"]))
    share = min(Decimal(1), spent / limit) if limit else Decimal(0)
    of = f"{money(spent, first['currency'])} of {money(limit, first['currency'])}"
    # Of tasks the engine tells the largest alone.
    among = "the fullest task" if per_task else f"fullest of {len(scopes)} scopes"
    which = f"{words(scope_name(first['scope']))}, {among}" if len(scopes) > 1 else ""
    return (
        f'<span class="sg-chip sg-{state.colour}"><i>{state.glyph}</i>{text(state.word)}</span> '
        f'<span class="sg-soft">{text(of)}</span>'
        f'<div class="sg-track thin"><i style="width:{100 * share:.1f}%;background:var(--sg-{state.colour})"></i></div>'
        f"<small>{which}</small>"
    )


def _urgency(budget: Budget) -> tuple[int, Decimal]:
    limit = Decimal(str(budget["limit"]))
    share = Decimal(str(budget["spent"])) / limit if limit else Decimal(0)
    return state_of(budget["state"]).rank, -share


def _unit(ceiling: Ceiling, currency: str) -> str:
    return "tokens" if ceiling.unit is Unit.TOKENS else currency


def _percent(share: Decimal) -> str:
    return f"{decimal_text(100 * share)} %"
