"""Tasks: find a task, see its fan-out as a tree with what each branch cost, and find what ran away."""

from __future__ import annotations

import streamlit as st

from dashboard import board, frame, look, session
from dashboard.parts.tasks import fanout, runaways, task_search
from dashboard.view import View

_TABS = {"find": "Task trees", "runaways": "Runaways"}


def looked_for(view: View) -> None:
    """The tree that the URL names, or those that may be meant."""
    if tenant := view.more.get("of"):
        fanout.show(view, tenant, view.task or "")
        return
    answer = task_search.matches(view)
    notice = session.away(session.services().collector, {"trees": answer}, session.now())
    task_search.notice(notice + session.denied(answer, "read"))
    if answer.value is None:
        return
    rows = [row for row in answer.value.to_pylist() if not row["rest"]]
    if (one := task_search.the_one(rows, view)) is not None:
        fanout.show(view, one["tenant"], one["root_task_id"])
    elif rows:
        title = f"Trees with a task that begins with “{look.text(view.task)}”"
        task_search.table(view, answer.value, title, "of all time, the last call first")
    else:
        st.html(
            board.empty(
                f"No task begins with “{look.text(view.task)}”.",
                "Upper and lower case differ. Calls that were deleted for their age are not found.",
            )
        )


view = frame.top("Tasks")
chosen = how = ""
with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
    task_search.box(view)
    if not view.task:
        chosen = frame.tabs(view, _TABS)
        how = runaways.times_usual(view) if chosen == "runaways" else task_search.order(view)
if view.task:
    looked_for(view)
elif chosen == "runaways":
    runaways.show(view, how)
else:
    task_search.listed(view, how)
