"""Candidates: what is kept nearest to a question, with the chance that each is its answer."""

from __future__ import annotations

from datetime import datetime

from .embedding import Vectors
from .entries import Entries
from .learned import Learned
from .model import Namespace
from .waiting import Candidate
from .wording.comparing import edit, placing, slips
from .wording.reading import Reading, read
from .wording.score import first_guess, score

__all__ = ["Candidates"]

_NEAREST = 8
"""Entries of a partition that are compared by their words."""


class Candidates:
    """Finds candidates among what is kept, and weighs them by what was learned."""

    def __init__(self, entries: Entries, learned: Learned) -> None:
        self._entries, self._learned = entries, learned

    def of(
        self, where: Namespace, partition: bytes, reading: Reading, vector: Vectors, now: datetime
    ) -> tuple[Candidate, ...]:
        """The nearest of a partition that may mean the same, the best first."""
        wording = self.hashed(reading)
        near = [
            (entry, other, cosine, self.hashed(other), (placing(reading, other), placing(other, reading)))
            for cosine, entry in self._entries.near(where, partition, vector, _NEAREST, now)
            if (other := read(entry.wording or "")) is not None and reading.comparable(other)
        ]
        edits = [self._edited(reading, other, placed) for _, other, _, _, placed in near]
        seen = self._learned.seen(
            where.workload,
            wording,
            [(hashed, placed[0], edited) for (*_, hashed, placed), edited in zip(near, edits, strict=True)],
        )
        found = [
            Candidate(
                entry, score(first_guess(reading, other, cosine), known), hashed, placed, edited,
                familiar=bool(known) or hashed == wording or slips(reading.wording, other.wording),
            )
            for (entry, other, cosine, hashed, placed), edited, known in zip(near, edits, seen, strict=True)
        ]  # fmt: skip
        # The same words first, whatever is known of others: once asked, a wording has the answer it was given.
        return tuple(
            sorted(found, key=lambda each: (each.wording != wording or each.placed[0] != "", -each.score))
        )

    def hashed(self, reading: Reading) -> bytes:
        """The keyed hash of a wording without its values."""
        return self._entries.hashed(reading.wording.text.encode())

    def _edited(self, one: Reading, other: Reading, placed: tuple[str, str]) -> bytes:
        """The keyed hash of what makes one of the other, and how it turns values; b"" of the same words."""
        said = edit(one.wording, other.wording)
        return self._entries.hashed(f"{said}\0{min(placed)}".encode()) if said else b""
