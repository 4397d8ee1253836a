"""Reports: costs, statements, plan and margin, made of the lines that days and periods stand at.

Each total is that of the lines: what has no owner, no price or no whole usage is a row of its own and never left out.
Amounts of different currencies are never one row; a row without a currency is use of which the cost is not known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from functools import partial

import duckdb
import polars as pl
import pyarrow as pa

from collector.reporting import Report, ReportError

from ..caching.savings import of_time
from ..parameters import check_names
from . import standing
from .ahead import with_forecast
from .allocated import allocated
from .calendar import CalendarError, Period
from .line import AMOUNTS, METERS, Kind
from .live import LiveLines
from .months import months

__all__ = ["DIMENSIONS", "allocation", "costs", "periods", "plan", "reports", "statement"]

DIMENSIONS = (
    *("tenant", "workload", "tier", "owner", "cost_centre", "provider", "model", "service_tier"),
    *("kind", "state", "contract", "item", "rule"),
)
"""What lines can be grouped and filtered by."""
BUCKETS = ("day", "week", "month")
"""A week by its Monday, a month by its first day; one of them at most."""
_METER = "meter"
_TOKENS = ("input_uncached", "cache_read", "cache_write_5m", "cache_write_1h", "output")
_COUNTS = ("calls", "attempts", *_TOKENS, "reasoning")
_MOST_DAYS = 1100
_MONEY = pl.Decimal(38, 12)
_Report = Callable[[LiveLines, duckdb.DuckDBPyConnection, Mapping[str, str]], pa.Table]
_PARTIES = ("tenant", "cost_centre", "owner")
_SAVED = "saved by the cache (not billed, net)"


def reports(live: LiveLines) -> Mapping[str, Report]:
    """The reports by name, as the collector takes them."""
    return {name: partial(_in_time, report, live) for name, report in _REPORTS.items()}


def _in_time(
    report: _Report, live: LiveLines, con: duckdb.DuckDBPyConnection, params: Mapping[str, str]
) -> pa.Table:
    """The report, or how to go on where its time was over before all of its days were computed."""
    try:
        return report(live, con, params)
    except (duckdb.InterruptException, OSError) as stopped:
        # Rows that are read batch by batch come through Arrow, which knows an interrupt as an OSError.
        if isinstance(stopped, OSError) and "INTERRUPT" not in str(stopped):
            raise
        raise ReportError(
            "the report did not finish in time; the days that were computed are kept: ask again, or for fewer days"
        ) from None


def costs(live: LiveLines, con: duckdb.DuckDBPyConnection, params: Mapping[str, str]) -> pa.Table:
    """Cost, use and attempts `by` dimensions, at most one bucket, and `meter`, and by currency; dearest first.

    Of a `period`, or of the days `from` to `to`, both within. By meter: `tokens` and `cost` alone, since a call is of
    several. `unpriced_calls` and `incomplete_calls` are those of the calls whose cost, or use, is not known whole.
    """
    check_names(params, ("period", "from", "to", "by", *DIMENSIONS))
    by = _by(params)
    rows = _filtered(pl.DataFrame(_lines(live, con, params)), params)
    rows = _with_bucket(rows, by)
    if _METER in by:
        found = _by_meter(rows, by)
    else:
        found = rows.group_by([*by, "currency"]).agg(
            *(pl.col(name).sum() for name in _COUNTS),
            pl.col("calls").filter(pl.col("state") == "unpriced").sum().alias("unpriced_calls"),
            pl.col("calls").filter(pl.col("state") == "incomplete").sum().alias("incomplete_calls"),
            _known("amount", "cost"),
            _known("list_amount", "list_cost"),
            _known("retry_amount", "retry_cost"),
            _known("cache_savings", "cache_savings"),
        )
    return _in_order(found, by).to_arrow()


def statement(live: LiveLines, con: duckdb.DuckDBPyConnection, params: Mapping[str, str]) -> pa.Table:
    """What each party `by` (cost_centre; or tenant, owner) is charged in a `period`, line by line, and its totals.

    `section` is usage, rerate, charge, shared_in, shared_out, credit, adjustment, accrual, true_up; correction: what is
    for days of other periods; and total. After it `saved`, in a column of its own: what answers out of a cache would
    have cost, less the wrong ones among them; it is in no total, neither cost nor credit. `name` asks for one party; an
    empty one for what has none.
    """
    check_names(params, ("period", "by", "name"))
    by = params.get("by", "cost_centre")
    if by not in _PARTIES:
        raise ReportError(f"by: {by[:64]!r} has no statements; there are: {', '.join(_PARTIES)}")
    period = _period(live, params, "period")
    rows = pl.DataFrame(standing.of_period(con, live, period))
    if "name" in params:
        rows = rows.filter(pl.col(by).fill_null("") == params["name"])
    if by == "cost_centre":
        others = ("tenant", "workload")
    else:
        others = ("cost_centre", "workload") if by == "tenant" else ("tenant", "workload")
    split = _by_meter(
        rows.with_columns(section=_section(period), what=pl.coalesce("rule", "item")),
        (by, "section", *others, "model", "what", _METER),
    )
    totals = (
        split.group_by(by, "currency")
        .agg(pl.col("tokens").sum(), _known("cost", "cost"))
        .with_columns(section=pl.lit("total"))
    )
    whole = pl.concat([split.with_columns(place=0), totals.with_columns(place=1)], how="diagonal")
    saved = _saved(con, live, period, (by, *others), params.get("name"))
    whole = pl.concat([whole, saved.with_columns(place=2)], how="diagonal")
    order = [by, "currency", "place", "section"]
    return (
        whole.sort(
            [*order, "cost", *others, "model", "what", _METER], descending=[False] * 4 + [True] + [False] * 5
        )
        .drop("place")
        .select(by, "section", *others, "model", "what", _METER, "currency", "tokens", "cost", "saved")
        .to_arrow()
    )


def plan(live: LiveLines, con: duckdb.DuckDBPyConnection, params: Mapping[str, str]) -> pa.Table:
    """Cost of each cost centre beside its plan, of a `period`, or of the periods `from` to `to`, both within.

    `elapsed_days` of `days` are over; `due` is that part of the plan, and `ahead` what cost is above it, or below 0.
    A cost centre without a plan, and a plan without cost, are rows too; so is cost without a cost centre. `forecast` is
    what it will have cost at the period's end, in about 80 of 100 cases between `forecast_low` and `forecast_high`.
    """
    check_names(params, ("period", "from", "to"))
    found = [_planned(live, con, period) for period in _periods(live, params)]
    return pl.concat(found).to_arrow()


def margin(live: LiveLines, con: duckdb.DuckDBPyConnection, params: Mapping[str, str]) -> pa.Table:
    """What each tenant brings in beside what it costs to serve, of a `period`, or of the periods `from` to `to`.

    `margin` is revenue less cost; NULL for a tenant whose revenue is not told.
    """
    check_names(params, ("period", "from", "to"))
    found = []
    for period in _periods(live, params):
        told = pl.DataFrame(
            con.sql(
                "SELECT tenant, currency, sum(amount)::DECIMAL(38, 12) AS revenue FROM revenue"
                " WHERE month = $month GROUP BY ALL",
                params={"month": period.first_day},
            ).to_arrow_table()
        )
        cost = _costs_of(live, con, period, "tenant").join(
            told, on=["tenant", "currency"], how="full", coalesce=True, nulls_equal=True
        )
        found.append(
            cost.select(
                pl.lit(period.name).alias("period"),
                "tenant",
                "currency",
                pl.col("calls").fill_null(0),
                "revenue",
                "cost",
                (pl.col("revenue") - pl.col("cost").fill_null(0)).cast(_MONEY).alias("margin"),
            ).sort("cost", "tenant", "currency", descending=[True, False, False], nulls_last=True)
        )
    return pl.concat(found).to_arrow()


def allocation(live: LiveLines, con: duckdb.DuckDBPyConnection, params: Mapping[str, str]) -> pa.Table:
    """What each target was given of a `period`'s shared cost, by which rule and method, and by what use of it."""
    check_names(params, ("period",))
    return allocated(con, live, _period(live, params, "period"))


