"""The board of the Live page: breakers, capacity and transitions as HTML. Pure: answers in, escaped text out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from .look import STATES, clock, count, money, period, span, text

__all__ = ["banner", "ceilings", "empty", "events", "figures", "providers", "scope_name", "urgent"]

# The track of a ceiling shows 0 to 150 % of its limit, so that all limits stand in one line.
_TRACK = Decimal("1.5")
_ROWS = 24
_TIERS = ("interactive", "batch", "background")


def figures(cells: Iterable[tuple[str, str, str]]) -> str:
    """A strip of headline figures: label, value and one line under it. Values and asides are HTML of ours."""
    inner = "".join(
        f'<div><div class="l">{name}</div><div class="v">{value}</div><div class="a">{aside or "&nbsp;"}</div></div>'
        for name, value, aside in cells
    )
    return f'<div class="sg sg-figures">{inner}</div>'


def banner(title: str, body: str, *, mild: bool = False) -> str:
    """A notice over the page: what is wrong, and what is shown meanwhile."""
    tone = " mild" if mild else ""
    return f'<div class="sg sg-banner{tone}" role="status"><b>{text(title)}</b> {body}</div>'


def empty(title: str, body: str) -> str:
    """What stands where there is nothing to show: what is missing, and how it comes."""
    return f'<div class="sg sg-empty"><b>{title}</b>{body}</div>'


def scope_name(scope: Mapping[str, Any]) -> str:
    """The scope in words, for one line: "northwind / nightly-ingest"; "everything" without any limit of scope."""
    parts = [str(scope[name]) for name in ("tenant", "workload", "task") if scope.get(name)]
    if scope.get("tier"):
        parts.append(f"{scope['tier']} tier")
    parts += [f"{name} {scope[name]}" for name in ("owner", "model", "provider") if scope.get(name)]
    return " / ".join(parts) or "everything"


def urgent(budgets: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Budgets by urgency: what is cut first, then trials, slowed and warned; the fullest first among equals.

    A shadow breaker acts on nothing, so it comes after those that do.
    """

    def key(budget: Mapping[str, Any]) -> tuple[Any, ...]:
        rank = STATES[budget["state"]].rank if budget["state"] in STATES else 3
        if budget["state"] == "closed" and budget.get("action") not in (None, "allow"):
            rank = 3
        return (bool(budget.get("shadow")), rank, -_share(budget, "projected"), budget["ceiling"])

    return sorted(budgets, key=key)


def ceilings(budgets: Sequence[Mapping[str, Any]], *, at: datetime, now: datetime) -> str:
    """The table of ceilings, most urgent first. `at` is when they were told: countdowns go on from there."""
    ranked = urgent(budgets)
    windows = [budget for budget in ranked if "task" not in budget["scope"]]
    tasks = [budget for budget in ranked if "task" in budget["scope"]]
    shown = [b for b in ranked if b in windows[:_ROWS] or b in tasks[: max(6, _ROWS - len(windows))]]
    rows = "".join(_ceiling(budget, at, now) for budget in shown)
    hidden = len(ranked) - len(shown)
    more = (
        f'<div class="sg-why" style="padding:8px 10px">and {hidden} more, all less urgent</div>'
        if hidden
        else ""
    )
    head = (
        '<div class="sg-row head"><div>Breaker</div><div>Ceiling</div><div>Spent, held and projected</div>'
        '<div class="n">Spent</div><div class="n">Projected</div><div class="n opt">Rate</div>'
        '<div class="n opt">Retry in</div></div>'
    )
    return f'<div class="sg sg-grid">{head}{rows}{more}</div>'


def providers(shares: Sequence[Mapping[str, Any]], *, now: datetime) -> str:
    """A card for each provider: requests and tokens of the last minute against its limits, and who waits."""
    return "".join(_provider(share, now) for share in shares)


def events(transitions: Sequence[Mapping[str, Any]], *, now: datetime, limit: int = 12) -> str:
    """The newest transitions, one a line: when, from what to what, for whom and why."""
    return f'<div class="sg">{"".join(_event(event, now) for event in transitions[:limit])}</div>'


def _ceiling(budget: Mapping[str, Any], at: datetime, now: datetime) -> str:
    state = STATES.get(budget["state"], STATES["closed"])
    spent, held, projected, limit = (
        _amount(budget, name) for name in ("spent", "held", "projected", "limit")
    )
    currency = budget.get("currency")
    since = _since(budget, now)
    shadow = bool(budget.get("shadow"))
    word = f"{state.word}{' · shadow' if shadow else ''}"
    tone = "" if shadow or state.colour in ("calm", "off") else state.colour
    name, below = _named(budget)
    rate = money(_amount(budget, "rate_per_s") * 60, currency)
    return (
        f'<div class="sg-row {tone}{" shadow" if shadow else ""}">'
        f'<div class="t"><span class="sg-chip sg-{state.colour}"><i>{state.glyph}</i>{word}</span>'
        f"<small>{since}</small></div>"
        f'<div class="t"><b title="{text(scope_name(budget["scope"]))}">{text(name)}</b>'
        f'<small title="{text(budget["ceiling"])}">{text(below)}</small></div>'
        f"<div>{_track(spent, held, projected, limit, state.colour)}"
        f'<div class="sg-why" title="{text(budget.get("reason") or "")}">{text(budget.get("reason") or "")}</div></div>'
        f'<div class="n">{money(spent, currency)}<small>of {money(limit, currency)}</small></div>'
        f'<div class="n">{money(projected, currency)}<small>{_of_limit(projected, limit)}</small></div>'
        f'<div class="n opt">{rate}<small>a minute</small></div>'
        f'<div class="n opt">{_countdown(budget, at, now)}</div></div>'
    )


