"""Ties a child process to the one that started it: the child ends when its standard input closes."""

from __future__ import annotations

import os
import signal
import sys
import threading

__all__ = ["report_ready", "stop_with_parent"]


def stop_with_parent() -> None:
    """Send SIGTERM to this process once its parent is gone, however the parent died."""

    def watch() -> None:
        while os.read(0, 1):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()


def report_ready() -> None:
    """Say "ready" on standard output and wait for one byte from the parent: all agents begin together.

    Ends this process where the parent is gone instead.
    """
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    if not os.read(0, 1):
        raise SystemExit(1)
