"""The engine's journal: records appended to a file before their effect is told to anyone.

A frame is four bytes of length, four of CRC-32 and one MessagePack record. `write` hands it to the operating system
before it returns, so that a killed engine loses nothing that it answered. `sync` makes it durable; it is called some
ten times a second, so that a power failure can cost the grants of the last tenth of a second: agents may then spend
those beside the ceiling, and their spans still book every call.

A segment that has grown long is closed and a new one begun; `fold` then reads closed segments into the base, leaving
out what matters no longer. The base says up to which segment it holds everything, so that a crash in between neither
loses a record nor reads one twice.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import msgspec

from .records import Base, Record

__all__ = ["Journal", "JournalError"]

_HEAD = struct.Struct("<II")
_SEGMENT_BYTES = 32 << 20


class JournalError(Exception):
    """A journal that cannot be read; says where."""


class Journal:
    """The files `<name>.base` and `<name>.<number>` in a folder. One writes; `sync` and `fold` may run beside it."""

    def __init__(self, folder: Path, name: str = "grants", *, segment_bytes: int = _SEGMENT_BYTES) -> None:
        self._folder, self._name = folder, name
        self._segment_bytes = segment_bytes
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder: msgspec.msgpack.Decoder[Record] = msgspec.msgpack.Decoder(Record)
        self._base = folder / f"{name}.base"
        self._number = max(self._numbers(), default=0)
        self._file: int | None = None
        self._size = 0
        self._dirty = False

    def read(self) -> Iterator[Record]:
        """All records in order; after this the journal may be written to. What a crash left of a last frame is cut off.

        Raises JournalError for a frame in the middle that does not read: what follows could not be trusted.
        """
        through = 0
        for record in self._frames_of(self._base):
            if isinstance(record, Base):
                through = record.through
            else:
                yield record
        numbers = self._numbers()
        for number in numbers:
            path = self._segment(number)
            if number <= through:
                path.unlink()
                continue
            yield from self._frames_of(path, torn=number == numbers[-1])
        self._number = max(through + 1, self._number)

    def write(self, records: Iterable[Record]) -> None:
        """Append records. Raises OSError where that fails; none of them is written then."""
        frames = self._frames(records)
        file = self._open()
        written = 0
        try:
            while written < len(frames):
                written += os.write(file, frames[written:])
        except OSError:
            # Half a frame in the middle would hide whatever is written after it.
            os.ftruncate(file, self._size)
            raise
        self._size += len(frames)
        self._dirty = True

    def sync(self) -> None:
        """Make what was written durable."""
        if self._dirty and self._file is not None:
            self._dirty = False
            os.fsync(self._file)

    def turn(self) -> bool:
        """Begin a new segment if this one has grown long; whether there is one to `fold` now."""
        if self._size < self._segment_bytes:
            return False
        self.close()
        self._number += 1
        return True

    def fold(self, matters: Callable[[Record], bool], learned: Iterable[Record] = ()) -> None:
        """Read every closed segment into the base, leaving out what does not matter (any more).

        `learned` goes before them, in the place of what is left out. Takes seconds; runs beside `write`.
        """
        closed = [number for number in self._numbers() if number < self._number]
        if not closed:
            return
        fresh = self._base.with_suffix(".new")
        with fresh.open("wb") as file:
            file.write(self._frames([Base(0.0, closed[-1]), *learned]))
            for path in (self._base, *(self._segment(number) for number in closed)):
                for record in self._frames_of(path):
                    if not isinstance(record, Base) and matters(record):
                        file.write(self._frames([record]))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._base)
        self._sync_folder()
        for number in closed:
            self._segment(number).unlink()

    def close(self) -> None:
        """Make durable and let go of the file."""
        if self._file is not None:
            self.sync()
            os.close(self._file)
            self._file = None
            self._size = 0

    def _open(self) -> int:
        if self._file is None:
            self._number = max(self._number, 1)
            path = self._segment(self._number)
            self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            self._size = os.fstat(self._file).st_size
            self._sync_folder()
        return self._file

    def _frames(self, records: Iterable[Record]) -> bytes:
        frames: list[bytes] = []
        for record in records:
            frame = self._encoder.encode(record)
            frames += (_HEAD.pack(len(frame), zlib.crc32(frame)), frame)
        return b"".join(frames)

    def _frames_of(self, path: Path, *, torn: bool = False) -> Iterator[Record]:
        content = path.read_bytes() if path.exists() else b""
        at = 0
        while at + _HEAD.size <= len(content):
            length, crc = _HEAD.unpack_from(content, at)
            frame = content[at + _HEAD.size : at + _HEAD.size + length]
            if len(frame) < length:
                break
            try:
                record = self._decoder.decode(frame) if zlib.crc32(frame) == crc else None
            except msgspec.MsgspecError:
                record = None
            if record is None:
                break
            yield record
            at += _HEAD.size + length
        if at == len(content):
            return
        # Only the end of the last segment can be what a crash left; elsewhere records follow that would be lost.
        if not torn or _holds_a_frame(content, at + 1):
            where = f"{path}: the record at byte {at} is damaged"
            raise JournalError(f"{where}; move the file away to start without it")
        os.truncate(path, at)

    def _numbers(self) -> list[int]:
        suffixes = (path.suffix[1:] for path in self._folder.glob(f"{self._name}.*"))
        return sorted(int(suffix) for suffix in suffixes if suffix.isdigit())

    def _segment(self, number: int) -> Path:
        return self._folder / f"{self._name}.{number:08}"

    def _sync_folder(self) -> None:
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _holds_a_frame(content: bytes, begin: int) -> bool:
    """Whether a whole frame begins anywhere from `begin` on: the damage before it is then no torn end.

    The damaged frame's own length cannot be asked where the next one begins: it may be what is damaged.
    """
    view = memoryview(content)
    for at in range(begin, len(content) - _HEAD.size):
        length, crc = _HEAD.unpack_from(content, at)
        frame = view[at + _HEAD.size : at + _HEAD.size + length]
        # A file's end that was never written reads as zeros, and those are no frame of no length.
        if 0 < length == len(frame) and zlib.crc32(frame) == crc:
            return True
    return False
