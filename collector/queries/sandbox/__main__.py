"""Starts a worker: `python -m collector.queries.sandbox`.

Arrow and DuckDB load pandas and NumPy where these are installed. Nothing in a worker needs them, and without them it
starts in half the time (0.46 s instead of 0.9 s of CPU) and takes 118 MB instead of 164 MB.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

_UNWANTED = frozenset({"pandas", "numpy"})


class _Without:
    """Finds nothing, and says of the unwanted modules that they are not there."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: object = None) -> None:
        if name in _UNWANTED:
            raise ModuleNotFoundError(f"no module {name} in the sandbox", name=name)


if __name__ == "__main__":
    sys.meta_path.insert(0, _Without)
    from .worker import main

    main()
