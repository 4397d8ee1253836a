"""Reads a text into its values and its wording: what two texts are compared by."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple
from unicodedata import normalize

from .forms import RELATIONS
from .lexicon import lexicon
from .signs import SIGNS
from .values import values
from .words import ASKING, NEGATIONS, STOP

__all__ = ["Reading", "Token", "Wording", "read"]

LONGEST = 2000
"""Characters of a text that is compared by its meaning; the model that makes vectors sees little more."""
# Vowels of Indic scripts, of Thai and others are marks, which are no letters to `re`, but tell words apart.
_LETTER = r"[^\W\d_][^\w\s\0-\u02ff\u2000-\u206f\u3000-\u303f\ud800-\uf8ff\ufe00-\uffff]*"
_TOKEN = re.compile(rf"\0\d+\0|(?:{_LETTER})+(?:'(?:{_LETTER})+)*")
# Said for manners alone. Elsewhere it may be what the request is about: "how do you say hello?"
_GREETING = (
    r"(?:hello|hey|hi|greetings|good (?:morning|afternoon|evening|day)|thanks|thank you|quick question|excuse me)"
    r"(?: (?:there|team|all|everyone|folks))?"
)
_THANKS = (
    r"(?:thanks|thank you|thx|cheers|(?:(?:kind|best|warm) )?regards)"
    r"(?: (?:in advance|a lot|so much|again|very much))?"
)
_PLEASE = r"(?:please|kindly|pls|plz)"
_OPENING = re.compile(
    rf"\A[^\w\0]*(?:(?:{_GREETING}\s*[,.!;:]+|(?:hi|hey)(?: (?:there|team|all|everyone))?\b(?!\s+in\b))\s*)*"
    rf"(?:{_PLEASE}\b)?"
)
_MANNERS = re.compile(
    rf"(?<=\byou ){_PLEASE}\b|(?<=[.,!?;:]\s){_PLEASE}\b"
    rf"|[,.!?;]\s*{_THANKS}\b[^\w\0]*\Z|(?<!\bsay )(?<!\bspell )(?<!\bfor )(?<!\bof )\b{_PLEASE}\b[^\w\0]*\Z",
)
_HYPHENS = dict.fromkeys(map(ord, "\N{HYPHEN}\N{NON-BREAKING HYPHEN}"), "-")
# Marks of a quotation or a list, and none of what is asked: "> 5 items" are more than 5.
_BEFORE = re.compile(r"\A(?:[\s\u2022]|>(?!=?\s*[-$€£¥.\d])|\*(?![/*\d]|\s[*\d]))+")
# "No" that denies nothing.
_NO_DENIAL = re.compile(r"\byes\s*(?:or|/|,)\s*no\b|\bor\s+not\b")
_NOT_ONLY = re.compile(r"\bnot\s+only\b")
# A limit put as a denial of what is beyond it.
_LIMITS = tuple(
    (re.compile(rf"\b(?:no|not)\s+(?:any\s+)?(?:{beyond})\s+than\b"), limit)
    for beyond, limit in {
        "less|fewer|lower|smaller|under": "at least",
        "more|greater|higher|larger|bigger|over": "at most",
        "later": "by",
        "earlier|sooner": "starting",
    }.items()
)
# Of these kinds a value is a name of something, however it is written; of the others the kind is part of it.
_NAMES = frozenset({"id", "name", "quote", "code", "data", "path", "address", "version"})


class Token(NamedTuple):
    """A word, or the place of a value."""

    word: str
    """In small letters, as it stands; of a value its kind in brackets, `[date]`."""
    plain: str
    """Without its ending."""

    @property
    def is_value(self) -> bool:
        return self.word.startswith("[")


class Wording:
    """A text without its values and its manners. Two with the same words are one."""

    __slots__ = ("content", "negations", "signs", "text", "tokens")

    def __init__(self, tokens: tuple[Token, ...]) -> None:
        self.tokens = tokens
        self.text = " ".join(each.word for each in self.tokens)
        self.content = tuple(
            each
            for each in self.tokens
            if not (each.is_value or each.word in STOP or each.plain in STOP or each.plain in ASKING)
        )
        """The words that say something by themselves."""
        self.negations = sum(1 for each in tokens if each.word in NEGATIONS or each.plain in NEGATIONS)
        spoken = f" {self.text} "
        self.signs = frozenset(sign for sign, pattern in SIGNS.items() if pattern.search(spoken))
        """Of `SIGNS`, what it says: that it asks for a count, that it speaks of what is before..."""

    @property
    def masked(self) -> str:
        """The words, with values' kinds in their places: what is made a vector of."""
        return self.text.replace("[", "").replace("]", "")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Wording) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)


