"""Gate: many pass at a time, until it is shut: then all are out, and who comes waits.

For what must not be in use while the process forks.
"""

from __future__ import annotations

import threading
from types import TracebackType

__all__ = ["Gate"]


class Gate:
    """`with gate:` is to be inside. From any thread, and several times in one."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside = 0
        self._shut = False

    def shut(self, within_s: float) -> bool:
        """Let nobody in any more, and wait until all are out; False where that takes longer."""
        with self._changed:
            self._shut = True
            return self._changed.wait_for(lambda: self._inside == 0, within_s)

    def open(self) -> None:
        """Let in again who waits."""
        with self._changed:
            self._shut = False
            self._changed.notify_all()

    def __enter__(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: not self._shut)
            self._inside += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._inside -= 1
            if self._shut and self._inside == 0:
                self._changed.notify_all()
