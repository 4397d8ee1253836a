"""Candidates: which facts of a batch, and which calls of the store, may belong together.

Hashes say so: of the span itself, its parent, its response id, its hold. A hash that is found tells only where to look;
whether two facts do belong together is for `merging` to say.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec.structs import replace
from numpy.typing import NDArray

from ..call import Call, Marks
from ..merging.merge import Group
from .index import CALLS_A_SEGMENT, Hashes, Index
from .rows import HASHES, call_of, columns_of, table
from .statements import registered, statement

__all__ = ["connected", "ends_like", "find", "index_of", "words_of", "words_of_ends"]

# Entries for parents stand beside those for spans: the same hash with other bits.
_CHILD = np.uint64(0x9E3779B97F4A7C15)
# What tells how a task ended has entries of its own: it is no span of a call.
_END = np.uint64(0x165667B19E3779F9)
# Entries for response ids hold the hour: a server that gives one id for ever must not lead to its whole history.
_HOUR = np.uint64(0xC2B2AE3D27D4EB4F)
_HOUR_US = 3_600_000_000
# Candidates stand in few places; beyond this many the places in between are read too.
_MAX_RANGES = 8
# Of what the index is made of: little beside it, and enough that a batch of them costs no more than its rows.
_ROWS_AT_ONCE = 131_072


def index_of(con: duckdb.DuckDBPyConnection) -> Index:
    """The index of everything that is booked: 2 s for 10 M calls."""
    with closing(con.cursor()) as cursor:
        return Index(_all_words(cursor))


def _all_words(cursor: duckdb.DuckDBPyConnection) -> Iterator[Hashes]:
    columns = ", ".join(("call_id", "started_at", *HASHES))
    for name in ("booked", "members"):
        rows = cursor.sql(f"SELECT {columns} FROM {name}").to_arrow_reader(_ROWS_AT_ONCE)  # noqa: S608 - our own names
        for batch in rows:
            yield from words_of(batch, batch["call_id"])
    for batch in cursor.sql("SELECT seq, identity_hash FROM task_ends").to_arrow_reader(_ROWS_AT_ONCE):
        yield words_of_ends(batch)


def words_of(rows: pa.Table | pa.RecordBatch, call_ids: pa.ChunkedArray | pa.Array) -> list[Hashes]:
    """The index's entries for rows: each span, its parent (that it is a child of), its response id, its hold."""
    hashed, ids = _Hashed.of(rows), _numbers(call_ids)
    return [
        Index.word(keys[there], ids[there])
        for keys, there in (
            (hashed.identity, hashed.identity != 0),
            (hashed.parent ^ _CHILD, hashed.parent != 0),
            (hashed.answer(0), hashed.response != 0),
            (hashed.lease, hashed.lease != 0),
        )
    ]


def words_of_ends(rows: pa.Table | pa.RecordBatch) -> Hashes:
    """The index's entries for what tells how tasks ended."""
    return Index.word(_hashes(rows["identity_hash"]) ^ _END, _numbers(rows["seq"]))


def ends_like(rows: pa.Table, index: Index) -> tuple[int, int]:
    """Between which numbers those stand, if any, that tell of the same ends as `rows`."""
    _, segments = index.find(_hashes(rows["identity_hash"]) ^ _END)
    if not len(segments):
        return 0, -1
    return int(segments[0]) * CALLS_A_SEGMENT, (int(segments[-1]) + 1) * CALLS_A_SEGMENT - 1


def connected(facts: pa.Table, index: Index) -> NDArray[np.bool_]:
    """Which of the facts may belong with another, of these or of the store."""
    hashed = _Hashed.of(facts)
    identity, parent, response = hashed.identity, hashed.parent, hashed.response
    child = (parent != 0) & np.isin(parent, identity)
    found: NDArray[np.bool_] = child | np.isin(identity, parent[child])
    for each in (identity, response, hashed.lease):
        found |= _repeated(each) & (each != 0)
    hit, _ = index.find(np.concatenate(hashed.probes))
    for part, probe in zip(np.split(hit, len(hashed.probes)), hashed.probes, strict=True):
        found |= part & (probe != 0)
    return found


