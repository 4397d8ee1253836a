"""Ledger: which months are closed and by whom, what stands against the next close, corrections, drafts, invoices."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pyarrow as pa
import streamlit as st

from dashboard import board, grid, look, session
from dashboard.services import Answer, Service
from dashboard.view import View

from . import by_hand, closing_checks, invoiced, months, verifying
from .months import Month

__all__ = ["ledger"]

_AGE_S = 10.0
_WAIT_S = 60.0
_STATES: Mapping[str, str] = {"open": "○ open", "closed": "● closed", "reconciled": "◆ reconciled"}


def ledger(view: View) -> None:
    """The tab, for who may see the whole."""
    if not _may_see():
        st.html(
            '<div class="sg sg-note">The ledger as a whole is shown to keys with the scope <b>finance</b> for every '
            "tenant. What is charged to you stands under Charged.</div>"
        )
        return
    both, now = session.services(), session.now()
    ask = _asking(both.collector)
    every, told = months.known()
    answers = {
        "months": told,
        **both.together(
            {
                "periods": lambda: ask("/v1/ledger/periods"),
                "drafts": lambda: ask("/v1/ledger/drafts"),
                "head": lambda: ask("/v1/ledger/head"),
                "invoices": lambda: ask("/v1/invoices"),
            }
        ),
    }
    notice = session.away(both.collector, answers, now)
    if notice:
        st.html(notice)
    periods = answers["periods"].value
    if periods is None:
        return
    if not every:
        st.html(board.empty("Nothing to close yet.", "A month stands here once a call of it is booked."))
        return
    closed = {each["period"]: each for each in periods["closed"]}
    st.html(board.figures(_figures(periods, answers, every)))
    _periods(every, closed)
    next_open = next((month for month in every if month.name == periods["open"]), None)
    month = months.chosen(view, every, default=next_open.name if next_open else None)
    _downloads(month, closed.get(month.name), both.collector)
    if month.name in closed:
        closing_checks.accepted(month, closed[month.name])
    else:
        with st.spinner(
            f"Adding up {look.label(month.title)} to see what stands against its close", show_time=True
        ):
            found = ask(f"/v1/ledger/periods/{month.name}/check")
        closing_checks.show(month, found, is_next=month.name == periods["open"])
    with st.spinner(f"Comparing {look.label(month.title)} with the invoices", show_time=True):
        compared = ask("/v1/reconciliations", {"period": month.name})
    invoiced.show(month, compared, answers["invoices"].value)
    by_hand.corrections(month, _charged(month))
    by_hand.drafts(answers["drafts"].value, session.viewer())
    verifying.show(both.collector, answers["head"].value)


def _may_see() -> bool:
    viewer = session.viewer()
    return viewer is not None and (viewer.keyless or (viewer.may("finance") and viewer.all_tenants))


def _asking(collector: Service) -> Callable[..., Answer]:
    def ask(path: str, params: Mapping[str, str] | None = None) -> Answer:
        return collector.document(path, params, max_age_s=_AGE_S, timeout_s=_WAIT_S)

    return ask


def _charged(month: Month) -> Answer:
    return months.settled(
        "costs",
        {"period": month.name, "by": "day,kind,cost_centre,tenant,workload"},
        doing=f"Looking for corrections in {look.label(month.title)}",
    )


def _figures(
    periods: Mapping[str, Any], answers: Mapping[str, Answer], every: Sequence[Month]
) -> list[tuple[str, str, str]]:
    closed = periods["closed"]
    sums: dict[str, Decimal] = {}
    for total in (total for each in closed for total in each["totals"]):
        if total["currency"] is not None:
            sums[total["currency"]] = sums.get(total["currency"], Decimal(0)) + Decimal(total["amount"])
    main = max(sums, key=lambda each: sums[each]) if sums else None
    drafts = (answers["drafts"].value or {}).get("drafts", ())
    waiting = sum(draft["state"] == "waiting" for draft in drafts)
    head = answers["head"].value
    reconciled = sum(month.state == "reconciled" for month in every)
    invoices = (answers["invoices"].value or {}).get("invoices", ())
    last = closed[-1] if closed else None
    return [
        ("Closed", f"{len(closed)} <small>months</small>", f"{reconciled} of them reconciled"),
        (
            "Charged in them",
            look.money(sums[main], main) if main else "—",
            f"and {len(sums) - 1} other currencies" if len(sums) > 1 else "corrections included",
        ),
        ("Next to close", look.text(periods["open"]), "months are closed in their order"),
        (
            "Last close",
            f"{_at(last['closed_at']):%-d %b %Y}" if last else "—",
            f"by {look.text(last['closed_by'])}" if last else "no month is closed",
        ),
        (
            "Drafts waiting",
            f'<span class="{"sg-warm" if waiting else ""}">{waiting}</span>',
            "for somebody else's approval" if waiting else "nothing to approve",
        ),
        (
            "Entries",
            look.count(head["seq"]) if head else "—",
            f"{len(invoices)} statements of providers",
        ),
    ]


def _periods(every: Sequence[Month], closed: Mapping[str, Mapping[str, Any]]) -> None:
    """A row for each month; the table is what the close has kept."""
    rows, shown = [], []
    for month in every:
        found = closed.get(month.name)
        totals = [total for total in found["totals"] if total["currency"] is not None] if found else []
        rows.append(
            {
                "period": month.name,
                "state": month.state,
                "totals": "; ".join(f"{total['amount']} {total['currency']}" for total in totals) or None,
                "entries": found["terms"]["entries"] if found else None,
                "closed_at": _at(found["closed_at"]) if found else None,
                "closed_by": found["closed_by"] if found else None,
                "accepted": ", ".join(each["code"] for each in found["terms"]["accepted"]) or None
                if found
                else None,
                "accrued": ", ".join(found["terms"]["accrued"]) or None if found else None,
                "root_hash": found["root_hash"] if found else None,
            }
        )
        amounts = ", ".join(look.money(Decimal(total["amount"]), total["currency"]) for total in totals)
        shown.append(
            rows[-1] | {"state": _STATES[month.state], "totals": amounts or None, "period": month.title}
        )
    column = st.column_config
    schema = pa.schema(
        [
            *((name, pa.string()) for name in ("period", "state", "totals")),
            ("entries", pa.int64()),
            ("closed_at", pa.timestamp("us", "UTC")),
            *((name, pa.string()) for name in ("closed_by", "accepted", "accrued", "root_hash")),
        ]
    )
    grid.show(
        pa.Table.from_pylist(rows, schema=schema),
        name="ledger-months",
        title="Months",
        aside="a closed month never changes; what is known later is a correction in a later one",
        drawn=pl.DataFrame(shown, schema=pl.DataFrame(pa.Table.from_pylist(rows, schema=schema)).schema),
        config={
            "period": column.TextColumn("Month"),
            "state": column.TextColumn("State", width="small"),
            "totals": column.TextColumn("Charged"),
            "entries": column.NumberColumn("Entries", format="localized"),
            "closed_at": column.DatetimeColumn("Closed at, UTC", format="D MMM YYYY HH:mm", timezone="UTC"),
            "closed_by": column.TextColumn("Closed by"),
            "accepted": column.TextColumn("Accepted", help="What spoke against the close and was accepted"),
            "accrued": column.TextColumn("Accrued", help="Providers whose invoice had not come"),
            "root_hash": column.TextColumn("Root hash", width="medium"),
        },
    )


def _downloads(month: Month, closed: Mapping[str, Any] | None, collector: Service) -> None:
    """The files of a closed month, made when they are asked for."""
    if closed is None:
        return

    def journal() -> bytes:
        return _bytes(collector, "/v1/ledger/journal", {"period": month.name})

    def entries() -> bytes:
        told = _bytes(collector, "/v1/ledger/entries", {"period": month.name, "format": "arrow"})
        with pa.ipc.open_stream(told) as stream:
            return grid.csv_bytes(stream.read_all())

    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        for words, make, kind, what in (
            ("Journal", journal, "text/csv", "journal.csv"),
            ("Entries", entries, "text/csv", "entries.csv"),
        ):
            st.download_button(
                f"{words}, CSV",
                make,
                f"{month.name}-{what}",
                kind,
                key=f"file-{words}-{month.name}",
                icon=":material/download:",
                on_click="ignore",
            )
        st.html(f'<span class="sg sg-soft">files of {look.text(month.title)}</span>', width="content")


def _bytes(collector: Service, path: str, params: Mapping[str, str]) -> bytes:
    reply = collector.file(path, params, timeout_s=_WAIT_S)
    if reply.value is None:
        raise RuntimeError(reply.error)
    content: bytes = reply.value
    return content


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)
