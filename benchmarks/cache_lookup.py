"""What a look into the answer cache's store takes: by the very same request, and by meaning, at 100,000 entries.

Once all entries are in one partition, which needs lists in memory, once in 50,000, each of which is compared whole. A
semantic look-up is the embedding of a wording that was never seen, by the model in this process on one thread, and the
nearest five. Each answer is checked. Quote it for the store and the model; not for a call, which also takes its request
apart, and not for long wordings: the model takes about 0.3 ms a token.

4,000 wordings are embedded by the model; the other vectors are mixtures of two of those, as embedding all would take
ten minutes. Their nearest neighbours are told by comparing all.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from result import Figure, show

from switchgear.cache.cache import LocalCache, partition_of
from switchgear.cache.embedding import Embedder, mini_lm
from switchgear.cache.entries import Entries
from switchgear.cache.judge import WordJudge
from switchgear.cache.learned import Learned
from switchgear.cache.model import Answer, Mode, Namespace, Question, Terms

MODEL = mini_lm().name
ENTRIES, QUICK = 100_000, 10_000
EMBEDDED = 4_000
LOOKS = 1_000
MOST = 5
NEW = 10_000_000
"""Wordings from that number on were never put."""
NOW = datetime(2026, 8, 3, 9, tzinfo=UTC)
END = NOW + timedelta(days=1)
WHERE = Namespace("acme", "nightly")
REQUEST_BYTES, ANSWER_BYTES = 1_500, 2_000
ASKS = (
    "How do I",
    "What is the way to",
    "Please tell me how to",
    "Can you",
    "I want to",
    "Help me",
    "Should we",
)
VERBS = (
    "cancel",
    "renew",
    "reset",
    "export",
    "summarize",
    "translate",
    "compare",
    "delete",
    "find",
    "explain",
)
THINGS = (
    "my order",
    "the invoice",
    "a password",
    "the contract",
    "this report",
    "our forecast",
    "the meeting notes",
)
OF = (
    "of last week",
    "for a new customer",
    "in plain words",
    "before it is due",
    "by mail",
    "without losing data",
)
WORDS = (
    *("amount", "balance", "carrier", "delivery", "entry", "figure", "goods", "hour", "item"),
    *("journal", "key", "line", "month", "note", "order", "price"),
)


class Scene(NamedTuple):
    """A folder that is filled: which vector each id has, and where."""

    name: str
    folder: Path
    rows: NDArray[np.float32]
    partitions: int

    def partition(self, number: int) -> bytes:
        """Of the entry of that number; where there is but one, the cache's own of wordings without values."""
        if self.partitions == 1:
            return partition_of(_asked(_wording(Random(0))), (), MODEL)
        return b"gpt-4o-mini, slot %d" % (number % self.partitions)


