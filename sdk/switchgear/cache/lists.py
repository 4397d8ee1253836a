"""Vectors in one byte a number, and lists of them: a look compares with those of the few lists that are nearest.

That is an inverted file, as of J. Sivic and A. Zisserman (Video Google, 2003), over centroids of spherical k-means. In
numpy alone: libraries of graphs (HNSW) that come as wheels bring native code that does not get along with other
libraries of an agent's process, and take ten times as long to build.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import isqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .embedding import Vectors

__all__ = ["Codes", "Ids", "Lists", "coded", "joined", "products"]

Ids = NDArray[np.int64]

_CHUNK = 1024
"""Rows that are made numbers of 4 bytes at once: they stay in a core's cache."""
_NOTHING = 1e-9
_ROUNDS = 6
_SAMPLE = 64
"""Rows a centroid that these are drawn from."""
_FEWEST, _PART = 8, 16
"""So many lists are looked at, and one of so many."""


def products(rows: Vectors, others: Vectors) -> Vectors:
    """Of each row with each of the others, or with the one vector.

    By numpy's own loops, as OpenBLAS has threads: they would take all cores from looks, and a process that forks while
    one of its products is under way waits for ever.
    """
    made: Vectors = np.einsum("ij,...j->i...", rows, others)
    return made


class Codes(NamedTuple):
    """Vectors by their ids, each as whole numbers of -127..127 and what they are to be multiplied by."""

    ids: Ids
    numbers: NDArray[np.int8]
    scales: Vectors

    def part(self, which: slice | NDArray[np.bool_] | Ids) -> Codes:
        """Those of these places."""
        return Codes(self.ids[which], self.numbers[which], self.scales[which])

    def rows(self) -> Vectors:
        """As they were, but for what rounding did."""
        rows: Vectors = self.numbers.astype(np.float32) * self.scales[:, None]
        return rows

    def cosines(self, vector: Vectors) -> Vectors:
        """With each, about: of what models give, within 0.01."""
        near = np.empty(len(self.ids), np.float32)
        for begin in range(0, len(near), _CHUNK):
            some = slice(begin, begin + _CHUNK)
            near[some] = products(self.numbers[some].astype(np.float32), vector)
        near *= self.scales
        return near

    def nearest(self, vector: Vectors, most: int) -> dict[int, float]:
        """Ids and cosines; in no order."""
        ids, near = self.ids, self.cosines(vector)
        if len(ids) > most:
            chosen = np.argpartition(-near, most)[:most]
            ids, near = ids[chosen], near[chosen]
        return dict(zip(ids.tolist(), near.tolist(), strict=True))


def coded(ids: Ids, rows: Vectors) -> Codes:
    """One byte a number; rows of length 1."""
    scales = np.abs(rows).max(axis=1, initial=1e-9) / np.float32(127)
    return Codes(ids, np.rint(rows / scales[:, None]).astype(np.int8), scales.astype(np.float32))


def joined(*parts: Codes) -> Codes:
    """One after the other."""
    ids, numbers, scales = zip(*parts, strict=True)
    return Codes(np.concatenate(ids), np.concatenate(numbers), np.concatenate(scales))


class Lists:
    """Never changed but for what is gone from it: a new one is made of what comes."""

    def __init__(self, codes: Codes, pause: Callable[[], None]) -> None:
        """Of `codes`, of which there are some; of 100,000 it takes 20 µs a row, about.

        `pause` is called after each thousand of rows; what it raises ends the work.
        """
        centroids = _centroids(codes, pause)
        owners = np.concatenate([owners for _, owners in _owned(codes, centroids, pause)])
        # Of centroids that are alike, as where many rows are, one owns all: an empty list must not be looked at for it.
        owned, firsts = np.unique(np.sort(owners), return_index=True)
        self._centroids: Vectors = centroids[owned]
        self._starts = np.append(firsts, len(owners))
        self._codes = codes.part(np.argsort(owners, kind="stable"))
        self._there = np.ones(len(codes.ids), np.bool_)

    def __len__(self) -> int:
        return int(self._there.sum())

    @property
    def bytes(self) -> int:
        """Of memory."""
        codes = self._codes
        return codes.ids.nbytes + codes.numbers.nbytes + codes.scales.nbytes + self._centroids.nbytes

    @property
    def codes(self) -> Codes:
        """What is in it."""
        return self._codes.part(self._there)

    def nearest(self, vector: Vectors, most: int) -> dict[int, float]:
        """Ids and cosines of the nearest that stand in the lists nearest to `vector`; in no order."""
        count = len(self._centroids)
        probed = min(count, _FEWEST + count // _PART)
        lists = np.argpartition(-products(self._centroids, vector), probed - 1)[:probed]
        found: dict[int, float] = {}
        for number in lists.tolist():
            some = slice(int(self._starts[number]), int(self._starts[number + 1]))
            part, there = self._codes.part(some), self._there[some]
            found.update((part if there.all() else part.part(there)).nearest(vector, most))
        return found

    def remove(self, ids: Ids) -> None:
        """They are not found any more."""
        self._there[np.isin(self._codes.ids, ids)] = False


def _centroids(codes: Codes, pause: Callable[[], None]) -> Vectors:
    """The square root of the number of rows, which makes as many lists as a list has rows."""
    count = max(isqrt(len(codes.ids)), 1)
    random = np.random.default_rng(count)
    size = min(len(codes.ids), _SAMPLE * count)
    sample = codes.part(np.sort(random.choice(len(codes.ids), size, replace=False)))
    centroids: Vectors = sample.part(random.choice(size, count, replace=False)).rows()
    for _ in range(_ROUNDS):
        sums = np.zeros_like(centroids)
        for rows, owners in _owned(sample, centroids, pause):
            order = np.argsort(owners, kind="stable")
            owned, firsts = np.unique(owners[order], return_index=True)
            sums[owned] += np.add.reduceat(rows[order], firsts, axis=0)
        # The direction of the sum is the mean's. A centroid that owns none stays where it is.
        lengths = np.linalg.norm(sums, axis=1, keepdims=True)
        centroids = np.where(lengths > _NOTHING, sums / np.maximum(lengths, _NOTHING), centroids)
    return centroids


def _owned(
    codes: Codes, centroids: Vectors, pause: Callable[[], None]
) -> Iterator[tuple[Vectors, NDArray[np.intp]]]:
    """Some rows after the other, and which centroid is nearest to each."""
    for begin in range(0, len(codes.ids), _CHUNK):
        rows = codes.part(slice(begin, begin + _CHUNK)).rows()
        yield rows, np.argmax(products(rows, centroids), axis=1)
        pause()
