"""Gathering: what a week's review is made of, read from the store with a cursor that sees everything."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from collector.reporting import Report, ReportError

from .. import registry
from ..caching.savings import of_time
from ..invoices import Cause as Why
from ..ledger import owed, sharing, standing
from ..ledger.calendar import Calendar, Period
from ..ledger.entries import head
from ..ledger.invoiced import compared
from ..ledger.line import Kind
from ..ledger.live import LiveLines
from ..ledger.periods import closed
from ..queries import sql
from ..reports import iso_week
from .actions import of_week, open_before
from .assembling import Foreign, Material, Month
from .document import Cause, Cover, Gap, Late, Share

if TYPE_CHECKING:
    import duckdb

__all__ = ["Week", "gathered"]

Row = dict[str, Any]
_DAY, _WEEK = timedelta(days=1), timedelta(days=7)
_HISTORY = timedelta(days=120)
_TOP = "20"
_NOTHING = Decimal(0)
_OF_CALLS = pa.array([Kind.USAGE.value, Kind.RERATE.value])


@dataclass(frozen=True, slots=True)
class Week:
    """An ISO week in the calendar's zone."""

    name: str
    first_day: date
    start: datetime
    """In UTC, as `stop`, which is not in it."""
    stop: datetime

    @classmethod
    def of(cls, name: str, calendar: Calendar) -> Week:
        """The week that "2026-W47" names. Raises ValueError."""
        first_day, after = iso_week(name)
        return cls(name, first_day, *calendar.bounds(first_day, after - _DAY))

    @property
    def last_day(self) -> date:
        return self.first_day + 6 * _DAY


def gathered(
    con: duckdb.DuckDBPyConnection,
    week: Week,
    live: LiveLines,
    reports: Mapping[str, Report],
    *,
    now: datetime,
    watermark: datetime | None,
    since: datetime | None,
    whole: bool = True,
    brief: bool = False,
    progress: Callable[[str, int, int], None] = lambda *_: None,
) -> Material:
    """Everything of the week. `reports` are all there are, by name; `since` is when the last review was frozen.

    Of a cursor that sees a part, `whole` is False: invoices, and what was booked late, are not told of a part. What is
    `brief` has neither, nor the audits: it is read in a fraction of the time.
    """
    steps = ("lines", "audits", "forecast", "invoices")

    def tell(step: str) -> None:
        progress(step, steps.index(step), len(steps))

    tell("lines")
    currency = live.chargeback.currency
    calendar = live.chargeback.calendar
    every = standing.of_days(con, live, week.first_day, week.last_day)
    this = _in(every, currency)
    last = _in(standing.of_days(con, live, week.first_day - _WEEK, week.first_day - _DAY), currency)
    tell("audits")
    asked = {"from": week.start.isoformat(), "to": week.stop.isoformat()}

    def audit(name: str, **more: str) -> list[Row]:
        report = None if brief else reports.get(name)
        return report(con, {**asked, **more}).to_pylist() if report is not None else []

    before = {
        "from": calendar.bounds(week.first_day - _WEEK, week.first_day - _DAY)[0].isoformat(),
        "to": asked["from"],
    }
    units = _units(reports, con, asked, currency), _units(reports, con, before, currency)
    audits = {
        "anomalies": audit("audit_anomalies", currency=currency, top=_TOP),
        "caps": audit("audit_top_workloads", currency=currency, top=_TOP),
        "herds": audit("audit_herds", top=_TOP),
        "loops": audit("audit_loops", top=_TOP),
        "savings": audit("audit_savings", currency=currency, top=_TOP),
    }
    tell("forecast")
    month = _month(con, week, calendar, currency, min(now, week.stop))
    tell("invoices")
    return Material(
        week=week.name,
        first_day=week.first_day,
        cover=_cover(con, this, reports, asked, currency, now, watermark, calendar),
        currency=currency,
        foreign=_foreign(every, currency),
        month=month,
        now=this.to_pylist(),
        before=last.to_pylist(),
        registry=registry.parse(registry.read(con)),
        units=(units,),
        trips=[row | {"scope": _scope(row["scope"])} for row in _rows(con, "review_trips", week)],
        **audits,
        shares=_shares(this, live, currency),
        gaps=_gaps(con, week, live, currency) if whole and not brief else (),
        late=_late(con, week, calendar, currency, since) if whole and not brief else (),
        last_actions=tuple(open_before(con, week.name, week.last_day)) if whole else (),
        actions=tuple(of_week(con, week.name, week.last_day)) if whole else (),
        served=[
            row
            for row in of_time(con, week.start, week.stop, ("tenant", "workload", "owner"))
            if row["currency"] in (currency, None)
        ],
    )


