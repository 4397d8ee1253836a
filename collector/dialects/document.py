"""Document: a value inside an attribute whose text holds JSON, or what Python prints of a dict."""

from __future__ import annotations

import re
from enum import Enum
from typing import Self

import orjson

from ..span import Scalar

__all__ = ["MAX_CHARS", "Inside", "Notation", "opened", "within"]

# Above these a document is not opened: reading it would cost more than what it holds is worth. An object of two
# characters takes a hundred bytes, so that their number counts too.
MAX_CHARS = 4 * 1024 * 1024
MAX_PARTS = 200_000

_PYTHON_WORD = re.compile(r"'|\b(?:None|True|False)\b")
_IN_JSON = {"'": '"', "None": "null", "True": "true", "False": "false"}


class Notation(Enum):
    """How a document is written down."""

    JSON = "json"
    PYTHON = "python"
    """As repr() prints a dict of dicts, lists, texts, numbers and None; with a quote inside a text it is not read."""


class Inside(str):
    """Where a value stands: the attribute, then the keys (and places in lists) that lead to it.

    As text it is "attribute#key.key", for messages; it equals no attribute's name.
    """

    __slots__ = ("attribute", "notation", "path")

    attribute: str
    path: tuple[str | int, ...]
    notation: Notation

    def __new__(cls, attribute: str, *path: str | int, notation: Notation = Notation.JSON) -> Self:
        made = super().__new__(cls, f"{attribute}#{'.'.join(map(str, path))}")
        made.attribute, made.path, made.notation = attribute, path, notation
        return made


def opened(text: Scalar | None, notation: Notation) -> object:
    """The document in `text`, or None where there is none that can be read."""
    if not isinstance(text, str) or not text.startswith("{") or len(text) > MAX_CHARS:
        return None
    if text.count("{") + text.count("[") > MAX_PARTS:
        return None
    if notation is Notation.PYTHON:
        # Python's own parser takes 8 ms for 8 KiB of brackets, this 0.1; and here nothing can be run.
        if '"' in text or "\\" in text:
            return None
        text = _PYTHON_WORD.sub(lambda word: _IN_JSON[word[0]], text)
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def within(document: object, path: tuple[str | int, ...]) -> Scalar | None:
    """The value at `path`; None where the path leads nowhere, () where it leads to a list or a map."""
    for step in path:
        match document:
            case dict():
                document = document.get(step)
            case list() if isinstance(step, int) and step < len(document):
                document = document[step]
            case _:
                return None
    match document:
        case None:
            return None
        case str() | int() | float():
            return document
    return ()
