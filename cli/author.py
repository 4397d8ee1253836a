"""Who moves something by hand, as the engine's log names them."""

from __future__ import annotations

import getpass

__all__ = ["author"]


def author(given: str | None) -> str:
    """Who is named, else the user of this machine."""
    if given:
        return given
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return "someone without a user name"
