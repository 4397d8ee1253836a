"""Identity: what makes a span fit or odd, by the same rules whichever encoding it came in."""

from __future__ import annotations

from ..call import Flag, NotBilled

__all__ = ["MAX_NANOSECONDS", "flags_of", "parent_of", "unfit"]

MAX_NANOSECONDS = 2**63 - 1
_NO_TRACE = "0" * 32
_NO_SPAN = "0" * 16


def unfit(trace_id: str, span_id: str, start_ns: int) -> NotBilled | None:
    """Why a span is none: an id that is no id, or a start that is no time. Ids are in lower case."""
    if (
        len(trace_id) == 32
        and len(span_id) == 16
        and trace_id != _NO_TRACE
        and span_id != _NO_SPAN
        and 0 <= start_ns <= MAX_NANOSECONDS
    ):
        return None
    problem = f"start time {start_ns} is no time in nanoseconds since 1970"
    for what, identifier, digits in (("span", span_id, 16), ("trace", trace_id, 32)):
        if len(identifier) != digits:
            problem = f"{what} id of {len(identifier) // 2} bytes; it has {digits // 2}"
        elif not identifier.strip("0"):
            problem = f"{what} id is all zero"
    return NotBilled(trace_id[:64], span_id[:64], "bad_id", problem, rejected=True)


def parent_of(parent_span_id: str) -> str | None:
    """The id of a parent, or None where it is no id."""
    return None if len(parent_span_id) != 16 or parent_span_id == _NO_SPAN else parent_span_id


def flags_of(*, twice: bool, cut: bool) -> tuple[Flag, ...]:
    """The flags of a span of which an attribute came twice, or was cut."""
    if not (twice or cut):
        return ()
    return (*((Flag.DUPLICATE_KEYS,) if twice else ()), *((Flag.TRUNCATED,) if cut else ()))
