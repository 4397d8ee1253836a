"""Overage: minutes above a committed, provisioned or declared rate, what they cost on top, and whose they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any

import polars as pl
import pyarrow as pa
import streamlit as st

from dashboard import board, grid, look, session
from dashboard.charts.rates import busiest_minutes, payers
from dashboard.services import Answer
from dashboard.view import View

from ..choosing import one_of, one_of_many

__all__ = ["METHODS", "Rates", "gathered", "show"]

METHODS: Mapping[str, str] = {
    "proportional": "By use beyond the share",
    "marginal": "By all use",
    "even": "Evenly",
}
_WHY: Mapping[str, str] = {
    "proportional": "each tenant pays by its use beyond its share, which is the same for all that are active in that "
    "minute; within its share it pays nothing",
    "marginal": "each tenant pays by all that it used in that minute, steady ones too",
    "even": "all tenants that are active in that minute pay the same",
}
_KINDS: Mapping[str, str] = {
    "burst": "committed rate",
    "provisioned": "provisioned units",
    "declared": "declared limit",
}
_MOST_BARS = 10
_BUCKETS = ("minute", "5m", "15m", "hour", "6h", "day")
_NO_RATE = (
    "A contract's <code>bursts</code> or <code>provisioned</code> (docs/contracts.md) say what is committed; "
    "<code>capacity</code> with tokens_per_minute in the policy file says what a provider allows."
)


@dataclass(frozen=True, slots=True)
class Rates:
    """What was asked: who is behind each rate's minutes, and when they were."""

    answers: Mapping[str, Answer] = field(default_factory=dict)
    who: Sequence[pa.Table] = ()
    when: Sequence[pa.Table] = ()
    is_whole: bool = True
    """Whether this viewer sees every tenant, and so was asked for at all."""


def gathered(view: View, ask: Callable[..., Answer]) -> Rates:
    """The rates of contracts; where there are none, those that the policy file declares."""
    viewer = session.viewer()
    if viewer is None or not (viewer.all_tenants or viewer.keyless):
        return Rates(is_whole=False)
    both = session.services()
    method = {"method": _method(view)}
    bucket = {"bucket": _bucket(view)}
    answers = both.together(
        {
            "bursts": lambda: ask("audit_bursts", **method),
            "minutes": lambda: ask("audit_bursts_minutes", **bucket),
            "shares": lambda: both.policies.document("/v1/shares", max_age_s=10),
        }
    )
    # The policy engine's part is of use, and no fault of the collector's where it is away.
    shares = answers.pop("shares")
    who, when = answers["bursts"].value, answers["minutes"].value
    if who is None or when is None or who.num_rows:
        return Rates(answers, [] if who is None else [who], [] if when is None else [when])
    declared = {
        share["provider"]: int(share["tokens_per_minute"])
        for share in (shares.value or {}).get("providers", ())
        if share.get("tokens_per_minute")
    }
    for provider, committed in declared.items():
        rate = {"provider": provider, "committed_tpm": str(committed)}
        answers |= both.together(
            {
                f"bursts {provider}": partial(ask, "audit_bursts", **rate, **method),
                f"minutes {provider}": partial(ask, "audit_bursts_minutes", **rate, **bucket),
            }
        )
    found = {name: answer.value for name, answer in answers.items() if answer.value is not None}
    return Rates(
        answers,
        [found[f"bursts {provider}"] for provider in declared if f"bursts {provider}" in found],
        [found[f"minutes {provider}"] for provider in declared if f"minutes {provider}" in found],
    )


def show(view: View, rates: Rates, start: datetime, stop: datetime) -> None:
    """The rate that is chosen: figures, its busiest minutes, who pays by which method, and the table."""
    if not rates.is_whole:
        grid.heading("Bursts above a committed rate")
        st.html(
            '<div class="sg sg-note">Bursts are shown to keys that see <b>every tenant</b>: of one that is seen in '
            "part, neither its size nor its shares are right.</div>"
        )
        return
    rows: list[dict[str, Any]] = [row for table in rates.who for row in table.to_pylist()]
    grid.heading("Bursts above a committed rate", "who is behind the minutes that cost more")
    if not rows:
        if not any(answer.error for answer in rates.answers.values()):
            st.html(board.empty("No rate is known.", _NO_RATE))
        return
    by_rate: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        by_rate.setdefault(_name(row), []).append(row)
    ranked = sorted(
        by_rate, key=lambda name: (-_charge(by_rate[name]), -by_rate[name][0]["minutes_above"], name)
    )
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        chosen = one_of_many(view, "rate", "Rate", ranked, told=look.tidy, width=340)
        one_of(view, "method", "Who pays", METHODS)
    own = by_rate[chosen]
    st.html(board.figures(_figures(own)))
    minutes = [row for table in rates.when for row in table.to_pylist() if _name(row) == chosen]
    _pictures(view, own, minutes, start, stop)
    if own[0]["tenant"] is not None:
        frame, config = _drawn(own)
        table = pa.Table.from_pylist(own, schema=rates.who[0].schema)
        basis = "estimated" if own[0]["charge"] is not None else None
        grid.show(
            table,
            name="bursts",
            title="Who is behind it",
            aside=_WHY[own[0]["method"]],
            basis=basis,
            drawn=frame,
            config=config,
        )


