"""Folders of the spool: one for each process that writes, held by a lock that ends with the process.

    <spool>/<collector and key, as a digest>/<a process>/lock
                                                        /<time>.spans

Whoever finds a folder whose lock is free adopts it: its process is dead, or has closed it. The kernel frees a lock
when the last process that has it open is gone, so that `kill -9` leaves none behind, and a fork child lets go of its
parent's without freeing them.
"""

from __future__ import annotations

import errno
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path

try:
    import fcntl
except ImportError:  # no POSIX: nothing tells there whether a process is alive
    fcntl = None  # type: ignore[assignment]

from ..settings import Settings

__all__ = ["Folder", "group_of"]

SUFFIX = ".spans"
_LOCK = "lock"
_PRIVATE_FOLDER = 0o700
_PRIVATE_FILE = 0o600
_TRIES = 5


def group_of(settings: Settings) -> Path:
    """Where the processes that send to this collector with this key keep what it did not take.

    The key is in it as a part of a digest only. Raises OSError where the user has no folder.
    """
    who = blake2b(f"{settings.collector}\0{settings.api_key or ''}".encode(), digest_size=8).hexdigest()
    return (settings.spool or _of_user()) / who


def _of_user() -> Path:
    state = os.environ.get("XDG_STATE_HOME")
    try:
        home = Path(state) if state else Path.home() / ".local" / "state"
    except RuntimeError as error:
        raise OSError(errno.ENOENT, str(error)) from None
    return home / "switchgear" / "spool"


class Folder:
    """A folder that this process holds. Files are written whole or not at all."""

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self._lock = lock
        self._last_ns = 0

    @classmethod
    def made(cls, group: Path) -> Folder:
        """A new one in `group`. Raises OSError where there can be none."""
        if fcntl is None:
            raise OSError(errno.ENOTSUP, "this system has no file locks of POSIX")
        group.mkdir(mode=_PRIVATE_FOLDER, parents=True, exist_ok=True)
        group.chmod(_PRIVATE_FOLDER)
        for _ in range(_TRIES):
            path = group / uuid.uuid4().hex
            path.mkdir(mode=_PRIVATE_FOLDER)
            # Somebody may have taken it for a dead one's, and removed it, before it was locked.
            if (lock := _locked(path)) is not None:
                return cls(path, lock)
        raise OSError(errno.EAGAIN, "no folder could be locked")

    @classmethod
    def left(cls, group: Path) -> Iterator[Folder]:
        """Those in `group` that nobody holds any more: from now on this process does."""
        if fcntl is None or not group.is_dir():
            return
        for entry in sorted(group.iterdir()):
            if entry.is_dir() and (lock := _locked(entry)) is not None:
                yield cls(entry, lock)

    def files(self) -> list[Path]:
        """What waits here, the oldest first."""
        return sorted(path for path in self.path.iterdir() if path.suffix == SUFFIX)

    def write(self, content: bytes) -> Path:
        """Put a file here; when this returns it is on the disk. Raises OSError, and leaves nothing then."""
        # A clock that stands still or is set back must not overwrite what is there.
        self._last_ns = max(time.time_ns(), self._last_ns + 1)
        path = self.path / f"{self._last_ns:020d}{SUFFIX}"
        part = path.with_suffix(".part")
        try:
            _write(part, content)
            part.rename(path)
            _sync(self.path)
        except OSError:
            part.unlink(missing_ok=True)
            path.unlink(missing_ok=True)
            raise
        return path

    def close(self) -> None:
        """Let go of it; with nothing in it, remove it."""
        if self._lock < 0:
            return
        with suppress(OSError):
            for part in self.path.glob("*.part"):
                part.unlink()
            if not self.files():
                (self.path / _LOCK).unlink()
                self.path.rmdir()
        self.forget()

    def forget(self) -> None:
        """Let go of it, whatever is in it; where this process is a fork, its parent still holds it."""
        lock, self._lock = self._lock, -1
        if lock >= 0:
            with suppress(OSError):
                os.close(lock)


def _locked(path: Path) -> int | None:
    """The open lock of a folder; None where somebody else has it, or the folder is gone."""
    lock = path / _LOCK
    try:
        opened = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _PRIVATE_FILE)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(opened), lock.stat()):
            return opened
    except (BlockingIOError, FileNotFoundError):
        pass
    except OSError:
        os.close(opened)
        raise
    os.close(opened)
    return None


def _write(path: Path, content: bytes) -> None:
    # Without a buffer, of which a fork would write its copy a second time.
    opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _PRIVATE_FILE)
    try:
        left = memoryview(content)
        while left:
            left = left[os.write(opened, left) :]
        os.fsync(opened)
    finally:
        os.close(opened)


def _sync(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
