"""Lists of words, of `words.txt`: which mean little by themselves, and which mean something whatever is around them."""

from __future__ import annotations

import re
from importlib import resources

__all__ = [
    "ASKING",
    "INITIALS",
    "NEGATIONS",
    "NUMBERS",
    "ORDINALS",
    "ORDINARY",
    "PREFIXES",
    "STOP",
    "SYSTEM_PARTS",
]


def _lists() -> dict[str, frozenset[str]]:
    text = resources.files(__package__).joinpath("words.txt").read_text(encoding="utf-8")
    plain = re.sub(r"^#.*$", "", text, flags=re.MULTILINE)
    names, lists = (
        re.findall(r"^\[(\w+)\]$", plain, re.MULTILINE),
        re.split(r"^\[\w+\]$", plain, flags=re.MULTILINE),
    )
    return {name: frozenset(words.split()) for name, words in zip(names, lists[1:], strict=True)}


_LISTS = _lists()
NEGATIONS, STOP, ASKING = (_LISTS[name] for name in ("negations", "stop", "asking"))
INITIALS = _LISTS["initials"]
ORDINARY = STOP | ASKING | NEGATIONS | _LISTS["ordinary"]
PREFIXES, SYSTEM_PARTS = _LISTS["prefixes"], _LISTS["system_parts"]
_TEENS = (
    *("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen"),
    *("fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty"),
)
_TENS = ("thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
NUMBERS = {
    **{word: number for number, word in enumerate(_TEENS, 2)},
    **{word: 10 * number for number, word in enumerate(_TENS, 3)},
    "dozen": 12,
    "hundred": 100,
    "thousand": 1000,
}
_PLACES = ("third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
ORDINALS = {word: number for number, word in enumerate(_PLACES, 3)}
