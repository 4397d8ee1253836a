"""Storing: requests, answers and vectors for the storage of the answer cache, and its file as others see it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from switchgear.cache import Answer, Namespace, Question
from switchgear.cache.entries import Entries, Entry

__all__ = ["ACME", "DAY", "NOW", "PARTITION", "Kept", "answer", "every_byte", "question", "sql", "toward"]

NOW = datetime(2026, 8, 3, 9, tzinfo=UTC)
DAY = timedelta(days=1)
ACME = Namespace("acme", "nightly")
PARTITION = b"gpt-4o-mini, one slot: 4711"


def question(name: str) -> Question:
    """A request of that name, worded by it."""
    return Question(f"the whole request {name}".encode(), b"gpt-4o-mini", f"wording of {name}", None)


def answer(name: str) -> Answer:
    """The answer of that name."""
    return Answer("application/json", f'{{"said": "{name}"}}'.encode(), f"text of {name}", "gpt-4o-mini-0718")


def toward(angle: float, dimensions: int = 8) -> NDArray[np.float32]:
    """A vector of length 1; two have the cosine of the difference of their angles."""
    vector = np.zeros(dimensions, dtype=np.float32)
    vector[0], vector[1] = np.cos(angle), np.sin(angle)
    return vector


@dataclass
class Kept:
    """Entries, with what a test leaves out filled in."""

    folder: Path
    master: bytes | None = None
    limits: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.entries = Entries(self.folder, master=self.master, **self.limits)

    def put(
        self,
        name: str,
        where: Namespace = ACME,
        *,
        angle: float | None = None,
        partition: bytes = PARTITION,
        said: str | None = None,
        tags: tuple[str, ...] = (),
        keep: timedelta = DAY,
    ) -> int:
        """Keep the answer of that name to the request of that name; its id."""
        vector = None if angle is None else toward(angle)
        number = self.entries.put(
            where, question(name), partition, vector, answer(said or name), tags, NOW, NOW + keep
        )
        assert number is not None
        return number

    def exact(self, name: str, where: Namespace = ACME, at: datetime = NOW) -> str | None:
        """What the answer to the request of that name says; None for a miss."""
        return _said(self.entries.exact(where, question(name), at))

    def near(
        self,
        angle: float,
        where: Namespace = ACME,
        *,
        partition: bytes = PARTITION,
        most: int = 5,
        at: datetime = NOW,
    ) -> list[str | None]:
        """What the nearest answers say, best first."""
        found = self.entries.near(where, partition, toward(angle), most, at)
        return [_said(entry) for _, entry in found]

    def again(self) -> Kept:
        """Closed, and opened anew."""
        self.entries.close()
        return Kept(self.folder, self.master, self.limits)


def _said(entry: Entry | None) -> str | None:
    return None if entry is None else entry.answer.text.removeprefix("text of ")


def sql(folder: Path, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    """What another hand does to the file, with foreign keys as they come (off)."""
    with closing(sqlite3.connect(folder / "cache.db")) as connection, connection:
        return connection.execute(statement, values).fetchall()


def every_byte(folder: Path) -> bytes:
    """Of all files of the folder."""
    return b"".join(file.read_bytes() for file in sorted(folder.iterdir()))
