"""Documents: YAML files that people write by hand, read with positions and refused with every error and its line.

A file is read into a tree, checked by a pydantic model, and by what no single field shows; each problem is one line:
file:line: where: why. What is read here is turned into frozen values by whoever knows what it means.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from io import StringIO
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

__all__ = ["DocumentError", "Location", "line_of", "read", "refused", "tree_of", "validated"]

Location = tuple[str | int, ...]
"""The way to a part of a document: ("ceilings", 0, "limit")."""

_UNUSABLE = "not YAML that can be used"
_Model = TypeVar("_Model", bound=BaseModel)


class DocumentError(Exception):
    """A file that cannot be used; its text is one line per error: file:line: where: why."""


def read(path: Path) -> str:
    """The text of a file. Raises DocumentError where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise DocumentError(f"{path}:{line}: cannot be read: {error}") from None
    except OSError as error:
        raise DocumentError(f"{path}: cannot be read: {error}") from None


def tree_of(text: str, name: str) -> CommentedMap:
    """What the text of the file `name` holds, with the place of each part. Raises DocumentError."""
    try:
        tree = YAML(typ="rt").load(StringIO(text))
    except MarkedYAMLError as error:
        twice = _twice(text) if isinstance(error, DuplicateKeyError) else ()
        told = [f'{name}:{line}: {_UNUSABLE}: found duplicate key "{key}"' for line, key in twice]
        # Keys that are spelt in two ways, 1000 and 1_000, are known to the parser alone.
        if told:
            raise DocumentError("\n".join(told)) from None
        mark = error.problem_mark
        line = mark.line + 1 if mark is not None else 1
        raise DocumentError(f"{name}:{line}: {_UNUSABLE}: {_one_line(error.problem)}") from None
    except RecursionError as error:
        raise DocumentError(f"{name}:1: {_UNUSABLE}: {_one_line(error)}") from None
    except (YAMLError, ValueError, TypeError) as error:
        # Dates, tags, keys and characters that the parser trips over without saying where.
        raise DocumentError(f"{name}:{_tripped(text)}: {_UNUSABLE}: {_one_line(error)}") from None
    if not isinstance(tree, CommentedMap):
        raise DocumentError(f'{name}:1: the file holds no mapping; it starts with "version: 1"')
    return tree


def validated(model: type[_Model], tree: CommentedMap, name: str) -> _Model:
    """The tree as `model` has it. Raises DocumentError that tells of every field that is not as it should be."""
    try:
        return model.model_validate(tree)
    except ValidationError as error:
        raise refused(tree, name, ((item["loc"], _reason(item)) for item in error.errors())) from None


def refused(tree: CommentedMap, name: str, errors: Iterable[tuple[Location, str]]) -> DocumentError:
    """The error that tells of these problems, each a place and a reason."""
    return DocumentError(
        "\n".join(f"{name}:{line_of(tree, where)}: {_path(where)}: {why}" for where, why in errors)
    )


def line_of(tree: Any, where: Location) -> int:
    """The 1-based line of the deepest part of `where` that the file has."""
    line, node = 1, tree
    for part in where:
        # What bears a tag, such as !!python/object, has no places.
        if getattr(node, "lc", None) is None or node.lc.data is None:
            return line
        if isinstance(node, CommentedMap) and part in node:
            line = node.lc.key(part)[0] + 1
        elif isinstance(node, CommentedSeq) and isinstance(part, int) and part < len(node):
            line = node.lc.item(part)[0] + 1
        else:
            return line
        node = node[part]
    return line


def _one_line(problem: object) -> str:
    return " ".join(str(problem).split())


def _twice(text: str) -> Iterator[tuple[int, str]]:
    """Each key that stands in its mapping a second time, with its line."""
    waiting: list[Node] = [YAML(typ="rt").compose(StringIO(text))]
    found: list[tuple[int, str]] = []
    while waiting:
        node = waiting.pop()
        if isinstance(node, SequenceNode):
            waiting.extend(node.value)
        elif isinstance(node, MappingNode):
            seen: set[str] = set()
            for key, value in node.value:
                waiting.append(value)
                if str(key.value) in seen:
                    found.append((key.start_mark.line + 1, str(key.value)))
                seen.add(str(key.value))
    return iter(sorted(found))


def _tripped(text: str) -> int:
    """The line of the first value that cannot be read by itself, such as the date 2026-02-30; 1 where none is found."""
    try:
        waiting: list[Node | None] = [YAML(typ="rt").compose(StringIO(text))]
    except (YAMLError, ValueError, RecursionError):
        return 1
    lines, seen = [], set()
    while waiting:
        node = waiting.pop()
        # Aliases lead to a node again.
        if node is None or id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, SequenceNode):
            waiting.extend(node.value)
        elif isinstance(node, MappingNode):
            waiting.extend(part for pair in node.value for part in pair)
        elif isinstance(node, ScalarNode) and node.style is None:
            try:
                YAML(typ="rt").load(StringIO(node.value))
            except (YAMLError, ValueError, TypeError):
                lines.append(node.start_mark.line + 1)
    return min(lines, default=1)


def _path(where: Location) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in where if part != "[key]")
    return text.removeprefix(".") or "file"


def _reason(error: Any) -> str:
    if error["type"] == "extra_forbidden":
        return "no such setting here"
    if error["type"] == "missing":
        return "is missing"
    message = str(error["msg"]).removeprefix("Value error, ")
    given = error.get("input")
    shown = (
        f" (it is {given!r})" if isinstance(given, str | int | float) and str(given) not in message else ""
    )
    return message + shown
