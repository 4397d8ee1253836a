"""Documents: YAML files that people write by hand, read with positions and refused with every error and its place.

A file is read into a tree, checked by a pydantic model, and by what no single field shows; each problem is one line:
file:line:column: where: why. What is read here is turned into frozen values by whoever knows what it means.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from .trees import ListTree, MapTree, Place, TreeError, tree_in

__all__ = [
    "DocumentError",
    "Location",
    "nearest",
    "place_of",
    "quoted",
    "read",
    "refused",
    "tree_of",
    "validated",
]

Location = tuple[str | int, ...]
"""The way to a part of a document: ("ceilings", 0, "limit")."""

_UNUSABLE = "not YAML that can be used"
# Nobody mends more at once, and each costs a search for the name that was meant.
_MOST_ERRORS = 100
_MOST_NAMES = 1000
_LONGEST = 60
# What pydantic puts into a location beside keys and indices.
_NOTES = frozenset({"[key]", "[length]", "[calendar]"})
_WANTED = {
    "dict_type": 'no mapping; write its entries below it, each "name: value"',
    "model_type": 'no mapping; write its settings below it, each "name: value"',
    "list_type": 'no list; write each entry below it, after "- "',
    "string_type": "no text; write one, in quotes",
    "bool_parsing": "neither true nor false; write one of them",
    "bool_type": "neither true nor false; write one of them",
}
_Model = TypeVar("_Model", bound=BaseModel)
_Problem = tuple[Place, Location, str]


class DocumentError(Exception):
    """A file that cannot be used; its text is one line per error: file:line:column: where: why."""


def read(path: Path) -> str:
    """The text of a file. Raises DocumentError where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        before = error.object[: error.start]
        line, column = before.count(b"\n") + 1, error.start - before.rfind(b"\n")
        raise DocumentError(
            f"{path}:{line}:{column}: cannot be read: it is no UTF-8 ({error.reason}); save it as UTF-8"
        ) from None
    except OSError as error:
        raise DocumentError(f"{path}: cannot be read: {error.strerror}") from None


def tree_of(text: str, name: str) -> MapTree:
    """What the text of the file `name` holds, with the place of each part. Raises DocumentError."""
    try:
        tree = tree_in(text)
    except TreeError as error:
        told = sorted(error.problems)[:_MOST_ERRORS]
        raise DocumentError(
            "\n".join(f"{name}:{at.line}:{at.column}: {_UNUSABLE}: {why}" for at, why in told)
        ) from None
    if not isinstance(tree, MapTree):
        raise DocumentError(f'{name}:1:1: the file holds no mapping; it starts with "version: 1"')
    return tree


def validated(model: type[_Model], tree: MapTree, name: str) -> _Model:
    """The tree as `model` has it. Raises DocumentError that tells of every field that is not as it should be."""
    try:
        return model.model_validate(tree)
    except ValidationError as error:
        found = [(place_of(tree, item["loc"], at_key=_is_of_key(item)), item) for item in error.errors()]
    found.sort(key=lambda each: each[0])
    raise _told(name, ((place, item["loc"], _reason(model, item)) for place, item in found))


def refused(tree: MapTree, name: str, errors: Iterable[tuple[Location, str]]) -> DocumentError:
    """The error that tells of these problems, each a place and a reason."""
    return _told(name, ((place_of(tree, where), where, why) for where, why in errors))


def place_of(tree: MapTree, where: Location, *, at_key: bool = False) -> Place:
    """Where the deepest part of `where` that the file has begins: its value, or (`at_key`) its key."""
    place, node = tree.at, tree
    for part in where:
        if isinstance(node, MapTree) and part in node:
            place = node.keys_at[part] if at_key else node.values_at[part]
        elif isinstance(node, ListTree) and isinstance(part, int) and part < len(node):
            place = node.items_at[part]
        elif part in _NOTES:
            continue
        else:
            return place
        node = node[part]
    return place


