"""Shadow results: what each ceiling in shadow has recorded, and what it would have done if it were enforced. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa

from policies.model import Ceiling, PolicySet

from ...look import attribute, count, money, text, words
from .rules import limit_words, scope_words, window_words

__all__ = ["as_table", "recorded", "results"]

Shadow = Mapping[str, Any]
# What follows from a replay, in words; the glyph and colour stand beside them.
_VERDICTS = {
    "idle": (
        "It would have changed nothing",
        "●",
        "calm",
        "Enforcing it costs nothing that these calls show.",
    ),
    "needless": (
        "It would have stopped work that did no harm",
        "▲",
        "warm",
        "A higher limit stops less, a ladder slows down before. Or, if that is what is wanted, enforce it.",
    ),
    "right": ("What it stops led to breaches", "◧", "trial", "It would have done what it is for."),
}


def recorded(
    shadows: Sequence[Ceiling], observed: Mapping[str, tuple[int, int]] | None, policies: PolicySet
) -> str:
    """What their breakers recorded in service: how often each opened and throttled in the range."""
    rows = "".join(
        f'<div class="sg-shadow"><div class="t"><b title="{attribute(each.name)}">{text(each.name)}</b>'
        f"<small>{words(scope_words(each))}</small></div>"
        f'<div class="n"><b>{text(limit_words(each.limit, each.unit, policies.currency))}</b>'
        f"<small>{text(window_words(each))}</small></div>"
        + "".join(
            f'<div class="n"><b>{"—" if observed is None else count(observed.get(each.name, (0, 0))[place])}</b>'
            f"<small>{what}</small></div>"
            for place, what in ((0, "times opened"), (1, "times throttled"))
        )
        + "</div>"
        for each in shadows
    )
    return f'<div class="sg sg-grid">{rows}</div>'


def results(answer: Mapping[str, Any]) -> str:
    """For each shadow a card: what enforcing it would have stopped, delayed and degraded, and what follows."""
    currency = str(answer["currency"])
    return f'<div class="sg sg-cards">{"".join(_card(each, currency) for each in answer["shadows"])}</div>'


def as_table(answer: Mapping[str, Any]) -> pa.Table:
    """The same with every digit, a row for each ceiling in shadow."""
    rows = [
        {
            "ceiling": each["policy"],
            "limit": Decimal(each["limit"]),
            "highest": None if each["highest"] is None else Decimal(each["highest"]),
            "breaches": each["breaches"],
            "trips": each["opening"]["trips"],
            "false_trips": each["opening"]["false_trips"],
            "refused": each["refused"]["calls"],
            "gave_up": each["gave_up"]["calls"],
            "stopped_cost": _stopped(each),
            "needless_cost": Decimal(each["stopped_needlessly"]["amount"]),
            "waited": each["waited"],
            "degraded": each["degraded"],
            "verdict": each["verdict"],
            "currency": answer["currency"],
        }
        for each in answer["shadows"]
    ]
    decimal = pa.decimal128(38, 12)
    kinds = dict.fromkeys(("limit", "highest", "stopped_cost", "needless_cost"), decimal)
    kinds |= dict.fromkeys(("ceiling", "verdict", "currency"), pa.string())
    names = list(rows[0]) if rows else []
    return pa.Table.from_pylist(rows, pa.schema([(name, kinds.get(name, pa.int64())) for name in names]))


def _card(shadow: Shadow, currency: str) -> str:
    said, glyph, tone, advice = _VERDICTS[shadow["verdict"]]
    unit = currency if shadow["unit"] == "money" else "tokens"
    highest = "—" if shadow["highest"] is None else money(Decimal(shadow["highest"]), unit)
    stopped = shadow["refused"]["calls"] + shadow["gave_up"]["calls"]
    figures = (
        ("Stopped", f"{count(stopped)} calls", money(_stopped(shadow), currency)),
        (
            "of it needlessly",
            f"{count(shadow['stopped_needlessly']['calls'])} calls",
            money(Decimal(shadow["stopped_needlessly"]["amount"]), currency),
        ),
        ("Delayed", f"{count(shadow['waited'])} calls", ""),
        (
            "Degraded",
            f"{count(shadow['degraded'])} calls",
            f"{money(Decimal(shadow['saved_by_degrading']['amount']), currency)} less",
        ),
        (
            "Breaches",
            count(shadow["breaches"]),
            f"highest {highest} of {money(Decimal(shadow['limit']), unit)}",
        ),
        ("Trips", count(shadow["opening"]["trips"]), f"{count(shadow['opening']['false_trips'])} false"),
    )
    cells = "".join(
        f"<div><small>{name}</small><b>{text(value)}</b><small>{text(aside) if aside else '&nbsp;'}</small></div>"
        for name, value, aside in figures
    )
    name = f'<span title="{attribute(shadow["policy"])}">{text(shadow["policy"])}</span>'
    return (
        f'<section class="sg-card"><div class="top">{name}</div>'
        f'<div class="sg-chip sg-{tone}"><i>{glyph}</i>{said}</div>'
        f'<div class="sg-facts">{cells}</div><div class="sg-soft">{advice}</div></section>'
    )


def _stopped(shadow: Shadow) -> Decimal:
    return Decimal(shadow["refused"]["amount"]) + Decimal(shadow["gave_up"]["amount"])
