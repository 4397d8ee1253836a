"""Closing checks: what stands against closing a month and what to do about it; what was accepted of a closed one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import streamlit as st

from dashboard import board, grid, look, session
from dashboard.services import Answer

from .months import Month

__all__ = ["accepted", "findings", "show"]

_WEIGHTS: Mapping[str, tuple[str, str, str]] = {
    "hard": ("■", "blocks", "hot"),
    "acceptable": ("▲", "may be accepted", "warm"),
    "warning": ("○", "noted", "off"),
}
_CODES: Mapping[str, str] = {
    "not_over": "The month has not ended",
    "earlier_open": "An earlier month is open",
    "behind": "Calls are not booked yet",
    "zone": "The zone was changed",
    "wait": "Late calls are waited for",
    "starts_later": "There is something before the first month",
    "deleted": "Details of calls are deleted",
    "unpriced": "Calls without a price",
    "incomplete": "Calls whose usage is not known",
    "unowned": "Cost without owner or cost centre",
    "drafts": "Drafts wait for approval",
    "residual": "An invoice differs",
    "no_invoice": "No invoice covers the month",
}


def show(month: Month, answer: Answer, *, is_next: bool) -> None:
    """The findings on an open month, the gravest first, with what it would be closed with."""
    title = f"What stands against closing {look.text(month.title)}"
    if answer.value is None:
        grid.heading(title)
        st.html(session.away(session.services().collector, {"check": answer}, session.now()))
        return
    told = answer.value
    totals = ", ".join(
        look.money(Decimal(total["amount"]), total["currency"])
        for total in told["totals"]
        if total["currency"] is not None
    )
    aside = f"it would be closed with {totals or 'nothing'}, {look.count(told['lines'])} entries"
    if not is_next:
        aside += "; an earlier month comes first"
    grid.heading(title, aside)
    if not told["blockers"]:
        st.html(
            board.empty(
                "Nothing stands against it.",
                f"Close it: <code>switchgear ledger close {look.text(month.name)}</code>",
            )
        )
        return
    st.html(f'<div class="sg sg-checks">{"".join(findings(told["blockers"]))}</div>')
    codes = {each["code"] for each in told["blockers"] if each["weight"] == "acceptable"}
    if not any(each["weight"] == "hard" for each in told["blockers"]):
        flags = "".join(f" --accept {code}" for code in sorted(codes))
        reason = " --reason 'why'" if codes else ""
        st.html(
            f'<div class="sg sg-soft">To close it{" in spite of that" if codes else ""}: '
            f"<code>switchgear ledger close {look.text(month.name)}{flags}{reason}</code></div>"
        )


def accepted(month: Month, closed: Mapping[str, Any]) -> None:
    """What spoke against the close of a month and was accepted, and why."""
    grid.heading(
        f"How {look.text(month.title)} was closed",
        f"by {look.text(closed['closed_by'])}, entries {look.text(closed['terms']['reach'])}, root hash "
        f"<code>{look.text(closed['root_hash'][:16])}</code>",
    )
    waved = closed["terms"]["accepted"]
    if not waved:
        st.html('<div class="sg sg-soft">Nothing spoke against it.</div>')
        return
    rows = "".join(
        f"<div>{_word('acceptable', 'accepted')}<div><b>{_CODES.get(each['code'], look.text(each['code']))}</b>"
        f'<div>{look.words(each["text"])}</div><div class="sg-soft">Why: {look.words(each["reason"])}</div></div></div>'
        for each in waved
    )
    st.html(f'<div class="sg sg-checks">{rows}</div>')


def findings(blockers: Sequence[Mapping[str, Any]]) -> list[str]:
    """Each as HTML: how grave it is, what it is, and in the ledger's words what to do. The gravest first."""
    order = list(_WEIGHTS)
    ranked = sorted(blockers, key=lambda each: order.index(each["weight"]))
    said = []
    for each in ranked:
        what, _, todo = str(each["text"]).partition("; ")
        name = _CODES.get(each["code"], look.text(each["code"]))
        do = f'<div class="sg-soft">To do: {look.words(todo)}</div>' if todo else ""
        said.append(
            f"<div>{_word(each['weight'])}<div><b>{name}</b><div>{look.words(what)}</div>{do}</div></div>"
        )
    return said


def _word(weight: str, instead: str | None = None) -> str:
    glyph, word, colour = _WEIGHTS[weight]
    return f'<span class="sg-chip sg-{colour}"><i>{glyph}</i>{instead or word}</span>'
