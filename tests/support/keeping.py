"""Keeping: the real cache in a folder, with an embedder that needs no model, which tells what it was asked."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

import numpy as np

from switchgear.cache import Look, Namespace, Question, Terms
from switchgear.cache.cache import LocalCache
from switchgear.cache.embedding import by_callable
from switchgear.cache.entries import Entries
from switchgear.cache.judge import WordJudge
from switchgear.cache.learned import Learned

__all__ = ["Keeping"]

_DIMENSIONS = 64


class Keeping(LocalCache):
    """The cache of `folder`. `slowly` is called before each look."""

    def __init__(
        self,
        folder: Path,
        *,
        slowly: Callable[[], object] = lambda: None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        entries = Entries(folder)
        # Nothing is audited: what is kept is served.
        super().__init__(
            entries,
            Learned(folder / "learned.db", entries.secrets),
            by_callable("words", _words),
            WordJudge(),
            chance=lambda: 1.0,
            monotonic=monotonic,
        )
        self.slowly = slowly
        self.asked: list[tuple[Namespace, Terms]] = []
        self.entries = entries

    def look(self, where: Namespace, question: Question, terms: Terms, now: datetime) -> Look:
        self.slowly()
        self.asked.append((where, terms))
        return super().look(where, question, terms, now)

    def count(self) -> int:
        """How many answers are kept."""
        return self.entries.size[0]


def _words(texts: Sequence[str]) -> list[list[float]]:
    """A text as the words in it: texts of the same words are the same."""
    rows = np.full((len(texts), _DIMENSIONS), 1e-3)
    for row, text in zip(rows, texts, strict=True):
        for word in text.lower().split():
            row[zlib.crc32(word.encode()) % _DIMENSIONS] += 1
    found: list[list[float]] = rows.tolist()
    return found
