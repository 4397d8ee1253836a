"""Fields: what one span says, by the names of a dialect; documents are opened when first asked for."""

from __future__ import annotations

import math
from collections.abc import Mapping

from switchgear.usage import MAX_TOKENS_PER_CALL

from ..span import Scalar
from .document import Inside, opened, within

__all__ = ["BadValueError", "Fields"]


class BadValueError(ValueError):
    """An attribute with a value that cannot be: names the attribute and the value."""


class Fields:
    """The attributes of one span, and what stands inside the documents that some of them hold."""

    __slots__ = ("_attributes", "_documents")

    def __init__(self, attributes: Mapping[str, Scalar]) -> None:
        self._attributes = attributes
        self._documents: dict[str, object] | None = None

    def get(self, name: str) -> Scalar | None:
        """The value of that name, or None."""
        value = self._attributes.get(name)
        if value is None and type(name) is Inside:
            return self._inside(name)
        return value

    def text(self, names: tuple[str, ...]) -> str | None:
        """The first of `names` that holds text."""
        for name in names:
            value = self._attributes.get(name)
            if value is None and type(name) is Inside:
                value = self._inside(name)
            if isinstance(value, str) and value:
                return value
        return None

    def tokens(self, names: tuple[str, ...]) -> int | None:
        """The first of `names` that is there, as a count. Raises BadValueError where it is none."""
        for name in names:
            value = self._attributes.get(name)
            if value is None:
                if type(name) is not Inside:
                    continue
                value = self._inside(name)
                if value is None:
                    continue
            if type(value) is int and 0 <= value <= MAX_TOKENS_PER_CALL:
                return value
            return _whole(name, value)
        return None

    def number(self, names: tuple[str, ...]) -> int | None:
        """The first of `names` that is a count; what is none is passed over."""
        for name in names:
            value = self.get(name)
            if value is not None and (count := _integer(value)) is not None:
                return count
        return None

    def any_of(self, attributes: frozenset[str]) -> bool:
        """Whether one of the attributes is there."""
        return not attributes.isdisjoint(self._attributes)

    def source(self, names: tuple[str, ...]) -> str | None:
        """The first of `names` that is there."""
        return next((name for name in names if self.get(name) is not None), None)

    def says(self, name: str, value: str) -> bool:
        """Whether `name` holds `value`, in whatever case; true and false stand for themselves."""
        held = self.get(name)
        return isinstance(held, str | bool) and str(held).lower() == value

    def _inside(self, place: Inside) -> Scalar | None:
        if self._documents is None:
            self._documents = {}
        if place.attribute not in self._documents:
            text = self._attributes.get(place.attribute)
            self._documents[place.attribute] = opened(text, place.notation)
        return within(self._documents[place.attribute], place.path)


def _whole(name: str, value: Scalar) -> int:
    count = _integer(value)
    if count is None or not 0 <= count <= MAX_TOKENS_PER_CALL:
        shown = "a list or map" if value == () else repr(value)[:64]
        raise BadValueError(
            f"{name} = {shown}: a token count is a whole number from 0 to {MAX_TOKENS_PER_CALL}"
        )
    return count


def _integer(value: Scalar) -> int | None:
    match value:
        case bool():
            return None
        case int():
            return value
        case float() if math.isfinite(value) and value.is_integer():
            return int(value)
        case str() if value.isascii() and value.isdigit() and len(value) <= 20:
            return int(value)
    return None
