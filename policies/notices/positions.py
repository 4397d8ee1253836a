"""Positions: up to which line of the log each destination was told, in a small file that is replaced as a whole."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
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
        self._path = path
        self._writing = threading.Lock()
        self._failing = False
        found = {name: position for name, position in _read(path).items() if name in names}
        # Once for all of them: a log may be long. The line that was told last is there too, to be looked at.
        begin = min((position.told.line for position in found.values()), default=log.length)
        lines = log.since(max(0, begin - 1))
        if not all(_fits(position, lines) for position in found.values()):
            _log.warning("%s is of another log of transitions; this one is told from its begin", path.name)
            found = {name: Position(Place(0, "")) for name in found}
            lines = log.since(0)
        end = Position(Place(log.length, log.head))
        self.of = {name: found.get(name, replace(end)) for name in names}
        self._lines = lines
        self.save()

    def missed(self, name: str) -> list[dict[str, Any]]:
        """The lines that this destination was not told when the log was opened."""
        return [line for line in self._lines if line["id"] > self.of[name].told.line]

    def caught_up(self) -> None:
        """Forget the lines that were missed."""
        self._lines = []

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


def _fits(position: Position, lines: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the line that was told last is the one that stands there now; `lines` begin there or before."""
    told = position.told
    at = told.line - lines[0]["id"] if lines else 0
    return told.line == 0 or (at < len(lines) and lines[at]["hash"] == told.hash)


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
