"""The nearest vectors of a partition, as SQLite has them now: read whole, or found by an index and read again."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import numpy as np

from .database import Database
from .embedding import Vectors
from .neighbours import SMALL, Neighbours, Read, cosines, from_bytes
from .packing import vector_context
from .rows import Rows

__all__ = ["Nearest"]

_ROW = tuple[int, bytes, int, bytes]
_AT_ONCE = 1024
"""Rows of a large partition that one look reads at most: after a restart it is read over several looks, not by one."""
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
                partition, vector, most, lambda above: self._above(connection, partition, above, size, now)
            )
            marks = ",".join("?" * len(found))
            rows = connection.execute(f"{_SELECT} AND id IN ({marks})", (partition, *found)).fetchall()
        read = self._read(partition, rows, size, now)
        if large:
            gone = set(found) - set(read.ids.tolist())
            self._neighbours.gone(partition, gone)
        near = cosines(read.rows, vector).tolist()
        best = sorted(zip(near, read.ids.tolist(), strict=True), reverse=True)
        return best[:most], bool(gone)

    def _above(
        self, connection: sqlite3.Connection, partition: bytes, above: int, size: int, now: int
    ) -> Read:
        rows = connection.execute(
            f"{_SELECT} AND id > ? ORDER BY id LIMIT ?", (partition, above, _AT_ONCE)
        ).fetchall()
        return self._read(partition, rows, size, now)

    def _read(self, partition: bytes, rows: Sequence[_ROW], size: int, now: int) -> Read:
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
        high = max((row[0] for row in rows), default=0)
        return Read(np.array(ids, dtype=np.int64), from_bytes(vectors, size), high)