@dataclass(frozen=True, slots=True)
class Reading:
    """A text, read."""

    slots: tuple[tuple[str, str], ...]
    """Its values with their kinds, sorted: texts in which they differ do not mean the same."""
    wording: Wording
    places: tuple[tuple[str, str, str, str], ...]
    """Of each value in turn: its kind, the value, and the plain words before and behind it."""
    relations: frozenset[str]
    """What it says of values by marks, in words: that they are above, below, equal, not."""

    def comparable(self, other: Reading) -> bool:
        """Whether it has the same values, and what both say by marks is the same: "> 5" is never "< 5"."""
        alike = self.relations == other.relations or not (self.relations and other.relations)
        return alike and self.slots == other.slots


@lru_cache(maxsize=16_384)
def read(text: str) -> Reading | None:
    """The text, read; None where it is of no known structure: without words, or longer than `LONGEST`."""
    if len(text) > LONGEST or "\0" in text:
        return None
    # Marks of a quotation or a list before it are none of its own.
    text = _BEFORE.sub("", normalize("NFC", text).translate(_HYPHENS))
    found = sorted(values(text))
    parts, at = [], 0
    for number, value in enumerate(found):
        parts += [text[at : value.start], f" \0{number}\0 "]
        at = value.end
    marked = "".join([*parts, text[at:]])
    kinds = ["name" if each.kind in _NAMES else each.kind for each in found]
    tokens: list[Token] = []
    numbers: list[tuple[int, int]] = []
    for match in _TOKEN.findall(_spoken(marked.lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'"))):
        if match.startswith("\0"):
            number = int(match[1:-1])
            if found[number].kind == "mark":
                # Wording: it puts values in their places, and is none.
                for word in found[number].value.split():
                    tokens += _words(word) if word.isalpha() else [Token(word, word)]
                continue
            numbers.append((len(tokens), number))
            tokens.append(Token(f"[{found[number].kind}]", kinds[number]))
        else:
            tokens += _words(match)
    wording = Wording(tuple(tokens))
    if not wording.content and not any(each.plain in ASKING for each in tokens):
        return None
    return Reading(
        tuple(sorted({(kinds[number], found[number].value) for _, number in numbers})),
        wording,
        tuple(
            (kinds[number], found[number].value, _beside(tokens, at - 1), _beside(tokens, at + 1))
            for at, number in numbers
        ),
        frozenset(RELATIONS[each.value] for each in found if each.kind == "mark" and each.value in RELATIONS),
    )


def _spoken(text: str) -> str:
    """Without manners, and with what is put as a denial put as what it says."""
    # What stands behind a colon may be what is to be translated, or judged: its manners are its own.
    asked, *said = re.split(r"(?<=:)(?=\s)", _OPENING.sub(" ", text), maxsplit=1)
    spoken = "".join([_MANNERS.sub(" ", asked), *said])
    for denied, limit in _LIMITS:
        spoken = denied.sub(limit, spoken)
    return _NO_DENIAL.sub(" ", _NOT_ONLY.sub("also", spoken))


def _words(match: str) -> list[Token]:
    """A word as tokens: "isn't" is two, of "acme's" the ending is left out."""
    plain = lexicon().plain
    word = match.removesuffix("'s").removesuffix("'")
    if word.endswith("n't"):
        return [Token(word[:-3], plain(word[:-3])), Token("not", "not")]
    word = word.replace("'", "")
    return [Token(word, plain(word))] if word else []


def _beside(tokens: list[Token], at: int) -> str:
    return tokens[at].plain if 0 <= at < len(tokens) else ""