def quoted(value: object) -> str:
    """A value of a file as an error repeats it: on one line, and not too long."""
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "a mapping"
    if value is None:
        return "nothing"
    if not isinstance(value, str):
        return _cut(str(value).lower() if isinstance(value, bool) else str(value))
    return '"' + _cut("".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in value)) + '"'


def nearest(value: object, names: Iterable[str]) -> str:
    """'; did you mean "acme"?', where a name is like the value; else nothing."""
    known = list(islice(names, _MOST_NAMES))
    if not isinstance(value, str) or len(value) > _LONGEST:
        return ""
    by_case = {name.lower(): name for name in known}
    close = get_close_matches(value.lower(), by_case, n=1, cutoff=0.6)
    return f'; did you mean "{by_case[close[0]]}"?' if close else ""


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def _told(name: str, problems: Iterable[_Problem]) -> DocumentError:
    """One line for each problem, as they stand in the file; of very many, those that are found first."""
    shown = list(islice(problems, _MOST_ERRORS + 1))
    in_order = sorted(shown[:_MOST_ERRORS], key=lambda each: each[0])
    lines = [f"{name}:{at.line}:{at.column}: {_path(where)}: {why}" for at, where, why in in_order]
    if len(shown) > _MOST_ERRORS:
        at, where, _ = shown[_MOST_ERRORS]
        lines.append(
            f"{name}:{at.line}:{at.column}: {_path(where)}: more problems follow; mend the {_MOST_ERRORS} before first"
        )
    return DocumentError("\n".join(lines))


def _is_of_key(error: Any) -> bool:
    return error["type"] in ("extra_forbidden", "invalid_key") or error["loc"][-1:] == ("[key]",)


def _path(where: Location) -> str:
    shown = (
        f"[{part}]" if isinstance(part, int) else f".{_word(part)}" for part in where if part not in _NOTES
    )
    return "".join(shown).removeprefix(".") or "file"


def _word(key: str) -> str:
    return key if key and key.isprintable() and len(key) <= _LONGEST and not {*": "} & {*key} else quoted(key)


def _reason(model: type[BaseModel], error: Any) -> str:
    """Why, and what to write instead."""
    kind, given, where = error["type"], error.get("input"), error["loc"]
    message = str(error["msg"]).removeprefix("Value error, ")
    if kind == "extra_forbidden":
        names = sorted(_settings(model, where[:-1]))
        return f"no such setting here{nearest(where[-1], names) or _among(names)}"
    if kind == "missing":
        field = _settings(model, where[:-1]).get(where[-1])
        examples = field.examples if field is not None else None
        return f"is missing; write {where[-1]}: {examples[0]}" if examples else "is missing"
    if kind in ("enum", "literal_error"):
        names = error["ctx"]["expected"].replace(" or ", ", ").replace("'", "").split(", ")
        if len(names) == 1:
            return f"{quoted(given)} is not known; write {names[0]}"
        return f"{quoted(given)} is none of: {', '.join(names)}{nearest(given, names)}"
    if kind == "invalid_key":
        return f"{quoted(given)} is no setting; a setting is a word{_among(sorted(_settings(model, where[:-1])))}"
    if kind in _WANTED:
        return f"{quoted(given)} is {_WANTED[kind]}"
    told = kind == "value_error" or isinstance(given, list | dict)
    return message if told else f"{message} (it is {quoted(given)})"


def _among(names: list[str]) -> str:
    return f"; there are: {', '.join(names)}" if names else ""


def _settings(model: type[BaseModel], where: Location) -> dict[str, FieldInfo]:
    """What the mapping at `where` may hold, by name."""
    models = {model}
    for part in where:
        # An index, or a name of the file's own, leads on to what the list or mapping holds.
        if held := [field.annotation for each in models if (field := _named(each).get(str(part)))]:
            models = {each for annotation in held for each in _models_in(annotation)}
    return {name: field for each in models for name, field in _named(each).items()}


def _named(model: type[BaseModel]) -> dict[str, FieldInfo]:
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models_in(part)
