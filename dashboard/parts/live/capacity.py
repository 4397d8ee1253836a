"""Providers' capacity: what is used of it, 429s, shares and queues by tier. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from ...look import attribute, count, span, text
from ...view import View
from .concerned import of_calls

__all__ = ["TIERS", "cards", "refusing", "throttled", "waiting"]

Lane = Mapping[str, Any]

TIERS = ("interactive", "batch", "background")
_CARDS = 6


def cards(lanes: Sequence[Lane], view: View, *, now: datetime) -> str:
    """A card for each provider: the last minute against its limits, 429s, and what each tier uses and waits for."""
    ranked = sorted(
        lanes, key=lambda lane: (-_left(lane, now), -sum(waiting([lane], view).values()), _name(lane))
    )
    hidden = len(ranked) - _CARDS
    more = f'<div class="sg-rest">and {hidden} more, under less pressure</div>' if hidden > 0 else ""
    return "".join(_card(lane, view, now) for lane in ranked[:_CARDS]) + more


def waiting(lanes: Sequence[Lane], view: View) -> dict[str, int]:
    """Calls that wait for a grant, by tier, of those that the view is about."""
    if view.tenant is None and view.tier is None:
        return {tier: sum((lane.get("queued") or {}).get(tier, 0) for lane in lanes) for tier in TIERS}
    rows = [share for lane in lanes for share in of_calls(lane.get("shares") or (), view)]
    return {tier: sum(row["queue"] for row in rows if row["tier"] == tier) for tier in TIERS}


def throttled(lanes: Sequence[Lane]) -> int | None:
    """429s of the last minute; None where the key may not see them."""
    told = [lane["throttled"] for lane in lanes if lane.get("throttled") is not None]
    return sum(told) if told or not lanes else None


def refusing(lanes: Sequence[Lane], now: datetime) -> list[tuple[str, float]]:
    """The providers that take nothing for a while, and for how many seconds yet; the longest first."""
    found = [(_name(lane), _left(lane, now)) for lane in lanes]
    return sorted(((name, left) for name, left in found if left > 0), key=lambda each: -each[1])


def _card(lane: Lane, view: View, now: datetime) -> str:
    left = _left(lane, now)
    note = f'<span class="sg-chip sg-hot"><i>■</i>refuses for {span(left)}</span>' if left > 0 else ""
    refused = lane.get("throttled")
    if refused and not note:
        note = f'<span class="sg-chip sg-warm"><i>▲</i>{count(refused)} x 429</span>'
    elif refused:
        note = f'<span class="sg-soft">{count(refused)} x 429 &nbsp;</span>{note}'
    meters = "".join(
        _meter(
            name,
            lane.get(f"used_{name}"),
            lane.get(f"learned_{name}_per_minute") or lane.get(f"{name}_per_minute"),
            lane.get(f"{name}_per_minute"),
        )
        for name in ("requests", "tokens")
    )
    return (
        f'<div class="sg sg-card"><div class="top"><span>{text(_name(lane))}</span><span>{note}</span></div>'
        f"{meters}{_tiers(lane, view)}</div>"
    )


def _tiers(lane: Lane, view: View) -> str:
    """Each tier's part of what may be used, and who waits in it."""
    rows, queued = of_calls(lane.get("shares") or (), view), waiting([lane], view)
    whole = lane.get("learned_tokens_per_minute") or lane.get("tokens_per_minute")
    cells = []
    for tier in TIERS:
        of_tier = [row for row in rows if row["tier"] == tier]
        used = sum(float(row["demand"]) for row in of_tier)
        allotted = [float(row["allotted"]) for row in of_tier if row["allotted"] is not None]
        share = f"{100 * sum(allotted) / float(whole):.0f} % of tokens" if whole and allotted else "&nbsp;"
        names = ", ".join(f"{row['tenant']} {_short(round(float(row['demand'])))} tokens" for row in of_tier)
        waits, names = queued[tier], attribute(names or "no calls in the last minute")
        cells.append(
            f'<div class="{"" if used or waits else "none"}" title="{names}"><b class="{"sg-warm" if waits else ""}">'
            f"{waits}</b> waiting<span>{tier}</span><small>{share}</small></div>"
        )
    return f'<div class="sg-queue">{"".join(cells)}</div>'


def _meter(name: str, used: int | None, limit: Any, declared: Any) -> str:
    if not limit:
        told = f"{_short(used)} in the last minute, " if used is not None else ""
        note = f'<span class="sg-soft">{told}no limit is known</span>'
        return f'<div class="sg-meter free"><span>{name}</span>{note}</div>'
    if used is None:
        note = f'<span class="sg-soft">{_short(round(float(limit)))} a minute; what is used, all share</span>'
        return f'<div class="sg-meter free"><span>{name}</span>{note}</div>'
    share = min(1.0, used / float(limit))
    tone = "hot" if share >= 0.95 else "warm" if share >= 0.8 else "calm"
    learned = declared and float(limit) < 0.98 * float(declared)
    why = (
        f"learned from its answers; declared are {_short(round(float(declared)))}"
        if learned
        else "as declared"
    )
    mark = '<span class="sg-warm">▾</span> ' if learned else ""
    return (
        f'<div class="sg-meter" title="{attribute(why)}"><span>{name}</span>'
        f'<div class="sg-track" role="img" aria-label="{used} of {float(limit):.0f} {name} a minute">'
        f'<i style="width:{100 * share:.1f}%;background:var(--sg-{tone})"></i></div>'
        f'<span class="n">{_short(used)} of {mark}{_short(round(float(limit)))}</span></div>'
    )


def _left(lane: Lane, now: datetime) -> float:
    until = lane.get("throttled_until")
    return max(0.0, (datetime.fromisoformat(until) - now).total_seconds()) if until else 0.0


def _name(lane: Lane) -> str:
    return " / ".join(str(lane[name]) for name in ("provider", "model", "account") if lane.get(name))


def _short(number: int) -> str:
    return f"{number / 1000:,.0f} k" if 10_000 <= number < 1_000_000 else count(number)
