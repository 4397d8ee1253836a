"""Spool: bodies that the collector did not take, until it does. On disk, or in memory where there is no disk for them.

What is oldest is kept: when all there may be is there, what comes is dropped. Of a body in a file nothing is believed
but what its checksum confirms.
"""

from __future__ import annotations

import heapq
import struct
import threading
import time
from collections import Counter, deque
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path

from ..settings import Settings
from .complaints import Complaints
from .folder import SUFFIX, Folder, group_of

__all__ = ["Kept", "Spool"]

_MIB = 1024 * 1024
_IN_MEMORY = 8 * _MIB
# What a small file really takes.
_BLOCK = 4096
_SIZE_ASKED_AGAIN_S = 1.0
_DIGEST = 16
_HEAD = struct.Struct(f">8sI{_DIGEST}s")
_MAGIC = b"sgspool1"


@dataclass(frozen=True, slots=True)
class Kept:
    """A body that waits, of so many spans; in a file, or (None) in memory."""

    body: bytes
    spans: int
    path: Path | None


@dataclass(slots=True)
class Spool:
    """What one process keeps, and what it adopted. From any thread."""

    settings: Settings
    complaints: Complaints
    dropped: int = 0
    """Spans that found no place, or were damaged on the disk."""
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _own: Folder | None = None
    _adopted: dict[Path, Folder] = field(default_factory=dict)
    _files: list[tuple[str, Path]] = field(default_factory=list)
    """A heap of (name, path); names are times."""
    _files_in: Counter[Path] = field(default_factory=Counter)
    _memory: deque[Kept] = field(default_factory=deque)
    _memory_size: int = 0
    _size: int = 0
    _size_at: float = float("-inf")
    _disk_failed: bool = False
    _closed: bool = False

    @property
    def waiting(self) -> int:
        """How many bodies wait."""
        return len(self._files) + len(self._memory)

    def put(self, body: bytes, spans: int) -> bool:
        """Keep a body; False where there is no room, and its spans are dropped, or after `close`."""
        with self._lock:
            return not self._closed and self._put(body, spans)

    def oldest(self) -> Kept | None:
        """The body that waits longest. Files that are damaged are set aside on the way to it."""
        with self._lock:
            while self._files:
                path = self._files[0][1]
                try:
                    content = path.read_bytes()
                except OSError as error:
                    if not isinstance(error, FileNotFoundError):
                        self.complaints.say("file", "%s cannot be read: %s", path, error)
                    self._pop()
                    continue
                if (kept := _opened(content, path)) is not None:
                    return kept
                aside = path.parent.parent / f"{path.name}.damaged"
                self.complaints.say("damaged", "a file of the spool is damaged and set aside: %s", aside)
                with suppress(OSError):
                    path.rename(aside)
                self._pop()
            return self._memory[0] if self._memory else None

    def done(self, kept: Kept) -> None:
        """It was taken, or never will be: it waits no longer."""
        with self._lock:
            if kept.path is None:
                if self._memory and self._memory[0] is kept:
                    self._memory.popleft()
                    self._memory_size -= len(kept.body)
                return
            with suppress(OSError):
                kept.path.unlink()
            self._size -= _taken(_HEAD.size + len(kept.body))
            if self._files and self._files[0][1] == kept.path:
                self._pop()

    def adopt(self) -> None:
        """Take over what processes left that are no more."""
        if not self.settings.spool_mb:
            return
        with self._lock, suppress(OSError):
            for folder in Folder.left(group_of(self.settings)):
                files = folder.files()
                if not files:
                    folder.close()
                    continue
                self._adopted[folder.path] = folder
                for path in files:
                    self._push(path)

    def close(self) -> None:
        """Leave to the next process what is on the disk; what is only in memory goes there, or is dropped."""
        with self._lock:
            self._closed = True
            last, self._memory = self._memory, deque()
            self._memory_size = 0
            for kept in last:
                if not self._to_disk(kept.body, kept.spans):
                    self._drop(kept.spans, "the process ends")
            for folder in (self._own, *self._adopted.values()):
                if folder is not None:
                    folder.close()
            self._own, self._adopted, self._files, self._files_in = None, {}, [], Counter()

    def forget(self) -> None:
        """In a fork child: all of it is the parent's."""
        self._lock = threading.Lock()
        for folder in (self._own, *self._adopted.values()):
            if folder is not None:
                folder.forget()
        self._own, self._adopted, self._files, self._files_in = None, {}, [], Counter()
        self._memory, self._memory_size, self.dropped = deque(), 0, 0

    def _put(self, body: bytes, spans: int) -> bool:
        full = False
        if self.settings.spool_mb:
            if self._on_disk() + _taken(_HEAD.size + len(body)) > self.settings.spool_mb * _MIB:
                full = True
            elif self._to_disk(body, spans):
                return True
        if full or self._memory_size + len(body) > _IN_MEMORY:
            self._drop(spans, "there is no more room")
            return False
        self._memory.append(Kept(body, spans, None))
        self._memory_size += len(body)
        return True

    def _to_disk(self, body: bytes, spans: int) -> bool:
        if not self.settings.spool_mb:
            return False
        try:
            if self._own is None:
                self._own = Folder.made(group_of(self.settings))
            path = self._own.write(_closed(body, spans))
        except OSError as error:
            if self._own is not None and not self._own.path.is_dir():
                self._own.forget()
                self._own = None
            if not self._disk_failed:
                self._disk_failed = True
                self.complaints.say(
                    "disk",
                    "the spool cannot be written (%s): what the collector does not take waits in memory, up to %d MiB",
                    error,
                    _IN_MEMORY // _MIB,
                )
            return False
        self._push(path)
        self._size += _taken(_HEAD.size + len(body))
        return True

    def _on_disk(self) -> int:
        """The bytes that all processes keep for this collector and key; those of others as of a second ago."""
        now = time.monotonic()
        if now - self._size_at >= _SIZE_ASKED_AGAIN_S:
            self._size_at, self._size = now, 0
            with suppress(OSError):
                for path in group_of(self.settings).rglob(f"*{SUFFIX}*"):
                    with suppress(OSError):
                        self._size += _taken(path.stat().st_size)
        return self._size

    def _drop(self, spans: int, why: str) -> None:
        self.dropped += spans
        self.complaints.say(
            "dropped",
            "%d spans with billing records were dropped, %d so far: the collector is away, and %s",
            spans,
            self.dropped,
            why,
        )

    def _push(self, path: Path) -> None:
        heapq.heappush(self._files, (path.name, path))
        self._files_in[path.parent] += 1

    def _pop(self) -> None:
        """The first file waits no longer; of an adopted folder the last one takes the folder with it."""
        folder = heapq.heappop(self._files)[1].parent
        self._files_in[folder] -= 1
        if not self._files_in[folder]:
            del self._files_in[folder]
            if folder in self._adopted:
                self._adopted.pop(folder).close()


def _taken(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK


def _closed(body: bytes, spans: int) -> bytes:
    return _HEAD.pack(_MAGIC, spans, _checksum(spans, body)) + body


def _opened(content: bytes, path: Path) -> Kept | None:
    """The body in a file's content; None where the content is not what was written."""
    if len(content) < _HEAD.size:
        return None
    magic, spans, checksum = _HEAD.unpack_from(content)
    body = content[_HEAD.size :]
    return Kept(body, spans, path) if magic == _MAGIC and checksum == _checksum(spans, body) else None


def _checksum(spans: int, body: bytes) -> bytes:
    return blake2b(body, digest_size=_DIGEST, key=spans.to_bytes(4)).digest()