def _pictures(
    view: View,
    own: Sequence[Mapping[str, Any]],
    minutes: Sequence[Mapping[str, Any]],
    start: datetime,
    stop: datetime,
) -> None:
    first = own[0]
    palette = session.palette()
    left, right = st.columns([1.5, 1], gap="medium")
    with left:
        if minutes:
            st.plotly_chart(
                busiest_minutes(
                    minutes,
                    palette,
                    start=start,
                    stop=stop,
                    bucket_s=_seconds(view),
                    unnamed=grid.NAMES["workload"],
                    height=300,
                ),
                theme=None,
                config=session.PLOT,
                key="causes-minutes",
                alt="Busiest minute over time against the committed rate",
            )
        else:
            st.html(board.empty("No call counts towards this rate.", "Choose a longer range."))
    with right:
        if first["tenant"] is None:
            st.html(board.empty("The rate was kept.", "No minute of this range is above it."))
            return
        value = "charge" if first["charge"] is not None else "tokens_above"
        paying = [row for row in own if row[value]]
        st.plotly_chart(
            payers(
                paying[:_MOST_BARS],
                palette,
                value=value,
                unnamed=grid.NAMES["workload"],
                unit=first["currency"] or "tokens",
            ),
            theme=None,
            config=session.PLOT,
            key="causes-payers",
            alt=f"Who is behind the minutes above the rate, {METHODS[first['method']].lower()}",
        )


def _figures(own: Sequence[Mapping[str, Any]]) -> list[tuple[str, str, str]]:
    first = own[0]
    above = sum((row["tokens_above"] for row in own), Decimal(0))
    has_charge = first["kind"] == "burst"
    known = any(row["charge"] is not None for row in own)
    charge = _charge(own) if known or not first["minutes_above"] else None
    unknown = first["unknown_minutes"]
    hot = ' class="sg-hot"' if first["minutes_above"] else ""
    busiest = first["busiest_tokens"]
    return [
        ("Rate", look.count(first["committed_tpm"]), f"tokens a minute, {_KINDS[first['kind']]}"),
        ("Minutes above", f"<span{hot}>{look.count(first['minutes_above'])}</span>", "of this range"),
        ("Tokens above", look.count(round(above)), "as the rate counts them"),
        (
            "Cost on top",
            look.money(charge, first["currency"]) if has_charge else "—",
            f"{unknown} minutes without any price"
            if unknown
            else "estimated by the contract"
            if has_charge
            else "nothing is charged on top",
        ),
        (
            "Busiest minute",
            look.count(round(busiest)) if busiest is not None else "—",
            f"{first['busiest_at']:%-d %b %H:%M} UTC" if busiest is not None else "no call counts",
        ),
        (
            "Over the rate",
            look.percent(busiest, Decimal(first["committed_tpm"])) if busiest is not None else "—",
            "the busiest minute, of the rate",
        ),
    ]


def _drawn(rows: Sequence[Mapping[str, Any]]) -> tuple[pl.DataFrame, dict[str, Any]]:
    whole = sum((row["tokens_above"] for row in rows), Decimal(0))
    shown = [
        {
            "tenant": row["tenant"],
            "workload": row["workload"] or grid.NAMES["workload"],
            "minutes": row["minutes"],
            "tokens_above": round(row["tokens_above"]),
            "share": float(100 * row["tokens_above"] / whole) if whole else None,
            "charge": None if row["charge"] is None else float(row["charge"]),
        }
        for row in rows
    ]
    column = st.column_config
    config: dict[str, Any] = {
        "tenant": column.TextColumn("Tenant", width="medium"),
        "workload": column.TextColumn("Workload", width="medium"),
        "minutes": column.NumberColumn("Minutes above", format="localized"),
        "tokens_above": column.NumberColumn("Tokens above, its part", format="localized"),
        "share": column.ProgressColumn(
            "Share", format="%.1f %%", min_value=0, max_value=100, width="small", color="primary"
        ),
        "charge": column.NumberColumn(f"Cost on top, {rows[0]['currency'] or 'none'}", format="%.4f"),
    }
    return pl.DataFrame(shown, infer_schema_length=None, schema_overrides={"charge": pl.Float64}), config


def _charge(rows: Sequence[Mapping[str, Any]]) -> Decimal:
    return sum((row["charge"] for row in rows if row["charge"] is not None), Decimal(0))


def _name(row: Mapping[str, Any]) -> str:
    named = f"{row['contract']} / {row['term']}" if row["contract"] is not None else row["provider"]
    return f"{named}, {_KINDS[row['kind']]}"


def _method(view: View) -> str:
    chosen = view.more.get("method", "proportional")
    return chosen if chosen in METHODS else "proportional"


def _bucket(view: View) -> str:
    """The view's bucket, a minute at the least."""
    name, _ = view.bucket
    return name if name in _BUCKETS else "minute"


def _seconds(view: View) -> int:
    return max(60, view.bucket[1])
