"""Comparison: what two policy files would have done to the same calls, beside each other, differences marked. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pyarrow as pa

from ...look import attribute, count, money, span, text

__all__ = ["PASTED", "TODAY", "as_table", "blocks", "figures", "same"]

TODAY, PASTED = "today", "pasted"
Policy = Mapping[str, Any]
_UNKNOWN = "—"
_LEGEND = (
    '<div class="key"><span><i class="today"></i>today\'s file</span><span><i class="pasted"></i>the pasted file</span>'
    '<span><i class="mark"></i>they differ</span><span>what is nothing under both is left out</span></div>'
)


@dataclass(frozen=True, slots=True)
class _Figure:
    """One figure of a policy in a back-test: how it is read, and how written; None is not known, or not there."""

    name: str
    help: str
    read: Callable[[Policy], Decimal | int | float | None]
    write: Callable[[Any, Policy, str], str]
    cost: bool = False


def _count(value: Any, _: Policy, __: str) -> str:
    return count(int(value))


def _span(value: Any, _: Policy, __: str) -> str:
    return span(float(value))


def _money(value: Any, _: Policy, currency: str) -> str:
    return money(Decimal(value), currency)


def _stopped(policy: Policy) -> int:
    return int(policy["refused"]["calls"]) + int(policy["gave_up"]["calls"])


def _stopped_cost(policy: Policy) -> Decimal:
    return Decimal(policy["refused"]["amount"]) + Decimal(policy["gave_up"]["amount"])


def _saved(policy: Policy) -> Decimal:
    return _stopped_cost(policy) + Decimal(policy["saved_by_degrading"]["amount"])


_FIGURES = (
    _Figure(
        "Breaches",
        "how often a scope went over the limit, in the calls as they were",
        lambda p: p["breaches"],
        _count,
    ),
    _Figure(
        "Trips",
        "a breaker opened while its scope was within its limit",
        lambda p: p["opening"]["trips"],
        _count,
    ),
    _Figure(
        "False trips", "of these without a breach afterwards", lambda p: p["opening"]["false_trips"], _count
    ),
    _Figure(
        "Lead",
        "how long before a breach its breaker was open, the median",
        lambda p: p["opening"]["median_lead_s"],
        _span,
    ),
    _Figure("Stopped", "calls refused, and calls whose wait became too long", _stopped, _count),
    _Figure(
        "Needlessly",
        "what the stopped calls cost of which no breach was near",
        lambda p: Decimal(p["stopped_needlessly"]["amount"]),
        _money,
    ),
    _Figure("Delayed", "calls that waited and then went", lambda p: p["waited"], _count),
    _Figure("Mean wait", "of the delayed calls", lambda p: p["mean_wait_s"], _span),
    _Figure("Degraded", "calls that another model would have answered", lambda p: p["degraded"], _count),
    _Figure("Saved", "cost of the stopped calls, and what degraded ones cost less", _saved, _money),
)


def figures(answer: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """The headline: what would have been spent, and how many calls were touched, by each file."""
    currency = str(answer["currency"])
    recorded = Decimal(answer["recorded"]["amount"])
    unknown = answer["recorded"]["of_unknown_cost"]
    today, pasted = _files(answer)
    spent = [recorded - Decimal(each["saved"]["amount"]) for each in (today, pasted)]
    more = _sign(spent[1] - spent[0], lambda v: money(v, currency))
    cells = [
        (
            "Replayed",
            f"{count(answer['calls'])} <small>calls</small>",
            f"{count(unknown)} of unknown cost" if unknown else "each cost is known",
        ),
        ("Cost as recorded", text(money(recorded, currency)), "estimated"),
        (
            "Would have been spent",
            text(money(spent[1], currency)),
            f"today's file: {text(money(spent[0], currency))} ({text(more)})",
        ),
    ]
    for name, read in (
        ("Stopped calls", _stopped),
        ("Delayed calls", lambda p: p["waited"]),
        ("Degraded calls", lambda p: p["degraded"]),
    ):
        both = [sum(int(read(policy)) for policy in each["policies"]) for each in (today, pasted)]
        change = _sign(both[1] - both[0], lambda v: count(int(v)))
        cells.append((name, count(both[1]), f"today's file: {count(both[0])} ({change})"))
    return cells


def blocks(answer: Mapping[str, Any]) -> str:
    """A block for each ceiling that did something or differs: its figures by today's file and by the pasted one."""
    currency = str(answer["currency"])
    pairs = list(_pairs(answer))
    told = [pair for pair in pairs if not _is_idle(pair)]
    most = {
        figure.name: max(
            (float(figure.read(policy) or 0) for _, *both in told for policy in both if policy is not None),
            default=0.0,
        )
        for figure in _FIGURES
    }
    rest = [pair[0] for pair in pairs if _is_idle(pair)]
    quiet = (
        f'<p class="sg-soft">Under neither file anything happens by {", ".join(text(name) for name in rest)}.</p>'
        if rest
        else ""
    )
    inner = "".join(_block(*pair, most, currency) for pair in told)
    return f'<div class="sg sg-compare">{_LEGEND}{inner}{quiet}</div>'


def same(answer: Mapping[str, Any]) -> bool:
    """Whether both files would have done the same to every call, as far as the figures tell."""
    return all(
        today is not None and pasted is not None and all(f.read(today) == f.read(pasted) for f in _FIGURES)
        for _, today, pasted in _pairs(answer)
    )


