"""Booking: one batch of facts into the store, inside its transaction, each call exactly once.

Most facts have nothing to do with any other: they go from the batch's columns into the table as they are. Only those
that the index or the batch itself connects with another (sent again, a twin, a parent or a child) are made into calls
and merged. The result depends on the facts and their numbers, never on how they were cut into batches.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import cast

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from ..billing import priced
from ..call import Call, Kind, NotBilled, State
from ..merging.merge import Group, Outcome, Shelf, gather
from ..pricing import PriceCall, Quote
from . import candidates
from .index import Hashes, Index
from .rollups import Changes
from .rows import FACTS, HASHES, NOT_BOOKED, call_of, columns_of, table
from .statements import registered, statement

__all__ = ["Booked", "book", "keep_reasons"]


@dataclass(slots=True)
class Booked:
    """What became of one batch."""

    outcomes: Counter[Outcome] = field(default_factory=Counter)
    states: Counter[State] = field(default_factory=Counter)
    """Of the rows that were written: new calls, and calls that became richer."""
    quarantined: int = 0
    task_ends: int = 0
    served: int = 0
    """Answers out of a cache that were written, which are no calls."""
    newest: datetime | None = None
    """The latest end of a call in the batch."""
    words: list[Hashes] = field(default_factory=list)
    """What the index must hold once this is committed."""
    changes: Changes = field(default_factory=Changes)
    """Of the rows of `booked`, for the rollups."""
    unfolded: int = 0
    """Rows that these took in the rollups."""


def book(con: duckdb.DuckDBPyConnection, index: Index, facts: pa.Table, price: PriceCall) -> Booked:
    """Write `facts` (as `rows.table` makes them, in the order of `seq`) inside the caller's transaction."""
    result = Booked()
    for column, keep in (("quarantined", _put_aside), ("outcome", partial(_keep_ends, index))):
        aside = pc.is_valid(facts[column])
        if pc.any(aside).as_py():
            keep(con, facts.filter(aside), result)
            facts = facts.filter(pc.invert(aside))
    if not facts.num_rows:
        return result
    result.newest = _newest(facts)
    connected = candidates.connected(facts, index)
    alone = facts.filter(pa.array(~connected)) if connected.any() else facts
    if alone.num_rows:
        _write_alone(con, alone, result)
    if connected.any():
        together = facts.filter(pa.array(connected))
        _merge(con, index, together, price, result)
    result.unfolded = result.changes.write(con)
    return result


def keep_reasons(con: duckdb.DuckDBPyConnection, not_billed: Sequence[NotBilled], now: datetime) -> None:
    """Write down why spans were not billed: each one that a dialect knows, and the count of all."""
    counts = Counter((each.tenant, each.dialect, each.code) for each in not_billed)
    known = [each for each in not_billed if each.dialect is not None]
    hour = now.replace(minute=0, second=0, microsecond=0)
    _insert(
        con,
        "not_billed_counts",
        pa.table(
            {
                "hour": pa.array([hour] * len(counts), pa.timestamp("us", "UTC")),
                **{
                    name: pa.array([key[place] for key in counts], pa.string())
                    for place, name in enumerate(("tenant", "dialect", "code"))
                },
                "spans": pa.array(counts.values(), pa.int64()),
            }
        ),
    )
    if known:
        columns = {
            name: pa.array([getattr(each, name) for each in known], pa.string())
            for name in ("tenant", "trace_id", "span_id", "dialect", "code", "reason")
        }
        at = pa.array([now] * len(known), pa.timestamp("us", "UTC"))
        _insert(con, "not_billed", pa.table({"at": at, **columns}))


def _write_alone(con: duckdb.DuckDBPyConnection, rows: pa.Table, result: Booked) -> None:
    written = rows.drop_columns(NOT_BOOKED).append_column("call_id", rows["seq"])
    _insert(con, "booked", written)
    result.changes.added(written)
    result.words += candidates.words_of(rows, rows["seq"])
    rows = rows.filter(pc.not_equal(rows["kind"], Kind.SERVED.value))
    result.served += written.num_rows - rows.num_rows
    result.outcomes[Outcome.NEW] += rows.num_rows
    for each in pc.value_counts(rows["state"]).to_pylist():
        result.states[State(each["values"])] += each["counts"]


