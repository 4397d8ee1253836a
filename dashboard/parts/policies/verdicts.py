"""Verdicts: an explanation as a picture: what was decided, every ceiling that applies, and which one counts. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa

from policies.trials.matching import Match

from ...board import scope_name, state_of
from ...look import attribute, money, text, words

__all__ = ["as_table", "others", "picture", "ranked"]

Said = Mapping[str, Any]

# What a decision does, as a word and a glyph, and in which colour.
_ACTIONS = {
    "allow": ("goes on", "●", "calm"),
    "warn": ("goes on, with a warning", "●", "calm"),
    "throttle": ("is slowed down", "▲", "warm"),
    "queue": ("waits", "▲", "warm"),
    "degrade": ("goes to another model", "◧", "trial"),
    "deny": ("is refused", "■", "hot"),
}
_UNKNOWN = ("is not known", "○", "off")
_COLUMNS = (
    "ceiling",
    "counts",
    "shadow",
    "state",
    "action",
    "spent",
    "held",
    "projected",
    "limit",
    "currency",
    "reason",
)
# The track shows 0 to 125 % of the limit.
_TRACK = Decimal("1.25")


def ranked(said: Iterable[Said]) -> list[Said]:
    """The one that counts first, then those that act, the fullest first, then those in shadow."""
    return sorted(said, key=lambda each: (not each["restricts"], bool(each["shadow"]), -_share(each)))


def picture(explanation: Mapping[str, Any]) -> str:
    """The decision, and below it the ceilings as a list from the one that counts on."""
    decision = explanation["decision"]
    rows = "".join(_row(place, each) for place, each in enumerate(ranked(explanation["ceilings"]), 1))
    list_ = f'<ol class="sg-verdicts">{rows}</ol>' if rows else ""
    return f'<div class="sg">{_decision(decision, explanation)}{list_}</div>'


def others(matches: Sequence[Match]) -> str:
    """The ceilings that do not count such a call, and why not."""
    rows = "".join(
        f'<li><b title="{attribute(each.ceiling.name)}">{text(each.ceiling.name)}</b> {words(each.why_not or "")}</li>'
        for each in matches
    )
    return f'<ul class="sg sg-others">{rows}</ul>'


def as_table(explanation: Mapping[str, Any]) -> pa.Table:
    """The ceilings as a table with every digit, in the picture's order."""
    rows = [
        {
            name: each["restricts"]
            if name == "counts"
            else each.get(name)
            if name == "shadow" or each.get(name) is None
            else str(each[name])
            for name in _COLUMNS
        }
        | {"scope": scope_name(each["scope"])}
        for each in ranked(explanation["ceilings"])
    ]
    kinds = {"counts": pa.bool_(), "shadow": pa.bool_()}
    names = (_COLUMNS[0], "scope", *_COLUMNS[1:])
    return pa.Table.from_pylist(rows, pa.schema([(name, kinds.get(name, pa.string())) for name in names]))


def _decision(decision: Mapping[str, Any], explanation: Mapping[str, Any]) -> str:
    action = str(decision["action"])
    does, glyph, tone = _ACTIONS.get(action, _UNKNOWN)
    caps = decision.get("caps") or {}
    at = datetime.fromisoformat(explanation["at"])
    notes = [f"reason: {words(decision['reason'])}"]
    if decision.get("remaining") is not None:
        left = money(Decimal(str(decision["remaining"])), decision.get("currency"))
        notes.append(f"{text(left)} left")
    if caps.get("model"):
        notes.append(f"answered by {text(caps['model'])}")
    if caps.get("max_output_tokens"):
        notes.append(f"at most {caps['max_output_tokens']:,} output tokens")
    if decision.get("retry_after_s"):
        notes.append(f"worth asking again in {float(decision['retry_after_s']):,.0f} s")
    if decision.get("wrap_up"):
        notes.append("its agent is told to wrap up")
    return (
        f'<div class="sg-decision {tone}"><div class="v sg-{tone}"><i>{glyph}</i> The call {does}</div>'
        f"<div>{' · '.join(notes)}</div>"
        f'<div class="sg-soft">{words(scope_name(explanation["who"]))} · decision {text(decision["id"])} · as things '
        f"stood at {at:%-d %b %H:%M:%S} UTC</div></div>"
    )


def _row(place: int, said: Said) -> str:
    does, glyph, tone = _ACTIONS.get(str(said["action"]), _UNKNOWN)
    does = f"would say: {does}" if said["shadow"] else does
    counts = '<span class="sg-tag counts">this one counts</span>' if said["restricts"] else ""
    shadow = '<span class="sg-tag">shadow</span>' if said["shadow"] else ""
    state = state_of(said["state"])
    return (
        f'<li class="{"counts" if said["restricts"] else ""}"><span class="place">{place}</span>'
        f'<div class="t"><b title="{attribute(said["ceiling"])}">{text(said["ceiling"])}</b>{counts}{shadow}'
        f"<small>{text(scope_name(said['scope']))}</small></div>"
        f'<div class="m">{_track(said)}</div>'
        f'<div class="s"><span class="sg-chip sg-{tone}"><i>{glyph}</i>{does}</span>'
        f"<small>breaker {text(state.word)}: {words(said['reason'])}</small></div></li>"
    )


def _track(said: Said) -> str:
    limit = Decimal(str(said["limit"]))
    currency = said["currency"]
    if said.get("spent") is None:
        return (
            f"<small>limit {text(money(limit, currency))}; what others spend under it is shown to keys for every "
            "tenant</small>"
        )
    spent, held, projected = (Decimal(str(said.get(name) or 0)) for name in ("spent", "held", "projected"))
    parts = [
        ("", Decimal(0), spent, "calm"),
        ("held", spent, held, "calm"),
        ("band", spent + held, max(Decimal(0), projected - spent - held), "calm"),
    ]
    bars = "".join(
        f'<i class="{kind}" style="left:{_place(start, limit):.1f}%;'
        f'width:{_place(start + size, limit) - _place(start, limit):.1f}%;background:var(--sg-{tone})"></i>'
        for kind, start, size, tone in parts
        if size > 0
    )
    told = (
        f"{money(spent, currency)} spent, {money(held, currency)} held, {money(projected, currency)} projected "
        f"of {money(limit, currency)}"
    )
    return (
        f'<div class="sg-track" role="img" aria-label="{attribute(told)}">{bars}'
        f'<span class="limit" style="left:{_place(limit, limit):.1f}%"></span></div>'
        f"<small>{text(money(spent, currency))} spent · {text(money(held, currency))} held · "
        f"{text(money(projected, currency))} projected · limit {text(money(limit, currency))}</small>"
    )


def _place(amount: Decimal, limit: Decimal) -> Decimal:
    return min(Decimal(100), 100 * amount / (limit * _TRACK)) if limit > 0 else Decimal(0)


def _share(said: Said) -> Decimal:
    limit = Decimal(str(said["limit"]))
    return Decimal(str(said.get("projected") or 0)) / limit if limit > 0 else Decimal(0)