def _in(lines: pa.Table, currency: str) -> pa.Table:
    """Those in the currency, and those without one."""
    return lines.filter(pc.or_kleene(pc.is_null(lines["currency"]), pc.equal(lines["currency"], currency)))


def _foreign(lines: pa.Table, currency: str) -> tuple[Foreign, ...]:
    """What is in other currencies."""
    others = lines.filter(pc.not_equal(lines["currency"], currency))
    summed = others.group_by("currency").aggregate([("calls", "sum"), ("amount", "sum")]).sort_by("currency")
    return tuple(
        Foreign(row["currency"], row["calls_sum"], row["amount_sum"] or _NOTHING)
        for row in summed.to_pylist()
    )


def _rows(con: duckdb.DuckDBPyConnection, name: str, week: Week) -> list[Row]:
    found: list[Row] = (
        con.sql(sql(name), params={"start": week.start, "stop": week.stop}).to_arrow_table().to_pylist()
    )
    return found


def _units(
    reports: Mapping[str, Report], con: duckdb.DuckDBPyConnection, asked: Mapping[str, str], currency: str
) -> Row | None:
    """The row of tasks of report `unit_costs`, of all of a week; None where there were none."""
    try:
        rows = reports["unit_costs"](con, {**asked, "currency": currency}).to_pylist()
    except ReportError:
        return None
    return next((row for row in rows if row["part"] == "tasks"), None)


def _cover(
    con: duckdb.DuckDBPyConnection,
    lines: pa.Table,
    reports: Mapping[str, Report],
    asked: Mapping[str, str],
    currency: str,
    now: datetime,
    watermark: datetime | None,
    calendar: Calendar,
) -> Cover:
    (row,) = reports["coverage"](con, {**asked, "currency": currency}).to_pylist()
    last = head(con)
    periods = closed(con)
    following = calendar.after(calendar.period(periods[-1].period)).name if periods else None
    state = f"{periods[-1].period} is closed, {following} is open" if periods else "no period is closed yet"
    versions = sorted({text for text in lines["price_version"].to_pylist() if text})
    return Cover(
        generated_at=now.replace(microsecond=0),
        watermark=watermark,
        price_versions=tuple(versions),
        coverage=(row["covered_cost"] or Decimal(0)) / row["cost"] if row["cost"] else None,
        ledger_seq=last.seq,
        ledger_hash=last.hash if last.seq else "",
        ledger_state=state,
        unowned=row["unowned_cost"],
        unowned_calls=row["unowned_calls"],
        unpriced_calls=row["unpriced_calls"],
        incomplete_calls=row["incomplete_calls"],
        overflow_calls=row["overflow_calls"],
    )