def main() -> None:
    """Print a line a figure, and with --json all of them as one document at the end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK:,} entries instead of {ENTRIES:,}")
    parser.add_argument("--folder", type=Path, help="where the data goes; default: the temporary folder")
    parser.add_argument("--json", action="store_true", help="print all figures as JSON at the end")
    given = parser.parse_args()
    count = QUICK if given.quick else ENTRIES
    shown: dict[str, list[Figure]] = {}
    embedder = mini_lm()
    shown["the model"] = show("the model, one thread", _model(embedder))
    rows = _rows(embedder, count)
    with tempfile.TemporaryDirectory(prefix="switchgear-cache-", dir=given.folder) as folder:
        for name, partitions in (("in one partition", 1), (f"in {count // 2:,} partitions", count // 2)):
            scene = Scene(name, Path(folder) / f"of-{partitions}", rows, partitions)
            shown[name] = show(f"{count:,} entries {name}", _scene(scene, embedder))
    if given.json:
        print(json.dumps({title: [asdict(each) for each in figures] for title, figures in shown.items()}))


def _model(embedder: Embedder) -> Iterator[Figure]:
    begun = time.perf_counter()
    embedder(["the first"])
    yield Figure("its first text, from its files on", (time.perf_counter() - begun) * 1e3, "ms")
    for words in (10, 30, 60):
        text, taken = " ".join(Random(words).choices(WORDS, k=words)), Taken()
        for _ in range(100):
            with taken.one():
                embedder([text])
        yield from taken.figures(f"a text of {words} words")


def _rows(embedder: Embedder, count: int) -> NDArray[np.float32]:
    random = np.random.default_rng(7)
    known = embedder([_wording(Random(number)) for number in range(min(EMBEDDED, count // 4))])
    first, second = random.integers(len(known), size=(2, count))
    part = random.uniform(0.5, 1.0, (count, 1)).astype(np.float32)
    mixed = part * known[first] + (1 - part) * known[second]
    unit: NDArray[np.float32] = mixed / np.linalg.norm(mixed, axis=1, keepdims=True)
    return unit


def _wording(random: Random) -> str:
    words = " ".join(random.choices(WORDS, k=2))
    return (
        f"{random.choice(ASKS)} {random.choice(VERBS)} {random.choice(THINGS)} {random.choice(OF)}, {words}?"
    )


def _question(number: int) -> Question:
    filler = " ".join(Random(number).choices(WORDS, k=REQUEST_BYTES // 6))
    return Question(f"{number} {filler}".encode(), b"", _wording(Random(number)), None)


def _asked(wording: str) -> Question:
    return Question(wording.encode(), b"", wording)


def _answer(number: int) -> Answer:
    text = f"{number} " + " ".join(Random(-number).choices(WORDS, k=ANSWER_BYTES // 14))
    return Answer("application/json", json.dumps({"choices": [{"text": text}]}).encode(), text, "m")


def _scene(scene: Scene, embedder: Embedder) -> Iterator[Figure]:
    entries = Entries(scene.folder)
    plain, puts = _filled(scene, entries)
    yield from puts.figures("a put")
    entries.close()
    count = len(scene.rows)
    disk = sum(file.stat().st_size for file in scene.folder.iterdir())
    yield Figure("on disk, an entry", disk / count, "bytes")
    yield Figure("  of request, answer and text, as they were", plain / count, "bytes")
    yield from _restarted(scene, embedder)


def _filled(scene: Scene, entries: Entries) -> tuple[int, Taken]:
    """Bytes of requests and answers, and what each put took."""
    plain, taken = 0, Taken()
    for number, row in enumerate(scene.rows):
        question, answer = _question(number), _answer(number)
        with taken.one():
            made = entries.put(WHERE, question, scene.partition(number), row, answer, (), NOW, END)
        assert made == number + 1
        plain += len(question.exact) + len(answer.body) + len(answer.text)
    return plain, taken


def _restarted(scene: Scene, embedder: Embedder) -> Iterator[Figure]:
    before = _resident()
    begun = time.perf_counter()
    entries = Entries(scene.folder)
    try:
        yield Figure("opened anew", (time.perf_counter() - begun) * 1e3, "ms")
        yield from _exact(scene, entries).figures("an exact look-up", 0.2)
        yield from _hits(scene, entries).figures("an exact hit of the cache, which counts it", 0.2)
        begun = time.perf_counter()
        _near(scene, entries, scene.rows[0], 0)
        took_ms = (time.perf_counter() - begun) * 1e3
        yield Figure("the first look by meaning, which reads the partition", took_ms, "ms")
        if scene.partitions == 1:
            taken = _until_settled(scene, entries, embedder)
            yield Figure("from the first look until the lists are made", time.perf_counter() - begun, "s")
            yield Figure("  looks meanwhile", len(taken), "")
            yield from taken.figures("a semantic look-up meanwhile", 25)
        yield from _looks(scene, entries, embedder, range(LOOKS)).figures("a semantic look-up", 25)
        alone = Taken()
        for number in _some(scene, LOOKS):
            with alone.one():
                _near(scene, entries, scene.rows[number], number)
        yield from alone.figures("  of that, without the embedding")
        if scene.partitions == 1:
            yield from _whole(entries, embedder).figures(
                "a look of the cache: read, embed, find, compare by words", 25
            )
        yield Figure(f"the nearest was found, of {LOOKS:,}", _recall(scene, entries, embedder), "looks")
        yield Figure("in memory, an entry: the lists", entries.index_bytes / len(scene.rows), "bytes")
        yield Figure(
            "in memory, an entry: what the process grew by",
            (_resident() - before) / len(scene.rows),
            "bytes",
        )
        assert entries.damaged == 0
    finally:
        entries.close()


def _some(scene: Scene, count: int) -> list[int]:
    return Random(11).sample(range(len(scene.rows)), count)


def _exact(scene: Scene, entries: Entries) -> Taken:
    taken = Taken()
    for number in _some(scene, min(10_000, len(scene.rows))):
        question, wanted = _question(number), _answer(number)
        with taken.one():
            found = entries.exact(WHERE, question, NOW)
        assert found is not None
        assert found.answer == wanted
    return taken


def _hits(scene: Scene, entries: Entries) -> Taken:
    """Of the cache itself, with all that a look counts and writes down."""
    learned = Learned(scene.folder / "learned.db", entries.secrets)
    cache = LocalCache(entries, learned, None, WordJudge())
    terms, taken = Terms(Mode.EXACT), Taken()
    for number in _some(scene, min(10_000, len(scene.rows))):
        question, wanted = _question(number), _answer(number)
        with taken.one():
            look = cache.quick(WHERE, question, terms, NOW)
        assert look is not None
        assert look.served == wanted
    learned.close()
    return taken


def _near(
    scene: Scene, entries: Entries, vector: NDArray[np.float32], number: int
) -> list[tuple[float, int]]:
    found = entries.near(WHERE, scene.partition(number), vector, MOST, NOW)
    return [(near, entry.id) for near, entry in found]


def _looks(scene: Scene, entries: Entries, embedder: Embedder, numbers: Iterable[int]) -> Taken:
    """For wordings that were not embedded before."""
    taken = Taken()
    for number in numbers:
        text = _wording(Random(NEW + number))
        with taken.one():
            _near(scene, entries, embedder([text])[0], number)
    return taken


def _until_settled(scene: Scene, entries: Entries, embedder: Embedder) -> Taken:
    """As many as there is time for until the lists are made."""
    waiting = threading.Thread(target=entries.settled)
    waiting.start()
    taken = _looks(
        scene, entries, embedder, itertools.takewhile(lambda _: waiting.is_alive(), itertools.count())
    )
    waiting.join()
    return taken


def _whole(entries: Entries, embedder: Embedder) -> Taken:
    """Looks of the cache itself, in shadow, for wordings that were not embedded before."""
    cache = LocalCache(entries, Learned(None), embedder, WordJudge())
    terms, taken, found = Terms(Mode.SHADOW), Taken(), 0
    for number in range(LOOKS):
        question = _asked(_wording(Random(2 * NEW + number)))
        with taken.one():
            look = cache.look(WHERE, question, terms, NOW)
        found += look.ticket is not None
    assert found == LOOKS
    return taken


def _recall(scene: Scene, entries: Entries, embedder: Embedder) -> float:
    """How often the first was the nearest of all of the partition."""
    right = 0
    for number in range(LOOKS):
        vector = embedder([_wording(Random(NEW + number))])[0]
        members = np.arange(number % scene.partitions, len(scene.rows), scene.partitions)
        best = (
            float((scene.rows[members] @ vector).max())
            if len(members) < len(scene.rows)
            else float((scene.rows @ vector).max())
        )
        found = _near(scene, entries, vector, number)
        right += bool(found) and found[0][0] > best - 0.001
    return right


class Taken:
    """Milliseconds of each piece of work, by the clock and of this thread's processor."""

    def __init__(self) -> None:
        self._clock: list[float] = []
        self._worked: list[float] = []

    def __len__(self) -> int:
        return len(self._clock)

    @contextmanager
    def one(self) -> Iterator[None]:
        """Time the work inside."""
        clock, worked = time.perf_counter(), time.thread_time()
        yield
        self._worked.append((time.thread_time() - worked) * 1e3)
        self._clock.append((time.perf_counter() - clock) * 1e3)

    def figures(self, name: str, wanted_ms: float | None = None) -> Iterator[Figure]:
        """By the clock, and what of it was work: the rest is waiting, for the disk or for whoever has the core."""
        for kind, taken in (("", self._clock), (" of work", self._worked)):
            cuts = statistics.quantiles(taken, n=100)
            wanted = "" if wanted_ms is None else f"at most {wanted_ms * 1e3:,.0f}"
            yield Figure(f"{name}{kind}, p50", cuts[49] * 1e3, "µs")
            yield Figure(f"{name}{kind}, p99", cuts[98] * 1e3, "µs", wanted)


def _resident() -> int:
    """Bytes of memory that this process holds; 0 where nothing tells."""
    status = Path("/proc/self/status")
    if not status.exists():
        return 0
    [line] = [each for each in status.read_text().splitlines() if each.startswith("VmRSS:")]
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    main()
