"""In force: the policy file's version and ceilings, what else it says, and the overrides that hold for a time."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import polars as pl
import pyarrow as pa
import streamlit as st

from dashboard import board, grid, look, session
from dashboard.services import Answer, Services
from dashboard.view import View
from policies.files import parse
from policies.model import PolicySet

from .. import operating
from . import rules

__all__ = ["in_force", "show"]

_AGE_S = 2.0
_WORKLOADS = ("tenant", "workload", "owner", "cost_centre", "tier", "degrades", "runaway", "schedules")
_CAPACITY = ("provider", "model", "account", "requests_per_minute", "tokens_per_minute")
_PLANS = ("cost_centre", "month", "amount")


def in_force(told: Mapping[str, Any] | None) -> PolicySet | None:
    """What the engine told of the file as a policy set, read once for each version and viewer."""
    if told is None:
        return None
    text = json.dumps(told["document"])
    known = st.session_state.get("in-force")
    if known is None or known[0] != text:
        known = (text, parse(text, name=told["file"]))
        st.session_state["in-force"] = known
    policies: PolicySet = known[1]
    return policies


def show(view: View, told: Mapping[str, Any], policies: PolicySet) -> None:
    """The whole of what is in force."""
    _standing(view, told, policies)
    _overrides(view)
    _rest(view, policies)


@st.fragment(run_every="5s")
def _standing(view: View, told: Mapping[str, Any], policies: PolicySet) -> None:
    """The headline and the ceilings as they stand, read again now and then."""
    both, now = session.services(), session.now()
    # The services are the viewer's: a thread of theirs does not know who that is.
    answers = both.together(
        {"budgets": lambda: _document(both, "budgets"), "overrides": lambda: _document(both, "overrides")}
    )
    if notice := session.away(both.policies, answers, now):
        st.html(notice)
    budgets = _listed(answers["budgets"], "budgets")
    st.html(board.figures(_figures(told, policies, budgets, _listed(answers["overrides"], "overrides"), now)))
    _ceilings(view, policies, budgets)


def _document(both: Services, name: str) -> Answer:
    return both.policies.document(f"/v1/{name}", max_age_s=_AGE_S)


def _listed(answer: Answer, name: str) -> list[Mapping[str, Any]]:
    return list((answer.value or {}).get(name) or ())


def _figures(
    told: Mapping[str, Any],
    policies: PolicySet,
    budgets: list[Mapping[str, Any]],
    overrides: list[Mapping[str, Any]],
    now: datetime,
) -> list[tuple[str, str, str]]:
    shadows = sum(ceiling.shadow for ceiling in policies.ceilings)
    acting = [budget for budget in budgets if not budget["shadow"]]
    cut = {budget["ceiling"] for budget in acting if budget["state"] in ("open", "forced_open")}
    slowed = {b["ceiling"] for b in acting if b["state"] in ("throttled", "half_open")} - cut
    tone = "sg-hot" if cut else "sg-warm" if slowed else ""
    workloads = sum(len(tenant.workloads) for tenant in policies.tenants)
    loaded = datetime.fromisoformat(told["loaded_at"])
    return [
        (
            "Version",
            f'<span class="sg-code">{look.text(told["version"])}</span>',
            f"{look.text(told['file'])}, loaded {look.ago(loaded, now)}",
        ),
        ("Ceilings", look.count(len(policies.ceilings)), f"{shadows} of them in shadow"),
        (
            "Open",
            f'<span class="{tone}">{len(cut)}</span> <small>ceilings</small>',
            f"{len(slowed)} slow down",
        ),
        ("Overrides in force", look.count(len(overrides)), _next_end(overrides, now)),
        ("Workloads declared", look.count(workloads), f"of {look.count(len(policies.tenants))} tenants"),
        ("Plans", look.count(len(policies.plans)), "months of cost centres"),
    ]


def _next_end(overrides: list[Mapping[str, Any]], now: datetime) -> str:
    if not overrides:
        return "every limit is the file's own"
    first = min(datetime.fromisoformat(each["until"]) for each in overrides)
    return f"the next ends in {look.span((first - now).total_seconds())}"


def _ceilings(view: View, policies: PolicySet, budgets: list[Mapping[str, Any]]) -> None:
    shown = rules.concerning(policies, view)
    standing = rules.by_ceiling(budgets, view)
    filtered = len(policies.ceilings) - len(shown)
    aside = f"{filtered} that cannot count such calls are left out" if filtered else "in the file's order"
    if not policies.ceilings:
        grid.heading("Ceilings")
        st.html(
            board.empty(
                "No ceiling is in force for you.", "Ceilings stand in the policy file, docs/policy-file.md."
            )
        )
        return
    grid.heading("Ceilings", aside, table=rules.as_table(shown, standing, policies), name="ceilings")
    if shown:
        st.html(rules.ceilings(shown, standing, policies))
    else:
        st.html(board.empty("No ceiling counts such calls.", "Clear a filter to see the others."))


def _overrides(view: View) -> None:
    overrides, now = _listed(_document(session.services(), "overrides"), "overrides"), session.now()
    grid.heading("Overrides", "for a time another limit; each ends by itself")
    if not overrides:
        st.html(
            board.empty(
                "No override is in force.",
                "Operators give one on the Live page or with <code>switchgear override grant</code>.",
            )
        )
        return
    for number, each in enumerate(overrides):
        with st.container(horizontal=True, vertical_alignment="center", key=f"override-{number}"):
            st.html(_override(each, now))
            if (
                each["id"]
                and operating.is_allowed()
                and st.button("Change or end", key=f"overridden-{each['id']}", type="tertiary")
            ):
                operating.override(view, each["ceiling"])


def _override(override: Mapping[str, Any], now: datetime) -> str:
    until = datetime.fromisoformat(override["until"])
    origin = "by hand" if override["id"] else "in the file"
    scope = board.scope_name(override["scope"]) if override["scope"] else "all of it"
    return (
        f'<div class="sg sg-override"><div class="t"><b>{look.text(override["ceiling"])}</b>'
        f"<small>{look.text(scope)}</small></div>"
        f'<div class="n"><b>{look.text(override["limit"])}</b><small>in place of its limit</small></div>'
        f'<div class="t"><span>{look.words(override["reason"])}</span>'
        f"<small>{look.text(override['by'])}, {origin}</small></div>"
        f'<div class="n"><b>{look.span((until - now).total_seconds())}</b>'
        f"<small>until {until:%-d %b %H:%M} UTC</small></div></div>"
    )


def _rest(view: View, policies: PolicySet) -> None:
    """What else the file says: workloads, capacity and tiers, plans."""
    workloads = _workloads(view, policies)
    if workloads.num_rows:
        grid.show(
            workloads,
            name="declared-workloads",
            title="Workloads",
            aside="who answers for them, and what may become of their calls",
            config={
                name: st.column_config.TextColumn(name.replace("_", " ").capitalize()) for name in _WORKLOADS
            },
        )
    left, right = st.columns(2, gap="medium")
    with left:
        _capacity(policies)
    with right:
        _plans(policies)


def _workloads(view: View, policies: PolicySet) -> pa.Table:
    rows = [
        {
            "tenant": tenant.name,
            "workload": workload.name,
            "owner": workload.owner,
            "cost_centre": workload.cost_centre,
            "tier": workload.tier.value,
            "degrades": ", ".join(f"{each.from_model} to {each.to_model}" for each in workload.degrade)
            or None,
            "runaway": workload.runaway.value.replace("_", " "),
            "schedules": ", ".join(
                f"{each.at:%H:%M} {each.zone.key}, {look.money(each.expect, policies.currency)}"
                for each in workload.schedules
            )
            or None,
        }
        for tenant in policies.tenants
        for workload in tenant.workloads
        if view.tenant in (None, tenant.name)
        and view.workload in (None, workload.name)
        and view.tier in (None, workload.tier.value)
        and view.owner in (None, workload.owner)
    ]
    return pa.Table.from_pylist(rows, pa.schema([(name, pa.string()) for name in _WORKLOADS]))


def _capacity(policies: PolicySet) -> None:
    weights = ", ".join(f"{tier.value} {weight:g}" for tier, weight in policies.tier_weights.items())
    aside = f"tiers weigh {weights}"
    if not policies.capacity:
        grid.heading("Capacity", aside)
        st.html(board.empty("The file names no limit of a provider.", "What providers answer teaches them."))
        return
    rows = [{name: getattr(each, name) for name in _CAPACITY} for each in policies.capacity]
    kinds = {"requests_per_minute": pa.int64(), "tokens_per_minute": pa.int64()}
    table = pa.Table.from_pylist(
        rows, pa.schema([(name, kinds.get(name, pa.string())) for name in _CAPACITY])
    )
    number = st.column_config.NumberColumn
    grid.show(
        table,
        name="declared-capacity",
        title="Capacity",
        aside=aside,
        config={
            "provider": "Provider",
            "model": "Model",
            "account": "Account",
            "requests_per_minute": number("Requests a minute", format="localized"),
            "tokens_per_minute": number("Tokens a minute", format="localized"),
        },
    )


def _plans(policies: PolicySet) -> None:
    if not policies.plans:
        grid.heading("Plans", "what cost centres mean to spend")
        st.html(
            board.empty("No plan is told.", "The file has none, or your key may not see them: finance may.")
        )
        return
    rows = [{name: getattr(plan, name) for name in _PLANS} for plan in policies.plans]
    kinds = {"amount": pa.decimal128(38, 12)}
    table = pa.Table.from_pylist(rows, pa.schema([(name, kinds.get(name, pa.string())) for name in _PLANS]))
    grid.show(
        table,
        name="declared-plans",
        title="Plans",
        aside="what cost centres mean to spend",
        drawn=pl.DataFrame(table).with_columns(pl.col("amount").cast(pl.Float64)),
        config={
            "cost_centre": "Cost centre",
            "month": "Month",
            "amount": st.column_config.NumberColumn(f"Amount, {policies.currency}", format="localized"),
        },
    )
