"""Plays a stream through a cache, and counts what was served, rightly and wrongly."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random

import numpy as np
from cache_memory import EntriesInMemory
from cache_traffic import Request

from switchgear.cache.bound import JudgeError
from switchgear.cache.cache import LocalCache
from switchgear.cache.embedding import Embedder, Vectors
from switchgear.cache.learned import Learned
from switchgear.cache.model import Answer, Mode, Namespace, Outcome, Question, Terms
from switchgear.cache.wording.reading import read

__all__ = ["Played", "Remembering", "bounded", "ceiling", "certified", "fixed"]

_NOW = datetime(2026, 11, 2, tzinfo=UTC)
_FOR_EVER = timedelta(days=10_000)
_WORKLOAD = "measured"


@dataclass(slots=True)
class Played:
    """What became of a stream, or of the part of it that counts."""

    requests: int = 0
    exact: int = 0
    semantic: int = 0
    wrong: int = 0
    """Of those served for their meaning."""
    repeated: int = 0
    """The very same request was there before: what exact matching alone serves."""
    repeatable: int = 0
    """One of the same truth was there before: what an ideal cache serves."""
    first_hit: int | None = None
    """The number of the request that was the first to be served for its meaning."""
    labels: int | None = None
    """Labels that there were by then."""
    state: str = ""

    @property
    def left(self) -> int:
        """What exact matching leaves of the ideal."""
        return self.repeatable - self.repeated

    @property
    def gain(self) -> float:
        """Served rightly beyond exact matching, as a part of what that leaves."""
        return (self.exact + self.semantic - self.wrong - self.repeated) / self.left if self.left else 0.0

    @property
    def wrong_share(self) -> float:
        """Wrong answers per answer served for its meaning; 0 of none."""
        return self.wrong / self.semantic if self.semantic else 0.0


class Remembering:
    """An embedder that makes the vector of a wording once, for all streams."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self.known: dict[str, Vectors] = {}
        self.name, self.dimensions = embedder.name, embedder.dimensions

    def __call__(self, texts: Sequence[str]) -> Vectors:
        new = [text for text in dict.fromkeys(texts) if text not in self.known]
        for at in range(0, len(new), 8):
            lot = new[at : at + 8]
            self.known.update(zip(lot, self._embedder(lot), strict=True))
        return np.stack([self.known[text] for text in texts])

    def prepare(self, requests: Iterable[Request]) -> None:
        """Make the vectors of a stream's wordings at once, as long ones take longer beside short ones."""
        readings = (read(each.text) for each in requests)
        self(sorted({each.wording.masked for each in readings if each is not None}, key=len))


class Truth:
    """The judge that knows: an answer's text is its truth."""

    name = "truth"
    # Measured on so many that what is not known of it is nothing.
    error = JudgeError(different=10**9, same=10**9)

    def __call__(self, wording: str, kept: str, fresh: str) -> bool | None:
        return kept == fresh


class Erring:
    """A judge that is wrong at random, at rates that a labelled sample of it has said something of."""

    name = "erring"

    def __init__(self, random: Random, misses: float, alarms: float, sample: int) -> None:
        self._random, self._misses, self._alarms = random, misses, alarms
        missed = sum(random.random() < misses for _ in range(sample))
        self.error = JudgeError(sample, missed, sample, sum(random.random() < alarms for _ in range(sample)))

    def __call__(self, wording: str, kept: str, fresh: str) -> bool | None:
        return (
            self._random.random() >= self._alarms if kept == fresh else self._random.random() < self._misses
        )


def ceiling(stream: Sequence[Request]) -> Played:
    """What exact matching, and an ideal cache, serve of a stream."""
    played = Played()
    for _ in _counted(stream, played):
        pass
    return played


def certified(
    stream: Sequence[Request],
    embedder: Embedder,
    bound: Decimal,
    random: Random,
    *,
    split: int,
    confidence: Decimal = Decimal("0.90"),
    judge: Truth | Erring | None = None,
) -> tuple[Played, Played]:
    """The product's cache, from nothing: what became of the requests before `split`, and of those from there on."""
    learned = Learned(None)
    entries = EntriesInMemory()
    cache = LocalCache(
        entries,  # type: ignore[arg-type]
        learned,
        embedder,
        judge or Truth(),
        chance=random.random,
        monotonic=lambda: 0.0,
    )
    terms = Terms(Mode.ON, bound, confidence, _FOR_EVER)
    parts = Played(), Played()
    known = _Known()
    for number, request in enumerate(stream):
        played = parts[number >= split]
        known.count(request, played)
        where = Namespace(request.tenant, _WORKLOAD)
        look = cache.look(where, Question(request.text.encode(), b"", request.text), terms, _NOW)
        if look.served is None:
            if look.ticket is not None:
                cache.learn(look.ticket, Answer("text/plain", b"", request.truth), _NOW)
        elif look.outcome is Outcome.EXACT:
            played.exact += 1
        else:
            if not played.semantic:
                played.first_hit = number if number < split else number - split
                played.labels = max(each.labels for each in cache.states()[0].certificates)
            played.semantic += 1
            played.wrong += look.served.text != request.truth
    states = cache.states()
    parts[0].state = parts[1].state = states[0].state if states else "nothing was compared"
    cache.close()
    return parts


