"""Savings: what a cache of answers saved, or would have, by any of its dimensions. None of it is cost, or revenue.

An answer that was served is worth what the call would have cost at its time. Of semantic ones the part that the audits
of their workload, in the same range, found to be wrong is taken off; where none was judged it is not known what they
are worth. A call that was made, for an audit or in shadow mode, is paid as any other and saves nothing.

For every row: saved = net + wrong + unjudged, as far as each is known. Unknown is NULL, never zero.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from collector.facts.statements import registered
from collector.reporting import Report, ReportError

from ..parameters import check_names, only, time_range
from ..queries import sql
from .bounds import upper

if TYPE_CHECKING:
    import duckdb

__all__ = ["ANSWER_CACHE", "answer_cache", "of_time"]

_DIMENSIONS = ("tenant", "workload", "tier", "owner", "cost_centre", "provider", "model")
_DAY = "day"
_HOUR = timedelta(hours=1)
_AMOUNTS = ("saved", "saved_exact", "saved_semantic", "wrong", "wrong_at_most", "unjudged", "net")
_JUDGEMENTS = pa.schema(
    [
        ("tenant", pa.string()),
        ("workload", pa.string()),
        ("judged", pa.int64()),
        ("different", pa.int64()),
        ("at_most", pa.int64()),
    ]
)


def answer_cache(con: duckdb.DuckDBPyConnection, params: Mapping[str, str]) -> pa.Table:
    """What a cache of answers saved, `by` dimensions and `day`, the most first; without `by` one row, the total.

    One currency: where the range holds several, `currency` chooses. Raises ReportError for what is unfit.
    """
    check_names(params, ("from", "to", "by", "currency", *_DIMENSIONS))
    start, stop = time_range(params)
    by = _by(params)
    filters, named = only(params, {name: name for name in _DIMENSIONS})
    currency = params.get("currency")
    if currency is None:
        found = _currencies(con, start, stop)
        if len(found) > 1:
            raise ReportError(
                f"the range holds what a cache saved in {', '.join(found)}: choose with currency="
            )
        currency = found[0] if found else ""
    return _savings(con, start, stop, by, currency, filters, named)


def of_time(
    con: duckdb.DuckDBPyConnection, start: datetime, stop: datetime, by: Sequence[str]
) -> list[dict[str, Any]]:
    """The rows of what was served from `start` to before `stop`, in every currency that there is.

    Where it is not known of any answer in a row what it would have cost, its currency is None.
    """
    found = []
    for place, currency in enumerate(_currencies(con, start, stop) or [""]):
        for row in _savings(con, start, stop, by, currency).to_pylist():
            known = row["saved"] is not None
            if known or (place == 0 and row["exact"] + row["semantic"]):
                found.append(row if known else {**row, "currency": None})
    return found


ANSWER_CACHE: Mapping[str, Report] = {"answer_cache": answer_cache}


def _savings(
    con: duckdb.DuckDBPyConnection,
    start: datetime,
    stop: datetime,
    by: Sequence[str],
    currency: str,
    filters: str = "",
    named: Mapping[str, str] = {},
) -> pa.Table:
    statement = sql("answer_cache").format(
        facts=sql("answer_cache_facts"),
        filters=f" AND (currency IS NULL OR currency = $currency){filters}",
        keys=" ".join(f'"{name}",' for name in by),
        amounts=" ".join(f"{_money(name)} AS {name}," for name in _AMOUNTS),
        grouping="GROUP BY ALL" if by else "HAVING count(*) > 0",
        order=_order(by),
    )
    values = {**_range(start, stop), "currency": currency, **named}
    with registered(con, judgements=_judgements(con, start, stop)):
        return con.sql(statement, params=values).to_arrow_table()


def _judgements(con: duckdb.DuckDBPyConnection, start: datetime, stop: datetime) -> pa.Table:
    """How the audits of each workload came out, with what share may be wrong at most, in millionths."""
    statement = sql("answer_cache_judged").format(facts=sql("answer_cache_facts"))
    rows = con.sql(statement, params=_range(start, stop)).to_arrow_table().to_pylist()
    return pa.Table.from_pylist(
        [{**row, "at_most": upper(row["different"], row["judged"])} for row in rows], schema=_JUDGEMENTS
    )


def _currencies(con: duckdb.DuckDBPyConnection, start: datetime, stop: datetime) -> list[str]:
    statement = sql("currencies").format(facts=sql("answer_cache_facts"))
    found: list[str] = con.sql(statement, params=_range(start, stop)).to_arrow_table()["currency"].to_pylist()
    return found


def _range(start: datetime, stop: datetime) -> dict[str, datetime]:
    """The range, and the whole hours in it: those are read from the sums."""
    first = _whole_hour(start + _HOUR - timedelta.resolution)
    last = _whole_hour(stop)
    if first >= last:
        first = last = start
    return {"start": start, "stop": stop, "first": first, "last": last}


def _whole_hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)


def _by(params: Mapping[str, str]) -> list[str]:
    names = [name.strip() for name in params.get("by", "").split(",") if name.strip()]
    for name in names:
        if name not in (*_DIMENSIONS, _DAY):
            raise ReportError(f"by: {name[:64]!r} is unknown; there are: {', '.join((*_DIMENSIONS, _DAY))}")
    if len(set(names)) < len(names):
        raise ReportError(f"by: {params['by'][:200]!r} names something twice")
    return names


def _order(by: Sequence[str]) -> str:
    days = ['"day"'] if _DAY in by else []
    names = [f'"{name}" NULLS FIRST' for name in by if name != _DAY]
    return ", ".join([*days, "net DESC NULLS LAST", "shadow_net DESC NULLS LAST", "requests DESC", *names])


def _money(units: str) -> str:
    """SQL: a sum of whole millionths of a millionth as an amount."""
    return f"(sum({units})::DECIMAL(26, 0) * 0.000000000001)::DECIMAL(38, 12)"
