"""Journal: what was taken in, on disk and checksummed before it is acknowledged; the database is made from it.

A folder of segments, each named for its first sequence number. A segment is a row of records:

    magic 4 | length 4 | crc32 of the payload 4 | kind 1 | count 4 | first 8 | previous 8 | taken_us 8 | crc32 of that 4

`first` is the sequence number of the first of `count` facts in the payload; `previous` is the last number of the
record before it, so that a missing record shows. What an interrupted write left at the end of a segment was never
acknowledged and is skipped. A record that is whole but does not fit its checksum was damaged later: that is an
error, never a shorter history.

A power loss costs what was not acknowledged: `append` returns after fdatasync of the segment and, for a new segment,
fsync of the folder. It relies on disks that do what fdatasync promises.
"""

from __future__ import annotations

import os
import struct
import threading
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import IntEnum
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from ..errors import StoreError

__all__ = ["Entry", "Journal", "Kind"]

FOLDER = "journal"
SEGMENT_BYTES = 64 * 1024 * 1024
KEEP_BYTES = 2 * 1024 * 1024 * 1024
"""Of segments that the database has wholly: kept, newest first, so that a restored backup can be rolled forward."""

_MAGIC = b"SGJ1"
_BODY = struct.Struct("<4sIIBIQQQ")
_HEADER_BYTES = _BODY.size + 4
_MAX_PAYLOAD_BYTES = 256 * 1024 * 1024
_SUFFIX = ".journal"
_codec = pa.Codec("zstd", compression_level=1)


class Kind(IntEnum):
    """What a record holds."""

    FACTS = 1
    """Facts that were taken in, as `rows` packs them."""
    BOOKED = 2
    """The database had confirmed everything up to `first`: if it knows less after a start, it lost something."""
    ADJUSTED = 3
    """Rows of a rerate, as `adjustments` packs them; numbered like facts."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One record: `count` facts, numbered from `first`, taken in at `taken_us` microseconds since 1970."""

    first: int
    count: int
    taken_us: int
    payload: bytes
    kind: Kind = Kind.FACTS

    @property
    def last(self) -> int:
        """The number of its last fact."""
        return self.first + self.count - 1


@dataclass(frozen=True, slots=True)
class _Record:
    """As it stands on disk: the payload is checked, but not decoded, which a start need not do for what is booked."""

    entry: Entry
    previous: int


class Journal:
    """The open journal. One thread appends; `entries`, `roll` and `prune` may be called from another."""

    def __init__(self, data: Path) -> None:
        """Open `data`/journal and read through it. Raises StoreError for a folder that cannot be used."""
        self._folder = data / FOLDER
        self.last = 0
        """The last sequence number that was given."""
        self.booked = 0
        """The last number that the database has confirmed; whoever books sets it, the next `append` notes it."""
        self.torn_bytes = 0
        """What an interrupted write had left at the end of the last segment, when this was opened."""
        self._previous = 0
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._scan()
        except OSError as problem:
            raise _unusable(self._folder, problem) from problem
        self._file: BinaryIO | None = None
        self._begun = 0
        self._durable = 0
        self._lock = threading.Lock()

    @property
    def written(self) -> int:
        """The last number that a fact on disk has; later ones were spent on what could not be written."""
        return self._previous

    @property
    def size(self) -> int:
        """The bytes of all segments."""
        return sum(path.stat().st_size for path in self._segments())

    def append(
        self, entries: Sequence[tuple[bytes, int]], taken_us: int, kind: Kind = Kind.FACTS
    ) -> list[Entry]:
        """Number and write (payload, count) pairs of one kind, in order; on disk when this returns.

        Raises StoreError where they cannot be written: none of them is acknowledged then, and the next call
        tries again on a new segment.
        """
        with self._lock:
            return self._append(entries, taken_us, kind)

    def roll(self) -> int:
        """End the segment: what is appended from now on stands in another. The last number that was given before.

        Raises StoreError where that cannot be written.
        """
        with self._lock:
            last = self.last
            if self._file is not None and self._begun == last + 1:
                return last
            try:
                self._begin(last + 1)
                confirmed = Entry(self.booked, 0, 0, b"", Kind.BOOKED)
                self._write(_encoded(confirmed, self._previous), last + 1)
            except OSError as problem:
                self._abandon()
                self.last = last + 1
                raise _unusable(self._folder, problem) from problem
            return last

    def _append(self, entries: Sequence[tuple[bytes, int]], taken_us: int, kind: Kind) -> list[Entry]:
        made: list[Entry] = []
        parts = [_encoded(Entry(self.booked, 0, taken_us, b"", Kind.BOOKED), self._previous)]
        number, previous = self.last, self._previous
        for payload, count in entries:
            entry = Entry(number + 1, count, taken_us, payload, kind)
            parts.append(_encoded(entry, previous))
            made.append(entry)
            number = previous = entry.last
        try:
            self._write(b"".join(parts), made[0].first)
        except OSError as problem:
            self._abandon()
            # The numbers are spent: whatever of this reached the disk must not stand for other facts later.
            self.last = number
            raise _unusable(self._folder, problem) from problem
        self.last = self._previous = number
        return made

    def skip_to(self, number: int) -> None:
        """Give no number up to `number`: the database has them."""
        self.last = max(self.last, number)
        self._previous = max(self._previous, number)

    def entries(self, after: int) -> Iterator[Entry]:
        """Every entry with facts, or rows of a rerate, beyond `after`, oldest first.

        Raises StoreError at a damaged record, and where records are missing between `after` and what is there.
        """
        seen = after
        for path in self._reading(after):
            for record in _records(path):
                if record.entry.kind is Kind.BOOKED or record.entry.last <= after:
                    continue
                if record.previous > seen:
                    raise StoreError(
                        f"{path}: facts {seen + 1} to {record.previous} are missing before it; "
                        "put the missing segment back, or restore a backup"
                    )
                seen = max(seen, record.entry.last)
                yield replace(record.entry, payload=_decoded(record.entry.payload))

    def prune(self, checkpointed: int, keep_bytes: int = KEEP_BYTES) -> None:
        """Delete the oldest segments that the database's file has wholly, beyond `keep_bytes` of them."""
        segments = self._segments()
        done = [path for path, following in pairwise(segments) if _first(following) <= checkpointed + 1]
        kept = 0
        for path in reversed(done):
            kept += path.stat().st_size
            if kept > keep_bytes:
                path.unlink()

    def close(self) -> None:
        """Write what is left and let the segment go."""
        if self._file is not None:
            with suppress(OSError):
                self._file.flush()
                os.fsync(self._file.fileno())
            self._file.close()
            self._file = None

    def _write(self, data: bytes, first: int) -> None:
        file = self._file
        if file is None or self._durable >= SEGMENT_BYTES:
            file = self._begin(first)
        file.write(data)
        file.flush()
        os.fdatasync(file.fileno())
        self._durable = file.tell()

    def _begin(self, first: int) -> BinaryIO:
        self.close()
        self._file = (self._folder / f"{first:020d}{_SUFFIX}").open("xb")
        self._begun = first
        self._durable = 0
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        return self._file

    def _abandon(self) -> None:
        """Give the segment up at what is surely on disk: after a failed fsync no later one can be trusted."""
        file, self._file = self._file, None
        if file is None:
            return
        with suppress(OSError):
            file.close()
        with suppress(OSError):
            os.truncate(file.name, self._durable)

    def _segments(self) -> list[Path]:
        return sorted(self._folder.glob(f"*{_SUFFIX}"))

    def _reading(self, after: int) -> Iterator[Path]:
        """The segments that can hold facts beyond `after`."""
        segments = self._segments()
        for path, following in zip(segments, [*segments[1:], None], strict=False):
            if following is None or _first(following) > after + 1:
                yield path

    def _scan(self) -> None:
        """Find the last number and the last confirmation. Damage is left for `entries` to judge."""
        for path in reversed(self._segments()):
            reached = _Reach()
            for record in _records(path, reached):
                if record.entry.kind is Kind.BOOKED:
                    self.booked = max(self.booked, record.entry.first)
                else:
                    self._previous = max(self._previous, record.entry.last)
            self.torn_bytes += reached.torn
            if self._previous:
                break
        # A segment whose only record was torn has taken its name: the next one must have another.
        names = [_first(path) for path in self._segments()]
        self.last = max(self._previous, *names[-1:], 0)


