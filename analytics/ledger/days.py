"""Days: the lines of each day, kept as long as nothing has changed that they come from."""

from __future__ import annotations

import threading
from collections import OrderedDict
from datetime import date

import pyarrow as pa

__all__ = ["Days"]

_MOST_BYTES = 256 * 1024 * 1024
"""Some years of days of a hundred kilobytes each; of 10,000 workloads a day takes 4 MB."""
Key = tuple[str, date]
"""A zone and a day of it."""


class Days:
    """What was computed last for each day, under a stamp of what it was computed from. Safe to use from any thread."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Key, tuple[object, pa.Table]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, key: Key, stamp: object) -> pa.Table | None:
        """What was kept under this stamp; None where it was another."""
        with self._lock:
            kept = self._kept.get(key)
            if kept is None or kept[0] != stamp:
                return None
            self._kept.move_to_end(key)
            return kept[1]

    def put(self, key: Key, stamp: object, lines: pa.Table) -> None:
        """Keep it in place of what was there, and forget the days that were asked for longest ago if they are large."""
        with self._lock:
            if key in self._kept:
                self._bytes -= self._kept.pop(key)[1].nbytes
            self._kept[key] = (stamp, lines)
            self._bytes += lines.nbytes
            while self._bytes > _MOST_BYTES:
                _, (_, forgotten) = self._kept.popitem(last=False)
                self._bytes -= forgotten.nbytes
