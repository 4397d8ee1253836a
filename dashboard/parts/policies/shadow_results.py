"""Shadow results: what ceilings in shadow recorded, and by a replay what enforcing them would have done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from dashboard import board, grid, look, session
from dashboard.replays.question import Question
from dashboard.services import Reply
from dashboard.view import View
from policies.model import PolicySet
from policies.trials.shadows import observed_sql

from . import replaying, rules, shadowed
from .backtests import file_text

__all__ = ["show"]

_KIND = "shadows"


def show(view: View, told: Mapping[str, Any], policies: PolicySet) -> None:
    """What was recorded in the range, and the replay of its calls."""
    shown = [ceiling for ceiling in rules.concerning(policies, view) if ceiling.shadow]
    if not shown:
        st.html(
            board.empty(
                "No ceiling is in shadow.",
                "With <code>shadow: true</code> in the policy file a ceiling decides and records, and acts on nobody.",
            )
        )
        return
    start, stop = view.span(session.now())
    reply = session.services().collector.query(observed_sql(start, stop))
    grid.heading("What they recorded", f"{view.words}; they acted on nobody")
    if reply.value is None:
        st.html(board.banner("What they recorded is not known now.", look.words(reply.error), mild=True))
    st.html(shadowed.recorded(shown, _observed(reply), policies))
    _replay(view, told, len(shown))


def _observed(reply: Reply) -> dict[str, tuple[int, int]] | None:
    if reply.value is None:
        return None
    return {row["policy"]: (row["opened"], row["throttled"]) for row in reply.value.to_pylist()}


def _replay(view: View, told: Mapping[str, Any], shadows: int) -> None:
    """The button, the progress and the answer."""
    grid.heading(
        "What they would have done if they were enforced",
        "the calls of the range go through the engine again, all that your key sees, whatever filter is set",
    )
    running = replaying.job(_KIND)
    if running is not None and not running.is_over:
        replaying.progress(_KIND)
        return
    words = f"Replay {view.words} with {'it' if shadows == 1 else 'them'} enforced"
    if st.button(words, type="primary", icon=":material/replay:"):
        start, stop = view.span(session.now())
        replaying.begin(Question("shadows", [(told["file"], file_text(told))]), start, stop)
        st.rerun()
    answer = replaying.ended(_KIND)
    if answer is not None and running is not None:
        grid.heading(
            "With them enforced",
            f"{answer['calls']:,} calls from {running.start:%-d %b %H:%M} to {running.stop:%-d %b %H:%M} UTC",
            basis="estimated",
            table=shadowed.as_table(answer),
            name="shadow-results",
        )
        st.html(shadowed.results(answer))