def as_table(answer: Mapping[str, Any]) -> pa.Table:
    """Every figure of both files, a row for each ceiling and file, amounts as decimals."""
    currency = str(answer["currency"])
    rows = [
        {
            "ceiling": policy["policy"],
            "file": which,
            "shadow": policy["shadow"],
            "limit": Decimal(policy["limit"]),
            "unit": currency if policy["unit"] == "money" else policy["unit"],
            "highest": None if policy["highest"] is None else Decimal(policy["highest"]),
            "breaches": policy["breaches"],
            "trips": policy["opening"]["trips"],
            "false_trips": policy["opening"]["false_trips"],
            "lead_s": policy["opening"]["median_lead_s"],
            "slowed": policy["slowing"]["trips"],
            "slowed_falsely": policy["slowing"]["false_trips"],
            "refused": policy["refused"]["calls"],
            "gave_up": policy["gave_up"]["calls"],
            "stopped_cost": _stopped_cost(policy),
            "needless_cost": Decimal(policy["stopped_needlessly"]["amount"]),
            "waited": policy["waited"],
            "mean_wait_s": policy["mean_wait_s"],
            "degraded": policy["degraded"],
            "saved": _saved(policy),
            "largest_excess": Decimal(policy["largest_excess"]),
            "currency": currency,
        }
        for which, file in zip((TODAY, PASTED), _files(answer), strict=True)
        for policy in file["policies"]
    ]
    kinds = {
        **dict.fromkeys(("ceiling", "file", "unit", "currency"), pa.string()),
        **dict.fromkeys(
            ("limit", "highest", "stopped_cost", "needless_cost", "saved", "largest_excess"), _DECIMAL
        ),
        **dict.fromkeys(("lead_s", "mean_wait_s"), pa.float64()),
        "shadow": pa.bool_(),
    }
    order = list(dict.fromkeys(row["ceiling"] for row in rows))
    rows.sort(key=lambda row: order.index(row["ceiling"]))
    return pa.Table.from_pylist(rows, pa.schema([(name, kinds.get(name, pa.int64())) for name in rows[0]]))


_DECIMAL = pa.decimal128(38, 12)


def _files(answer: Mapping[str, Any]) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    today, pasted = answer["files"]
    return today, pasted


def _pairs(answer: Mapping[str, Any]) -> Iterator[tuple[str, Policy | None, Policy | None]]:
    """Each ceiling by name, in today's file and in the pasted one."""
    today, pasted = ({policy["policy"]: policy for policy in file["policies"]} for file in _files(answer))
    for name in dict.fromkeys([*today, *pasted]):
        yield name, today.get(name), pasted.get(name)


def _is_idle(pair: tuple[str, Policy | None, Policy | None]) -> bool:
    """Whether nothing at all happened by it, under either file."""
    return all(policy is None or not any(f.read(policy) for f in _FIGURES) for policy in pair[1:])


def _block(
    name: str, today: Policy | None, pasted: Policy | None, most: Mapping[str, float], currency: str
) -> str:
    cells = "".join(_cell(figure, today, pasted, most[figure.name], currency) for figure in _FIGURES)
    return (
        f'<section class="sg-pair"><div class="t"><b title="{attribute(name)}">{text(name)}</b>'
        f"{_note(today, pasted)}<small>{_limits(today, pasted, currency)}</small></div>"
        f'<div class="f">{cells}</div></section>'
    )


def _note(today: Policy | None, pasted: Policy | None) -> str:
    if today is None:
        return '<span class="sg-tag counts">new</span>'
    if pasted is None:
        return '<span class="sg-tag">left out</span>'
    if today["shadow"] != pasted["shadow"]:
        return f'<span class="sg-tag counts">{"now in shadow" if pasted["shadow"] else "now enforced"}</span>'
    return '<span class="sg-tag">shadow</span>' if pasted["shadow"] else ""


def _limits(today: Policy | None, pasted: Policy | None, currency: str) -> str:
    told = [
        text(money(Decimal(policy["limit"]), currency if policy["unit"] == "money" else "tokens"))
        for policy in (today, pasted)
        if policy is not None
    ]
    return f"limit {told[0]} → <b>{told[1]}</b>" if len(set(told)) == 2 else f"limit {told[0]}"


def _cell(figure: _Figure, today: Policy | None, pasted: Policy | None, most: float, currency: str) -> str:
    values = [None if policy is None else figure.read(policy) for policy in (today, pasted)]
    told = [
        _UNKNOWN if value is None or policy is None else figure.write(value, policy, currency)
        for value, policy in zip(values, (today, pasted), strict=True)
    ]
    differs = values[0] != values[1]
    lines = "".join(
        f'<div class="{kind}"><i style="width:{100 * float(value or 0) / most if most else 0:.1f}%"></i>'
        f"<span>{text(words)}</span></div>"
        for kind, value, words in zip((TODAY, PASTED), values, told, strict=True)
    )
    change = ""
    if differs and values[0] is not None and values[1] is not None:
        by = Decimal(str(values[1])) - Decimal(str(values[0]))
        change = f"<em>{_sign(by, lambda v: figure.write(v, pasted or {}, currency))}</em>"
    if not any(values):
        return ""
    label = f"{figure.name}: {told[0]} by today's file, {told[1]} by the pasted one"
    return (
        f'<div class="sg-cell{" differs" if differs else ""}" role="group" aria-label="{attribute(label)}">'
        f'<small title="{attribute(figure.help)}">{figure.name}{change}</small>{lines}</div>'
    )


def _sign(by: Decimal | int, write: Callable[[Any], str]) -> str:
    if not by:
        return "no difference"
    return f"{'+' if by > 0 else chr(0x2212)}{write(abs(by))}"
