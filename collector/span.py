"""Span: what is kept of an OTLP span, whichever encoding it came in. Content is never part of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Scalar", "Span"]

# A value that is no scalar (a list, a map, bytes) arrives as an empty tuple: it was there, and is no number.
Scalar = str | int | float | bool | tuple[()]


@dataclass(frozen=True, slots=True)
class Span:
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
