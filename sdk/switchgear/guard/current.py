"""The guard of this process: one slot, empty until `configure` fills it."""

from __future__ import annotations

import os

from .guard import Guard

__all__ = ["current", "install", "is_off"]

_guard: Guard | None = None
_off = False


def install(guard: Guard | None, *, off: bool = False) -> None:
    """Put the guard in place, or take it away; `off`: this process is configured to have none."""
    global _guard, _off
    _guard, _off = guard, off


def current() -> Guard | None:
    """The guard of this process, None where nothing is configured or guarding is off."""
    return _guard


def is_off() -> bool:
    """Whether this process is configured, and guarding is off."""
    return _off


def _forking() -> None:
    if _guard is not None and _guard.caching is not None:
        _guard.caching.forking()


def _went_on() -> None:
    if _guard is not None and _guard.caching is not None:
        _guard.caching.went_on()


def _forked() -> None:
    if _guard is not None:
        _guard.forked()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_forking, after_in_parent=_went_on, after_in_child=_forked)