def periods(live: LiveLines, con: duckdb.DuckDBPyConnection, params: Mapping[str, str]) -> pa.Table:
    """The periods, the last first, and whether each is open, closed, or closed and `reconciled` with all invoices."""
    check_names(params, ())
    return months(con, live)


_REPORTS: Mapping[str, _Report] = {
    "allocation": allocation,
    "costs": costs,
    "statement": statement,
    "plan": plan,
    "margin": margin,
    "periods": periods,
}


def _lines(live: LiveLines, con: duckdb.DuckDBPyConnection, params: Mapping[str, str]) -> pa.Table:
    if "period" in params:
        if "from" in params or "to" in params:
            raise ReportError("period: leave out from and to, or give these instead of a period")
        return standing.of_period(con, live, _period(live, params, "period"))
    first, last = _day(params, "from"), _day(params, "to")
    if last < first:
        raise ReportError(f"to: {last} is before from: {first}; it is the last day that is in it")
    if (last - first).days >= _MOST_DAYS:
        raise ReportError(f"to: the range has more than {_MOST_DAYS} days; ask for less at a time")
    return standing.of_days(con, live, first, last)


def _day(params: Mapping[str, str], name: str) -> date:
    text = params.get(name, "")
    try:
        found = date.fromisoformat(text)
    except ValueError:
        found = date.min
    if not 1970 <= found.year <= 9000:
        raise ReportError(
            f'{name}: {text[:64]!r} is no day; write one of the zone of chargeback.yaml, such as "2026-10-31", '
            'or ask for period="2026-10"'
        )
    return found


