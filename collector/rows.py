"""Rows: calls as Arrow columns for the store, and rows of the store as calls."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from hashlib import blake2b
from typing import Any

import pyarrow as pa

from switchgear.usage import COUNTS, Usage

from .call import Call, Reported

__all__ = ["FACTS", "booked_table", "call_of", "hashes", "identity_hash", "members_table", "response_hash"]

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
    "provider": pa.string(),
    "model": pa.string(),
    "request_model": pa.string(),
    "response_id": pa.string(),
    **dict.fromkeys(COUNTS, pa.int64()),
    "reported": pa.int16(),
    "attempts": pa.int32(),
    "dialect": pa.string(),
    "scope": pa.string(),
    "lease_id": pa.string(),
}
_HASHES = ("identity_hash", "parent_hash", "response_hash")
_OF_CALL = tuple(name for name in FACTS if name not in COUNTS)


def identity_hash(tenant: str, trace_id: str, span_id: str) -> int:
    """64 bits of a span's identity, the same in every process."""
    return _hash(f"{tenant}\0{trace_id}\0{span_id}")


def response_hash(tenant: str, response_id: str) -> int:
    """64 bits of a provider's answer."""
    return _hash(f"{tenant}\0\0{response_id}")


def hashes(call: Call) -> tuple[int, int | None, int | None]:
    """The hashes of the span itself, its parent and its response id."""
    parent, answer = call.parent_span_id, call.response_id
    return (
        identity_hash(*call.identity),
        identity_hash(call.tenant, call.trace_id, parent) if parent is not None else None,
        response_hash(call.tenant, answer) if answer is not None else None,
    )


def booked_table(
    calls: Sequence[Call], seqs: Sequence[int], call_ids: Sequence[int], booked_at: datetime
) -> pa.Table:
    """Priced calls as rows of `booked`."""
    count = len(calls)
    return pa.table(
        {
            "seq": pa.array(seqs, pa.int64()),
            "call_id": pa.array(call_ids, pa.int64()),
            "booked_at": pa.array([booked_at] * count, _TIME),
            "state": pa.array([call.state.value for call in calls], pa.string()),
            "cost": pa.array([call.cost for call in calls], _MONEY),
            "currency": pa.array([call.currency for call in calls], pa.string()),
            "price_version": pa.array([call.price_version for call in calls], pa.string()),
            **_facts(calls),
        }
    )


def members_table(calls: Sequence[Call], call_ids: Sequence[int]) -> pa.Table:
    """Spans as rows of `members`."""
    return pa.table({"call_id": pa.array(call_ids, pa.int64()), **_facts(calls)})


def call_of(row: Mapping[str, Any]) -> Call:
    """The unpriced call that a row of either table holds."""
    facts = {name: row[name] for name in _OF_CALL}
    counts = {name: row[name] for name in COUNTS}
    usage = Usage(**counts) if counts["input_uncached"] is not None else None
    return Call(**{**facts, "usage": usage, "reported": Reported(row["reported"])})


def _facts(calls: Sequence[Call]) -> dict[str, pa.Array]:
    columns: dict[str, pa.Array] = {}
    hashed = [hashes(call) for call in calls]
    for place, name in enumerate(_HASHES):
        columns[name] = pa.array([each[place] for each in hashed], pa.uint64())
    for name, kind in FACTS.items():
        columns[name] = pa.array(_values(calls, name), kind)
    return columns


def _values(calls: Sequence[Call], name: str) -> Iterable[Any]:
    if name in COUNTS:
        return [getattr(call.usage, name) if call.usage is not None else None for call in calls]
    if name == "reported":
        return [call.reported.value for call in calls]
    return [getattr(call, name) for call in calls]


def _hash(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")
