"""YAML as a tree in which each part knows its place.

The parser's events are put together here, not by the library: an alias is refused before it makes a file larger than
`MOST_PARTS`, nesting ends at `DEEPEST`, a key stands once, and no tag makes an object. Plain words are read as YAML
1.2 has them: `no` and `on` are text, 2026-01-01 is a date.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, NamedTuple, TypeAlias

import yaml

__all__ = ["DEEPEST", "MOST_PARTS", "ListTree", "MapTree", "Place", "TreeError", "tree_in"]

DEEPEST = 50
# A file of 10,000 ceilings has about 300,000: keys, values, lists and mappings.
MOST_PARTS = 2_000_000

_MERGE = "<<"
_TEXT_TAG = "tag:yaml.org,2002:str"
_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER = re.compile(r"[-+]?[0-9][0-9_]*|0o[0-7_]+|0x[0-9a-fA-F_]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9][0-9_]*(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SPECIAL = {".inf": "inf", "+.inf": "inf", "-.inf": "-inf", ".nan": "nan"}
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MOMENT = re.compile(
    _DATE.pattern + r"[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[-+][0-9]{2}(:?[0-9]{2})?)?"
)
# All that ends a line to the parser.
_BREAK = re.compile(r"\r\n|[\n\r\x85\u2028\u2029]")
# Python reads no longer ones from text.
_LONGEST_INTEGER = 4000


class Place(NamedTuple):
    """A line and a column of a file, from 1."""

    line: int
    column: int


class MapTree(dict[Any, Any]):
    """A mapping: the place of each key and of each value, and its own."""

    __slots__ = ("at", "keys_at", "values_at")

    def __init__(self, at: Place) -> None:
        super().__init__()
        self.at = at
        self.keys_at: dict[Any, Place] = {}
        self.values_at: dict[Any, Place] = {}


class ListTree(list[Any]):
    """A list: the place of each item, and its own."""

    __slots__ = ("at", "items_at")

    def __init__(self, at: Place) -> None:
        super().__init__()
        self.at = at
        self.items_at: list[Place] = []


Tree: TypeAlias = MapTree | ListTree


class TreeError(Exception):
    """Text that is not such YAML: every place where it is not, with the reason."""

    def __init__(self, *problems: tuple[Place, str]) -> None:
        super().__init__(problems)
        self.problems = problems


def tree_in(text: str) -> Any:
    """What the one document in `text` is: a tree, a bare value, or None where there is none. Raises TreeError."""
    builder = _Builder()
    try:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            builder.take(event)
    except yaml.MarkedYAMLError as problem:
        raise TreeError(_misread(str(problem.problem), problem.problem_mark, text)) from None
    except yaml.reader.ReaderError as problem:
        # It counts bytes.
        offset = len(text.encode()[: problem.position].decode(errors="ignore"))
        why = f"the character U+{ord(text[offset]):04X} is not allowed; leave it out"
        raise TreeError((_place_of(offset, text), why)) from None
    except UnicodeEncodeError as problem:
        raise TreeError((_place_of(problem.start, text), "there is half a character; leave it out")) from None
    if builder.twice:
        raise TreeError(*builder.twice)
    return builder.root


@dataclass(slots=True)
class _Open:
    """A list or mapping whose end has not come yet."""

    tree: Tree
    anchor: str | None
    place: Place
    parts: int = 1
    key: Any = None
    key_at: Place | None = None
    merged: list[tuple[Any, Place]] = field(default_factory=list)


class _Builder:
    """The tree so far, and the way from its root to where the next event belongs."""

    def __init__(self) -> None:
        self.root: Any = None
        self.twice: list[tuple[Place, str]] = []
        self._open: list[_Open] = []
        self._named: dict[str, tuple[Any, int]] = {}
        self._parts = 0
        self._documents = 0

    def take(self, event: Any) -> None:
        """Put in what the event tells."""
        if isinstance(event, yaml.ScalarEvent):
            place = _place(event.start_mark)
            self._count(1, place)
            self._put(_scalar(event, place), place, event.anchor, 1)
        elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            self._begin(event)
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            self._end()
        elif isinstance(event, yaml.AliasEvent):
            self._alias(event)
        elif isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                raise TreeError(
                    (_place(event.start_mark), 'a second document begins; a file holds one: leave out "---"')
                )

    def _begin(self, event: Any) -> None:
        place = _place(event.start_mark)
        self._count(1, place)
        if event.tag not in (None, "!"):
            raise TreeError((place, _no_meaning(event.tag)))
        if len(self._open) >= DEEPEST:
            raise TreeError(
                (place, f"lists and mappings stand more than {DEEPEST} deep in each other; no setting does")
            )
        tree = MapTree(place) if isinstance(event, yaml.MappingStartEvent) else ListTree(place)
        self._open.append(_Open(tree, event.anchor, place))

    def _end(self) -> None:
        done = self._open.pop()
        for source, place in done.merged:
            self._merge(done, source, place)
        self._put(done.tree, done.place, done.anchor, done.parts)

    def _alias(self, event: Any) -> None:
        place = _place(event.start_mark)
        if event.anchor not in self._named:
            raise TreeError(
                (
                    place,
                    f"*{event.anchor} stands for nothing before it; write &{event.anchor} where it is first",
                )
            )
        value, parts = self._named[event.anchor]
        self._count(parts, place)
        self._put(value, place, None, parts)

    def _put(self, value: Any, place: Place, anchor: str | None, parts: int) -> None:
        """Give `value`, of so many parts, to the list or mapping that is open: as an item, a key or a key's value."""
        if anchor is not None:
            self._named[anchor] = (value, parts)
        if not self._open:
            self.root = value
            return
        parent = self._open[-1]
        parent.parts += parts
        if isinstance(parent.tree, ListTree):
            parent.tree.append(value)
            parent.tree.items_at.append(place)
        elif parent.key_at is None:
            if isinstance(value, MapTree | ListTree):
                raise TreeError((place, "a list or mapping is no key; a key is a word, or a text in quotes"))
            parent.key, parent.key_at = value, place
        else:
            self._put_value(parent, parent.tree, value, place)
            parent.key_at = None

    def _put_value(self, parent: _Open, tree: MapTree, value: Any, place: Place) -> None:
        key, key_at = parent.key, parent.key_at or place
        if key == _MERGE:
            parent.merged.append((value, place))
        elif key in tree:
            self.twice.append(
                (key_at, f'found duplicate key "{key}"; it stands in line {tree.keys_at[key].line} already')
            )
        else:
            tree[key], tree.keys_at[key], tree.values_at[key] = value, key_at, place

    def _merge(self, into: _Open, source: Any, place: Place) -> None:
        """Take over what `source` has and the mapping has not; of several sources, the first counts."""
        for each in source if isinstance(source, ListTree) else [source]:
            if not isinstance(each, MapTree) or not isinstance(into.tree, MapTree):
                raise TreeError(
                    (place, "<< takes in mappings, and this is none; write << with an alias of one")
                )
            for key in each:
                if key not in into.tree:
                    into.tree[key] = each[key]
                    into.tree.keys_at[key], into.tree.values_at[key] = each.keys_at[key], each.values_at[key]

    def _count(self, parts: int, place: Place) -> None:
        self._parts += parts
        if self._parts > MOST_PARTS:
            raise TreeError(
                (place, f"the file has more than {MOST_PARTS:,} parts, aliases counted in full; split it")
            )