def _month(
    con: duckdb.DuckDBPyConnection, week: Week, calendar: Calendar, currency: str, as_of: datetime
) -> Month:
    period = calendar.period_of(week.last_day)
    zone = ZoneInfo(calendar.zone)
    costs: defaultdict[str | None, defaultdict[date, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    params = {"start": as_of - _HISTORY, "stop": as_of, "currency": currency}
    for owner, hour, cost in con.execute(sql("review_history"), params).fetchall():
        costs[owner][hour.astimezone(zone).date()] += cost
    return Month(period.name, period.first_day, period.last_day + _DAY, as_of, calendar.zone, costs)


def _shares(lines: pa.Table, live: LiveLines, currency: str) -> tuple[Share, ...]:
    rules = live.chargeback.rules
    if not rules:
        return ()
    of_calls = lines.filter(pc.is_in(lines["kind"], _OF_CALLS))
    found = sharing.allocations(sharing.costs_of_calls(of_calls), {}, rules).get(currency)
    return tuple(
        Share(
            each.rule.title,
            f"{each.rule.how} over {each.rule.to.replace('_', ' ')}",
            each.moved,
            each.targets,
            each.kept,
        )
        for each in (found.applied if found else ())
    )


def _gaps(con: duckdb.DuckDBPyConnection, week: Week, live: LiveLines, currency: str) -> tuple[Gap, ...]:
    """Of each provider in the months of the week and the one before, whether it is invoiced or not."""
    calendar, terms = live.chargeback.calendar, live.chargeback.close
    told = []
    earlier = calendar.period_of(week.first_day).first_day - _DAY
    for name in sorted({calendar.period_of(day).name for day in (earlier, week.first_day, week.last_day)}):
        period = calendar.period(name)
        lines = standing.of_days(con, live, period.first_day, min(period.last_day, live.today))
        every = owed.owed(con, period, lines)
        causes = _causes(con, period, live, currency) if any(each.is_invoiced for each in every) else {}
        for each in every:
            if each.currency != currency:
                continue
            gap = each.invoiced - each.posted if each.is_invoiced else None
            allowed = max(terms.tolerance.amount, terms.tolerance_share * each.invoiced)
            told.append(
                Gap(
                    provider=each.provider,
                    month=name,
                    theirs=each.invoiced if each.is_invoiced else None,
                    ours=each.posted,
                    gap=gap,
                    share=gap / each.invoiced if gap is not None and each.invoiced else None,
                    within=None if gap is None else abs(gap) <= allowed,
                    causes=causes.get(each.provider, ()) if gap is not None else (),
                )
            )
    return tuple(told)


def _causes(
    con: duckdb.DuckDBPyConnection, period: Period, live: LiveLines, currency: str
) -> dict[str, tuple[Cause, ...]]:
    """What the gap of each provider is made of. What came late is in the ledger by now, and so in no gap."""
    found = compared(con, period, live.of_period, live.chargeback)
    booked: defaultdict[str, Decimal] = defaultdict(Decimal)
    for (provider, of, _), amount in found.booked.items():
        if of == currency:
            booked[provider] -= amount
    return {
        each.provider: tuple(
            Cause(name, amount)
            for name, amount in (
                *((cause.value, part) for cause, part in each.causes.items() if cause is not Why.LATE),
                ("booked", booked[each.provider]),
            )
            if amount
        )
        for each in found.result.providers
        if each.currency == currency
    }


def _late(
    con: duckdb.DuckDBPyConnection, week: Week, calendar: Calendar, currency: str, since: datetime | None
) -> tuple[Late, ...]:
    """What came since the last review was frozen; nothing is late before there was one. At most 200 lines."""
    if since is None:
        return ()
    params = {"since": since, "before": week.start, "zone": calendar.zone}
    rows: Sequence[Row] = con.sql(sql("review_late"), params=params).to_arrow_table().to_pylist()
    return tuple(
        Late(row["day"], row["kind"], row["tenant"], row["workload"], row["amount"], row["why"])
        for row in rows
        if row["amount"] and row["currency"] in (currency, None)
    )


def _scope(value: object) -> dict[str, str]:
    """A trip's scope, which is a struct with NULL for what it does not name."""
    scope = json.loads(value) if isinstance(value, str) else value
    return {name: part for name, part in scope.items() if part is not None} if isinstance(scope, dict) else {}
