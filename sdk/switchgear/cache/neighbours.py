"""The nearest of a partition's vectors. SQLite holds the truth; what is here is derived from it, in memory alone.

A small partition is read and compared whole at each look. A large one is kept here: what is new by the time of a look
is read, and compared one by one, until a thread in the background has made lists of it. Where that is more than a look
can read, as after a restart, that thread reads it, too; until it is done, looks find what the first of them has read.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

from .embedding import Vectors
from .lists import Codes, Ids, Lists, coded, joined, products

__all__ = ["SMALL", "Neighbours", "Read", "cosines", "from_bytes", "to_bytes", "unit"]

SMALL = 512
"""Up to so many vectors are compared one by one."""
_MOST = 500_000
"""Vectors of large partitions in memory; beyond that, the partitions looked at longest ago leave it."""
_PART = 8
"""Lists are made anew once a part like that of all is not in them: so all that makes them is in proportion to all."""
_FEW = 64
"""So many that are found gone are no reason to read a partition anew."""
_AT_A_LOOK, _AT_ONCE = 1024, 64
"""Vectors that a look reads at most; and that the background reads at once: half a millisecond of the interpreter."""
_PAUSE_S = 0.0005
"""After each piece of work in the background, for whoever waits for the interpreter."""
_log = logging.getLogger("switchgear")


class Read(NamedTuple):
    """What a partition has of ids above some number."""

    ids: Ids
    rows: Vectors
    high: int
    """The highest id that was looked at, fit or not; the id itself where there was none above it."""
    more: bool
    """Whether there may be some above that."""


class _Ended(Exception):  # noqa: N818 - it is no error
    """Nobody wants the lists any more."""


def unit(vector: Vectors) -> Vectors:
    """The same direction, with length 1. Raises ValueError where there is none."""
    flat = np.asarray(vector, dtype=np.float32).reshape(-1)
    length = float(np.linalg.norm(flat))
    if not np.isfinite(length) or length == 0:
        raise ValueError("a vector needs a direction")
    scaled: Vectors = flat / np.float32(length)
    return scaled


def to_bytes(vector: Vectors) -> bytes:
    """Two bytes a number; a cosine changes by less than 0.0005 (half a unit in the last place of 11 bits)."""
    return vector.astype("<f2").tobytes()


def from_bytes(rows: list[bytes], dimensions: int) -> Vectors:
    """A row each, all of them of that many numbers."""
    halves = np.frombuffer(b"".join(rows), dtype="<f2").reshape(-1, dimensions)
    return halves.astype(np.float32)


def cosines(rows: Vectors, vector: Vectors) -> Vectors:
    """Of each row with `vector`; both of length 1, up to what rounding does."""
    near: Vectors = np.clip(products(rows, vector), -1.0, 1.0)
    return near


class Neighbours:
    """The large partitions of one process, by their keyed hashes. From any thread, and in a forked child as well."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._of_process()

    def _of_process(self) -> None:
        """A child has neither its parent's threads nor a say about what they had locked."""
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._partitions: OrderedDict[tuple[bytes, int], _Partition] = OrderedDict()

    def knows(self, partition: bytes, dimensions: int) -> bool:
        """Whether it was looked up as a large one, and not forgotten since."""
        if self._pid != os.getpid():
            self._of_process()
        return (partition, dimensions) in self._partitions

    def nearest(
        self, partition: bytes, vector: Vectors, most: int, read: Callable[[int, int], Read]
    ) -> list[int]:
        """Ids of the nearest, by cosines that are not exact; some may be gone from the truth.

        `read` gives what the partition has above an id, so many at most; from any thread.
        """
        kept = self._partition(partition, len(vector))
        found = kept.nearest(vector, most, read)
        self._make_room(kept)
        return found

    def _partition(self, partition: bytes, dimensions: int) -> _Partition:
        if self._pid != os.getpid():
            self._of_process()
        key = (partition, dimensions)
        with self._lock:
            kept = self._partitions.setdefault(key, _Partition(dimensions))
            self._partitions.move_to_end(key)
        return kept

    def _make_room(self, looked_at: _Partition) -> None:
        with self._lock:
            total = sum(map(len, self._partitions.values()))
            while total > self._most and next(iter(self._partitions.values())) is not looked_at:
                _, oldest = self._partitions.popitem(last=False)
                total -= len(oldest)
                oldest.end()

    def gone(self, partition: bytes | None, ids: Iterable[int]) -> None:
        """These are no longer true. Where many are, the partition is read anew at its next look."""
        dead = set(ids)
        with self._lock:
            kept = {key: each for key, each in self._partitions.items() if key[0] == partition}
        for key, each in kept.items():
            if each.remove(dead) > max(_FEW, len(each) // 4):
                with self._lock:
                    self._partitions.pop(key, None)
                each.end()

    def settled(self) -> None:
        """Wait until nothing is on its way into an index."""
        for kept in list(self._partitions.values()):
            kept.join()

    def forget(self) -> None:
        """All of it; what is looked up again is read again."""
        if self._pid != os.getpid():
            self._of_process()
        with self._lock:
            partitions = list(self._partitions.values())
            self._partitions.clear()
        for kept in partitions:
            kept.end()
            kept.join()

    @property
    def bytes(self) -> int:
        """Of memory, about."""
        return sum(kept.bytes for kept in list(self._partitions.values()))


class _Partition:
    """Lists, and behind them the tail of what is not in them yet."""

    def __init__(self, dimensions: int) -> None:
        self._lock = threading.Lock()
        self._tail = coded(np.empty(0, np.int64), np.empty((0, dimensions), np.float32))
        self._lists: Lists | None = None
        self._high = 0
        self._behind = False
        self._gone = 0
        self._grower: threading.Thread | None = None
        self._over = False

    def __len__(self) -> int:
        lists = self._lists
        return len(self._tail.ids) + (0 if lists is None else len(lists))

    @property
    def bytes(self) -> int:
        lists, tail = self._lists, self._tail
        return tail.numbers.nbytes + tail.ids.nbytes + (0 if lists is None else lists.bytes)

    def nearest(self, vector: Vectors, most: int, read: Callable[[int, int], Read]) -> list[int]:
        with self._lock:
            if not self._behind:
                new = read(self._high, _AT_A_LOOK)
                if len(new.ids):
                    self._tail = joined(self._tail, coded(new.ids, new.rows))
                self._high, self._behind = new.high, new.more
            tail, lists = self._tail, self._lists
            wanted = self._behind or len(tail.ids) > self._enough(lists)
            if wanted and self._grower is None and not self._over:
                self._grower = threading.Thread(
                    target=self._grow, args=(read,), name="switchgear-cache", daemon=True
                )
                self._grower.start()
        found = tail.nearest(vector, most)
        if lists is not None:
            found |= lists.nearest(vector, most)
        return sorted(found, key=lambda each: -found[each])[:most]

    @staticmethod
    def _enough(lists: Lists | None) -> int:
        return max(SMALL, 0 if lists is None else len(lists) // _PART)

    def _grow(self, read: Callable[[int, int], Read]) -> None:
        try:
            self._grown(read)
        except _Ended:
            pass
        except Exception as error:  # noqa: BLE001 - whatever it is, the next look meets it where it can be told
            _log.warning("the answer cache could not make lists of a partition: %s", type(error).__name__)
            self._behind = False
        finally:
            self._grower = None

    def _grown(self, read: Callable[[int, int], Read]) -> None:
        """Make lists of all that there is now; no look reads what is read here."""
        with self._lock:
            lists, tail, high, behind = self._lists, self._tail, self._high, self._behind
        parts = [tail] if lists is None else [lists.codes, tail]
        more = behind
        while more:
            self._pause()
            new = read(high, _AT_ONCE)
            parts.append(coded(new.ids, new.rows))
            high, more = new.high, new.more
        made = Lists(joined(*parts), self._pause)
        with self._lock:
            # What was found gone meanwhile is found gone again.
            self._lists = made
            self._tail = _without(self._tail, tail.ids)
            if behind:
                self._high, self._behind = high, False

    def _pause(self) -> None:
        time.sleep(_PAUSE_S)
        if self._over:
            raise _Ended

    def remove(self, ids: Iterable[int]) -> int:
        """How many were removed since the partition was read."""
        gone = np.array(sorted(ids), dtype=np.int64)
        with self._lock:
            self._tail = _without(self._tail, gone)
            if self._lists is not None:
                self._lists.remove(gone)
            self._gone += len(gone)
            return self._gone

    def end(self) -> None:
        """Nothing is begun any more."""
        self._over = True

    def join(self) -> None:
        grower = self._grower
        if grower is not None:
            grower.join()


def _without(codes: Codes, ids: Ids) -> Codes:
    stay = ~np.isin(codes.ids, ids)
    return codes if stay.all() else codes.part(stay)
