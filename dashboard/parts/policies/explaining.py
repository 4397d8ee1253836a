"""Explain: for a scope or a decision every ceiling that applies, which one counts, and why the others do not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from dashboard import board, grid, look, session
from dashboard.view import View
from policies.model import PolicySet, Who
from policies.trials.matching import matches
from switchgear.tier import Tier

from . import verdicts

__all__ = ["show"]

_AGE_S = 2.0
_LONGEST = 128


def show(view: View, policies: PolicySet) -> None:
    """The question, which is in the URL, and its answer as a picture."""
    _ask(view)
    asked = _asked(view)
    if asked is None:
        st.html(
            board.empty(
                "Whose call?",
                "Choose a tenant and a workload above, or write a decision's id, as an agent's error and log have it.",
            )
        )
        return
    engine, now = session.services().policies, session.now()
    answer = engine.document("/v1/explain", asked, max_age_s=_AGE_S)
    refused = answer.status is not None and 400 <= answer.status < 500
    if refused and not answer.is_denied:
        st.html(board.banner("There is no explanation.", look.words(answer.error), mild=True))
        return
    if notice := session.denied(answer, "read") or session.away(engine, {"explain": answer}, now):
        st.html(notice)
    if answer.value is not None:
        _draw(answer.value, policies)


def _ask(view: View) -> None:
    """What only explanations ask for, beside the page's filters."""
    fields = {
        "task": ("Task", view.task, "the id of its root"),
        "provider": ("Provider", view.more.get("provider"), "such as openai"),
        "decision": ("Or a decision", view.more.get("decision"), "its id, such as d12-345"),
    }
    with st.container(horizontal=True, vertical_alignment="bottom", key="explain-fields"):
        for name, (title, value, hint) in fields.items():
            key = f"explain-{name}"
            st.session_state[key] = value or ""
            st.text_input(
                title,
                key=key,
                max_chars=_LONGEST,
                placeholder=hint,
                width=220,
                on_change=lambda name=name, key=key: st.query_params.from_dict(
                    view.but(**{name: st.session_state[key].strip() or None}).query()
                ),
            )


def _asked(view: View) -> dict[str, str] | None:
    """The question as the engine takes it; None where it is not whole."""
    if decision := view.more.get("decision"):
        return {"decision": decision}
    named = {name: getattr(view, name) for name in ("tenant", "workload", "tier", "task", "model")}
    named["provider"] = view.more.get("provider")
    asked = {name: value for name, value in named.items() if value}
    return asked if {"tenant", "workload"} <= asked.keys() else None


def _draw(explanation: Mapping[str, Any], policies: PolicySet) -> None:
    found = len(explanation["ceilings"])
    aside = (
        f"{found} ceiling{'' if found == 1 else 's'} count such calls"
        if found
        else "no ceiling counts such calls"
    )
    grid.heading("What is decided, and why", aside, table=verdicts.as_table(explanation), name="explanation")
    st.html(verdicts.picture(explanation))
    applying = {each["ceiling"] for each in explanation["ceilings"]}
    rest = [
        each
        for each in matches(policies, _who(explanation["who"]))
        if each.scope is None and each.ceiling.name not in applying
    ]
    if rest:
        others = "1 other ceiling does" if len(rest) == 1 else f"{len(rest)} other ceilings do"
        with st.expander(f"{others} not count such calls"):
            st.html(verdicts.others(rest))


def _who(named: Mapping[str, str]) -> Who:
    return Who(
        named["tenant"],
        named["workload"],
        Tier(named["tier"]),
        named.get("task"),
        named.get("provider"),
        named.get("model"),
        named.get("owner"),
    )
