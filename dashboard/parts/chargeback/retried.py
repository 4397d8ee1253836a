"""Retried: attempts a call by workload and what they cost, herds as a picture, and which setting to change."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pyarrow as pa
import streamlit as st

from dashboard import board, frame, grid, look, session
from dashboard.charts.herds import lockstep
from dashboard.charts.retries import retried_share
from dashboard.view import View

from .months import main_currency

__all__ = ["advised", "figures", "show"]

_MOST_BARS, _MOST_ADVICE = 12, 6
_BESIDE = timedelta(minutes=1)
_LONGEST = timedelta(minutes=40)


def show(view: View, retries: pa.Table | None, herds: pa.Table | None) -> None:
    """Retries by workload, then herds."""
    if retries is not None:
        _retries(retries)
    if herds is not None:
        _herds(view, herds)


def _retries(table: pa.Table) -> None:
    rows: list[dict[str, Any]] = table.to_pylist()
    grid.heading("Retries", "attempts after the first, of calls of this range")
    if not any(row["retried_calls"] or row["finding"] for row in rows):
        st.html(
            board.empty(
                "No call was retried.",
                "An agent's attempts are seen where its client is wrapped (<code>sg.wrap</code>) or its spans "
                "tell them.",
            )
        )
        return
    st.html(board.figures(figures(rows)))
    ranked = sorted(
        (row for row in rows if row["retried_calls"]),
        key=lambda row: (-(row["attempts"] - row["calls"]), row["tenant"], row["workload"] or ""),
    )
    left, right = st.columns([1.15, 1], gap="medium")
    with left:
        grid.heading("Who retries most", f"the {min(len(ranked), _MOST_BARS)} with the most further attempts")
        st.plotly_chart(
            retried_share(ranked[:_MOST_BARS], session.palette(), unnamed=grid.NAMES["workload"]),
            theme=None,
            config=session.PLOT,
            key="causes-retries",
            alt="Retried calls as a part of all, by workload, in herds and apart",
        )
    with right:
        grid.heading("Which setting to change")
        st.html(f'<div class="sg sg-advice">{"".join(advised(rows))}</div>')
    shown, config = _drawn(rows)
    grid.show(
        table,
        name="retries",
        title="Retries by workload and model",
        aside="part of the cost: in the bill already, were attempts equal; at most: on top, were each billed",
        basis="estimated",
        drawn=shown,
        config=config,
    )


def figures(rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, str, str]]:
    """The headline of rows of `audit_retries`."""
    currency = main_currency([dict(row) for row in rows])
    calls, retried, attempts, together = (
        sum(row[name] for row in rows) for name in ("calls", "retried_calls", "attempts", "synchronous_calls")
    )
    own = [row for row in rows if row["currency"] == currency]
    part, most = (_sum(own, name) for name in ("retry_cost", "retry_cost_at_most"))
    cut = sum(row["incomplete_calls"] for row in rows)
    hot = ' class="sg-hot"' if together else ""
    return [
        ("Attempts a call", f"{attempts / calls:.3f}" if calls else "—", f"{look.count(calls)} calls"),
        ("Retried calls", look.count(retried), f"{look.percent(Decimal(retried), Decimal(calls))} of all"),
        ("Cost of retries", look.money(part, currency), "in the bill, were attempts equal"),
        ("At most on top", look.money(most, currency), "were each billed as the answer"),
        (
            "In herds",
            f"<span{hot}>{look.count(together)}</span> <small>calls</small>",
            f"{look.percent(Decimal(together), Decimal(retried))} of the retried",
        ),
        ("Cut off", f"{look.count(cut)} <small>calls</small>", "told no whole usage"),
    ]


def advised(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """What was found and what to change, as HTML; workloads with the same advice are one."""
    found: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in rows:
        if row["finding"] is not None:
            found.setdefault((row["advice"], row["finding"]), []).append(row)
    if not found:
        return ["<div>Nothing stands out: what is retried is retried apart, and seldom.</div>"]
    by_advice: dict[str, list[tuple[str, list[Mapping[str, Any]]]]] = {}
    for (advice, finding), of in found.items():
        by_advice.setdefault(advice, []).append((finding, of))
    said = []
    for advice, each in by_advice.items():
        lines = [
            f"<li><b>{_who(row)}</b>, {look.text(row['model'] or grid.NAMES['model'])}: {look.words(finding)}</li>"
            for finding, of in each
            for row in of
        ]
        more = (
            f"<li>and {len(lines) - _MOST_ADVICE} more, in the table</li>"
            if len(lines) > _MOST_ADVICE
            else ""
        )
        said.append(f"<p>{_change(advice)}</p><ul>{''.join(lines[:_MOST_ADVICE])}{more}</ul>")
    return said


def _change(advice: str) -> str:
    """Advice as HTML: what it writes between backticks is code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", look.words(advice))


