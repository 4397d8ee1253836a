"""Measures how often the judge that comes with the package is wrong, on a labelled sample of agents' answers.

    .venv/bin/python benchmarks/cache_judge.py [--half odd] [--show]

The sample (`cache_streams/answers.yaml`) has questions, each with its right answer in several wordings and wrong ones
of five classes. Slots are filled with values drawn at random, several times. Odd questions were looked at while the
judge was written; what is quoted are the even ones. Both were written by who wrote the judge: answers of a real
workload are reworded in more ways. Prints how often different answers are called the same, by class, and how often the
same ones are called different, by kind of answer; and the counts, of which `WordJudge.error` has the first two. There a
question counts once for each class, whatever was drawn: draws of one question are no independent pairs. Classes weigh
the same.
"""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from math import ceil
from random import Random
from typing import Any

import yaml
from cache_bank import FOLDER, drawn, filled, slots_of

from switchgear.cache.bound import JudgeError
from switchgear.cache.judge import Judge, WordJudge

__all__ = ["CLASSES", "Example", "Measured", "measured", "sample"]

CLASSES = ("one", "all", "opposite", "entity", "missing")
"""What is wrong with an answer: one fact, all facts, the verdict, whom it is about, a condition that is missing."""
_DRAWS = 6
_ALPHA = 0.1


@dataclass(frozen=True, slots=True)
class Example:
    """A question's kept and fresh answer, and what is wrong with one of them; None: they mean the same."""

    number: int
    kind: str
    asked: str
    kept: str
    fresh: str
    wrong: str | None


@dataclass(frozen=True, slots=True)
class Measured:
    """How often the judge was wrong, of how many: by class of different answers, by kind of the same ones."""

    missed: Mapping[str, tuple[int, int]]
    alarms: Mapping[str, tuple[int, int]]
    error: JudgeError
    wrong: Sequence[Example]
    """Where it was."""

    @property
    def false_same(self) -> float:
        """The mean of the classes' shares."""
        return sum(wrong / pairs for wrong, pairs in self.missed.values()) / len(self.missed)

    @property
    def false_different(self) -> float:
        return sum(wrong for wrong, _ in self.alarms.values()) / sum(
            pairs for _, pairs in self.alarms.values()
        )


def sample(half: int, random: Random) -> Iterator[Example]:
    """Pairs of the odd (1) or the even (0) questions."""
    document = yaml.safe_load((FOLDER / "answers.yaml").read_text(encoding="utf-8"))
    for number, each in enumerate(document, 1):
        if number % 2 == half:
            for _ in range(_DRAWS):
                yield from _pairs(number, each, document, random)


def measured(judge: Judge, examples: Sequence[Example]) -> Measured:
    """What the judge says of pairs of which it is known."""
    pairs: defaultdict[tuple[str | None, str], Counter[bool]] = defaultdict(Counter)
    by_question: defaultdict[tuple[str | None, int], Counter[bool]] = defaultdict(Counter)
    wrong = []
    for each in examples:
        said_same = judge(each.asked, each.kept, each.fresh)
        errs = said_same is not None and said_same != (each.wrong is None)
        pairs[each.wrong, each.kind if each.wrong is None else ""][errs] += 1
        by_question[each.wrong, each.number][errs] += 1
        if errs:
            wrong.append(each)
    return Measured(
        {it: (pairs[it, ""][True], pairs[it, ""].total()) for it in CLASSES},
        {kind: (count[True], count.total()) for (it, kind), count in pairs.items() if it is None},
        _error(by_question),
        wrong,
    )


def _error(by_question: Mapping[tuple[str | None, int], Counter[bool]]) -> JudgeError:
    """A question and class as one pair, wrong by the part of its draws that are; every class as often as the rarest."""
    parts: defaultdict[str | None, list[float]] = defaultdict(list)
    for (it, _), count in by_question.items():
        parts[it].append(count[True] / count.total())
    fewest = min(len(parts[it]) for it in CLASSES)
    missed = fewest * sum(sum(parts[it]) / len(parts[it]) for it in CLASSES)
    # Each is rounded to the side that makes the bound smaller.
    return JudgeError(fewest * len(CLASSES), ceil(missed), len(parts[None]), int(sum(parts[None])))