def _merge(
    con: duckdb.DuckDBPyConnection, index: Index, rows: pa.Table, price: PriceCall, result: Booked
) -> None:
    """Put the rows on a shelf with what the store holds of them, and write the calls that this changed."""
    found = rows.to_pylist()
    calls = [call_of(row) for row in found]
    held = gather(calls, lambda probe: candidates.find(con, index, probe))
    in_store = {_id(group) for group in held}
    shelf = Shelf(held)
    for call in calls:
        result.outcomes[shelf.put(call)] += 1
    taken_at = {row["seq"]: row["booked_at"] for row in found}
    if shelf.conflicts:
        _insert(con, "conflicts", _conflicts(shelf.conflicts, taken_at))
    _Change(con, in_store, taken_at).write(shelf, price, result)


class _Change:
    """The rows that merging writes anew, inside its transaction."""

    def __init__(
        self, con: duckdb.DuckDBPyConnection, in_store: set[int], taken_at: Mapping[int, datetime]
    ) -> None:
        self._con = con
        self._in_store = in_store
        self._taken_at = taken_at

    def write(self, shelf: Shelf, price: PriceCall, result: Booked) -> None:
        changed = [group for group in shelf.groups if group.changed_by is not None]
        if not changed:
            return
        ids = [_id(group) for group in changed]
        gone = [_id(group) for group, _ in shelf.absorbed]
        were_calls = self._delete([each for each in (*ids, *gone) if each in self._in_store], result)
        calls = [_priced(group, price) for group in changed]
        rows = self._rows(calls, [_seq(group) for group in changed]).append_column(
            "call_id", pa.array(ids, pa.int64())
        )
        _insert(self._con, "booked", rows)
        result.changes.added(rows)
        self._write_members(changed)
        for group, into in shelf.absorbed:
            self._retract(group, into)
        for group, call in zip(changed, calls, strict=True):
            if call.kind is Kind.SERVED and group.call_id in were_calls:
                self._retract(group, group)
        result.states.update(call.state for call in calls if call.kind is not Kind.SERVED)
        result.served += sum(call.kind is Kind.SERVED for call in calls)
        members = table(columns_of([member for group in changed for member in group.members]))
        homes = [_id(group) for group in changed for _ in group.members]
        result.words += candidates.words_of(members, pa.array(homes, pa.int64()))

    def _rows(self, calls: Sequence[Call], seqs: Sequence[int]) -> pa.Table:
        rows = _marked(calls).drop_columns(NOT_BOOKED)
        at = [self._taken_at[seq] for seq in seqs]
        return rows.append_column("seq", pa.array(seqs, pa.int64())).append_column(
            "booked_at", pa.array(at, pa.timestamp("us", "UTC"))
        )

    def _delete(self, call_ids: Sequence[int], result: Booked) -> set[int]:
        """Delete these rows; which of them were calls."""
        if not call_ids:
            return set()
        bounds = {"low": min(call_ids), "high": max(call_ids)}
        gone = pa.table({"call_id": pa.array(call_ids, pa.int64())})
        among = "WHERE call_id BETWEEN $low AND $high AND call_id IN (SELECT call_id FROM gone)"
        with registered(self._con, gone=gone):
            rows = self._con.sql(f"FROM booked {among}", params=bounds).to_arrow_table()
            result.changes.removed(rows)
            for name in ("booked", "members"):
                self._con.execute(f"DELETE FROM {name} {among}", bounds)  # noqa: S608 - our own names
        were_calls = rows.filter(pc.not_equal(rows["kind"], Kind.SERVED.value))
        return set(were_calls["call_id"].to_pylist())

    def _write_members(self, changed: Sequence[Group]) -> None:
        """Every span of every call that has several: what its record is made of."""
        several = [
            (member, _id(group)) for group in changed if len(group.members) > 1 for member in group.members
        ]
        if several:
            members = [member for member, _ in several]
            rows = _marked(members).select([*HASHES, *FACTS, "marks"])
            numbers = {
                "call_id": [call_id for _, call_id in several],
                "fact": [member.fact for member in members],
            }
            for name, values in numbers.items():
                rows = rows.append_column(name, pa.array(values, pa.int64()))
            _insert(self._con, "members", rows)

    def _retract(self, gone: Group, into: Group) -> None:
        """Say that a call turned out to be another one, or none but an answer out of a cache: under its own key then.

        Also of one that this batch began, and ended.
        """
        home, seq = cast("Call", gone.home), _seq(into)
        self._con.execute(
            "INSERT INTO retractions VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            [
                *(seq, gone.call_id, home.tenant, home.trace_id, home.span_id),
                *(into.record().key, self._taken_at[seq], home.started_at),
            ],
        )


