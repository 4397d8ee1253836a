"""Replaying: how a page starts a job, shows how far it is, cancels it, and finds its answer again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pyarrow as pa
import streamlit as st

from dashboard import board, look, session
from dashboard.replays.jobs import Job, Jobs, ReplayError
from dashboard.replays.question import Question
from dashboard.services import Service

__all__ = ["asker", "begin", "ended", "job", "jobs", "progress"]

_READ_WITHIN_S = 30.0
_WAITING = "waiting for the replays of others"


@st.cache_resource(show_spinner=False, on_release=Jobs.close)
def jobs() -> Jobs:
    """The jobs of this process, for all viewers."""
    return Jobs()


def job(kind: str) -> Job | None:
    """This viewer's last job of that kind."""
    found: Job | None = st.session_state.get(_place(kind))
    return found


def begin(question: Question, start: datetime, stop: datetime) -> None:
    """Start a job in place of this viewer's last one of its kind."""
    before = job(question.kind)
    if before is not None:
        before.cancel()
    new = Job(question, start, stop)
    st.session_state[_place(question.kind)] = new
    jobs().begin(new, _viewer(), asker(session.services().collector))


@st.fragment(run_every="0.5s")
def progress(kind: str) -> None:
    """How far the job is; once it is over, the page is drawn anew."""
    running = job(kind)
    if running is None:
        return
    if running.look().is_over:
        st.rerun()
    share = running.done / running.total if running.total else 0.0
    what = _WAITING if running.state == "waiting" else running.what
    counted = f": {100 * share:.0f} %" if running.total else ""
    left = (
        f", about {look.span(running.lasts_s * (1 - share) / share)} left"
        if running.state == "replaying" and share > 0.05
        else ""
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        st.progress(min(1.0, share), f"{look.label(what)}{counted}{left}")
        if st.button("Cancel", key=f"cancel-{kind}"):
            running.cancel()
            st.rerun()


def ended(kind: str) -> dict[str, Any] | None:
    """The answer of a job that is done; where it failed, why is shown."""
    over = job(kind)
    if over is None or not over.is_over:
        return None
    if over.state == "failed":
        st.html(board.banner("The replay did not come to its end.", look.words(over.error)))
    elif over.state == "cancelled":
        st.html(board.banner("The replay was cancelled.", "Nothing of it is kept.", mild=True))
    return over.answer


def _place(kind: str) -> str:
    # Who signs in after somebody else in the same window finds none of their answers.
    return f"replay {kind} {_viewer()}"


def _viewer() -> str:
    viewer = session.viewer()
    return viewer.id if viewer is not None else ""


def asker(collector: Service) -> Callable[[str], pa.Table]:
    """Has SQL answered by the collector with the viewer's own key."""

    def ask(sql: str) -> pa.Table:
        reply = collector.query(sql, timeout_s=_READ_WITHIN_S)
        if reply.value is None:
            raise ReplayError(f"The collector did not tell the calls: {reply.error}")
        return reply.value

    return ask