@dataclass(slots=True)
class _Reach:
    """How much of a segment ended in an interrupted write."""

    torn: int = 0


def _records(path: Path, reach: _Reach | None = None) -> Iterator[_Record]:
    """The records of one segment up to its end, or to what an interrupted write left there.

    Raises StoreError at a record that is whole and does not fit its checksum.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        place = 0
        while place + _HEADER_BYTES <= size:
            header = file.read(_HEADER_BYTES)
            found = _header(header)
            if found is None:
                raise _damaged(path, place)
            length, crc, entry, previous = found
            if place + _HEADER_BYTES + length > size:
                break
            payload = file.read(length)
            if zlib.crc32(payload) != crc:
                raise _damaged(path, place)
            place += _HEADER_BYTES + length
            yield _Record(replace(entry, payload=payload), previous)
        if reach is not None:
            reach.torn = size - place


def _header(data: bytes) -> tuple[int, int, Entry, int] | None:
    """(length, crc, entry without payload, previous), or None where it does not fit its checksum."""
    if zlib.crc32(data[: _BODY.size]) != int.from_bytes(data[_BODY.size :], "little"):
        return None
    magic, length, crc, kind, count, first, previous, taken_us = _BODY.unpack_from(data)
    if magic != _MAGIC or length > _MAX_PAYLOAD_BYTES:
        return None
    return length, crc, Entry(first, count, taken_us, b"", Kind(kind)), previous


def _encoded(entry: Entry, previous: int) -> bytes:
    payload = _packed(entry.payload)
    body = _BODY.pack(
        *(_MAGIC, len(payload), zlib.crc32(payload), entry.kind, entry.count),
        *(entry.first, previous, entry.taken_us),
    )
    return body + zlib.crc32(body).to_bytes(4, "little") + payload


def _packed(payload: bytes) -> bytes:
    """The payload, compressed, behind its own length."""
    if not payload:
        return b""
    squeezed: bytes = _codec.compress(payload, asbytes=True)
    return len(payload).to_bytes(4, "little") + squeezed


def _decoded(payload: bytes) -> bytes:
    if not payload:
        return b""
    size = int.from_bytes(payload[:4], "little")
    opened: bytes = _codec.decompress(payload[4:], decompressed_size=size, asbytes=True)
    return opened


def _first(path: Path) -> int:
    return int(path.name.removesuffix(_SUFFIX))


def _damaged(path: Path, place: int) -> StoreError:
    return StoreError(
        f"{path} is damaged at byte {place}: what it held from there cannot be trusted; restore a backup "
        "(switchgear restore), or see docs/durability.md"
    )


def _unusable(folder: Path, problem: OSError) -> StoreError:
    return StoreError(
        f"the journal {folder} cannot be written: {problem.strerror or problem}; "
        "nothing is acknowledged until it can"
    )
