"""Makes the answer cache's lexicon from WordNet's own files, as Debian's `wordnet-base` installs them.

    .venv/bin/python benchmarks/cache_lexicon.py [/usr/share/wordnet]

Kept are words of letters and hyphens that are not names: all that were seen in WordNet's tagged texts, and of the rest
those that are not plants, animals, parts of the body or substances in their three most usual meanings. What a line of
`lexicon.tsv.gz` has stands in `switchgear/cache/wording/lexicon.py`.
"""

from __future__ import annotations

import gzip
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from switchgear.cache.wording import lexicon

_KINDS = {"n": "noun", "v": "verb", "a": "adj", "r": "adv"}
_WORD = re.compile(r"[a-z]+(-[a-z]+)*")
_NATURE = frozenset({5, 8, 20, 27})
"""WordNet's files of animals, parts of the body, plants and substances."""
_MEANINGS, _USUAL, _ALIKE = 4, 2, 6
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"

Key = tuple[str, str]
"""Part of speech and place in its file."""


class Meaning(NamedTuple):
    words: list[str]
    pointers: list[tuple[str, Key, int, int]]
    """Sign, where to, and of which of the words to which of the other's (0: of all)."""
    file: int


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "/usr/share/wordnet")
    meanings = {key: meaning for kind in _KINDS for key, meaning in _meanings(folder, kind)}
    senses: dict[str, list[list[Key]]] = defaultdict(list)
    for kind in _KINDS:
        for word, keys in _senses(folder, kind):
            senses[word].append(keys)
    seen = Counter(line.split("%")[0] for line in (folder / "cntlist.rev").read_text().splitlines())
    kept = sorted(word for word in senses if _kept(word, senses[word], meanings, seen))
    packed = gzip.compress("\n".join(_lines(kept, senses, meanings)).encode(), 9, mtime=0)
    path = Path(lexicon.__file__).with_name("lexicon.tsv.gz")
    path.write_bytes(packed)
    print(f"{path}: {len(kept):,} words, {len(packed):,} bytes")


def _meanings(folder: Path, kind: str) -> Iterator[tuple[Key, Meaning]]:
    for line in _data(folder / f"data.{_KINDS[kind]}"):
        field = line.split(" | ")[0].split()
        count = int(field[3], 16)
        words = [re.sub(r"\(.*\)", "", field[4 + 2 * number]) for number in range(count)]
        at = 5 + 2 * count
        pointers = []
        for number in range(int(field[at - 1])):
            sign, place, of, both = field[at + 4 * number : at + 4 * number + 4]
            pointers.append((sign, ("a" if of == "s" else of, place), int(both[:2], 16), int(both[2:], 16)))
        yield (kind, field[0]), Meaning(words, pointers, int(field[1]))


def _senses(folder: Path, kind: str) -> Iterator[tuple[str, list[Key]]]:
    for line in _data(folder / f"index.{_KINDS[kind]}"):
        field = line.split()
        yield field[0], [(kind, place) for place in field[-int(field[2]) :]]


def _data(path: Path) -> Iterator[str]:
    # The licence stands first, each line of it behind two spaces.
    return (line for line in path.read_text().splitlines() if not line.startswith("  "))


def _kept(word: str, senses: list[list[Key]], meanings: dict[Key, Meaning], seen: Counter[str]) -> bool:
    if not _WORD.fullmatch(word) or len(word) < 2:
        return False
    if not any(word in meanings[key].words for keys in senses for key in keys):
        return False
    return seen[word] > 0 or any(meanings[key].file not in _NATURE for keys in senses for key in keys[:3])


def _lines(
    kept: list[str], senses: dict[str, list[list[Key]]], meanings: dict[Key, Meaning]
) -> Iterator[str]:
    known = set(kept)
    of = {word: _meant(senses[word], meanings, known) for word in kept}
    shared = Counter(key for keys in of.values() for key in keys)
    derived, opposite = _related(meanings, known, "+\\"), _related(meanings, known, "!")
    numbers: dict[Key, str] = {}
    for word in kept:
        yield "\t".join(
            (
                word,
                " ".join(_number(numbers, key) for key in of[word] if shared[key] > 1),
                " ".join(sorted(each for each in derived[word] if each > word)),
                " ".join(sorted(each for each in opposite[word] if each > word)),
                "v" if any(keys[0][0] == "v" for keys in senses[word]) else "",
            )
        )


def _meant(senses: list[list[Key]], meanings: dict[Key, Meaning], known: set[str]) -> list[Key]:
    """The meanings of a word that others share; of an adjective's two most usual also what WordNet calls similar."""
    found: list[Key] = []
    for keys in senses:
        for rank, key in enumerate(keys[:_MEANINGS]):
            meaning = meanings[key]
            similar = (
                [to for sign, to, *_ in meaning.pointers if sign == "&"]
                if key[0] == "a" and rank < _USUAL
                else []
            )
            if sum(word in known for word in meaning.words) > 1 or similar:
                found.append(key)
            found += similar[:_ALIKE]
    return list(dict.fromkeys(found))


def _related(meanings: dict[Key, Meaning], known: set[str], signs: str) -> defaultdict[str, set[str]]:
    found: defaultdict[str, set[str]] = defaultdict(set)
    for meaning in meanings.values():
        for sign, to, ours, theirs in meaning.pointers:
            if sign in signs and ours and theirs:
                one, other = meaning.words[ours - 1], meanings[to].words[theirs - 1]
                if one != other and {one, other} <= known:
                    found[one].add(other)
                    found[other].add(one)
    return found


def _number(numbers: dict[Key, str], key: Key) -> str:
    """A short name for a meaning."""
    if key not in numbers:
        rest, digits = len(numbers), ""
        while True:
            rest, digit = divmod(rest, 36)
            digits = _DIGITS[digit] + digits
            if not rest:
                break
        numbers[key] = digits
    return numbers[key]


if __name__ == "__main__":
    main()
