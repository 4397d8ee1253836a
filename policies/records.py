"""What the engine's journal keeps: each grant and what became of it, what was set by hand, where the feed was read to.

From these, and from the collector's feed, an engine that starts again has the counters of the one before. Times are
seconds since the epoch.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from switchgear.usage import Usage

from .admission import GrantRequest
from .costs import Sized
from .model import Dimension
from .sizing import Request

__all__ = [
    "Base",
    "Extended",
    "Forced",
    "Held",
    "Learned",
    "Overridden",
    "Position",
    "Record",
    "Released",
    "Settled",
    "Stopped",
]


class _Record(msgspec.Struct, array_like=True, frozen=True, gc=False):
    at: float


class Held(_Record, tag="held", frozen=True):
    """A grant was given, for `call`: what was asked for, degraded or capped perhaps."""

    request: GrantRequest
    call: Request
    sized: Sized
    expires_at: float
    calls: int | None = None
    """For how many calls in all; None, as before there were spare ones: for as many as were asked for."""


class Extended(_Record, tag="extended", frozen=True):
    """One hold of a grant has another size; all that are left of it have more time."""

    grant: str
    sized: Sized
    expires_at: float
    number: int = 1


class Settled(_Record, tag="settled", frozen=True):
    """A call of a grant ended. Amounts in atoms and tokens, None where the provider's counts did not come."""

    lease: str
    model: str | None
    usage: Usage | None
    response_id: str | None
    money: int | None
    tokens: int | None


class Released(_Record, tag="released", frozen=True):
    """So many calls of a grant were not made, or not billed; None is all that were left."""

    grant: str
    calls: int | None
    apart: tuple[int, ...] = ()
    """The numbers of those that had a size of their own. Of those that are alike it does not matter which."""
    named: int = 0
    """The number of a single one that was named."""


class Forced(_Record, tag="forced", frozen=True):
    """Breakers were moved by hand; None gives them back."""

    ceilings: list[str]
    state: str | None
    by: str
    reason: str
    until: float | None


class Overridden(_Record, tag="overridden", frozen=True):
    """A ceiling was given another limit for a time; without a limit, that override ended."""

    id: str
    ceiling: str
    limit: Decimal | None
    until: float
    author: str
    reason: str
    scope: tuple[tuple[Dimension, str], ...] = ()


class Stopped(_Record, tag="stopped", frozen=True):
    """A task was stopped by hand."""

    tenant: str
    task: str
    by: str
    reason: str


class Position(_Record, tag="position", frozen=True):
    """All of the feed up to `seq` was taken in."""

    seq: int


class Base(_Record, tag="base", frozen=True):
    """The first record of the base: it holds all that mattered of the segments up to this one."""

    through: int


class Learned(_Record, tag="learned", frozen=True):
    """What was learned so far, in the place of the records it was learned from."""

    state: dict[str, dict[str, Any]]


Record = Held | Extended | Settled | Released | Forced | Overridden | Stopped | Position | Learned | Base
