"""Without: what libraries load wherever it is installed, though nothing of a process of ours needs it.

Arrow and DuckDB load pandas, which comes with the dashboard, and NumPy; httpcore loads trio.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

__all__ = ["bring_back", "leave_out"]


class _LeftOut:
    """Finds nothing, and says of these modules that they are not there."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = frozenset(names)

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: object = None) -> None:
        if name in self._names:
            raise ModuleNotFoundError(f"{name} is left out of this process", name=name)


def leave_out(*names: str) -> None:
    """From now on this process has no such modules, but for those that it has loaded."""
    sys.meta_path.insert(0, _LeftOut(names))


def bring_back() -> None:
    """From now on this process has whatever is installed."""
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, _LeftOut)]
