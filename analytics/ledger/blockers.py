"""Blockers: what speaks against closing a period now, each in words with figures and what to do about it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from collector.wire import decimal_text

from .calendar import Calendar, Period
from .line import Kind
from .owed import Owed, owed
from .periods import Closed, closed, following
from .settings import Chargeback

if TYPE_CHECKING:
    import duckdb

__all__ = ["Blocker", "Weight", "blockers", "worded"]

_UNPRICED, _RERATED = "unpriced", "rerated"
_MOST_NAMES = 3


class Weight(StrEnum):
    """What a blocker does to a close."""

    HARD = "hard"
    """Nothing waves it: the close would be wrong."""
    ACCEPTABLE = "acceptable"
    """Whoever closes may accept it, with a reason that stands in the manifest."""
    WARNING = "warning"
    """It is said, and the close goes on."""


@dataclass(frozen=True, slots=True)
class Blocker:
    """One finding."""

    code: str
    weight: Weight
    text: str


def blockers(
    con: duckdb.DuckDBPyConnection,
    period: Period,
    lines: pa.Table,
    settings: Chargeback,
    *,
    now: datetime,
    behind: int,
) -> list[Blocker]:
    """All of a period that is open. `lines` are its own, `behind` is how many facts are acknowledged and not booked."""
    return [
        *_of_time(period, settings, now, behind),
        *_of_order(con, period, closed(con), settings.calendar),
        *_of_deleted(con, period, lines),
        *_of_lines(lines, settings),
        *_of_drafts(con),
        *(each for provider in owed(con, period, lines) for each in _of_invoice(provider, period, settings)),
    ]


def worded(found: Iterable[Blocker]) -> list[dict[str, Any]]:
    """As documents."""
    return [{"code": each.code, "weight": each.weight.value, "text": each.text} for each in found]


def _of_time(period: Period, settings: Chargeback, now: datetime, behind: int) -> Iterator[Blocker]:
    if now < period.stop:
        yield Blocker(
            "not_over",
            Weight.HARD,
            f"{period.name} ends at {_at(period.stop)}; it can be closed when it is over",
        )
    elif now < (until := period.stop + settings.close.wait):
        yield Blocker(
            "wait",
            Weight.ACCEPTABLE,
            f"late calls are waited for until {_at(until)} (close.wait); "
            "what comes after the close is a correction in the next period",
        )
    if behind > 0:
        yield Blocker(
            "behind",
            Weight.HARD,
            f"{behind:,} acknowledged facts are not booked yet; try again in a moment, "
            "and look at /readyz where it stays so",
        )


def _of_deleted(con: duckdb.DuckDBPyConnection, period: Period, lines: pa.Table) -> Iterator[Blocker]:
    """What contracts charge by the month goes by every call of it."""
    if Kind.CHARGE.value not in lines["kind"].to_pylist():
        return
    ((calls,),) = con.execute(
        'SELECT coalesce(sum(calls), 0) FROM rollup_hours WHERE NOT details AND "hour" >= $1 AND "hour" < $2',
        [period.start, period.stop],
    ).fetchall()
    if calls:
        yield Blocker(
            "deleted",
            Weight.ACCEPTABLE,
            f"the details of {calls:,} calls of {period.name} are deleted, so what contracts charge by the month is "
            "counted without them and may be too much; compare with the contract's bill, and adjust by hand",
        )


def _of_order(
    con: duckdb.DuckDBPyConnection, period: Period, known: list[Closed], calendar: Calendar
) -> Iterator[Blocker]:
    if not known:
        ((hour, calls),) = con.execute(
            'SELECT min("hour"), coalesce(sum(calls), 0) FROM rollup_hours WHERE "hour" < $1', [period.start]
        ).fetchall()
        ((posted, entries),) = con.execute(
            "SELECT min(period), count(*) FROM ledger_entries WHERE period < $1", [period.name]
        ).fetchall()
        begins = [calendar.period_of(calendar.day_of(hour)).name] if calls else []
        if first := min([*begins, *([posted] if entries else [])], default=None):
            yield Blocker(
                "starts_later",
                Weight.ACCEPTABLE,
                f"{calls:,} calls and {entries:,} entries are of before {period.name}, the first of them of {first}: "
                f"they would never be charged; close {first} first, or accept that the ledger "
                f"begins with {period.name}",
            )
        return
    last = known[-1]
    wanted = following(last, calendar)
    if period.start > last.ends and wanted.name != period.name:
        yield Blocker(
            "earlier_open",
            Weight.HARD,
            f"{wanted.name} is open, and periods are closed in their order; close {wanted.name} first",
        )
    elif period.start != last.ends:
        yield Blocker(
            "zone",
            Weight.HARD,
            f"{last.period} was closed up to {_at(last.ends)} (zone {last.zone}), and {period.name} begins at "
            f"{_at(period.start)} (zone {calendar.zone}): calls between would count twice or never; "
            f"set zone: {last.zone} in chargeback.yaml",
        )


def _of_lines(lines: pa.Table, settings: Chargeback) -> Iterator[Blocker]:
    calls = 0
    unpriced: Counter[str] = Counter()
    incomplete: Counter[str] = Counter()
    tokens = 0
    whole: dict[str, Decimal] = defaultdict(Decimal)
    unowned: dict[str, Decimal] = defaultdict(Decimal)
    nobodys: Counter[str] = Counter()
    names = ("kind", "state", "currency", "amount", "calls", "provider", "model", "tenant", "workload")
    for line in lines.select([*names, "owner", "cost_centre", "input_uncached", "output"]).to_pylist():
        calls += line["calls"]
        if line["state"] == _RERATED:
            # What it costs is in the rerate's line.
            continue
        if line["amount"] is None:
            model = f"{line['provider'] or 'no provider'}/{line['model'] or 'no model'}"
            (unpriced if line["state"] == _UNPRICED else incomplete)[model] += line["calls"]
            tokens += line["input_uncached"] + line["output"] if line["state"] == _UNPRICED else 0
        elif line["currency"] is not None:
            whole[line["currency"]] += abs(line["amount"])
            if line["owner"] is None or line["cost_centre"] is None:
                unowned[line["currency"]] += abs(line["amount"])
                nobodys[f"{line['tenant'] or 'no tenant'}/{line['workload'] or 'no workload'}"] += line[
                    "calls"
                ]
    unknown = unpriced.total() + incomplete.total()
    if unknown > settings.close.unpriced * calls:
        if unpriced.total():
            yield Blocker(
                "unpriced",
                Weight.ACCEPTABLE,
                f"{unpriced.total():,} of {calls:,} calls, with {tokens:,} tokens, have no price: {_most(unpriced)}; "
                "add their prices (prices.yaml), then switchgear rerate",
            )
        if incomplete.total():
            yield Blocker(
                "incomplete",
                Weight.ACCEPTABLE,
                f"the usage of {incomplete.total():,} of {calls:,} calls is not known, and so is their cost: "
                f"{_most(incomplete)}; the report `incomplete` estimates it",
            )
    over = {
        currency: amount
        for currency, amount in sorted(unowned.items())
        if amount > settings.close.unowned * whole[currency]
    }
    if over:
        amounts = ", ".join(f"{decimal_text(each)} {currency}" for currency, each in over.items())
        yield Blocker(
            "unowned",
            Weight.ACCEPTABLE,
            f"{amounts} have no owner or no cost centre: {_most(nobodys)}; "
            "name them: switchgear registry export --unowned writes the template",
        )


def _of_drafts(con: duckdb.DuckDBPyConnection) -> Iterator[Blocker]:
    ((waiting,),) = con.execute("SELECT count(*) FROM ledger_drafts WHERE state = 'waiting'").fetchall()
    if waiting:
        yield Blocker(
            "drafts",
            Weight.ACCEPTABLE,
            f"{waiting} credits or adjustments wait for somebody to approve them: switchgear ledger drafts",
        )


def _of_invoice(provider: Owed, period: Period, settings: Chargeback) -> Iterator[Blocker]:
    name, currency = provider.provider, provider.currency
    if not provider.is_invoiced:
        yield Blocker(
            "no_invoice",
            Weight.WARNING,
            f"no invoice of {name} covers every day of {period.name}: {decimal_text(provider.posted)} {currency} "
            f"are booked as accrued; when it comes: switchgear reconcile FILE --month {period.name} --book",
        )
        return
    invoiced, posted = decimal_text(provider.invoiced), decimal_text(provider.posted)
    residual = provider.invoiced - provider.posted
    let_pass = settings.close.let_pass(provider.invoiced, currency)
    if abs(residual) > let_pass:
        yield Blocker(
            "residual",
            Weight.ACCEPTABLE,
            f"{name} invoiced {invoiced} {currency} and the ledger has {posted}: {decimal_text(residual)} are more "
            f"than the {decimal_text(let_pass)} that are let pass; look for causes: switchgear reconcile --month "
            f"{period.name}, and book what remains with --book",
        )


def _most(counted: Counter[str]) -> str:
    """The names that are most of it."""
    named = [name for name, _ in sorted(counted.items(), key=lambda each: (-each[1], each[0]))]
    more = len(named) - _MOST_NAMES
    return ", ".join(named[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def _at(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
