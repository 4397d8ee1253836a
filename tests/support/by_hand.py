"""Spans made by hand, as a decoder hands them to billing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from collector.billing import bill
from collector.call import Call, Flag, NotBilled
from collector.span import Span

__all__ = ["booked", "refused", "span"]


def span(
    attributes: Mapping[str, Any],
    scope: str = "by-hand",
    version: str = "1",
    *,
    error: bool = False,
    start_ns: int = 1_000_000_000,
    end_ns: int = 2_000_000_000,
    flags: tuple[Flag, ...] = (),
) -> Span:
    """A span of one second with those of the attributes that are not None."""
    return Span(
        trace_id=f"{1:032x}",
        span_id=f"{1:016x}",
        parent_span_id=None,
        start_ns=start_ns,
        end_ns=end_ns,
        error=error,
        scope_name=scope,
        scope_version=version,
        attributes={name: value for name, value in attributes.items() if value is not None},
        flags=flags,
    )


def booked(attributes: Mapping[str, Any], scope: str = "by-hand", version: str = "1", **fields: Any) -> Call:
    """The call that such a span is booked as."""
    result = bill(span(attributes, scope, version, **fields))
    assert isinstance(result, Call), result
    return result


def refused(
    attributes: Mapping[str, Any], scope: str = "by-hand", version: str = "1", **fields: Any
) -> NotBilled:
    """Why such a span is no call."""
    result = bill(span(attributes, scope, version, **fields))
    assert isinstance(result, NotBilled), result
    return result