class _Known:
    """What was asked so far: what exact matching, and an ideal cache, would serve."""

    def __init__(self) -> None:
        self._texts: set[tuple[str, str]] = set()
        self._truths: set[str] = set()

    def count(self, request: Request, played: Played) -> None:
        played.requests += 1
        played.repeated += (request.tenant, request.text) in self._texts
        played.repeatable += request.truth in self._truths
        self._texts.add((request.tenant, request.text))
        self._truths.add(request.truth)


def _counted(stream: Sequence[Request], played: Played) -> Iterable[Request]:
    known = _Known()
    for request in stream:
        known.count(request, played)
        yield request


def fixed(
    stream: Sequence[Request],
    embedder: Embedder,
    threshold: float,
    *,
    partitioned: bool = False,
) -> Played:
    """A fixed similarity, as most caches have it: of the whole text, within a tenant; or within its values, too."""
    played = Played()
    texts: dict[tuple[str, str], str] = {}
    kept: dict[object, tuple[list[Vectors], list[str]]] = {}
    for request in _counted(stream, played):
        if texts.get((request.tenant, request.text)) is not None:
            played.exact += 1
            continue
        reading = read(request.text) if partitioned else None
        vector = embedder([request.text if reading is None else reading.wording.masked])[0]
        key = (request.tenant, None if reading is None else reading.slots)
        vectors, truths = kept.setdefault(key, ([], []))
        if vectors:
            cosines = np.asarray(vectors) @ vector
            best = int(np.argmax(cosines))
            if cosines[best] >= threshold:
                played.semantic += 1
                played.wrong += truths[best] != request.truth
                continue
        vectors.append(vector)
        truths.append(request.truth)
        texts[request.tenant, request.text] = request.truth
    return played


def bounded(stream: Sequence[Request], embedder: Embedder, bound: float, random: Random) -> Played:
    """A bound per *request*, as vCache has it: re-derived from arXiv 2502.03771, not its authors' code.

    Each kept answer has a record of its own: (similarity, right or not). From it follows a careful guess that it is
    right at a similarity, and the model is asked so often that wrong answers, over all requests, stay within the bound:
    a miss counts as right.
    """
    played = Played()
    texts: set[tuple[str, str]] = set()
    kept: dict[str, tuple[list[Vectors], list[str], list[list[tuple[float, bool]]]]] = {}
    for request in _counted(stream, played):
        if (request.tenant, request.text) in texts:
            played.exact += 1
            continue
        vector = embedder([request.text])[0]
        vectors, truths, records = kept.setdefault(request.tenant, ([], [], []))
        if vectors:
            cosines = np.asarray(vectors) @ vector
            best = int(np.argmax(cosines))
            similarity, record = float(cosines[best]), records[best]
            right = _right_chance(record, similarity)
            if right > 0 and random.random() >= max(0.0, 1 - bound / max(1 - right, 1e-9)):
                played.semantic += 1
                played.wrong += truths[best] != request.truth
                continue
            record.append((similarity, truths[best] == request.truth))
            if truths[best] == request.truth:
                texts.add((request.tenant, request.text))
                continue
        vectors.append(vector)
        truths.append(request.truth)
        records.append([])
        texts.add((request.tenant, request.text))
    return played


def _right_chance(record: Sequence[tuple[float, bool]], similarity: float) -> float:
    """A careful guess that an answer at this similarity is right, of an entry's record; 0 of fewer than two."""
    if len(record) < 2:
        return 0.0
    nearer = [right for at, right in record if at <= similarity + 1e-9]
    wrong = sum(1 for at, right in record if not right and at >= similarity - 0.02)
    return max(0.0, (sum(nearer) - wrong) / (len(nearer) + 2)) if nearer else 0.0
