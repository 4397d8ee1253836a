"""The Policies page: what is in force, why a call is decided so, what shadows saw, what another file would do."""

from __future__ import annotations

from datetime import datetime

import streamlit as st

from dashboard import board, frame, look, session
from dashboard.parts.policies import backtests, explaining, shadow_results, standing_rules
from dashboard.services import Answer

_TABS = {
    "rules": "In force",
    "explain": "Explain",
    "shadows": "Shadow results",
    "backtest": "Back-test",
}
_RANGED = ("shadows", "backtest")
_AGE_S = 2.0

chosen = st.query_params.get("tab", "rules")
view = frame.top(
    "Policies",
    ranges=chosen in _RANGED,
    default="7d",
    filters=("tenant", "workload", "tier", "model")
    if chosen == "explain"
    else ("tenant", "owner", "workload", "tier"),
)


@st.fragment(run_every="5s")
def notices(version: str | None) -> None:
    """What is wrong with the engine or the file, and a new page once another file is in force or the engine is back."""
    answer, now = _told(), session.now()
    told = answer.value
    if notice := session.away(session.services().policies, {"policies": answer}, now):
        st.html(notice)
    if told is not None and told["error"]:
        refused = look.ago(datetime.fromisoformat(told["refused_at"]), now)
        first, *others = told["error"].splitlines()
        more = f" and {len(others)} more errors" if others else ""
        st.html(
            board.banner(
                f"The last change of the policy file was refused {refused}; what was before it is in force.",
                look.words(first) + more,
                mild=True,
            )
        )
    if told is not None and told["version"] != version:
        st.rerun()


def _told() -> Answer:
    return session.services().policies.document("/v1/policies", max_age_s=_AGE_S)


answer = _told()
told = answer.value
notices(told and told["version"])
tab = frame.tabs(view, _TABS)
policies = standing_rules.in_force(told)
if denied := session.denied(answer, "read"):
    st.html(denied)
if told is not None and policies is not None:
    if tab == "rules":
        standing_rules.show(view, told, policies)
    elif tab == "explain":
        explaining.show(view, policies)
    elif tab == "shadows":
        shadow_results.show(view, told, policies)
    else:
        backtests.show(view, told)