def _place(mark: Any) -> Place:
    return Place(mark.line + 1, mark.column + 1)


def _place_of(offset: int, text: str) -> Place:
    before = _BREAK.split(text[:offset])
    return Place(len(before), len(before[-1]) + 1)


def _scalar(event: Any, place: Place) -> Any:
    """The value of a word as YAML 1.2 reads it; in quotes it is text."""
    text: str = event.value
    if event.tag not in (None, "!", _TEXT_TAG):
        raise TreeError((place, _no_meaning(event.tag)))
    if not event.implicit[0]:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "+-.0123456789":
        return text
    if _INTEGER.fullmatch(text):
        return _integer(text, place)
    if _FLOAT.fullmatch(text):
        return float(text.replace("_", ""))
    if text.lower() in _SPECIAL:
        return float(_SPECIAL[text.lower()])
    try:
        if _DATE.fullmatch(text):
            return date.fromisoformat(text)
        if _MOMENT.fullmatch(text):
            return datetime.fromisoformat(text)
    except ValueError:
        raise TreeError((place, f"there is no day or time {text}; look at each of its numbers")) from None
    return text


def _integer(text: str, place: Place) -> int:
    if len(text) > _LONGEST_INTEGER:
        raise TreeError(
            (
                place,
                f"a number of {len(text)} digits is none that can be meant; write it in quotes, if it is text",
            )
        )
    if text.startswith(("0o", "0x")):
        return int(text.replace("_", ""), 0)
    return int(text.replace("_", ""))


def _no_meaning(tag: str) -> str:
    return f"the tag {tag.replace('tag:yaml.org,2002:', '!!')} has no meaning here; leave it out"


def _misread(problem: str, mark: Any, text: str) -> tuple[Place, str]:
    """Where the parser stopped and its reason, with what is mostly behind it."""
    lines = _BREAK.split(text)
    if mark.line < len(lines):
        return _place(mark), _hinted(problem, lines[mark.line][: mark.column + 1])
    # What ends without a break is one line longer to the parser.
    return _place_of(len(text), text), _hinted(problem, "")


def _hinted(problem: str, line: str) -> str:
    if "\t" in line:
        return f"{problem}; there is a tab: indent with blanks"
    if "mapping values are not allowed" in problem:
        return f'{problem}; put text with ": " in it in quotes, or look at the indentation'
    return f"{problem}; look at the indentation, the brackets and the quotes, here and above"
