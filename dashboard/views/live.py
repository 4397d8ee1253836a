"""The Live page: what is burning, what is cut and until when. Read again each second; the chart each five."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import streamlit as st

from dashboard import board, charts, look, session
from dashboard.services import Answer

_LOOK_BACK = timedelta(minutes=15)
_HEALTH = timedelta(hours=1)
_MINUTE = timedelta(minutes=1)
_BUCKET_S = 10
_COVERAGE = "/v1/reports/coverage"
_EVERY = "1s"
_UNKNOWN = "—"
_CHARTS_EVERY = "5s"
_LEGEND = (
    '<span class="key"><span><i style="background:var(--sg-calm)"></i>spent</span>'
    '<span><i style="background:var(--sg-calm);opacity:.38"></i>held</span>'
    '<span><i style="background:var(--sg-calm);opacity:.55;height:4px"></i>to the projection</span>'
    '<span><i style="background:var(--sg-ink);width:2px;height:12px;vertical-align:-1px"></i>limit</span></span>'
)


@st.fragment(run_every=_EVERY)
def summary() -> None:
    """What is wrong with what is shown, and the figures of the moment."""
    both, now = session.services(), session.now()
    hour, minute = _range(now, _HEALTH), _range(now, _MINUTE)
    answers = both.together(
        {
            "breakers": _breakers,
            "shares": _shares,
            "policies": lambda: both.policies.document("/v1/policies", max_age_s=5),
            "hour": lambda: both.collector.document(_COVERAGE, hour, max_age_s=2, topic="live hour"),
            "minute": lambda: both.collector.document(_COVERAGE, minute, max_age_s=2, topic="live minute"),
        }
    )
    st.html(_head(answers, now) + _notices(answers, now))
    st.html(
        board.figures(
            _figures(
                answers, _listed(answers["breakers"], "breakers"), _listed(answers["shares"], "providers")
            )
        )
    )


@st.fragment(run_every=_EVERY)
def ceilings() -> None:
    """Every ceiling and its breaker, with countdowns."""
    answer, now = _breakers(), session.now()
    st.html(f'<div class="sg sg-h">Ceilings and breakers <small>most urgent first</small>{_LEGEND}</div>')
    if budgets := _listed(answer, "breakers"):
        st.html(board.ceilings(budgets, at=answer.at or now, now=now))
    else:
        st.html(
            board.empty(
                "No ceiling has been touched yet.", "A ceiling appears with the first call in its scope."
            )
        )


@st.fragment(run_every=_EVERY)
def capacity() -> None:
    """The providers' limits, what is used of them, and who waits."""
    st.html('<div class="sg sg-h">Provider capacity <small>last minute; calls waiting by tier</small></div>')
    if shares := _listed(_shares(), "providers"):
        st.html(board.providers(shares, now=session.now()))
    else:
        st.html(board.empty("No provider is in use yet.", "Limits come from capacity in the policy file."))


@st.fragment(run_every=_EVERY)
def transitions() -> None:
    """What the breakers did lately."""
    st.html('<div class="sg sg-h">Transitions <small>newest first, UTC</small></div>')
    if events := _listed(_breakers(), "transitions"):
        st.html(board.events(events, now=session.now(), limit=10))
    else:
        st.html(board.empty("No breaker has changed its state.", "Each change is kept here with its reason."))


