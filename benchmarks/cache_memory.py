"""Entries in memory, without a file, a key or an age: what `Entries` finds, for streams of millions of requests."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime

import numpy as np

from switchgear.cache.embedding import Vectors
from switchgear.cache.entries import Entry
from switchgear.cache.model import Answer, Namespace, Question

__all__ = ["EntriesInMemory"]


class Partition:
    """Entries whose vectors are compared, in an array that doubles as it fills."""

    def __init__(self) -> None:
        self._vectors = np.zeros((8, 0), np.float32)
        self._entries: list[Entry] = []

    def add(self, vector: Vectors, entry: Entry) -> None:
        count = len(self._entries)
        if not count:
            self._vectors = np.zeros((8, len(vector)), np.float32)
        elif count == len(self._vectors):
            self._vectors = np.concatenate([self._vectors, np.zeros_like(self._vectors)])
        self._vectors[count] = vector
        self._entries.append(entry)

    def nearest(self, vector: Vectors, most: int) -> list[tuple[float, Entry]]:
        if not self._entries:
            return []
        cosines = self._vectors[: len(self._entries)] @ vector
        best = np.argpartition(-cosines, most)[:most] if len(cosines) > most else np.arange(len(cosines))
        return [(float(cosines[at]), self._entries[at]) for at in best[np.argsort(-cosines[best])]]


class EntriesInMemory:
    """As much of `Entries` as a look-up takes."""

    def __init__(self) -> None:
        self._exact: dict[tuple[Namespace, bytes], Entry] = {}
        self._near: defaultdict[tuple[Namespace, bytes], Partition] = defaultdict(Partition)

    def exact(self, where: Namespace, question: Question, now: datetime) -> Entry | None:
        return self._exact.get((where, question.exact))

    def near(
        self, where: Namespace, partition: bytes, vector: Vectors, most: int, now: datetime
    ) -> list[tuple[float, Entry]]:
        return self._near[where, partition].nearest(vector, most)

    def put(
        self, where: Namespace, question: Question, partition: bytes | None, vector: Vectors | None, answer: Answer,
        tags: Iterable[str], now: datetime, expires_at: datetime,
    ) -> int:  # fmt: skip
        entry = Entry(len(self._exact), where.tenant, question.wording, answer, now)
        self._exact[where, question.exact] = entry
        if partition is not None and vector is not None:
            self._near[where, partition].add(vector, entry)
        return entry.id

    def hashed(self, text: bytes) -> bytes:
        return hashlib.blake2b(text, digest_size=16).digest()

    def close(self) -> None:
        self._exact.clear()
