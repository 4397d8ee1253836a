"""Index: where in the store a hash has been seen before. In memory, 8 bytes an entry, made anew at each start.

Finding a batch's duplicates by scanning the hashes of 10 M calls takes 150 ms of two cores; here it takes some
milliseconds, whatever there is. An entry is one 64-bit word: 40 bits of the hash, then the number of the segment of
4,096 calls that holds the call. Words stand in sorted runs, each at least eight times as long as the next: few to
search, and what comes into the longest is small beside it. What is found is a candidate: the caller looks at the
calls themselves (one probe in 100,000 of a store of 10 M calls is a false one).

A run grows where it is: with a copy beside it the index would take three times its size whenever the longest one does.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

__all__ = ["CALLS_A_SEGMENT", "Index"]

CALLS_A_SEGMENT = 4096
_SEGMENT_BITS = 24
_FINGERPRINT = np.uint64((1 << 64) - (1 << _SEGMENT_BITS))
_SEGMENT = np.uint64((1 << _SEGMENT_BITS) - 1)
_TIMES_THE_NEXT = 8
# At a time, of a run that another is merged into: with what comes into it they fit the processor's cache.
_MERGED_WORDS = 131_072

Hashes = NDArray[np.uint64]


class Index:
    """Which segments may hold a hash. Belongs to one thread."""

    def __init__(self, words: Iterable[Hashes] = ()) -> None:
        """An index of what `word` made of hashes and call ids; it takes each array before it asks for the next."""
        run = np.empty(0, dtype=np.uint64)
        for each in words:
            _lengthen(run, len(each))[:] = each
        run.sort()
        self._runs: list[Hashes] = [run] if len(run) else []

    def __len__(self) -> int:
        return sum(len(run) for run in self._runs)

    @staticmethod
    def word(hashes: Hashes, call_ids: NDArray[np.int64]) -> Hashes:
        """The entries for hashes of calls with these ids."""
        segments = (call_ids.astype(np.uint64) // np.uint64(CALLS_A_SEGMENT)) & _SEGMENT
        found: Hashes = (hashes & _FINGERPRINT) | segments
        return found

    def add(self, words: Hashes) -> None:
        """Put entries in."""
        if not len(words):
            return
        self._runs.append(np.sort(words))
        while len(self._runs) > 1 and _TIMES_THE_NEXT * len(self._runs[-1]) > len(self._runs[-2]):
            last = self._runs.pop()
            _merge(self._runs[-1], last)

    def find(self, hashes: Hashes) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
        """Which of `hashes` may be there, and the segments, in order, that may hold them."""
        prints = hashes & _FINGERPRINT
        # In order, so that each search begins where the last one left the cache.
        wanted = np.sort(prints)
        found: list[Hashes] = []
        segments: list[Hashes] = []
        for run in self._runs:
            begin = np.searchsorted(run, wanted)
            there = (run[np.minimum(begin, len(run) - 1)] & _FINGERPRINT) == wanted
            if there.any():
                begin = begin[there]
                end = np.searchsorted(run, wanted[there] | _SEGMENT, side="right")
                found.append(wanted[there])
                segments.append(np.unique(run[_ranges(begin, end)] & _SEGMENT))
        if not found:
            return np.zeros(len(hashes), dtype=np.bool_), np.empty(0, dtype=np.int64)
        return np.isin(prints, np.concatenate(found)), np.unique(np.concatenate(segments)).astype(np.int64)


def _merge(run: Hashes, words: Hashes) -> None:
    """Bring sorted words into a sorted run, from its end: what is moved up leaves room for what comes before it."""
    place, left = len(run), len(words)
    _lengthen(run, left)
    while left:
        begin = max(place - _MERGED_WORDS, 0)
        first = int(np.searchsorted(words[:left], run[begin])) if begin else 0
        part = np.concatenate([run[begin:place], words[first:left]])
        # Stable, since that is a merge sort, which takes two sorted parts in one pass.
        part.sort(kind="stable")
        run[begin + first : place + left] = part
        place, left = begin, first


def _lengthen(run: Hashes, by: int) -> Hashes:
    """Make room at the end of a run, in place; that room."""
    length = len(run)
    # Nothing else refers to a run: the system moves its pages, or there is a copy for a moment where it cannot.
    run.resize(length + by, refcheck=False)
    return run[length:]


def _ranges(begin: NDArray[np.int64], end: NDArray[np.int64]) -> NDArray[np.int64]:
    """Every number of every half-open range, one after the other."""
    lengths = end - begin
    starts = np.repeat(begin - np.concatenate([[0], np.cumsum(lengths)[:-1]]), lengths)
    found: NDArray[np.int64] = starts + np.arange(lengths.sum())
    return found
