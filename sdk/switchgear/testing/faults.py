"""What a provider does wrong, on order."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Fault", "Ordered"]


class Fault(StrEnum):
    """A way to go wrong other than by an error status. Those that are billed say so."""

    RESET = "reset"
    """The connection breaks before any of the answer."""
    CUT = "cut"
    """The connection breaks in the middle of the body or of the stream. Billed."""
    TRUNCATED = "truncated"
    """A stream ends properly, but in its middle; a body that is no stream is half a JSON text. Billed."""
    STALL = "stall"
    """Nothing is answered, ever."""
    SLOW = "slow"
    """The first byte comes some seconds later. Billed."""
    GARBAGE = "garbage"
    """The answer is 200 and its body, or each event of its stream, no JSON."""
    NO_USAGE = "no_usage"
    """The answer does not say what it used. Billed."""
    WRONG_TYPE = "wrong_type"
    """The answer is right, and says that it is text/html. Billed."""


@dataclass(frozen=True, slots=True)
class Ordered:
    """A fault that was ordered: an error status, or one of the others."""

    what: int | Fault
    retry_after_s: float | None = None
    slow_s: float = 0.0