def _who(row: Mapping[str, Any]) -> str:
    return f"{look.text(row['tenant'])} / {look.text(row['workload'] or grid.NAMES['workload'])}"


def _drawn(rows: Sequence[Mapping[str, Any]]) -> tuple[pl.DataFrame, dict[str, Any]]:
    amounts = ("retry_cost", "retry_cost_at_most")
    shown = [
        {
            "tenant": row["tenant"],
            "workload": row["workload"] or grid.NAMES["workload"],
            "model": row["model"] or grid.NAMES["model"],
            "provider": row["provider"],
            "calls": row["calls"],
            "retried_calls": row["retried_calls"],
            "attempts_per_call": row["attempts_per_call"],
            "most_attempts": row["most_attempts"],
            "synchrony": None if row["synchrony"] is None else 100 * row["synchrony"],
            **{name: None if row[name] is None else float(row[name]) for name in amounts},
            "currency": row["currency"],
            "incomplete_calls": row["incomplete_calls"],
            "finding": row["finding"],
            "advice": row["advice"],
        }
        for row in rows
    ]
    column = st.column_config
    config: dict[str, Any] = {
        "tenant": column.TextColumn("Tenant"),
        "workload": column.TextColumn("Workload"),
        "model": column.TextColumn("Model"),
        "provider": column.TextColumn("Provider", width="small"),
        "calls": column.NumberColumn("Calls", format="localized"),
        "retried_calls": column.NumberColumn("Retried", format="localized"),
        "attempts_per_call": column.NumberColumn("Attempts a call", format="%.2f"),
        "most_attempts": column.NumberColumn("Most", format="localized"),
        "synchrony": column.NumberColumn("In herds", format="%.0f %%"),
        "retry_cost": column.NumberColumn("Part of the cost", format="%.4f"),
        "retry_cost_at_most": column.NumberColumn("At most on top", format="%.4f"),
        "currency": column.TextColumn("Currency", width="small"),
        "incomplete_calls": column.NumberColumn("Cut off", format="localized"),
        "finding": column.TextColumn("Finding", width="large"),
        "advice": column.TextColumn("Change", width="large"),
    }
    schema = dict.fromkeys((*amounts, "synchrony"), pl.Float64)
    return pl.DataFrame(shown, infer_schema_length=None, schema_overrides=schema), config


def _herds(view: View, table: pa.Table) -> None:
    rows: list[dict[str, Any]] = table.to_pylist()
    if not rows:
        grid.heading("Herds", "tasks that retried in step")
        st.html(
            board.empty(
                "No herd.",
                "Retried calls of five tasks or more, closer together than chance puts them, would stand here "
                "(docs/audits.md).",
            )
        )
        return
    largest = max(rows, key=lambda row: (row["tasks"], row["at"]))
    chosen = next((row for row in rows if _key(row) == view.more.get("herd")), largest)
    _herd(chosen)
    shown, config = _herds_drawn(rows)
    place = grid.show(
        table,
        name="herds",
        title="Herds" if len(rows) > 1 else "The herd",
        aside="select one to draw it" if len(rows) > 1 else "",
        drawn=shown,
        config=config,
        select=len(rows) > 1,
    )
    if place is not None and _key(rows[place]) != _key(chosen):
        frame.go(view.but(herd=_key(rows[place])))


