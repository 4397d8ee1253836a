"""Rows: calls as columns for the journal and the store, and rows of the store as calls.

The columns are what is allowed on disk: a fact that is not listed here reaches neither journal nor database.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import blake2b
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from switchgear.usage import COUNTS, Usage

from ..billing import Price
from ..call import Call, Flag, Kind, Marks, NotBilled, Reported, State, Stated
from . import journal

__all__ = [
    "EPOCH",
    "FACTS",
    "HASHES",
    "NOT_BOOKED",
    "Packed",
    "call_of",
    "columns_of",
    "hashed",
    "numbered",
    "pack",
    "parted",
    "table",
    "unpacked",
]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_TIME = pa.timestamp("us", "UTC")
_MONEY = pa.decimal128(18, 12)

# What a span says, in the order of the table: enough to make the call again.
FACTS: Mapping[str, pa.DataType] = {
    "tenant": pa.string(),
    "trace_id": pa.string(),
    "span_id": pa.string(),
    "parent_span_id": pa.string(),
    "started_at": _TIME,
    "ended_at": _TIME,
    "workload": pa.string(),
    "task_id": pa.string(),
    "parent_task_id": pa.string(),
    "root_task_id": pa.string(),
    "tier": pa.string(),
    "end_user": pa.string(),
    "provider": pa.string(),
    "model": pa.string(),
    "request_model": pa.string(),
    "response_id": pa.string(),
    **dict.fromkeys(COUNTS, pa.int64()),
    "apart": pa.string(),
    "reported": pa.int16(),
    "attempts": pa.int32(),
    "dialect": pa.string(),
    "scope": pa.string(),
    "lease_id": pa.string(),
    "kind": pa.string(),
    "flags": pa.string(),
    "stated_amount": _MONEY,
    "stated_currency": pa.string(),
    "sku": pa.string(),
    "service_tier": pa.string(),
    "cache": pa.string(),
}
# What it costs, by the price book that was asked when it was taken in.
_QUOTE: Mapping[str, pa.DataType] = {
    "state": pa.string(),
    "cost": _MONEY,
    "currency": pa.string(),
    "price_version": pa.string(),
    "list_cost": _MONEY,
    "contract": pa.string(),
    "saved": _MONEY,
}
HASHES = ("identity_hash", "parent_hash", "response_hash", "lease_hash")
# Of what is not booked as a call: how a task ended, and why a call is kept aside. NULL for what is to be booked.
_ASIDE: Mapping[str, pa.DataType] = {"outcome": pa.string(), "quarantined": pa.string()}
NOT_BOOKED = [*_ASIDE]
_COLUMNS: Mapping[str, pa.DataType] = {
    **FACTS,
    **_QUOTE,
    **dict.fromkeys(HASHES, pa.uint64()),
    **_ASIDE,
}
# Columns that hold an attribute of a call as it is.
_PLAIN = tuple(
    name
    for name in FACTS
    if name not in {*COUNTS, "apart", "started_at", "ended_at", "reported", "kind", "flags"}
    and name not in {"stated_amount", "stated_currency", "sku"}
)

Columns = dict[str, list[Any]]


@dataclass(frozen=True, slots=True)
class Packed:
    """What one request brings: facts for the journal and for the store, and what is told of spans not billed."""

    payload: bytes
    """The facts as the journal keeps them."""
    facts: pa.Table
    """The same as the store takes them."""
    not_billed: Sequence[NotBilled] = ()
    kind: journal.Kind = journal.Kind.FACTS
    """Of the record in the journal. With ADJUSTED the facts are rows of a rerate (`adjustments`)."""

    @property
    def size(self) -> int:
        """Facts and reasons: what it takes of the memory for what waits."""
        return len(self.not_billed) + int(self.facts.num_rows)


def pack(
    calls: Sequence[Call], not_billed: Sequence[NotBilled] = (), *, prices: Sequence[Price] = ()
) -> Packed:
    """The calls, with their `prices`, and those that spans `held` in quarantine tell of, without.

    A call with a value that does not fit its column is not billed instead: what is acknowledged can be booked.
    """
    held = [each for each in not_billed if each.held is not None]
    facts = [*calls, *(each.held for each in held if each.held is not None)]
    prices = prices or [_own_price(call) for call in calls]
    try:
        columns = columns_of(facts, [*prices, *(_own_price(each) for each in facts[len(calls) :])])
    except ValueError:
        fit, unfit = _sorted_out(calls, prices)
        return pack(
            [calls[place] for place in fit], [*not_billed, *unfit], prices=[prices[place] for place in fit]
        )
    columns["quarantined"] = [None] * len(calls) + [each.reason for each in held]
    return Packed(orjson.dumps(columns), table(columns), not_billed)


def _sorted_out(calls: Sequence[Call], prices: Sequence[Price]) -> tuple[list[int], list[NotBilled]]:
    """The places of the calls that fit their columns, and what is said of the others."""
    fit: list[int] = []
    unfit: list[NotBilled] = []
    for place, (call, price) in enumerate(zip(calls, prices, strict=True)):
        try:
            columns_of([call], [price])
        except ValueError as problem:
            reason = str(problem)
            unfit.append(
                NotBilled(
                    call.trace_id, call.span_id, "bad_value", reason, call.dialect, call.tenant, rejected=True
                )
            )
        else:
            fit.append(place)
    return fit, unfit


def unpacked(payload: bytes) -> pa.Table:
    """The facts of a payload; columns that an older version did not know are NULL."""
    columns: Columns = orjson.loads(payload)
    count = len(columns["tenant"])
    return table({name: columns.get(name) or [None] * count for name in _COLUMNS})


def table(columns: Columns) -> pa.Table:
    """The columns as a table."""
    return pa.table({name: _array(columns[name], kind) for name, kind in _COLUMNS.items()})


def numbered(parts: Sequence[tuple[pa.Table, int, int]]) -> pa.Table:
    """Tables of facts as one, each row with its `seq` from its table's first on, and when it was taken in.

    A part is (facts, first number, microseconds since 1970).
    """
    rows = pa.concat_tables([facts for facts, _, _ in parts]).combine_chunks()
    seqs = np.concatenate([np.arange(first, first + facts.num_rows) for facts, first, _ in parts])
    taken = np.repeat([at for _, _, at in parts], [facts.num_rows for facts, _, _ in parts])
    return rows.append_column("seq", pa.array(seqs, pa.int64())).append_column(
        "booked_at", pa.array(taken, pa.int64()).cast(_TIME)
    )


def columns_of(calls: Sequence[Call], prices: Sequence[Price] = ()) -> Columns:
    """Everything that is kept of the calls, with `prices`, or with those that they carry themselves."""
    prices = prices or [_own_price(call) for call in calls]
    columns: Columns = {name: [getattr(call, name) for call in calls] for name in _PLAIN}
    columns["started_at"] = [_microseconds(call.started_at) for call in calls]
    columns["ended_at"] = [_microseconds(call.ended_at) for call in calls]
    for name in COUNTS:
        columns[name] = [None if call.usage is None else getattr(call.usage, name) for call in calls]
    columns["apart"] = [None if call.usage is None else _named(call.usage.apart) for call in calls]
    columns["reported"] = [int(call.reported) for call in calls]
    columns["kind"] = [call.kind.value for call in calls]
    columns["flags"] = [",".join(call.flags) or None for call in calls]
    stated = [call.stated for call in calls]
    columns["stated_amount"] = [None if each is None else _amount(each.amount) for each in stated]
    columns["stated_currency"] = [None if each is None else each.currency for each in stated]
    columns["sku"] = [None if each is None else each.sku for each in stated]
    columns["state"] = [price.state.value for price in prices]
    columns["cost"] = [None if price.cost is None else _amount(price.cost) for price in prices]
    columns["currency"] = [price.currency for price in prices]
    columns["price_version"] = [price.price_version for price in prices]
    columns["list_cost"] = [None if price.list_cost is None else _amount(price.list_cost) for price in prices]
    columns["contract"] = [price.contract for price in prices]
    columns["saved"] = [None if price.saved is None else _amount(price.saved) for price in prices]
    hashes = [_hashes(call) for call in calls]
    for place, name in enumerate(HASHES):
        columns[name] = [each[place] for each in hashes]
    columns["outcome"] = [call.outcome for call in calls]
    columns["quarantined"] = [None] * len(calls)
    return columns


def call_of(row: Mapping[str, Any]) -> Call:
    """The call that a row of facts, `booked` or `members` holds, with its quote where the row has one."""
    facts = {name: row[name] for name in _PLAIN}
    counts = {name: row[name] for name in COUNTS} | {"apart": parted(row["apart"])}
    quote: dict[str, Any] = {}
    if row.get("state") is not None:
        quote = {name: row[name] for name in _QUOTE} | {"state": State(row["state"])}
    return Call(
        **facts,
        **quote,
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        usage=Usage(**counts) if counts["input_uncached"] is not None else None,
        reported=Reported(row["reported"]),
        kind=Kind(row["kind"]),
        flags=tuple(map(Flag, row["flags"].split(","))) if row["flags"] else (),
        stated=_stated(row),
        fact=row["fact"] if "fact" in row else row.get("call_id", row["seq"]),
        marks=Marks(row.get("marks") or 0),
    )


def _stated(row: Mapping[str, Any]) -> Stated | None:
    if row["stated_amount"] is None:
        return None
    return Stated(row["stated_amount"], row["stated_currency"], row["sku"])


def _named(apart: tuple[tuple[str, int], ...]) -> str | None:
    return ",".join(f"{name}={count}" for name, count in apart) or None


def parted(text: str | None) -> tuple[tuple[str, int], ...]:
    """`Usage.apart` of the text that is kept of it."""
    pairs = (each.partition("=") for each in (text or "").split(",") if each)
    return tuple((name, int(count)) for name, _, count in pairs)


def _own_price(call: Call) -> Price:
    return Price(
        call.state,
        call.cost,
        call.currency,
        call.price_version,
        call.list_cost,
        call.contract,
        call.saved,
    )


def _array(values: list[Any], kind: pa.DataType) -> pa.Array:
    if kind == _TIME:
        return pa.array(values, pa.int64()).cast(_TIME)
    if kind == _MONEY:
        return pa.array([None if value is None else Decimal(value) for value in values], _MONEY)
    return pa.array(values, kind)


def _amount(cost: Decimal) -> str:
    """The amount as text. Raises ValueError where 18 digits, 12 of them decimals, cannot hold it exactly."""
    if abs(cost) >= 1_000_000 or cost != round(cost, 12):
        raise ValueError(f"a cost of {str(cost)[:64]} does not fit 6 digits before the point and 12 after it")
    return f"{cost:f}"


def _microseconds(at: datetime | None) -> int | None:
    return None if at is None else (at - EPOCH) // _MICROSECOND


def _hashes(call: Call) -> tuple[int, int | None, int | None, int | None]:
    """64 bits each of the span itself, its parent, its response id and its hold; the same in every process.

    Without the tenant: a span that names none has to find its twin that does. Merging compares tenants exactly.
    """
    parent, answer, lease = call.parent_span_id, call.response_id, call.lease_id
    return (
        hashed(f"{call.trace_id}\0{call.span_id}"),
        hashed(f"{call.trace_id}\0{parent}") if parent is not None else None,
        hashed(f"r\0{answer}") if answer is not None else None,
        hashed(f"l\0{lease}") if lease is not None else None,
    )


def hashed(text: str) -> int:
    """64 bits of a text."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")