def _marked(calls: Sequence[Call]) -> pa.Table:
    marks = pa.array([int(call.marks) for call in calls], pa.int16())
    return table(columns_of(calls)).append_column("marks", marks)


def _id(group: Group) -> int:
    return cast("int", group.call_id)


def _seq(group: Group) -> int:
    """The number of the fact that changed the group last."""
    return cast("int", cast("Call", group.changed_by).fact)


def _priced(group: Group, price: PriceCall) -> Call:
    """The group's record with its price: the one that it has, where nothing that prices it has changed."""
    record = group.record()
    for each in (group.home, *group.members):
        if each is not None and each.price_version is not None and _priced_by(each) == _priced_by(record):
            quote = Quote(
                each.saved if each.kind is Kind.SERVED else each.cost,
                each.currency,
                each.price_version,
                list_cost=each.list_cost,
                contract=each.contract,
            )
            return priced(record, lambda *_, quote=quote: quote)
    return priced(record, price)


def _priced_by(call: Call) -> tuple[object, ...]:
    return (call.provider, call.model, call.usage, call.started_at, call.service_tier)


def _conflicts(found: Sequence[tuple[Call, Call]], taken_at: Mapping[int, datetime]) -> pa.Table:
    """What was kept and refused, as rows under the number of whichever came last."""
    seqs = [max(cast("int", kept.fact), cast("int", refused.fact)) for kept, refused in found]
    return pa.table(
        {
            "seq": pa.array(seqs, pa.int64()),
            "at": pa.array([taken_at[seq] for seq in seqs], pa.timestamp("us", "UTC")),
            **{
                name: pa.array([getattr(refused, name) for _, refused in found], pa.string())
                for name in ("tenant", "trace_id", "span_id")
            },
            **{
                f"{which}_{name}": pa.array([value(pair[place]) for pair in found], kind)
                for place, which in enumerate(("kept", "refused"))
                for name, kind, value in _COMPARED
            },
        }
    )


# What conflicts show of the two.
_COMPARED: Sequence[tuple[str, pa.DataType, Callable[[Call], object]]] = (
    ("model", pa.string(), lambda call: call.model),
    ("input", pa.int64(), lambda call: None if call.usage is None else call.usage.input_total),
    ("output", pa.int64(), lambda call: None if call.usage is None else call.usage.output),
)


def _put_aside(con: duckdb.DuckDBPyConnection, rows: pa.Table, result: Booked) -> None:
    """Keep what is in quarantine, each span once."""
    kept = rows.rename_columns(["reason" if name == "quarantined" else name for name in rows.column_names])
    with registered(con, rows=kept):
        con.execute(
            "INSERT INTO quarantine BY NAME SELECT DISTINCT ON (identity_hash) * FROM rows"
            " ANTI JOIN quarantine USING (identity_hash) ORDER BY seq"
        )
    result.quarantined += rows.num_rows


def _keep_ends(index: Index, con: duckdb.DuckDBPyConnection, rows: pa.Table, result: Booked) -> None:
    """Keep what tells how tasks ended, each span once."""
    low, high = candidates.ends_like(rows, index)
    with registered(con, rows=rows):
        con.execute(statement("keep_ends"), {"low": low, "high": high})
    result.words.append(candidates.words_of_ends(rows))
    result.task_ends += rows.num_rows


def _newest(facts: pa.Table) -> datetime:
    found: datetime = pc.max(pc.coalesce(facts["ended_at"], facts["started_at"])).as_py()
    return found.astimezone(UTC)


def _insert(con: duckdb.DuckDBPyConnection, name: str, rows: pa.Table) -> None:
    with registered(con, rows=rows):
        con.execute(f"INSERT INTO {name} BY NAME SELECT * FROM rows")  # noqa: S608 - our own names
