"""The Live page's hours: a timeline of what breakers did beside the list of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import streamlit as st

from ... import board, session
from ...charts.timeline import lanes, timeline
from ...services import Answer
from ...view import View
from . import transitions
from .concerned import concerned

__all__ = ["choose", "show"]

_LENGTHS: Mapping[str, tuple[str, timedelta]] = {
    "15m": ("15 min", timedelta(minutes=15)),
    "1h": ("1 hour", timedelta(hours=1)),
    "6h": ("6 hours", timedelta(hours=6)),
    "24h": ("24 hours", timedelta(hours=24)),
}
_DEFAULT = "1h"
_LISTED = 8
# The picture moves by a slot each few seconds at the least, and the collector is asked no more often than that.
_AGE_S, _REGISTRY_S = 4.5, 60.0


@dataclass(frozen=True, slots=True)
class Span:
    """What is looked back at."""

    view: View
    length: timedelta
    words: str


def choose(view: View) -> Span:
    """How far back to look; the choice is kept in the URL."""
    given = view.more.get("over", _DEFAULT)
    st.session_state["live-over"] = given if given in _LENGTHS else _DEFAULT

    def changed() -> None:
        st.query_params.from_dict(view.but(over=st.session_state["live-over"]).query())

    with st.container(horizontal=True, vertical_alignment="bottom", key="live-over-head"):
        st.html(board.heading("What breakers did", "UTC"), width="content")
        st.segmented_control(
            "Over the last",
            list(_LENGTHS),
            format_func=lambda name: _LENGTHS[name][0],
            required=True,
            key="live-over",
            on_change=changed,
            label_visibility="collapsed",
        )
    words, length = _LENGTHS[st.session_state["live-over"]]
    return Span(view, length, words)


@st.fragment(run_every="2s")
def show(over: Span) -> None:
    """The picture and the list, of those breakers that the filters leave."""
    now, both, view = session.now(), session.services(), over.view
    # Whole seconds before, so that the question and its answer are kept for a while.
    reach = {
        "from": _floor(now - over.length, 10).isoformat(),
        "to": _floor(now + timedelta(seconds=20), 10).isoformat(),
    }
    asked = {
        "breakers": lambda: both.policies.document("/v1/breakers", {"last": "50"}, max_age_s=1.8),
        "past": lambda: both.collector.report(
            "transitions", reach, max_age_s=_AGE_S, topic=f"live transitions {over.words}"
        ),
    }
    if view.owner:
        asked["registry"] = lambda: both.collector.document("/v1/registry", max_age_s=_REGISTRY_S)
    answers = both.together(asked)
    registry = (answers["registry"].value or {}).get("workloads", ()) if view.owner else ()
    found = transitions.merged(_of_engine(answers["breakers"]), _past(answers["past"]))
    lines = concerned([(line["scope"] or {}, line) for line in found], view, registry)
    with st.container(key="live-history"):
        left, right = st.columns([2.45, 1], gap="medium")
    if all(answers[name].value is None for name in ("breakers", "past")):
        left.html(board.empty("Not known now.", "It shows here once a service answers."))
        return
    left.html(_picture(lines, now - over.length, now, over.words))
    right.html(_list(lines, now))


def _of_engine(answer: Answer) -> list[dict[str, Any]]:
    return list((answer.value or {}).get("transitions") or ())


def _past(answer: Answer) -> list[transitions.Line]:
    """The collector's lines, read once for each of its answers."""
    kept: tuple[Any, list[transitions.Line]] | None = st.session_state.get("live-past")
    if kept is None or kept[0] != answer.at:
        kept = st.session_state["live-past"] = answer.at, transitions.from_report(answer.value)
    return kept[1]


def _picture(lines: list[transitions.Line], start: datetime, now: datetime, words: str) -> str:
    found = lanes(lines, start=start, stop=now, now=now)
    if not found:
        return board.empty(
            f"No breaker moved in the last {words}.", "Each change is kept here with its reason."
        )
    return timeline(found, start=start, stop=now)


def _list(lines: list[transitions.Line], now: datetime) -> str:
    if not lines:
        return board.empty("Nothing to list.", "Warnings, cuts and what people do by hand stand here.")
    return transitions.listed(lines, now=now, most=_LISTED)


def _floor(at: datetime, seconds: int) -> datetime:
    return datetime.fromtimestamp(at.timestamp() // seconds * seconds, UTC)
