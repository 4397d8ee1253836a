"""The nearest vectors of a partition, as SQLite has them now: read whole, or found by an index and read again."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .database import Database
from .embedding import Vectors
from .lists import Ids
from .neighbours import SMALL, Neighbours, Read, cosines, from_bytes
from .packing import vector_context
from .rows import Rows

__all__ = ["Nearest"]

_ROW = tuple[int, bytes, int, bytes]
_SELECT = "SELECT id, tenant, expires, sealed FROM vectors WHERE partition = ?"


class Nearest:
    """Looks into partitions by their keyed hashes. From any thread."""

    def __init__(self, database: Database, rows: Rows, neighbours: Neighbours) -> None:
        self._database = database
        self._rows = rows
        self._neighbours = neighbours

    def of(
        self, partition: bytes, vector: Vectors, most: int, now: int
    ) -> tuple[list[tuple[float, int]], bool]:
        """Cosines and ids, best first, of what is not over at `now`; and whether the index had others that are gone.

        `vector` has length 1.
        """
        connection, size = self._database.connection(), len(vector)
        rows: list[_ROW] = []
        large = self._neighbours.knows(partition, size)
        if not large:
            rows = connection.execute(f"{_SELECT} LIMIT ?", (partition, SMALL + 1)).fetchall()
            large = len(rows) > SMALL
        gone: set[int] = set()
        if large:
            found = self._neighbours.nearest(
                partition, vector, most, lambda above, limit: self._above(partition, above, limit, size, now)
            )
            marks = ",".join("?" * len(found))
            rows = connection.execute(f"{_SELECT} AND id IN ({marks})", (partition, *found)).fetchall()
        ids, read = self._read(partition, rows, size, now)
        if large:
            gone = set(found) - set(ids.tolist())
            self._neighbours.gone(partition, gone)
        near = cosines(read, vector).tolist()
        best = sorted(zip(near, ids.tolist(), strict=True), reverse=True)
        return best[:most], bool(gone)

    def _above(self, partition: bytes, above: int, limit: int, size: int, now: int) -> Read:
        rows = (
            self._database.connection()
            .execute(f"{_SELECT} AND id > ? ORDER BY id LIMIT ?", (partition, above, limit))
            .fetchall()
        )
        high = rows[-1][0] if rows else above
        return Read(*self._read(partition, rows, size, now), high, more=len(rows) == limit)

    def _read(self, partition: bytes, rows: Sequence[_ROW], size: int, now: int) -> tuple[Ids, Vectors]:
        """Those that are not over and have so many numbers: the embedder may be another than it was."""
        ids, vectors = [], []
        for number, tenant, expires, sealed in rows:
            if expires <= now:
                continue
            context = vector_context(number, partition, tenant, expires)
            plain = self._rows.unsealed(number, tenant, sealed, context)
            if plain is not None and len(plain) == 2 * size:
                ids.append(number)
                vectors.append(plain)
        return np.array(ids, dtype=np.int64), from_bytes(vectors, size)
