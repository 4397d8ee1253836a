"""Months: which one is looked at and how far it is, and reports over the days of one, which may have to be added up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import streamlit as st

from dashboard import session
from dashboard.services import Answer, Service
from dashboard.view import View

from ..choosing import one_of_many

__all__ = ["Month", "asked", "chosen", "known", "main_currency", "settled"]

_AGE_S = 30.0
# A report takes at most 5 s; days that were computed are kept, so that asking again goes on.
_WAIT_S = 15.0
_TRIES = 20
_STATES: Mapping[str, tuple[str, str]] = {
    "open": ("open", "estimated"),
    "closed": ("closed", "closed"),
    "reconciled": ("closed and reconciled", "reconciled"),
}


@dataclass(frozen=True, slots=True)
class Month:
    """A period of the ledger."""

    name: str
    first_day: date
    last_day: date
    state: str
    """open, closed, or reconciled."""

    @property
    def title(self) -> str:
        return f"{self.first_day:%B %Y}"

    @property
    def words(self) -> str:
        """How far it is."""
        return _STATES[self.state][0]

    @property
    def basis(self) -> str:
        """What its amounts rest on, as headings say it."""
        return _STATES[self.state][1]

    def is_over(self, today: date) -> bool:
        """Whether its last day has passed."""
        return today > self.last_day


def known() -> tuple[list[Month], Answer]:
    """The months of this viewer's facts, the last first."""
    answer = session.services().collector.report("periods", {}, max_age_s=_AGE_S)
    rows: list[dict[str, Any]] = answer.value.to_pylist() if answer.value is not None else []
    return [Month(row["period"], row["first_day"], row["last_day"], row["state"]) for row in rows], answer


def chosen(view: View, months: list[Month], default: str | None = None) -> Month:
    """The month that the URL names, with a list to choose another; `default` is one of them, else the last."""
    by_name = {month.name: month for month in months}
    name = one_of_many(
        view,
        "period",
        "Month",
        list(by_name),
        told=lambda each: f"{by_name[each].title}, {by_name[each].words}",
        default=default,
    )
    return by_name[name]


def asked(collector: Service, name: str, params: Mapping[str, str]) -> Answer:
    """A report over days of the ledger, asked until all of them are added up. Any thread may ask."""
    for _ in range(_TRIES):
        answer = collector.report(name, params, max_age_s=_AGE_S, timeout_s=_WAIT_S)
        if not (answer.status == 422 and "ask again" in (answer.error or "")):
            break
    return answer


def settled(name: str, params: Mapping[str, str], *, doing: str) -> Answer:
    """The same with a line that says so meanwhile: `doing` is what the reader waits for."""
    with st.spinner(f"{doing}. After a start of the collector this takes some seconds.", show_time=True):
        return asked(session.services().collector, name, params)


def main_currency(rows: list[dict[str, Any]]) -> str:
    """The currency of most of the cost: amounts of several are never added up, so one is drawn."""
    sums: dict[str, Any] = {}
    for row in rows:
        if row["currency"] is not None:
            sums[row["currency"]] = sums.get(row["currency"], 0) + abs(row["cost"] or 0)
    return max(sums, key=lambda each: (sums[each], each)) if sums else "USD"
