"""Settled: what is loaded once is kept out of the sight of the garbage collector.

Streamlit collects garbage after each run of a page or a fragment. That goes through every object that was ever
imported, some hundred thousand of them, and costs more than all else of a page that is read again each second.
"""

from __future__ import annotations

import gc
import sys
from threading import Lock

__all__ = ["settle"]

_lock = Lock()
_modules = 0


def settle() -> bool:
    """Set aside what there is, if a page has loaded modules since the last time; whether it had."""
    global _modules
    with _lock:
        loaded = len(sys.modules)
        if loaded == _modules:
            return False
        _modules = loaded
        gc.collect()
        gc.freeze()
        return True
