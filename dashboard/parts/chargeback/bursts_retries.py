"""Bursts and retries: who is behind what costs more than it must: minutes above a rate, retries, herds, loops."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from dashboard import look, session
from dashboard.services import Answer
from dashboard.view import View

from . import oddities, overage, retried

__all__ = ["causes"]

_AGE_S = 20.0
# A report may take 5 s; the rest is for those that wait for their turn.
_WAIT_S = 15.0
_TOO_MUCH = 422
# What each report can be asked for by name.
_NAMES: Mapping[str, tuple[str, ...]] = {
    "audit_retries": ("tenant", "workload", "owner", "model"),
    "audit_herds": ("tenant", "workload", "owner", "model"),
    "audit_loops": ("tenant", "workload", "owner", "model"),
    "audit_anomalies": ("tenant", "workload", "owner"),
    "audit_bursts": (),
    "audit_bursts_minutes": (),
}


def causes(view: View) -> None:
    """The tab."""
    both, now = session.services(), session.now()
    start, stop = view.span(now)

    def ask(name: str, **more: str) -> Answer:
        filters = {each: value for each, value in view.filters().items() if each in _NAMES[name]}
        params = {"from": start.isoformat(), "to": stop.isoformat(), **filters, **more}
        topic = f"{name} {view.topic} {sorted(more.items())}"
        return both.collector.report(name, params, max_age_s=_AGE_S, topic=topic, timeout_s=_WAIT_S)

    with st.spinner("Looking for bursts, retries and loops among the calls of this range", show_time=True):
        answers = both.together(
            {
                "retries": lambda: ask("audit_retries", top="200"),
                "herds": lambda: ask("audit_herds"),
                "loops": lambda: ask("audit_loops", top="20"),
                "anomalies": lambda: ask("audit_anomalies", top="20"),
            }
        )
        rates = overage.gathered(view, ask)
    # Baselines of many weeks may take longer than a report may: no fault, and the rest of the tab stands.
    is_too_long = answers["anomalies"].status == _TOO_MUCH
    told = {**answers, **rates.answers}
    if is_too_long:
        del told["anomalies"]
    notice = session.away(both.collector, told, now)
    if notice:
        st.html(notice)
    left_out = [name for name in ("tier",) if getattr(view, name) is not None]
    if left_out:
        st.html(f'<div class="sg sg-note">These are not filtered by {look.text(left_out[0])}.</div>')
    overage.show(view, rates, start, stop)
    retried.show(view, answers["retries"].value, answers["herds"].value)
    oddities.show(view, answers["loops"].value, answers["anomalies"].value)
    if is_too_long:
        st.html(
            f'<div class="sg sg-note">What is unusual in {look.text(view.words)} is not told: the audit '
            "did not finish in time. Choose a shorter range or a tenant.</div>"
        )
