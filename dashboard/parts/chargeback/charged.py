"""Charged: a month as it is charged back: plan and actual, statements, shared cost, margin."""

from __future__ import annotations

import streamlit as st

from dashboard import board, look, session
from dashboard.view import View

from . import margins, months, plan_actual, shared_cost, statements

__all__ = ["charged"]


def charged(view: View) -> None:
    """The tab. Every figure is a sum of the ledger's lines of one month."""
    service, now = session.services().collector, session.now()
    every, told = months.known()
    if not every:
        st.html(session.away(service, {"periods": told}, now) or board.empty("No month yet.", _NO_MONTH))
        return
    month = months.chosen(view, every)
    # The first question adds up the days of the month: those after it find them.
    plan = months.settled(
        "plan", {"period": month.name}, doing=f"Adding up the days of {look.label(month.title)}"
    )
    questions = {
        "shared": lambda: months.asked(service, "allocation", {"period": month.name}),
        "parties": lambda: months.asked(
            service, "costs", {"period": month.name, "by": statements.party(view)}
        ),
    }
    if margins.may_see():
        questions["margin"] = lambda: months.asked(service, "margin", {"period": month.name})
    answers = {"plan": plan, **session.services().together(questions)}
    notice = session.away(service, answers, now)
    if notice:
        st.html(notice)
    plan_actual.show(month, answers["plan"], now.date())
    statements.show(view, month, answers["parties"])
    shared_cost.show(month, answers["shared"])
    margins.show(month, answers.get("margin"))


_NO_MONTH = (
    "A month stands here as soon as a call of it is booked: point an agent's exporter at the collector, or make up a "
    "history with <code>switchgear demo --history 90d</code>."
)
