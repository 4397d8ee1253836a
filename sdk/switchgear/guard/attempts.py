"""How clients tell of their attempts: what an answer says to whoever may try again, and how one failed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

__all__ = ["Answer", "Failure", "Wire"]


class Answer(NamedTuple):
    """What a provider's response says to whoever may try again."""

    status: int
    headers: Mapping[str, str]


class Failure(NamedTuple):
    """An attempt that raised: whether anything was sent (and may be billed), and whether to try again."""

    sent: bool
    passing: bool


class Wire(NamedTuple):
    """How one kind of client tells how its attempts ended."""

    answer: Callable[[Any], Answer]
    """Of a response."""
    failure: Callable[[BaseException], Failure]
    close: Callable[[Any], Any] = lambda _response: None
    """Close a response that nobody will read."""
    last: Callable[[Any], None] = lambda _response: None
    """Mark a refusal as one that is not to be tried again."""
