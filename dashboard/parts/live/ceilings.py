"""Ceilings and their breakers as a table, most urgent first: amounts, the projection, why, and a countdown. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from ...board import chip, scope_name, scope_title, state_of
from ...look import attribute, money, period, span, text, words

__all__ = ["LEGEND", "table", "urgent"]

Budget = Mapping[str, Any]

# The track of a ceiling shows 0 to 150 % of its limit, so that all limits stand in one line.
_TRACK = Decimal("1.5")
_ROWS = 24
_LEAST_TASKS = 6
_IN_LINKS = ("tenant", "owner", "workload", "tier", "task")

LEGEND = (
    '<span><i class="sg-key spent"></i>spent</span><span><i class="sg-key held"></i>held</span>'
    '<span><i class="sg-key band"></i>projected, 20 to 80 %</span><span><i class="sg-key tail"></i>5 to 95 %</span>'
    '<span><i class="sg-key limit"></i>limit</span>'
)


def urgent(budgets: Sequence[Budget]) -> list[Budget]:
    """Budgets by urgency: what is cut first, then trials, slowed and warned; the fullest first among equals.

    Among these a task, which may be over, comes after what stands for all of a scope, and the last one to move first. A
    shadow breaker acts on nothing, so it comes after those that do.
    """

    def key(budget: Budget) -> tuple[Any, ...]:
        rank = state_of(budget["state"]).rank
        if budget["state"] == "closed" and budget.get("action") not in (None, "allow"):
            rank = 3
        is_task = "task" in budget["scope"]
        first = (
            -datetime.fromisoformat(budget["since"]).timestamp()
            if is_task
            else -float(_share(budget, "projected"))
        )
        return (bool(budget.get("shadow")), rank, is_task, first, budget["ceiling"])

    return sorted(budgets, key=key)


def table(budgets: Sequence[Budget], *, at: datetime, now: datetime) -> str:
    """The table, most urgent first. `at` is when the budgets were told: countdowns go on from there."""
    ranked = urgent(budgets)
    windows = [budget for budget in ranked if "task" not in budget["scope"]]
    tasks = [budget for budget in ranked if "task" in budget["scope"]]
    kept = {id(each) for each in (*windows[:_ROWS], *tasks[: max(_LEAST_TASKS, _ROWS - len(windows))])}
    rows = "".join(_row(budget, at, now) for budget in ranked if id(budget) in kept)
    hidden = len(ranked) - len(kept)
    more = f'<div class="sg-rest">and {hidden} more, all less urgent</div>' if hidden else ""
    head = (
        '<div class="sg-row head" role="row"><div>Breaker</div><div>Ceiling</div><div>Spent, held and projected</div>'
        '<div class="n">Spent</div><div class="n">Projected</div><div class="n opt">Rate</div>'
        '<div class="n opt">Back in</div></div>'
    )
    return f'<div class="sg sg-grid" role="table" aria-label="Ceilings, most urgent first">{head}{rows}{more}</div>'


def _row(budget: Budget, at: datetime, now: datetime) -> str:
    state = state_of(budget["state"])
    currency, limit, projected = (
        budget.get("currency"),
        _amount(budget, "limit"),
        _amount(budget, "projected"),
    )
    shadow = bool(budget.get("shadow"))
    tone = "" if shadow or state.colour in ("calm", "off") else f" {state.colour}"
    low, high = _band(budget, "q20"), _band(budget, "q80")
    reason = budget.get("reason") or ""
    return (
        f'<div class="sg-row{tone}{" shadow" if shadow else ""}" role="row">'
        f'<div class="t">{chip(budget["state"], " · shadow" if shadow else "")}{_under_state(budget, now)}</div>'
        f'<div class="t">{_named(budget)}</div>'
        f'<div class="t">{_track(budget, state.colour)}<div class="sg-why" title="{attribute(reason)}">{words(reason)}'
        "</div></div>"
        f'<div class="n">{money(_amount(budget, "spent"), currency)}<small>of {money(limit, currency)}</small></div>'
        f'<div class="n" title="half of such windows end within {money(low, currency)} and {money(high, currency)} '
        f'or so: 20 to 80 %">{money(projected, currency)}<small>{_of_limit(low, high, limit)}</small></div>'
        f'<div class="n opt">{money(_amount(budget, "rate_per_s") * 60, currency)}<small>a minute</small></div>'
        f'<div class="n opt">{_countdown(budget, at, now)}</div></div>'
    )


def _under_state(budget: Budget, now: datetime) -> str:
    """For how long it has been so, and what calls meet where the breaker alone does not say it."""
    since = budget.get("since")
    length = f"for {_since((now - datetime.fromisoformat(since)).total_seconds())}" if since else "&nbsp;"
    met = budget.get("action")
    if budget["state"] == "closed" and met not in (None, "allow"):
        return f'<small class="sg-warm">▲ {text(met)}s now</small>'
    return f"<small>{length}</small>"


def _since(seconds: float) -> str:
    """To the minute, once it is one: what says the same each second is not drawn anew."""
    return span(seconds) if seconds < 60 else f"{seconds // 60:.0f} min" if seconds < 3600 else span(seconds)


def _named(budget: Budget) -> str:
    """The scope, which leads to its tasks, over the ceiling, which leads to its rule."""
    scope, window = budget["scope"], budget.get("window_s")
    query = urlencode({name: scope[name] for name in _IN_LINKS if scope.get(name)})
    name, rest = scope_title(scope)
    extent = "over a task" if window is None else f"in {period(float(window))}"
    whole = attribute(scope_name(scope))
    return (
        f'<a class="b" href="tasks?{attribute(query)}" target="_self" tabindex="-1" title="{whole}: its tasks">'
        f"{text(name)}</a>"
        f'<small><a href="policies?tab=rules&amp;{attribute(query)}" target="_self" tabindex="-1" '
        f'title="{attribute(budget["ceiling"])}: its rule">{text(budget["ceiling"])}</a>, {text(rest or extent)}'
        "</small>"
    )


def _track(budget: Budget, colour: str) -> str:
    """Spent as a bar, held lighter after it, and where it is on its way to: a box of 20 to 80 %, a line to 5 and 95."""
    limit, currency = _amount(budget, "limit"), budget.get("currency")
    spent, held, projected = (_amount(budget, name) for name in ("spent", "held", "projected"))
    solid, with_held, mark = (_place(amount, limit) for amount in (spent, spent + held, projected))
    q05, q20, q80, q95 = (_place(_band(budget, name), limit) for name in ("q05", "q20", "q80", "q95"))
    paint = f"background:var(--sg-{colour})"
    told = {"spent": spent, "held": held, "projected": projected, "limit": limit}
    label = ", ".join(f"{name} {money(amount, currency)}" for name, amount in told.items())
    past = f'<span class="past sg-{colour}">&rsaquo;</span>' if projected > limit * _TRACK else ""
    return (
        f'<div class="sg-track band" role="img" aria-label="{attribute(label)}">'
        f'<i class="held" style="width:{with_held}%;{paint}"></i><i style="width:{solid}%;{paint}"></i>'
        f'<i class="tail" style="left:{q05}%;width:{q95 - q05}%;{paint}"></i>'
        f'<i class="box" style="left:{q20}%;width:{q80 - q20}%;border-color:var(--sg-{colour})"></i>'
        f'<span class="mark" style="left:{mark}%;{paint}"></span>'
        f'<span class="limit" style="left:{_place(limit, limit)}%"></span>{past}</div>'
    )


def _place(amount: Decimal, limit: Decimal) -> Decimal:
    if limit <= 0:
        return Decimal(100)
    share = min(max(amount, Decimal(0)) / (limit * _TRACK), Decimal(1))
    return (100 * share).quantize(Decimal("0.1"))


def _countdown(budget: Budget, at: datetime, now: datetime) -> str:
    """When it comes back by itself: the end of its pause, or of what was forced for a time."""
    if budget.get("retry_after_s") is not None:
        return span(float(budget["retry_after_s"]) - (now - at).total_seconds())
    if budget.get("until"):
        return span((datetime.fromisoformat(budget["until"]) - now).total_seconds())
    if budget["state"] in ("forced_open", "disabled"):
        return '<span title="until somebody restores it">by hand</span>'
    return '<span class="sg-off">—</span>'


def _amount(budget: Budget, name: str) -> Decimal:
    return Decimal(str(budget.get(name) or 0))


def _band(budget: Budget, name: str) -> Decimal:
    """A quantile of the projection; the projection itself where an engine tells none."""
    return Decimal(str((budget.get("band") or {}).get(name) or budget.get("projected") or 0))


def _share(budget: Budget, name: str) -> Decimal:
    limit = _amount(budget, "limit")
    return _amount(budget, name) / limit if limit > 0 else Decimal(0)


def _of_limit(low: Decimal, high: Decimal, limit: Decimal) -> str:
    if limit <= 0:
        return "&nbsp;"
    first, last = (f"{100 * amount / limit:,.0f}" for amount in (low, high))
    return f"{first} %" if first == last else f"{first} to {last} %"
