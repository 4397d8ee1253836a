"""Document: a value inside an attribute whose text holds JSON, or what Python prints of a dict."""

from __future__ import annotations

import ast
from enum import Enum
from typing import Self

import orjson

from ..span import Scalar

__all__ = ["MAX_JSON_CHARS", "MAX_PYTHON_CHARS", "Inside", "Notation", "opened", "within"]

# Above these a document is not opened: reading it would cost more than what it holds is worth. An object of two
# characters takes a hundred bytes, so that their number counts too.
MAX_JSON_CHARS = 4 * 1024 * 1024
MAX_JSON_PARTS = 200_000
MAX_PYTHON_CHARS = 8 * 1024


class Notation(Enum):
    """How a document is written down."""

    JSON = "json"
    PYTHON = "python"
    """A literal, as repr() prints a dict."""

    @property
    def max_chars(self) -> int:
        """The longest document that is opened."""
        return MAX_JSON_CHARS if self is Notation.JSON else MAX_PYTHON_CHARS


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
    if not isinstance(text, str) or not text.startswith("{"):
        return None
    if len(text) > notation.max_chars:
        return None
    return _json(text) if notation is Notation.JSON else _python(text)


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


def _json(text: str) -> object:
    if text.count("{") + text.count("[") > MAX_JSON_PARTS:
        return None
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def _python(text: str) -> object:
    """Literals only, nothing is run. A backslash is in no count, and could make the parser warn of its text."""
    if "\\" in text:
        return None
    try:
        return ast.literal_eval(text)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None