@st.fragment(run_every=_CHARTS_EVERY)
def spend() -> None:
    """Spend over a quarter of an hour, in whole buckets, so that bars keep their place between two looks."""
    now = session.now()
    stop = datetime.fromtimestamp(now.timestamp() // _BUCKET_S * _BUCKET_S + _BUCKET_S, now.tzinfo)
    span = {"from": (stop - _LOOK_BACK).isoformat(), "to": stop.isoformat(), "bucket": "10s", "top": "7"}
    table = session.services().collector.report("timeline", span, max_age_s=2, topic="live spend").value
    st.html('<div class="sg sg-h">Spend by tenant <small>each 10 s of the last 15 minutes, UTC</small></div>')
    if table is None or not table.num_rows:
        st.html(
            board.empty("No spend in the last 15 minutes.", "It shows here within seconds of being booked.")
        )
        return
    figure = charts.spend_over_time(
        table, session.palette(), start=stop - _LOOK_BACK, stop=stop, bucket_s=_BUCKET_S, unnamed="no tenant"
    )
    st.plotly_chart(
        figure, theme=None, config=session.PLOT, key="live-spend", alt="Spend by tenant over time"
    )


def _breakers() -> Answer:
    return session.services().policies.document("/v1/breakers", max_age_s=0.8)


def _shares() -> Answer:
    return session.services().policies.document("/v1/shares", max_age_s=0.8)


def _listed(answer: Answer, name: str) -> list[dict[str, Any]]:
    return list((answer.value or {}).get(name) or ())


def _range(now: datetime, length: timedelta) -> dict[str, str]:
    """The last `length`, at whole seconds: one question for all who look within one second."""
    stop = now.replace(microsecond=0) + timedelta(seconds=1)
    return {"from": (stop - length).isoformat(), "to": stop.isoformat()}


def _head(answers: Mapping[str, Answer], now: datetime) -> str:
    policies = answers["policies"].value or {}
    version = str(policies.get("version") or "")[:10]
    policy = f'<span class="sg-badge">policies <b>{look.text(version or "none")}</b></span>'
    return (
        '<div class="sg sg-head"><h1>Live</h1><span class="grow"></span>'
        f"{policy}{_freshness(answers['hour'], now)}</div>"
    )


def _freshness(answer: Answer, now: datetime) -> str:
    watermark = (answer.value or {}).get("watermark")
    if answer.error:
        return '<span class="sg-badge bad">facts <b>stale</b></span>'
    if not watermark:
        return '<span class="sg-badge">facts <b>none yet</b></span>'
    at = datetime.fromisoformat(watermark)
    return f'<span class="sg-badge">booked up to <b>{look.clock(at)} UTC</b>, {look.ago(at, now)}</span>'


def _notices(answers: Mapping[str, Answer], now: datetime) -> str:
    both = session.services()
    of_policies = {name: answers[name] for name in ("breakers", "shares", "policies")}
    of_collector = {name: answers[name] for name in ("hour", "minute")}
    notices = session.away(both.policies, of_policies, now) + session.away(both.collector, of_collector, now)
    refused = (answers["policies"].value or {}).get("error")
    if refused:
        notices += board.banner(
            "The last change of the policy file was refused; the policies before it are in force.",
            look.text(str(refused).splitlines()[0]),
            mild=True,
        )
    return notices


def _figures(
    answers: Mapping[str, Answer], budgets: Sequence[Mapping[str, Any]], shares: Sequence[Mapping[str, Any]]
) -> list[tuple[str, str, str]]:
    """The headline figures; an em dash for what a service has not told."""
    return [
        *_of_engine(answers, budgets, shares),
        *_of_collector(_row(answers["hour"]), _row(answers["minute"])),
    ]


def _of_engine(
    answers: Mapping[str, Answer], budgets: Sequence[Mapping[str, Any]], shares: Sequence[Mapping[str, Any]]
) -> list[tuple[str, str, str]]:
    acting = [budget for budget in budgets if not budget.get("shadow")]
    cut = sum(budget["state"] in ("open", "forced_open") for budget in acting)
    slowed = sum(budget["state"] in ("throttled", "half_open") for budget in acting)
    tone = "sg-hot" if cut else "sg-warm" if slowed else ""
    queues = [share.get("queued") or {} for share in shares]
    waiting = {
        tier: sum(queue.get(tier, 0) for queue in queues) for tier in ("interactive", "batch", "background")
    }
    opened = ("Breakers open", f'<span class="{tone}">{cut}</span> <small>of {len(acting)}</small>')
    queued = ("Calls waiting", str(sum(waiting.values())))
    return [
        (*opened, f"{slowed} slowed or on trial") if answers["breakers"].value else (opened[0], _UNKNOWN, ""),
        (*queued, f"{waiting['interactive']} interactive, {waiting['batch']} batch")
        if answers["shares"].value
        else (queued[0], _UNKNOWN, ""),
    ]


def _of_collector(hour: Mapping[str, Any], minute: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    names = (
        "Spend in the last minute",
        "Spend in the last hour",
        "Cost not known, last hour",
        "Without an owner, last hour",
    )
    if not hour or not minute:
        return [(name, _UNKNOWN, "") for name in names]
    currency = hour["currency"] or "USD"
    unpriced, incomplete = hour["unpriced_calls"], hour["incomplete_calls"]
    unknown = unpriced + incomplete
    tone = "sg-warm" if unknown else ""
    values = (
        (look.money(_cost(minute), currency), f"{look.count(minute['calls'])} calls"),
        (look.money(_cost(hour), currency), f"{look.count(hour['calls'])} calls"),
        (
            f'<span class="{tone}">{look.count(unknown)}</span> <small>calls</small>',
            f"{unpriced} unpriced, {incomplete} incomplete",
        ),
        (
            look.percent(Decimal(hour["unowned_cost"] or 0), _cost(hour)),
            f"{look.count(hour['unowned_calls'])} calls",
        ),
    )
    return [(name, *value) for name, value in zip(names, values, strict=True)]


def _row(answer: Answer) -> dict[str, Any]:
    value = answer.value
    return dict(zip(value["columns"], value["rows"][0], strict=True)) if value and value["rows"] else {}


def _cost(row: Mapping[str, Any]) -> Decimal | None:
    """No calls cost nothing; calls of which none has a price cost nobody knows what."""
    if row["cost"] is not None:
        return Decimal(row["cost"])
    return None if row["calls"] else Decimal(0)


summary()
left, right = st.columns([2.45, 1], gap="medium")
with left:
    ceilings()
    spend()
with right:
    capacity()
    transitions()