def _herd(herd: Mapping[str, Any]) -> None:
    """One herd: what it was, its attempts over time, its members, and what to change."""
    cost = look.money(herd["cost"], herd["currency"])
    grid.heading(
        "A herd",
        f"{herd['at']:%-d %b %H:%M:%S} UTC, {look.text(herd['model'] or grid.NAMES['model'])}",
        basis="estimated",
    )
    st.html(
        f'<div class="sg"><b>{herd["tasks"]} tasks</b>, {look.count(herd["calls"])} retried calls, '
        f"{look.count(herd['attempts'])} attempts, {cost}: {look.words(herd['finding'])} "
        f"(p = {herd['p_value']:.2g}).<br>Change: {_change(herd['advice'])}."
        f'<div class="sg-soft">{_members(herd)}</div></div>'
    )
    start = herd["at"] - _BESIDE
    stop = min(herd["until"] + _BESIDE, start + _LONGEST)
    params = {
        "from": start.isoformat(),
        "to": stop.isoformat(),
        "by": "tenant,workload,10s",
        "provider": herd["provider"] or "",
        "model": herd["model"] or "",
    }
    if herd["currency"]:
        params["currency"] = herd["currency"]
    answer = session.services().collector.report("spend", params, max_age_s=60)
    if answer.value is None or not answer.value.num_rows:
        st.html(session.away(session.services().collector, {"herd": answer}, session.now()))
        return
    st.plotly_chart(
        lockstep(
            answer.value.to_pylist(),
            session.palette(),
            start=start,
            stop=stop,
            unnamed=grid.NAMES["workload"],
        ),
        theme=None,
        config=session.PLOT,
        key="causes-herd",
        alt="Attempts in ten seconds, and when each workload's calls were retried",
    )


def _members(herd: Mapping[str, Any]) -> str:
    return ". ".join(
        f"{words}: {_some(herd[name])}"
        for words, name in (("Tenants", "tenants"), ("Workloads", "workloads"), ("Tasks", "task_ids"))
        if herd[name]
    )


def _some(names: Sequence[str], most: int = 4) -> str:
    shown = ", ".join(look.text(name) for name in names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown


def _key(herd: Mapping[str, Any]) -> str:
    at: datetime = herd["at"]
    return f"{at:%Y%m%dT%H%M%S}-{herd['model'] or ''}"


def _herds_drawn(rows: Sequence[Mapping[str, Any]]) -> tuple[pl.DataFrame, dict[str, Any]]:
    shown = [
        {
            "at": row["at"],
            "model": row["model"] or grid.NAMES["model"],
            "tasks": row["tasks"],
            "calls": row["calls"],
            "attempts": row["attempts"],
            "waves": row["waves"],
            "lasted_s": row["lasted_s"],
            "cost": None if row["cost"] is None else float(row["cost"]),
            "currency": row["currency"],
            "tenants": ", ".join(row["tenants"]),
            "workloads": ", ".join(name or grid.NAMES["workload"] for name in row["workloads"]),
            "advice": row["advice"],
        }
        for row in rows
    ]
    column = st.column_config
    config: dict[str, Any] = {
        "at": column.DatetimeColumn("Began, UTC", format="D MMM HH:mm:ss", timezone="UTC"),
        "model": column.TextColumn("Model"),
        "tasks": column.NumberColumn("Tasks", format="localized"),
        "calls": column.NumberColumn("Retried calls", format="localized"),
        "attempts": column.NumberColumn("Attempts", format="localized"),
        "waves": column.NumberColumn("Waves", format="localized"),
        "lasted_s": column.NumberColumn("Within, s", format="%.1f"),
        "cost": column.NumberColumn("Cost", format="%.4f"),
        "currency": column.TextColumn("Currency", width="small"),
        "tenants": column.TextColumn("Tenants", width="medium"),
        "workloads": column.TextColumn("Workloads", width="medium"),
        "advice": column.TextColumn("Change", width="large"),
    }
    return pl.DataFrame(shown, infer_schema_length=None, schema_overrides={"cost": pl.Float64}), config


def _sum(rows: Sequence[Mapping[str, Any]], name: str) -> Decimal | None:
    known = [row[name] for row in rows if row[name] is not None]
    return sum(known, Decimal(0)) if known else None
