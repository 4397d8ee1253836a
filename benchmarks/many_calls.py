"""Many calls: where a benchmark puts them, and how many, as its command line says; and the best of several times."""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["best_ms", "place"]

ROUNDS = 7


@contextmanager
def place(about: str, name: str, calls: int) -> Iterator[tuple[Path, int]]:
    """A temporary folder, and how many calls to put there: `calls`, unless the command line says otherwise."""
    parser = argparse.ArgumentParser(description=about.splitlines()[0])
    parser.add_argument("--calls", type=int, default=calls, help="how many calls there are")
    parser.add_argument("--folder", type=Path, help="where the data goes; default: the temporary folder")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix=f"switchgear-{name}-", dir=arguments.folder) as folder:
        yield Path(folder), arguments.calls


def best_ms(work: Callable[[], object], *, pause_s: float = 0.0) -> float:
    """The shortest time that `work` takes, in milliseconds; before each of several rounds it is let rest."""
    best = float("inf")
    for _ in range(ROUNDS):
        time.sleep(pause_s)
        begun = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - begun)
    return best * 1000