def _pairs(
    number: int, question: Mapping[str, Any], all_: Sequence[Mapping[str, Any]], random: Random
) -> Iterator[Example]:
    kind, right = question["kind"], question["same"]
    classes = {it: question[it] for it in CLASSES if it in question}
    if kind == "paragraph":
        classes["all"] = random.choice([it for it in all_ if it["kind"] == kind and it is not question])[
            "same"
        ][0]
    wrong = {it: _wording(right[0], what) for it, what in classes.items()}
    values = _values([question["asked"], *right, *wrong.values()], random)
    asked = filled(question["asked"], values, random)
    for one, other in permutations(right, 2):
        yield Example(number, kind, asked, filled(one, values, random), filled(other, values, random), None)
    for it, text in wrong.items():
        redrawn = classes[it] if isinstance(classes[it], list) else ()
        others = values | {slot: _another(slot, values[slot], random) for slot in redrawn}
        for one in right:
            yield Example(number, kind, asked, filled(one, values, random), filled(text, others, random), it)


def _wording(right: str, what: Any) -> str:
    """The wrong answer that the sample tells of: a text, phrases put in the place of others, or slots."""
    if isinstance(what, str):
        return what
    if isinstance(what, Mapping):
        for old, new in what.items():
            assert right.count(old) == 1, f"{old!r} stands {right.count(old)} times in {right!r}"
            right = right.replace(old, new)
    return right


def _values(texts: Sequence[str], random: Random) -> dict[str, tuple[str, ...]]:
    """A value for each slot of the texts, none twice."""
    found: dict[str, tuple[str, ...]] = {}
    for slot in dict.fromkeys(slot for text in texts for slot in slots_of(text)):
        while (value := _drawn(slot, random)) in found.values():
            pass
        found[slot] = value
    return found


def _another(slot: str, value: tuple[str, ...], random: Random) -> tuple[str, ...]:
    while (other := _drawn(slot, random)) == value:
        pass
    return other


def _drawn(slot: str, random: Random) -> tuple[str, ...]:
    if slot == "digit":
        return (str(random.randrange(1, 10)),)
    # Within JSON a number has one way to be written.
    return drawn("amount", random)[:1] if slot == "amount_plain" else drawn(slot, random)


def main() -> None:
    options = argparse.ArgumentParser(description="Measures the judge that comes with the package.")
    options.add_argument("--half", choices=("even", "odd"), default="even")
    options.add_argument("--show", action="store_true", help="print the pairs that it is wrong about")
    chosen = options.parse_args()
    judge = WordJudge()
    found = measured(judge, list(sample(int(chosen.half == "odd"), Random(1))))
    if chosen.show:
        for each in {(it.number, it.wrong): it for it in found.wrong}.values():
            print(f"{each.number} {each.kind} {each.wrong or 'same'}: {each.kept!r} | {each.fresh!r}")
    print(f"judge {judge.name}, {chosen.half} questions")
    for title, counts in (
        ("different, called the same", found.missed),
        ("the same, called different", found.alarms),
    ):
        print(title)
        for name, (wrong, pairs) in counts.items():
            print(f"  {name:<12}{wrong:>6} of {pairs:>6,} {100 * wrong / pairs:>6.1f} %")
    error = found.error
    print(f"false same, classes weighed the same: {100 * found.false_same:.1f} %", end="")
    print(f" (at most {100 * error.misses_at_most(_ALPHA):.1f} %, by counts of questions)")
    print(f"false different: {100 * found.false_different:.1f} %")
    print(error)


if __name__ == "__main__":
    main()
