"""The Live page's second: notices, figures, ceilings, capacity and open grants, read again each second."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import streamlit as st

from ... import board, look, session
from ...services import Answer, Services
from ...view import View
from . import burning, capacity, ceilings, health, open_grants
from .concerned import concerned, of_calls
from .facts import Facts

__all__ = ["show"]

Answers = Mapping[str, Answer]

_HOUR = timedelta(hours=1)
_MINUTE = timedelta(minutes=1)
_COVERAGE = "/v1/reports/coverage"
_UNKNOWN = "—"
_NOT_KNOWN = board.empty("Not known now.", "It shows here once the policy engine answers.")
_ENGINE = ("breakers", "shares", "grants", "policies")
# Of the engine every second; of the collector, which looks through calls for it, less often.
_NOW_S, _FACTS_S, _SLOW_S, _REGISTRY_S = 0.8, 1.8, 4.5, 60.0
_WAITS_S = 0.15


@st.fragment(run_every="1s")
def show(view: View) -> None:
    """All that is worth a look each second."""
    now = session.now()
    both = session.services()
    facts: Facts | None = st.session_state.get("live-facts")
    if facts is None or not facts.is_about(view.topic, both):
        facts = st.session_state["live-facts"] = Facts(view.topic, both)
    answers = facts.read(_questions(both, view, now), _WAITS_S)
    budgets = concerned(
        [(each["scope"], each) for each in _listed(answers, "breakers")], view, _registry(answers)
    )
    lanes, holds = _listed(answers, "shares", "providers"), of_calls(_listed(answers, "grants"), view)
    booking = _booking(answers)
    with st.container(key="live-head"):
        st.html(_head(answers, booking, now))
    if notices := _notices(both, answers, booking, now):
        st.html(notices)
    st.html(board.figures(_figures(answers, budgets, lanes, holds, view, now)))
    with st.container(key="live-now"):
        left, right = st.columns([2.45, 1], gap="medium")
    left.html(_ceilings(answers, budgets, now))
    beside = (_capacity(answers, lanes, view, now), _grants(answers, holds, now))
    right.html(f'<div class="sg-aside"><div>{beside[0]}</div><div>{beside[1]}</div></div>')
    st.html(_health(answers, booking, now))


def _questions(both: Services, view: View, now: datetime) -> dict[str, Callable[[], Answer]]:
    engine, collector, filters = both.policies, both.collector, view.filters() | view.priced()
    hour, minute = ({**_range(now, length), **filters} for length in (_HOUR, _MINUTE))
    whole = now.replace(second=0, microsecond=0)
    minutes = {"from": (whole - 2 * _HOUR).isoformat(), "to": whole.isoformat(), "by": "minute", **filters}
    asked: dict[str, Callable[[], Answer]] = {
        "breakers": lambda: engine.document("/v1/breakers", {"last": "0"}, max_age_s=_NOW_S),
        "shares": lambda: engine.document("/v1/shares", max_age_s=_NOW_S),
        "grants": lambda: engine.document("/v1/grants", max_age_s=_NOW_S),
        "policies": lambda: engine.document("/v1/policies", max_age_s=_SLOW_S),
        "minute": lambda: collector.document(
            _COVERAGE, minute, max_age_s=_NOW_S, topic=f"live minute {view.topic}"
        ),
        "hour": lambda: collector.document(
            _COVERAGE, hour, max_age_s=_FACTS_S, topic=f"live hour {view.topic}"
        ),
        "minutes": lambda: collector.report(
            "spend", minutes, max_age_s=_SLOW_S, topic=f"live minutes {view.topic}"
        ),
        "metrics": lambda: collector.metrics(max_age_s=_SLOW_S),
    }
    if view.owner:
        asked["registry"] = lambda: collector.document("/v1/registry", max_age_s=_REGISTRY_S)
    return asked


def _listed(answers: Answers, name: str, inside: str | None = None) -> list[dict[str, Any]]:
    return list((answers[name].value or {}).get(inside or name) or ())


def _registry(answers: Answers) -> list[dict[str, Any]]:
    return _listed(answers, "registry", "workloads") if "registry" in answers else []


def _range(now: datetime, length: timedelta) -> dict[str, str]:
    """The last `length`, at whole seconds: one question for all who look within one second."""
    stop = now.replace(microsecond=0) + timedelta(seconds=1)
    return {"from": (stop - length).isoformat(), "to": stop.isoformat()}


def _row(answer: Answer) -> dict[str, Any]:
    value = answer.value
    return dict(zip(value["columns"], value["rows"][0], strict=True)) if value and value["rows"] else {}


def _booking(answers: Answers) -> health.Booking:
    told = answers["minute"].value or answers["hour"].value or {}
    at, ingest = told.get("watermark"), _ingest(answers)
    return health.Booking(
        datetime.fromisoformat(at) if at else None,
        None if ingest is None else ingest.waiting,
        answers["minute"].error is None,
    )


def _ingest(answers: Answers) -> health.Ingest | None:
    answer = answers["metrics"]
    if answer.value is None or answer.at is None:
        return None
    return health.Ingest.told(answer.value, answer.at)


def _head(answers: Answers, booking: health.Booking, now: datetime) -> str:
    """How fresh the facts are, and by which policies the engine goes."""
    version = str((answers["policies"].value or {}).get("version") or "")[:10]
    policy = f'<span class="sg-badge">policies <b>{look.text(version or "none")}</b></span>'
    return f'<div class="sg sg-asides sg-live-head">{policy}{health.badge(booking, now)}</div>'


def _notices(both: Services, answers: Answers, booking: health.Booking, now: datetime) -> str:
    engine = {name: answers[name] for name in _ENGINE}
    collector = {name: each for name, each in answers.items() if name not in _ENGINE and name != "metrics"}
    notices = session.away(both.policies, engine, now) + session.away(both.collector, collector, now)
    if booking.is_known and booking.is_stuck(now):
        notices += board.banner(
            "Calls come in and none is booked.",
            f"{look.count(booking.waiting or 0)} wait on disk; amounts stand still. docs/failures.md says what to do.",
        )
    refused = (answers["policies"].value or {}).get("error")
    if refused:
        notices += board.banner(
            "The last change of the policy file was refused; the policies before it are in force.",
            look.words(str(refused).splitlines()[0]),
            mild=True,
        )
    return notices


def _figures(
    answers: Answers,
    budgets: Sequence[Mapping[str, Any]],
    lanes: Sequence[Mapping[str, Any]],
    holds: Sequence[Mapping[str, Any]],
    view: View,
    now: datetime,
) -> list[tuple[str, str, str]]:
    """The headline figures; an em dash for what a service has not told."""
    minute, hour, table = _row(answers["minute"]), _row(answers["hour"]), answers["minutes"].value
    currency = hour.get("currency") or "USD"
    minutes = None if table is None else burning.of_minutes(table.to_pylist(), now)
    rate = burning.rate(burning.cost(minute), minutes, currency) if minute else (_UNKNOWN, "")
    total = burning.total(burning.cost(hour), minutes, currency) if hour else (_UNKNOWN, "")
    return [
        ("Spending now", *rate),
        ("Last hour", *total),
        ("Breakers open", *(_breakers(budgets) if answers["breakers"].value else (_UNKNOWN, ""))),
        ("Held for calls", *(_held(answers, holds) if answers["grants"].value else (_UNKNOWN, ""))),
        ("Calls waiting", *(_waiting(lanes, view) if answers["shares"].value else (_UNKNOWN, ""))),
        ("429s, last minute", *(_refused(lanes, now) if answers["shares"].value else (_UNKNOWN, ""))),
    ]


def _breakers(budgets: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    acting = [budget for budget in budgets if not budget.get("shadow")]
    cut = sum(budget["state"] in ("open", "forced_open") for budget in acting)
    slowed = sum(budget["state"] in ("throttled", "half_open") for budget in acting)
    warned = sum(budget["state"] == "closed" and budget.get("action") != "allow" for budget in acting)
    tone, mark = ("sg-hot", "■ ") if cut else ("", "")
    others = [
        f"{count} {word}" for count, word in ((slowed, "slowed or on trial"), (warned, "warned")) if count
    ]
    return f'<span class="{tone}">{mark}{cut}</span> <small>of {len(acting)}</small>', ", ".join(
        others
    ) or "none slowed"


def _held(answers: Answers, holds: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    amount, calls, grants = open_grants.held(holds)
    currency = answers["grants"].value["currency"]
    return look.money(amount, currency), f"{look.count(calls)} calls, {look.count(grants)} grants"


def _waiting(lanes: Sequence[Mapping[str, Any]], view: View) -> tuple[str, str]:
    queued = capacity.waiting(lanes, view)
    most = [f"{count} {tier}" for tier, count in queued.items() if count]
    total = sum(queued.values())
    return f'<span class="{"sg-warm" if total else ""}">{look.count(total)}</span>', ", ".join(
        most
    ) or "in no tier"


def _refused(lanes: Sequence[Mapping[str, Any]], now: datetime) -> tuple[str, str]:
    count, refusing = capacity.throttled(lanes), capacity.refusing(lanes, now)
    if refusing:
        name, left = refusing[0]
        aside = f'<span class="sg-hot">■ {look.text(name)} refuses for {look.span(left)}</span>'
    else:
        aside = "no provider refuses now"
    if count is None:
        return _UNKNOWN, aside if refusing else "told to keys for every tenant"
    return f'<span class="{"sg-warm" if count else ""}">{look.count(count)}</span>', aside


def _ceilings(answers: Answers, budgets: Sequence[Mapping[str, Any]], now: datetime) -> str:
    answer = answers["breakers"]
    head = board.heading("Ceilings and breakers", "most urgent first", ceilings.LEGEND)
    if answer.is_denied:
        return head + session.denied(answer, "read")
    if answers["breakers"].value is None:
        return head + _NOT_KNOWN
    if not budgets:
        why = "An engine that is new has counted nothing yet; a ceiling appears with the first call in its scope."
        return head + board.empty("No ceiling counts such calls.", why)
    return head + ceilings.table(budgets, at=answer.at or now, now=now)


def _capacity(answers: Answers, lanes: Sequence[Mapping[str, Any]], view: View, now: datetime) -> str:
    head = board.heading("Provider capacity", "last minute")
    if answers["shares"].is_denied:
        return head + session.denied(answers["shares"], "read")
    if answers["shares"].value is None:
        return head + _NOT_KNOWN
    if not lanes:
        return head + board.empty(
            "No provider is in use yet.", "Limits come from capacity in the policy file."
        )
    return head + capacity.cards(lanes, view, now=now)


def _grants(answers: Answers, holds: Sequence[Mapping[str, Any]], now: datetime) -> str:
    head = board.heading("Open grants", "held for calls under way")
    if answers["grants"].is_denied:
        return head + session.denied(answers["grants"], "read")
    if answers["grants"].value is None:
        return head + _NOT_KNOWN
    if not holds:
        return head + board.empty("Nothing is held.", "A guarded call holds what it may cost until it ends.")
    return head + open_grants.table(holds, answers["grants"].value["currency"], now=now)


def _health(answers: Answers, booking: health.Booking, now: datetime) -> str:
    ingest = _ingest(answers)
    head = board.heading("Health of the figures", "spans since the collector started; calls of the last hour")
    return head + health.cells(booking, ingest, _per_second(ingest), _row(answers["hour"]), now)


def _per_second(ingest: health.Ingest | None) -> float | None:
    """Spans a second over the last look or so at the counters, which this session remembers."""
    if ingest is None:
        return None
    seen: list[health.Ingest] = st.session_state.setdefault("live-ingest", [])
    if not seen or seen[-1].at != ingest.at:
        seen.append(ingest)
        del seen[:-3]
    return ingest.per_second(seen[0])
