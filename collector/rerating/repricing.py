"""Repricing: some booked calls by the prices of now, as the rows that would be written and what is shown of them."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc

from switchgear.usage import COUNTS, Usage

from ..errors import RerateError
from ..facts.rows import parted
from ..pricing import PriceCall

__all__ = ["PriceCalls", "Repriced", "one_by_one", "repriced"]

_PRICED_BY = ("tenant", "provider", "model", "service_tier", "started_at", *COUNTS, "apart")
_MONEY = pa.decimal128(18, 12)
_ANSWER = pa.schema(
    [("cost", _MONEY), ("currency", pa.string()), ("price_version", pa.string()), ("contract", pa.string())]
)
_NOTHING = pa.scalar(Decimal(0), _MONEY)


class PriceCalls(Protocol):
    """Price many calls at once, each to the last digit as `PriceCall` prices it.

    `calls` has the columns tenant, provider, model, service_tier, started_at, the six counts of `Usage`, and `apart` as
    it is kept: "input_audio=60,web_searches=1", or null. The answer has for each call, in order, its `cost` (a decimal
    with 12 places, null where unpriced), `currency`, `price_version` and `contract`.
    """

    def __call__(self, calls: pa.Table) -> pa.Table: ...


@dataclass(frozen=True, slots=True)
class Repriced:
    """What became of a batch of calls."""

    rows: pa.Table
    """What would be written: the columns of `adjustments.ROWS` but for the rerate's name."""
    calls: pa.Table
    """All of them, as `Lines` adds them up."""


def one_by_one(price: PriceCall) -> PriceCalls:
    """The prices of many calls, each asked for by itself."""

    def priced(calls: pa.Table) -> pa.Table:
        quotes = [
            price(
                row["provider"],
                row["model"],
                Usage(**{name: row[name] for name in COUNTS}, apart=parted(row["apart"])),
                row["started_at"],
                row["service_tier"],
                row["tenant"],
            )
            for row in calls.to_pylist()
        ]
        return pa.table(
            {
                "cost": pa.array([each.cost for each in quotes], pa.decimal128(38, 12)),
                "currency": pa.array([each.currency for each in quotes], pa.string()),
                "price_version": pa.array([each.version for each in quotes], pa.string()),
                "contract": pa.array([each.contract for each in quotes], pa.string()),
            }
        )

    return priced


def repriced(calls: pa.Table, price: PriceCalls) -> Repriced:
    """The calls of `rerate.sql` with what they cost by `price`. Raises RerateError for an amount that cannot be kept.

    A call whose price is not known (any more) keeps what it has: unknown is never written, as 0 or otherwise.
    """
    calls = calls.combine_chunks()
    asked = calls["has_usage"]
    answer = _spread(_kept(price(calls.filter(asked).select(_PRICED_BY))), asked)
    old, old_currency = calls["old_cost"], calls["old_currency"]
    had, has = pc.is_valid(old), pc.is_valid(answer["cost"])
    both = pc.and_(had, has)
    moved = _true(pc.and_(both, pc.not_equal(old_currency, answer["currency"])))
    newly = pc.and_(has, pc.invert(had))
    differs = pc.or_(moved, _true(pc.and_(both, pc.not_equal(old, answer["cost"]))))
    changed = pc.or_(newly, differs)
    new = pc.if_else(changed, answer["cost"], old)
    new_currency = pc.if_else(changed, answer["currency"], old_currency)
    shown = calls.select(["owner", "cost_centre", "tenant", "workload", "provider", "model"])
    for name, values in {
        "calls": _ones(calls.num_rows),
        "changed": _number(changed),
        "newly_priced": _number(newly),
        "no_longer_priced": _number(pc.and_(pc.and_(asked, had), pc.invert(has))),
        "unpriced": _number(pc.is_null(new)),
        "old": old,
        "old_currency": pc.if_else(had, old_currency, None),
        "new": new,
        "new_currency": pc.if_else(pc.is_valid(new), new_currency, None),
    }.items():
        shown = shown.append_column(name, values)
    shown = shown.append_column("line_currency", pc.coalesce(shown["old_currency"], shown["new_currency"]))
    return Repriced(_rows(calls, answer, changed, moved), shown)


def _rows(calls: pa.Table, answer: pa.Table, changed: pa.ChunkedArray, moved: pa.ChunkedArray) -> pa.Table:
    """A row for each changed call; two where its currency is another now."""
    staying = pc.and_(changed, pc.invert(moved))
    whole = (
        calls.append_column("calls", _ones(calls.num_rows))
        .append_column("currency", answer["currency"])
        .append_column("new_cost", answer["cost"])
        .append_column("delta", pc.subtract(answer["cost"], pc.coalesce(calls["old_cost"], _NOTHING)))
        .append_column("new_price_version", answer["price_version"])
        .append_column("new_contract", answer["contract"])
    )
    elsewhere = whole.filter(moved)
    none = pa.nulls(elsewhere.num_rows, _MONEY)
    leaving = _with(
        elsewhere,
        currency=elsewhere["old_currency"],
        new_cost=none,
        delta=pc.negate(elsewhere["old_cost"]),
    )
    coming = _with(elsewhere, old_cost=none, delta=elsewhere["new_cost"])
    return pa.concat_tables([_with(each) for each in (whole.filter(staying), leaving, coming)])


def _with(rows: pa.Table, **columns: pa.ChunkedArray | pa.Array) -> pa.Table:
    """The rows with other columns in the places of these; every delta as wide as any."""
    for name, values in columns.items():
        rows = rows.set_column(rows.schema.get_field_index(name), name, values)
    place = rows.schema.get_field_index("delta")
    return rows.set_column(place, "delta", rows["delta"].cast(pa.decimal128(38, 12)))


def _kept(answer: pa.Table) -> pa.Table:
    """An answer with amounts as they are kept."""
    try:
        return answer.select(_ANSWER.names).cast(_ANSWER)
    except pa.ArrowInvalid as problem:
        raise RerateError(
            f"a cost does not fit 6 digits before the point and 12 after it: {str(problem)[:200]}; correct the price"
        ) from problem


def _spread(answer: pa.Table, asked: pa.ChunkedArray) -> pa.Table:
    """An answer as long as all calls, with nothing for those that were not asked for."""
    places = pc.subtract(pc.cumulative_sum(_number(asked)), 1)
    return answer.take(pc.if_else(asked, places, None))


def _true(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Where it is so; what is not known is not so."""
    return pc.fill_null(values, fill_value=False)


def _number(values: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.cast(values, pa.int64())


def _ones(count: int) -> pa.Array:
    return pa.repeat(pa.scalar(1, pa.int64()), count)
