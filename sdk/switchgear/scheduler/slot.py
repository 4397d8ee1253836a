"""Slot: what a call that was let go holds until it ends."""

from __future__ import annotations

from .gate import Gate
from .line import Call

__all__ = ["FREE", "Slot"]


class Slot:
    """Held by one call on its way; from any thread, and the thread that ends it need not be the one that began it."""

    __slots__ = ("_call", "_gate", "waited_s")

    def __init__(self, gate: Gate | None = None, call: Call | None = None, waited_s: float = 0.0) -> None:
        self._gate = gate
        self._call = call
        self.waited_s = waited_s
        """Seconds that the call waited for it."""

    def settle(self, tokens: int) -> None:
        """The call took so many tokens (0: it was not served): corrects what it was charged when it went.

        Before or after `release`; said again, the last word counts. Never said, the expectation stands.
        """
        if self._gate is not None and self._call is not None:
            self._gate.settle(self._call, tokens)

    def release(self) -> None:
        """The call has ended, however: the next may go. Again is no matter."""
        if self._gate is not None and self._call is not None:
            self._gate.release(self._call)


# Of all calls that nothing limits.
FREE = Slot()
