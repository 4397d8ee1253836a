"""How much memory a piece of work takes at its most: that of extensions too, which tracemalloc does not see."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_SELF = Path("/proc/self")


@contextmanager
def peak() -> Iterator[Callable[[], int]]:
    """What the work inside took at its most, in bytes, to be asked for after it. Skips where no /proc tells."""
    if not (_SELF / "clear_refs").exists():
        pytest.skip("needs /proc/self/clear_refs")
    # 5: the kernel sets the highest mark back to what is held now.
    (_SELF / "clear_refs").write_text("5")
    before = _held("VmRSS")
    yield lambda: _held("VmHWM") - before


def _held(name: str) -> int:
    [line] = [each for each in (_SELF / "status").read_text().splitlines() if each.startswith(f"{name}:")]
    return int(line.split()[1]) * 1024