def _named(budget: Mapping[str, Any]) -> tuple[str, str]:
    """The name of a budget and the line below it. Tasks of one workload differ in their id alone, so it leads."""
    scope = budget["scope"]
    if scope.get("task"):
        return str(scope["task"]), f"{scope_name({**scope, 'task': None})}, per task"
    window = budget.get("window_s")
    extent = "over a task" if window is None else f"in {period(float(window))}"
    return scope_name(scope), f"{budget['ceiling']}, {extent}"


def _track(spent: Decimal, held: Decimal, projected: Decimal, limit: Decimal, colour: str) -> str:
    """Spent as a bar, held lighter after it, the way to the projection as a thin band that ends in a mark."""
    solid, with_held, mark = (_place(amount, limit) for amount in (spent, spent + held, projected))
    paint = f"background:var(--sg-{colour})"
    label = f"spent {money(spent)}, held {money(held)}, projected {money(projected)}, limit {money(limit)}"
    past = f'<span class="past sg-{colour}">&rsaquo;</span>' if projected > limit * _TRACK else ""
    return (
        f'<div class="sg-track" role="img" aria-label="{label}">'
        f'<i class="held" style="width:{with_held}%;{paint}"></i><i style="width:{solid}%;{paint}"></i>'
        f'<i class="band" style="left:{with_held}%;width:{max(Decimal(0), mark - with_held)}%;{paint}"></i>'
        f'<span class="mark" style="left:{mark}%;{paint}"></span>'
        f'<span class="limit" style="left:{_place(limit, limit)}%"></span>'
        f"{past}</div>"
    )


def _place(amount: Decimal, limit: Decimal) -> Decimal:
    if limit <= 0:
        return Decimal(100)
    share = min(max(amount, Decimal(0)) / (limit * _TRACK), Decimal(1))
    return (100 * share).quantize(Decimal("0.1"))


def _countdown(budget: Mapping[str, Any], at: datetime, now: datetime) -> str:
    retry = budget.get("retry_after_s")
    if retry is None:
        return '<span class="sg-off">—</span>'
    return span(float(retry) - (now - at).total_seconds())


def _since(budget: Mapping[str, Any], now: datetime) -> str:
    since = budget.get("since")
    return f"for {span((now - datetime.fromisoformat(since)).total_seconds())}" if since else "&nbsp;"


def _provider(share: Mapping[str, Any], now: datetime) -> str:
    until = share.get("throttled_until")
    left = (datetime.fromisoformat(until) - now).total_seconds() if until else 0
    note = f'<span class="sg-chip sg-hot"><i>■</i>refuses for {span(left)}</span>' if left > 0 else ""
    meters = _meter("requests", share.get("used_requests"), share.get("requests_per_minute"))
    meters += _meter("tokens", share.get("used_tokens"), share.get("tokens_per_minute"))
    queued = share.get("queued") or {}
    queue = "".join(
        f'<div class="{"" if queued.get(tier) else "none"}"><b>{queued.get(tier, 0)}</b>{tier}</div>'
        for tier in _TIERS
    )
    return (
        f'<div class="sg sg-card"><div class="top"><span>{text(share["provider"])}</span>{note}</div>{meters}'
        f'<div class="sg-queue" title="calls that wait for a grant, by tier">{queue}</div></div>'
    )


def _meter(name: str, used: int | None, limit: int | None) -> str:
    if not limit:
        note = '<span class="sg-soft">no limit is declared</span>'
        return f'<div class="sg-meter"><span>{name}</span>{note}<span></span></div>'
    share = min(1.0, (used or 0) / limit)
    tone = "hot" if share >= 0.95 else "warm" if share >= 0.8 else "calm"
    return (
        f'<div class="sg-meter"><span>{name}</span>'
        f'<div class="sg-track" role="img" aria-label="{used or 0} of {limit} {name} a minute">'
        f'<i style="width:{100 * share:.1f}%;background:var(--sg-{tone})"></i></div>'
        f'<span class="n">{_short(used or 0)} of {_short(limit)}</span></div>'
    )


def _short(number: int) -> str:
    return f"{number / 1000:,.0f} k" if 10_000 <= number < 1_000_000 else count(number)


def _event(event: Mapping[str, Any], now: datetime) -> str:
    at = datetime.fromisoformat(event["at"])
    when = clock(at) if (now - at).total_seconds() < 43200 else f"{at:%-d %b %H:%M}"
    by = "" if event["by"] == "engine" else f" · by {text(event['by'])}"
    shadow = " · shadow" if event.get("shadow") else ""
    return (
        f'<div class="sg-event"><time title="{text(event["at"])}">{when}</time><div class="w">'
        f"{_state(event['from'])} → {_state(event['to'])}{shadow} &nbsp;<b>{text(scope_name(event['scope'] or {}))}</b>"
        f"<small>{text(event['policy'])}: {text(event.get('reason') or '')}{by}</small></div></div>"
    )


def _state(name: str) -> str:
    state = STATES.get(name)
    if state is None:
        return text(name)
    return f'<span class="sg-chip sg-{state.colour}"><i>{state.glyph}</i>{state.word}</span>'


def _amount(budget: Mapping[str, Any], name: str) -> Decimal:
    return Decimal(str(budget.get(name) or 0))


def _share(budget: Mapping[str, Any], name: str) -> Decimal:
    limit = _amount(budget, "limit")
    return _amount(budget, name) / limit if limit > 0 else Decimal(0)


def _of_limit(amount: Decimal, limit: Decimal) -> str:
    return f"{100 * amount / limit:,.0f} % of it" if limit > 0 else "&nbsp;"
