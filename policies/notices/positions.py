"""Positions: up to which line of the log each destination was told, in a small file that is replaced as a whole."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Collection
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson

from ..transitions import TransitionLog
from .events import Place

__all__ = ["Position", "Positions"]

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Position:
    """`told` is the last line that was told, or was nothing for this destination.

    A message up to line `telling` may have left, or not, when the process ended: it is made once more of the same
    lines, so that the receiver knows it by its id.
    """

    told: Place
    telling: int | None = None


class Positions:
    """The positions of some destinations in a log. One that is new begins at the log's end: it is not told what was."""

    def __init__(self, path: Path, log: TransitionLog, names: Collection[str]) -> None:
        self._path, self._log = path, log
        self._writing = threading.Lock()
        self._failing = False
        found = _read(path)
        self.of = {name: self._placed(found.get(name)) for name in names}
        self.save()

    def save(self) -> None:
        """Write them down, from any thread. A full disk costs at most that something is told twice."""
        with self._writing:
            body = orjson.dumps({name: asdict(position) for name, position in self.of.copy().items()})
            fresh = self._path.with_suffix(".new")
            try:
                with fresh.open("wb") as file:
                    file.write(body)
                    file.flush()
                    os.fsync(file.fileno())
                fresh.replace(self._path)
                self._failing = False
            except OSError as error:
                if not self._failing:
                    _log.error("what was told cannot be written down: %s", error)
                self._failing = True

    def _placed(self, position: Position | None) -> Position:
        """The position as it is in this log: another log than the one it was in is told from its begin."""
        if position is None:
            return Position(Place(self._log.length, self._log.head))
        told = position.told
        if told.line == 0:
            return position
        lines = self._log.since(told.line - 1)
        return position if lines and lines[0]["hash"] == told.hash else Position(Place(0, ""))


def _read(path: Path) -> dict[str, Position]:
    """What the file says; nothing of it where it cannot be used, which is logged."""
    try:
        found: Any = orjson.loads(path.read_bytes())
        return {name: Position(Place(**entry["told"]), entry["telling"]) for name, entry in found.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        _log.error("%s cannot be read, so that what happened before now is not told: %s", path.name, error)
        return {}
