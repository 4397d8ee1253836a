"""Span: what is kept of an OTLP span, whichever encoding it came in. Content is never part of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from msgspec import Struct

from .call import Flag

__all__ = ["MAX_VALUE_CHARS", "Scalar", "Span", "Wanted"]

MAX_VALUE_CHARS = 4096

# A value that is no scalar (a list, a map, bytes) arrives as an empty tuple: it was there, and is no number.
Scalar = str | int | float | bool | tuple[()]


class Span(Struct, frozen=True, gc=False):
    """One span with the attributes that some dialect or switchgear itself reads."""

    trace_id: str
    """32 lower-case hex digits."""
    span_id: str
    """16 lower-case hex digits."""
    parent_span_id: str | None
    start_ns: int
    """Nanoseconds since 1970."""
    end_ns: int
    error: bool
    """Whether its status says ERROR."""
    scope_name: str
    scope_version: str
    attributes: Mapping[str, Scalar]
    flags: tuple[Flag, ...] = ()
    """What decoding found odd."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is kept of a span's attributes."""

    names: frozenset[str]
    """Every attribute that is read."""
    telling: frozenset[str]
    """Those of which a call has at least one: a span without any is known to be none before more of it is read."""
    tenant: str
    """The attribute that names the tenant, which is told of such a span too."""
    documents: Mapping[str, int]
    """Attributes that are opened as documents, and how many characters of them at most."""

    def kept(self, name: str, text: str) -> str:
        """What to keep of the text of an attribute."""
        return text[: self.documents.get(name, MAX_VALUE_CHARS)]
