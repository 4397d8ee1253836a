"""Proposing: the one next action for each owner, from what the week has shown; the most pressing first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from .document import Action, Anomaly, Loop, Mover, Saving, Workload
from .wording import money

__all__ = ["NO_EFFECT", "Shown", "proposed"]

NOTHING = "Nothing: keep to the plan"
NO_EFFECT = "would have refused nothing this week"
"""Of a cap that history suggests, and that the week stayed under."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What a week has shown of all owners."""

    currency: str
    loops: Sequence[Loop]
    anomalies: Sequence[Anomaly]
    workloads: Sequence[Workload]
    movers: Sequence[Mover]
    savings: Sequence[Saving]
    actions: Sequence[Action]
    """What was decided for this week already: it goes before anything that is proposed."""


def proposed(owner: str | None, status: str, over: Decimal | None, unpriced: int, shown: Shown) -> str:
    """What `owner` is asked to do next, in words, with why. `over` is the part by which its month's plan is passed."""
    return next(_pressing(owner, status, over, unpriced, shown), NOTHING)


def _pressing(
    owner: str | None, status: str, over: Decimal | None, unpriced: int, shown: Shown
) -> Iterator[str]:
    def cash(amount: Decimal | None) -> str:
        return money(amount, shown.currency)

    yield from (action.text for action in shown.actions if action.owner == (owner or ""))
    for loop in (each for each in shown.loops if each.owner == owner):
        typical = f", such tasks cost {cash(loop.typical)}" if loop.typical is not None else ""
        yield f"Stop task {loop.task} from looping: {loop.calls:,} calls for {cash(loop.cost)}{typical}"
    if owner is None:
        dearest = next((each for each in shown.workloads if each.owner is None), None)
        if dearest is not None:
            yield f"Give {_name(dearest)} an owner: {cash(dearest.cost)} this week"
        else:
            yield "Give every workload here an owner: switchgear registry export --unowned"
    if status == "over" and over is not None:
        mover = next((each for each in shown.movers if each.owner == owner and (each.change or 0) > 0), None)
        why = f": {_name(mover)}, {mover.driver}" if mover is not None else ""
        yield f"Explain first: the month is heading {100 * over:,.0f} % over plan{why}"
    for odd in (each for each in shown.anomalies if each.owner == owner and (each.impact or 0) > 0):
        yield f"Explain {_name(odd)}: {cash(odd.impact)} more than expected ({odd.cause})"
    for each in (each for each in shown.workloads if each.owner == owner and each.cap is not None):
        if each.cap_effect == NO_EFFECT:
            continue
        yield f"Cap {_name(each)} at {cash(each.cap)} a task: it {each.cap_effect}"
    if unpriced:
        count = "1 unpriced call" if unpriced == 1 else f"{unpriced:,} unpriced calls"
        yield f"Name a price for the models of {count} (prices.yaml)"
    for saving in (each for each in shown.savings if each.owner == owner):
        yield f"Try {saving.kind} for {_name(saving)}: up to {cash(saving.amount)} a week"
    if status == "watch":
        yield "Watch the month: it may pass its plan"


def _name(part: Anomaly | Mover | Saving | Workload) -> str:
    return f"{part.workload or 'calls without a workload'} of {part.tenant}"
