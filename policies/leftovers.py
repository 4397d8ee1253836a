"""Leftovers: collects what reference counting leaves behind, in pauses so short that no answer waits for one.

What an engine remembers (grants, calls, scopes) lives for hours and is made of many objects. The collector of cycles
would look through all of it again and again: 0.2 s at ten thousand scopes, growing. So what has lived for a tick is
set aside (`gc.freeze`), and what is looked through is what came since. Cycles that were set aside before they became
garbage (a connection that ended, an answer that was waited for) stay until everything is looked through, once an hour.
"""

from __future__ import annotations

import asyncio
import gc

__all__ = ["collect"]

_EVERY_S = 0.05
_WHOLE_EVERY = 72_000


async def collect() -> None:
    """Keep the pauses short, for ever."""
    try:
        while True:
            for _ in range(_WHOLE_EVERY):
                gc.freeze()
                await asyncio.sleep(_EVERY_S)
            gc.unfreeze()
            gc.collect()
    finally:
        gc.unfreeze()
