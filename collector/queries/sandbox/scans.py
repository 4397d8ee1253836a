"""Scans: the views as DuckDB sees them in the sandbox: Arrow datasets whose rows come from the collector when asked.

DuckDB asks a dataset for the columns and the filter that a query needs of it, so that the collector sends no others,
and for batches as it goes, so that a query that has enough stops.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from .channel import Channel, unpacked
from .pushdown import understood

__all__ = ["Scans", "View"]


class View(ds.InMemoryDataset):  # type: ignore[misc] # pyarrow has no types
    """One view, without its rows."""

    def __init__(self, scans: Scans, name: str, schema: pa.Schema) -> None:
        super().__init__(schema.empty_table())
        self._scans = scans
        self._name = name

    def scanner(self, columns: Sequence[str] | None = None, filter: pc.Expression | None = None) -> Scan:  # noqa: A002
        """The rows that `filter` lets through; called by DuckDB at the start of each scan."""
        return self._scans.begin(self._name, self.schema, list(columns or self.schema.names), filter)


class Scan:
    """One pass over a view. Until its last rows have come, one request for rows is under way."""

    def __init__(
        self, channel: Channel, schema: pa.Schema, columns: list[str], kept: pc.Expression | None
    ) -> None:
        self._channel = channel
        self._columns = columns
        self._schema = pa.schema([schema.field(name) for name in columns])
        self._kept = kept
        self._read: deque[pa.RecordBatch] = deque()
        self.is_open = True

    def to_reader(self) -> pa.RecordBatchReader:
        """Its batches, each asked for while DuckDB works on the one before."""
        return pa.RecordBatchReader.from_batches(self._schema, self._batches())

    def read_on(self) -> None:
        """Take the rows that are under way into memory, and ask for the next."""
        header, body = self._channel.receive()
        if "end" in header:
            self.is_open = False
            return
        self._channel.send({"more": True})
        rows = unpacked(body)
        if self._kept is not None:
            rows = rows.filter(self._kept)
        self._read.extend(rows.select(self._columns).to_batches())

    def leave(self) -> None:
        """Want no more of it."""
        if self.is_open:
            self._channel.receive()
            self.is_open = False

    def _batches(self) -> Iterator[pa.RecordBatch]:
        while self._read or self.is_open:
            if self._read:
                yield self._read.popleft()
            else:
                self.read_on()


class Scans:
    """All scans of one query. One is open at a time, since one connection of the store has one open result."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._latest: Scan | None = None

    def begin(self, name: str, schema: pa.Schema, columns: list[str], kept: pc.Expression | None) -> Scan:
        """Open a scan, once the one before is in memory as far as DuckDB has not read it."""
        while self._latest is not None and self._latest.is_open:
            self._latest.read_on()
        wanted, condition = list(columns), None
        if kept is not None:
            filtered = understood(kept)
            wanted += [each for each in schema.names if each in filtered.names and each not in columns]
            condition = filtered.condition
        self._channel.send({"scan": name, "columns": wanted, "where": condition})
        self._latest = Scan(self._channel, schema, columns, kept)
        return self._latest

    def end(self) -> None:
        """The query needs no more rows."""
        if self._latest is not None:
            self._latest.leave()