def find(con: duckdb.DuckDBPyConnection, index: Index, calls: Sequence[Call]) -> list[Group]:
    """The calls of the store that any span of `calls` belongs to, with all their spans."""
    # A response id that is known to be shared leads nowhere.
    own = [replace(call, response_id=None) if Marks.SHARED_ID in call.marks else call for call in calls]
    rows = table(columns_of(own))
    hashed = _Hashed.of(rows)
    _, segments = index.find(np.concatenate(hashed.probes))
    answers = pa.table(
        {
            "hash": rows["response_hash"],
            "started_at": rows["started_at"],
            "ended_at": pc.coalesce(rows["ended_at"], rows["started_at"]),
        }
    ).filter(pc.is_valid(rows["response_hash"]))
    probes = {
        "probe_identity": _probe(np.concatenate([hashed.identity, hashed.parent])),
        "probe_child": _probe(hashed.identity),
        "probe_lease": _probe(hashed.lease),
        "probe_response": answers,
    }
    groups: list[Group] = []
    with registered(con, **probes):
        for low, high in _ranges(segments):
            bounds = {"low": low, "high": high}
            found = con.sql(statement("twins"), params=bounds).to_arrow_table()
            if found.num_rows:
                groups += _groups(con, found, bounds)
    return groups


@dataclass(frozen=True, slots=True)
class _Hashed:
    """The hashes of some rows, 0 where there is none, and the hour in which each began."""

    identity: Hashes
    parent: Hashes
    response: Hashes
    lease: Hashes
    hour: NDArray[np.int64]

    @classmethod
    def of(cls, rows: pa.Table | pa.RecordBatch) -> _Hashed:
        began = _numbers(rows["started_at"].cast(pa.int64()))
        identity, parent, response, lease = (_hashes(rows[name]) for name in HASHES)
        return cls(identity, parent, response, lease, began // _HOUR_US)

    @property
    def probes(self) -> tuple[Hashes, ...]:
        """What to look for: the span itself, its parent, its children, its answer, its hold."""
        answers = (self.answer(-1), self.answer(0), self.answer(1))
        return (self.identity, self.parent, self.identity ^ _CHILD, *answers, self.lease)

    def answer(self, hours: int) -> Hashes:
        """The response ids as given `hours` later."""
        found: Hashes = self.response ^ ((self.hour + hours).astype(np.uint64) * _HOUR)
        return np.where(self.response != 0, found, np.uint64(0))


def _repeated(values: Hashes) -> NDArray[np.bool_]:
    unique, counts = np.unique(values, return_counts=True)
    if len(unique) == len(values):
        return np.zeros(len(values), dtype=np.bool_)
    found: NDArray[np.bool_] = np.isin(values, unique[counts > 1])
    return found


def _ranges(segments: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Ranges of call ids that cover the segments: neighbours together, at most a few, widest gaps left out."""
    if not len(segments):
        return []
    gaps = np.diff(segments)
    widest = np.sort(np.argsort(gaps)[::-1][: _MAX_RANGES - 1])
    cuts = [place for place in widest if gaps[place] > 1]
    firsts = [0, *(place + 1 for place in cuts)]
    lasts = [*cuts, len(segments) - 1]
    return [
        (int(segments[a]) * CALLS_A_SEGMENT, (int(segments[b]) + 1) * CALLS_A_SEGMENT - 1)
        for a, b in zip(firsts, lasts, strict=True)
    ]


def _groups(con: duckdb.DuckDBPyConnection, found: pa.Table, bounds: Mapping[str, int]) -> list[Group]:
    with registered(con, found=found):
        rows, spans = (
            con.sql(
                f"SELECT * FROM {name} SEMI JOIN found USING (call_id) WHERE call_id BETWEEN $low AND $high",  # noqa: S608
                params=dict(bounds),
            ).to_arrow_table()
            for name in ("booked", "members")
        )
    members: dict[int, list[Call]] = {}
    for row in spans.to_pylist():
        members.setdefault(row["call_id"], []).append(call_of(row))
    groups = []
    for row in rows.to_pylist():
        home = call_of(row)
        groups.append(Group(members.get(row["call_id"], [home]), home=home))
    return groups


def _hashes(column: pa.ChunkedArray | pa.Array) -> Hashes:
    found: Hashes = pc.fill_null(column, pa.scalar(0, pa.uint64())).to_numpy()
    return found


def _numbers(column: pa.ChunkedArray | pa.Array) -> NDArray[np.int64]:
    found: NDArray[np.int64] = column.to_numpy()
    return found


def _probe(hashes: Hashes) -> pa.Table:
    return pa.table({"hash": pa.array(np.unique(hashes[hashes != 0]))})
