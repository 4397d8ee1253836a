"""What words have to do with each other: the same word, of one meaning, derived, or opposite.

From WordNet 3.0 (Princeton University; its licence stands in `LICENSE-wordnet`), as far as single words go, and a short
list of opposites of business and computing that it lacks. `lexicon.tsv.gz` has a line for each word, with tabs between:
the word, the numbers of its meanings (of the four most usual of each part of speech), words derived from it, words
opposite to it (both said on one word of two), and `v` for a verb.
"""

from __future__ import annotations

import gzip
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from itertools import product

__all__ = ["Lexicon", "lexicon"]

# Words that a prefix turns into their opposites.
_PREFIXES = ("un", "in", "im", "ir", "il", "non", "non-", "dis", "mis", "de", "anti", "anti-")
# Endings and what stands for them in the plain word, after WordNet's own rules (`morph`).
_ENDINGS = (
    ("ies", "y"), ("ied", "y"), ("ches", "ch"), ("shes", "sh"), ("xes", "x"), ("zes", "z"), ("sses", "ss"), ("s", ""),
    ("ed", "e"), ("ed", ""), ("ing", "e"), ("ing", ""), ("iest", "y"), ("ier", "y"), ("est", "e"), ("er", "e"),
    ("est", ""), ("er", ""),
)  # fmt: skip


_NONE = frozenset[str]()


class Lexicon:
    """Relations between words in small letters. Safe in many threads."""

    def __init__(
        self, lines: Iterable[str], opposites: Iterable[tuple[str, str]], irregular: Mapping[str, str]
    ) -> None:
        self._irregular = irregular
        self._meanings: dict[str, frozenset[str]] = {}
        self._derived: defaultdict[str, set[str]] = defaultdict(set)
        self._opposite: defaultdict[str, set[str]] = defaultdict(set)
        self._verbs: set[str] = set()
        for line in lines:
            word, meanings, derived, opposite, verb = line.split("\t")
            if verb:
                self._verbs.add(word)
            self._meanings[word] = frozenset(meanings.split())
            for other in derived.split():
                self._derived[word].add(other)
                self._derived[other].add(word)
            for other in opposite.split():
                self._opposed(word, other)
        for one, other in opposites:
            self._opposed(one, other)

    def plain(self, word: str) -> str:
        """The word without its ending: "invoices" -> "invoice", "paid" -> "pay"."""
        if word in self._irregular:
            return self._irregular[word]
        if self.known(word) and not word.endswith(("s", "ed", "ing")):
            return word
        for ending, plain in _ENDINGS:
            stem = word.removesuffix(ending)
            if stem == word or len(stem) < 2:
                continue
            doubled = not plain and len(stem) > 3 and stem[-1] == stem[-2]
            for found in (stem + plain, *([stem[:-1]] if doubled else [])):
                if self.known(found):
                    return found
        return word

    def known(self, word: str) -> bool:
        return word in self._meanings

    def verb(self, word: str) -> bool:
        """Whether the plain word may be a verb."""
        return word in self._verbs

    def same(self, one: str, other: str) -> bool:
        """Whether two plain words are one, share a meaning, or one is derived from the other."""
        if one == other or other in self._derived.get(one, ()):
            return True
        return not self._meanings.get(one, _NONE).isdisjoint(self._meanings.get(other, _NONE))

    def opposite(self, one: str, other: str) -> bool:
        """Whether two words are opposites, by the lists or by a prefix ("paid", "unpaid")."""
        return self.opposed({one}, {other})

    def opposed(self, ones: AbstractSet[str], others: AbstractSet[str]) -> bool:
        """Whether any of the ones is the opposite of any of the others; takes no longer than to look at each."""
        return any(
            not self._opposite.get(one, _NONE).isdisjoint(others) or _prefixed(one, others) for one in ones
        ) or any(_prefixed(other, ones) for other in others)

    def _opposed(self, one: str, other: str) -> None:
        self._opposite[one].add(other)
        self._opposite[other].add(one)


def _prefixed(word: str, among: AbstractSet[str]) -> bool:
    return len(word) > 3 and any(prefix + word in among for prefix in _PREFIXES)


@cache
def lexicon() -> Lexicon:
    """The lexicon that comes with the package; read once, in some 0.3 s."""
    folder = resources.files(__package__)
    lines = gzip.decompress(folder.joinpath("lexicon.tsv.gz").read_bytes()).decode().split("\n")
    return Lexicon(
        lines, _opposites(_rows(folder, "opposites.txt")), dict(_irregular(_rows(folder, "irregular.txt")))
    )


def _rows(folder: Traversable, name: str) -> list[str]:
    text = folder.joinpath(name).read_text(encoding="utf-8")
    return [line for line in text.splitlines() if not line.startswith("#")]


def _opposites(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        ours, theirs = line.split("|")
        yield from product(ours.split(), theirs.split())


def _irregular(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        plain, forms = line.split(":")
        yield from ((form, plain) for form in forms.split())
