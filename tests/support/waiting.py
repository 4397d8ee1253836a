"""Waiting for what another thread or process brings about, and says to nobody."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

__all__ = ["until", "until_in_loop"]

_ASKED_AGAIN_S = 0.01


def until(condition: Callable[[], Any], what: str, within_s: float = 20.0) -> None:
    """Ask until `condition` holds; fails after `within_s`, naming what was waited for: "the hold is settled"."""
    deadline = time.monotonic() + within_s
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, f"waited {within_s:.0f} s: {what}"
        pause.wait(_ASKED_AGAIN_S)


async def until_in_loop(condition: Callable[[], Any], what: str, within_s: float = 20.0) -> None:
    """As `until`, of what another task of this event loop brings about."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"waited {within_s:.0f} s: {what}"
        await asyncio.sleep(_ASKED_AGAIN_S)
