"""Certifying: a cache over real entries, asked by a workload whose truth is known, until it serves by meaning."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import numpy as np
from numpy.typing import NDArray

from switchgear.cache import Answer, Look, Mode, Namespace, Outcome, Question, Terms
from switchgear.cache.bound import JudgeError
from switchgear.cache.cache import LocalCache
from switchgear.cache.embedding import Embedder, by_callable
from switchgear.cache.entries import Entries
from switchgear.cache.learned import Learned

__all__ = ["NOW", "ON", "WAYS", "WHERE", "Asking", "Truth", "answered", "question", "words"]

NOW = datetime(2026, 8, 3, 9, tzinfo=UTC)
WHERE = Namespace("acme", "support")
ON = Terms(Mode.ON)
WAYS = (
    "Where is order {} now?",
    "Tell me where order {} is",
    "Track order {} for me",
    "Find order {} for me",
)
"""Wordings of one request, whatever its value is."""


def _vectors(texts: Sequence[str]) -> NDArray[np.float32]:
    """A bag of words: alike texts have near vectors."""
    rows = np.full((len(texts), 64), 0.05, dtype=np.float32)
    for row, text in zip(rows, texts, strict=True):
        for word in text.lower().split():
            row[hashlib.blake2b(word.encode(), digest_size=1).digest()[0] % 64] += 1
    return rows


def words(name: str = "bag of words") -> Embedder:
    """An embedder that takes no time."""
    return by_callable(name, _vectors)


class Truth:
    """A judge that knows: answers are what is true, and it is not wrong about that."""

    error = JudgeError(different=10**6, same=10**6)

    def __init__(self, name: str = "truth") -> None:
        self.name = name

    def __call__(self, wording: str, kept: str, fresh: str) -> bool | None:
        return None if "?" in (kept, fresh) else kept == fresh


def question(wording: str | None, setting: str = "gpt-4o", *, unfit: str | None = None) -> Question:
    """As a request of that setting puts it."""
    exact = json.dumps([setting, wording]).encode()
    return Question(exact, setting.encode(), wording, unfit)


def answered(text: str) -> Answer:
    return Answer("application/json", json.dumps({"said": text}).encode(), text, "gpt-4o")


@dataclass
class Asking:
    """Asks a cache in a folder as an agent does: what is not served, the model is asked."""

    folder: Path
    model: Callable[[str], str | None] = lambda wording: wording
    embedder: Embedder | None = field(default_factory=words)
    judge: Truth = field(default_factory=Truth)
    terms: Terms = ON
    where: Namespace = WHERE
    now: datetime = NOW
    seed: int = 7
    chance: Callable[[], float] | None = None

    def __post_init__(self) -> None:
        self.open()

    def open(self) -> None:
        """As a process does that begins."""
        self.entries = Entries(self.folder)
        learned = Learned(self.folder / "learned.db", self.entries.secrets)
        self.cache = LocalCache(
            self.entries, learned, self.embedder, self.judge, chance=self.chance or Random(self.seed).random
        )

    def reopened(self) -> None:
        self.cache.close()
        self.open()

    def copied(self, folder: Path) -> Asking:
        """One like it over a copy of its folder, which must be closed."""
        shutil.copytree(self.folder, folder)
        shutil.copy(self.folder.with_name(f"{self.folder.name}.key"), folder.with_name(f"{folder.name}.key"))
        return replace(self, folder=folder)

    def look(self, asked: Question | str, where: Namespace | None = None, terms: Terms | None = None) -> Look:
        made = question(asked) if isinstance(asked, str) else asked
        return self.cache.look(where or self.where, made, terms or self.terms, self.now)

    def ask(
        self, asked: Question | str, where: Namespace | None = None, terms: Terms | None = None
    ) -> tuple[Outcome, str | None]:
        """What became of it, and what was answered."""
        made = question(asked) if isinstance(asked, str) else asked
        look = self.look(made, where, terms)
        if look.served is not None:
            return look.outcome, look.served.text
        said = self.model(made.wording or "")
        if look.ticket is None:
            return look.outcome, said
        answer = None if said is None else answered(said)
        return self.cache.learn(look.ticket, answer, self.now), said

    def certify(self, ways: Sequence[str] = WAYS, values: Iterable[int] = range(10_000, 12_000)) -> None:
        """Ask these of one value after the other until another's answer is served, in each wording."""
        served: set[str] = set()
        for value in values:
            for way in ways:
                if self.ask(way.format(value))[0] is Outcome.SEMANTIC:
                    served.add(way)
            if len(served) >= len(ways) - 1:
                return
        raise AssertionError(f"not certified: {self.cache.states()}")

    def kept(self, asked: Question | str, text: str, where: Namespace | None = None) -> None:
        """An answer is there, whatever would be served."""
        shadow = replace(self.terms, mode=Mode.SHADOW)
        made = question(asked) if isinstance(asked, str) else asked
        look = self.look(made, where, shadow)
        assert look.ticket is not None
        self.cache.learn(look.ticket, answered(text), self.now)

    def later(self, by: timedelta) -> None:
        self.now += by
