"""Deciding: a week's actions: those of the weeks before and what became of them, its own, and what is proposed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

import streamlit as st

from analytics.reviews.document import OwnerLine
from analytics.reviews.proposing import NOTHING
from analytics.reviews.wording import day, money
from dashboard import board, look, session
from dashboard.identity import Viewer

from .reading import REVIEWS, Reading, sees_all

__all__ = ["open_ones", "proposals", "show"]

_STATES: Mapping[str, tuple[str, str, str]] = {
    "open": ("○", "calm", "open"),
    "overdue": ("▲", "hot", "overdue"),
    "done": ("●", "off", "done"),
    "dropped": ("✕", "off", "dropped"),
}
_CHOICES = {"open": "Open", "done": "Done", "dropped": "Dropped"}
_DUE_IN = timedelta(days=7)
_NOTE_LENGTH, _TEXT_LENGTH = 500, 500


def open_ones(told: Mapping[str, Any] | None) -> int:
    """How many actions are not done or dropped."""
    every = [*(told or {}).get("earlier", ()), *(told or {}).get("actions", ())]
    return sum(each["state"] in ("open", "overdue") for each in every)


def proposals(owners: Sequence[OwnerLine], decided: Sequence[Mapping[str, Any]]) -> list[OwnerLine]:
    """The owners for whom something is proposed and nothing is decided this week."""
    have = {each["owner"] for each in decided}
    return [
        each
        for each in owners
        if each.owner and each.owner not in have and each.next_action not in ("", NOTHING)
    ]


def show(reading: Reading, told: Mapping[str, Any], viewer: Viewer) -> None:
    """The three lists, each with what can be done."""
    currency = reading.review.currency
    _heading("From the weeks before", "open when this week began, or ended since")
    _list(told["earlier"], currency, "Nothing of earlier weeks is open.", viewer, reading)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        _heading("Decided for this week", "one next action for each owner")
        if st.button("Add an action", icon=":material/add:", type="tertiary", key="action-add"):
            _add(reading, viewer)
    _list(told["actions"], currency, "Nothing is decided yet.", viewer, reading)
    found = proposals(reading.review.owners, told["actions"])
    if found:
        _heading("Proposed", "from what the week has shown; taken up, it is an action")
    for place, line in enumerate(found):
        left, right = st.columns([10, 1.2], vertical_alignment="center", gap="small")
        left.html(
            f'<div class="sg sg-action"><div><b>{look.text(line.owner)}</b></div>'
            f"<div>{look.words(line.next_action)}</div></div>"
        )
        if right.button("Take up", key=f"take-up-{place}", width="stretch"):
            _add(reading, viewer, line.owner)


def _heading(title: str, aside: str) -> None:
    st.html(f'<div class="sg sg-h">{title} <small>{aside}</small></div>')


def _list(
    actions: Sequence[Mapping[str, Any]], currency: str, none: str, viewer: Viewer, reading: Reading
) -> None:
    if not actions:
        st.html(f'<div class="sg sg-soft">{none}</div>')
    for each in actions:
        left, right = st.columns([10, 1.2], vertical_alignment="center", gap="small")
        left.html(_row(each, currency))
        if right.button("Change", key=f"action-{each['id']}", width="stretch"):
            _change(each, viewer, reading)


def _row(each: Mapping[str, Any], currency: str) -> str:
    glyph, colour, word = _STATES.get(each["state"], ("", "off", each["state"]))
    saving = Decimal(each["saving"]) if each["saving"] is not None else None
    expected = f" · should save {money(saving, currency)} a week" if saving is not None else ""
    note = f"<small>{look.words(each['note'])}</small>" if each["note"] else ""
    return (
        f'<div class="sg sg-action full"><div><b>{look.text(each["owner"])}</b>'
        f"<small>{look.text(each['week'])}</small></div>"
        f"<div>{look.words(each['text'])}{note}</div>"
        f'<div><span class="sg-chip sg-{colour}"><i>{glyph}</i>{look.text(word)}</span>'
        f"<small>due {day(date.fromisoformat(each['due']))}{look.text(expected)}</small></div></div>"
    )


@st.dialog("Change an action", width="medium")
def _change(action: Mapping[str, Any], viewer: Viewer, reading: Reading) -> None:
    st.html(f'<div class="sg sg-quote">{look.words(action["text"])}</div>')
    was = "open" if action["state"] == "overdue" else action["state"]
    state = st.segmented_control(
        "What became of it", list(_CHOICES), format_func=_CHOICES.__getitem__, default=was, required=True
    )
    note = st.text_input("Comment", value=action["note"] or "", max_chars=_NOTE_LENGTH)
    due = st.date_input("Due", value=date.fromisoformat(action["due"]), format="YYYY-MM-DD")
    owner = _owner(viewer, reading, action["owner"])
    if not st.button("Save", type="primary"):
        return
    new = {"state": state, "note": note or None, "due": due.isoformat(), "owner": owner}
    old = {"state": was, "note": action["note"], "due": action["due"], "owner": action["owner"]}
    changed = {name: value for name, value in new.items() if value != old[name]}
    if changed:
        _send("PATCH", f"{REVIEWS}/actions/{action['id']}", changed, "The action is changed.")
    st.rerun()


@st.dialog("Add an action", width="medium")
def _add(reading: Reading, viewer: Viewer, whose: str | None = None) -> None:
    owner = _owner(viewer, reading, whose)
    proposed = {line.owner: line.next_action for line in reading.review.owners}
    fit = proposed.get(owner, "")
    text = st.text_area(
        "What is to be done",
        value="" if fit == NOTHING else fit,
        max_chars=_TEXT_LENGTH,
        key=f"action-text-{owner}",
    )
    due = st.date_input("Due", value=session.now().date() + _DUE_IN, format="YYYY-MM-DD")
    saving = st.text_input(
        f"Expected saving a week, {reading.review.currency} (may be empty)", placeholder="120.00"
    )
    amount = _amount(saving)
    if saving and amount is None:
        st.html('<div class="sg sg-warm">▲ That is no amount: write it like 120.00</div>')
    is_fit = bool(owner and text.strip()) and (not saving or amount is not None)
    if st.button("Add", type="primary", disabled=not is_fit):
        body = {"owner": owner, "text": text.strip(), "due": due.isoformat(), "saving": amount}
        _send("POST", f"{REVIEWS}/{reading.standing.week}/actions", body, "The action is noted.")
        st.rerun()


def _owner(viewer: Viewer, reading: Reading, first: str | None) -> str | None:
    """Whose it is: any owner of the week for those who see all, else one of the viewer's own."""
    named = [line.owner for line in reading.review.owners if line.owner]
    names = list(
        dict.fromkeys([*([first] if first else []), *(named if sees_all(viewer) else viewer.owners)])
    )
    return st.selectbox(
        "Owner",
        names,
        index=0 if names else None,
        format_func=look.tidy,
        accept_new_options=sees_all(viewer),
        placeholder="Choose an owner",
    )


def _amount(told: str) -> str | None:
    """The amount as the API takes it; None where it is none."""
    try:
        amount = Decimal(told.strip())
    except InvalidOperation:
        return None
    return f"{amount:f}" if amount.is_finite() and amount >= 0 else None


def _send(method: str, path: str, body: Mapping[str, Any], done: str) -> None:
    """Do it; what the service says stands in the dialog, or after it on the page."""
    reply = session.services().collector.send(method, path, body)
    if reply.error is not None:
        st.html(board.banner("It was not done.", look.words(reply.error)))
        st.stop()
    st.session_state["review-said"] = look.words(done)
