"""How a judge did on pairs of which a person says whether they are the same."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["counted"]


def counted(said: Sequence[tuple[bool | None, bool]]) -> dict[str, int]:
    """Of what the judge said (None: it could not tell) and what is so: how many, and how often it was wrong."""
    return {
        "pairs": len(said),
        "undecided": sum(judged is None for judged, _ in said),
        "false_same": said.count((True, False)),
        "false_different": said.count((False, True)),
    }
