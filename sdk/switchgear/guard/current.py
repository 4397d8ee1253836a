"""The guard of this process: one slot, empty until `configure` fills it."""

from __future__ import annotations

import os

from .guard import Guard

__all__ = ["current", "install"]

_guard: Guard | None = None


def install(guard: Guard | None) -> None:
    """Put the guard in place, or take it away."""
    global _guard
    _guard = guard


def current() -> Guard | None:
    """The guard of this process, None where nothing is configured or guarding is off."""
    return _guard


def _forked() -> None:
    if _guard is not None:
        _guard.forked()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
