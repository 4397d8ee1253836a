"""Saved: what reading from a cache saved in a range. It is added up from whole days, which may take seconds."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from time import monotonic

import streamlit as st

from dashboard import look, session
from dashboard.services import Answer
from dashboard.view import View

from . import levels

__all__ = ["figure", "whole_days"]

_LABEL = "Cache savings"
_UNKNOWN = "—"
_LOOK_AGAIN = "1s"
_STAYED_S = 2.5
_WAIT_S = 8.0


def figure(view: View, now: datetime) -> tuple[str, str, str]:
    """Label, value and what is beside it; while it is added up it says so, and the page runs again once it is."""
    first, last = whole_days(*view.span(now))
    if view.task is not None or last <= first:
        words = "of days, not of a task" if view.task is not None else "of whole days: choose 7 days or more"
        return _LABEL, _UNKNOWN, words
    topic, ask = _question(view, first, last)
    answer = session.services().meanwhile(topic, ask, start=False)
    if answer is None or answer.value is None:
        _wait_for(topic, ask, time_drawn=monotonic())
        return _LABEL, "…", "is being added up, day by day"
    told = [row for row in answer.value.to_pylist() if view.currency in (None, row["currency"])]
    rows = [row for row in told if row["cache_savings"] is not None]
    if not rows:
        return _LABEL, _UNKNOWN, "of no call is it known"
    saved = rows[0]["cache_savings"]
    days = f"{first:%-d %b} to {last:%-d %b}"
    words = f"{look.percent(saved, saved + rows[0]['cost'])} less than without, {days}" if saved > 0 else days
    return _LABEL, look.money(saved, rows[0]["currency"]), words


def whole_days(start: datetime, stop: datetime) -> tuple[date, date]:
    """The first and the last day that lie wholly in a range; of a range up to now the one that is running too."""
    first = start.date() if start.time() == time() else start.date() + timedelta(days=1)
    return first, (stop - timedelta(microseconds=1)).date()


def _question(view: View, first: date, last: date) -> tuple[str, Callable[[], Answer]]:
    collector = session.services().collector
    asked = {"from": first.isoformat(), "to": last.isoformat(), **levels.filters(view)}
    return f"savings {sorted(asked.items())}", lambda: collector.report("costs", asked, timeout_s=_WAIT_S)


@st.fragment(run_every=_LOOK_AGAIN)
def _wait_for(topic: str, ask: Callable[[], Answer], *, time_drawn: float) -> None:
    """Ask once the reader has stayed a while: days that nobody has added up yet take the collector seconds.

    Where they are more than it does in one go, it keeps what it has, and is asked again.
    """
    stayed = monotonic() - time_drawn > _STAYED_S
    answer = session.services().meanwhile(topic, ask, start=stayed)
    if answer is not None and answer.value is not None:
        st.rerun()
