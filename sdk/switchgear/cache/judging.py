"""Judges that take their time are asked in a thread of their own: no call waits for them."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable

__all__ = ["Later"]

_WAITING = 200
"""What waits at most: what is more is not judged, which is not what makes anything seem right."""
_log = logging.getLogger("switchgear")


class Later:
    """Does what it is given, one by one, in a daemon thread that ends when there is nothing to do."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._work: deque[Callable[[], object]] = deque()
        self._thread: threading.Thread | None = None
        self.left_out = 0
        """What was not done, as too much waited."""

    def soon(self, work: Callable[[], object]) -> None:
        """Do this when what was given before is done."""
        with self._lock:
            if len(self._work) >= _WAITING:
                self.left_out += 1
                return
            self._work.append(work)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="switchgear-cache-judge", daemon=True)
                self._thread.start()

    def settled(self, timeout_s: float | None = None) -> bool:
        """Wait until all is done; False where that takes longer."""
        thread = self._thread
        if thread is not None:
            thread.join(timeout_s)
        return thread is None or not thread.is_alive()

    def drop(self) -> None:
        """What is not begun is not done any more."""
        with self._lock:
            self._work.clear()

    def _run(self) -> None:
        while True:
            with self._lock:
                if not self._work:
                    self._thread = None
                    return
                work = self._work.popleft()
            try:
                work()
            except Exception as error:  # noqa: BLE001 - a judge is whatever was handed over
                # Its words may be somebody's prompt.
                _log.warning(
                    "the answer cache's judge failed (%s): nothing was learned of an answer",
                    type(error).__name__,
                )