def _period(live: LiveLines, params: Mapping[str, str], name: str) -> Period:
    try:
        return live.chargeback.calendar.period(params.get(name, ""))
    except CalendarError as problem:
        raise ReportError(f"{name}: {problem}") from None


def _periods(live: LiveLines, params: Mapping[str, str]) -> list[Period]:
    if "period" in params:
        return [_period(live, params, "period")]
    first, last = _period(live, params, "from"), _period(live, params, "to")
    found = [first]
    while found[-1].name < last.name and len(found) <= _MOST_DAYS // 31:
        found.append(live.chargeback.calendar.after(found[-1]))
    if found[-1] != last:
        raise ReportError(f"to: {last.name} must be from {first.name} on, and not years later")
    return found


def _by(params: Mapping[str, str]) -> list[str]:
    names = [name.strip() for name in params.get("by", "").split(",") if name.strip()]
    for name in names:
        if name == "hour":
            raise ReportError(
                "by: 'hour' is unknown: lines are of days; ask the report `spend` by hour, without meters"
            )
        if name not in (*DIMENSIONS, *BUCKETS, _METER):
            raise ReportError(
                f"by: {name[:64]!r} is unknown; there are: {', '.join((*DIMENSIONS, *BUCKETS, _METER))}"
            )
    if len(set(names)) < len(names):
        raise ReportError(f"by: {params['by'][:200]!r} names something twice")
    if len(set(names) & set(BUCKETS)) > 1:
        raise ReportError(f"by: one of {', '.join(BUCKETS)} at most")
    return names


def _filtered(rows: pl.DataFrame, params: Mapping[str, str]) -> pl.DataFrame:
    """An empty value asks for what has none; no name is empty."""
    for name in DIMENSIONS:
        if name in params:
            rows = rows.filter(pl.col(name).fill_null("") == params[name])
    return rows


def _with_bucket(rows: pl.DataFrame, by: list[str]) -> pl.DataFrame:
    if "week" in by:
        return rows.with_columns(week=pl.col("day").dt.truncate("1w"))
    return rows.with_columns(month=pl.col("day").dt.truncate("1mo")) if "month" in by else rows


def _by_meter(rows: pl.DataFrame, by: list[str] | tuple[str, ...]) -> pl.DataFrame:
    """Tokens and cost of each meter that has any. Use whose cost is not known has tokens alone."""
    keys = [name for name in by if name != _METER]
    counts = (*_TOKENS, None)
    parts = [
        rows.select(
            *keys,
            "currency",
            pl.lit(meter).alias(_METER),
            (pl.col(count) if count else pl.lit(0, pl.Int64)).alias("tokens"),
            pl.col(amount).alias("cost"),
        )
        for meter, count, amount in zip(METERS, counts, AMOUNTS, strict=True)
    ]
    found = (
        pl.concat(parts)
        .group_by([*keys, _METER, "currency"])
        .agg(pl.col("tokens").sum(), _known("cost", "cost"))
    )
    return found.filter((pl.col("tokens") != 0) | (pl.col("cost").fill_null(0) != 0))


def _known(name: str, named: str) -> pl.Expr:
    """The sum of what is known; NULL where nothing is."""
    return pl.when(pl.col(name).is_not_null().any()).then(pl.col(name).sum()).cast(_MONEY).alias(named)


def _in_order(rows: pl.DataFrame, by: list[str]) -> pl.DataFrame:
    buckets = [name for name in by if name in BUCKETS]
    keys = [*buckets, "cost", *(name for name in by if name not in BUCKETS), "currency"]
    return rows.select(*by, pl.exclude(by)).sort(
        keys, descending=[name == "cost" for name in keys], nulls_last=[name == "cost" for name in keys]
    )


def _section(period: Period) -> pl.Expr:
    shared = pl.when(pl.col("amount") < 0).then(pl.lit("shared_out")).otherwise(pl.lit("shared_in"))
    own = pl.col("day").is_between(period.first_day, period.last_day)
    return (
        pl.when(~own)
        .then(pl.lit("correction"))
        .when(pl.col("kind") == Kind.SHARED.value)
        .then(shared)
        .otherwise("kind")
    )


def _saved(
    con: duckdb.DuckDBPyConnection,
    live: LiveLines,
    period: Period,
    by: tuple[str, ...],
    name: str | None,
) -> pl.DataFrame:
    """What answers out of a cache saved in a period, net, of `name` if that is given; NULL where it is not known."""
    start, stop = live.chargeback.calendar.bounds(period.first_day, period.last_day)
    rows = [
        {
            **{each: row[each] for each in by},
            "section": "saved",
            "what": _SAVED,
            "currency": row["currency"],
            "tokens": 0,
            "cost": None,
            "saved": row["net"],
        }
        for row in of_time(con, start, stop, by)
        if name is None or (row[by[0]] or "") == name
    ]
    texts = (*by, "section", "what", "currency")
    schema = pl.Schema(
        {**dict.fromkeys(texts, pl.String()), "tokens": pl.Int64(), "cost": _MONEY, "saved": _MONEY}
    )
    return pl.DataFrame(rows, schema=schema)


def _costs_of(live: LiveLines, con: duckdb.DuckDBPyConnection, period: Period, by: str) -> pl.DataFrame:
    rows = pl.DataFrame(standing.of_period(con, live, period))
    return rows.group_by(by, "currency").agg(pl.col("calls").sum(), _known("amount", "cost"))


def _planned(live: LiveLines, con: duckdb.DuckDBPyConnection, period: Period) -> pl.DataFrame:
    planned = pl.DataFrame(
        con.sql(
            "SELECT cost_centre, currency, sum(amount)::DECIMAL(38, 12) AS plan FROM plans"
            " WHERE month = $month GROUP BY ALL",
            params={"month": period.first_day},
        ).to_arrow_table()
    )
    rows = _costs_of(live, con, period, "cost_centre").join(
        planned, on=["cost_centre", "currency"], how="full", coalesce=True, nulls_equal=True
    )
    days = len(period.days)
    elapsed = min(max((live.today - period.first_day).days, 0), days)
    due = (pl.col("plan").cast(_MONEY) * elapsed / days).cast(_MONEY)
    found = rows.select(
        pl.lit(period.name).alias("period"),
        "cost_centre",
        "currency",
        pl.col("calls").fill_null(0),
        "plan",
        "cost",
        pl.lit(elapsed).alias("elapsed_days"),
        pl.lit(days).alias("days"),
        due.alias("due"),
        (pl.col("cost").fill_null(0) - due).cast(_MONEY).alias("ahead"),
        (pl.col("plan") - pl.col("cost").fill_null(0)).cast(_MONEY).alias("left"),
    ).sort("cost", "cost_centre", "currency", descending=[True, False, False], nulls_last=True)
    return with_forecast(found, con, live, period)
