"""The engine's own log of transitions: appended lines, each chained to the one before by its hash.

One JSON object a line. `hash` is SHA-256 over the previous hash and the line's other fields, so that a changed,
removed or inserted line breaks the chain from there on.
"""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson

__all__ = ["OVERRIDDEN", "RUNAWAY", "STOPPED", "WARNED", "BrokenChainError", "Transition", "TransitionLog"]

_GENESIS = "0" * 64

WARNED, OVERRIDDEN, STOPPED, RUNAWAY = "warned", "overridden", "stopped", "runaway"
"""In place of a state: a rung `warn` was reached, or a limit changed by hand, and the breaker stays where it is; a task
was stopped by hand, or has run away."""


class BrokenChainError(Exception):
    """A log whose lines do not follow from each other; says which line."""


@dataclass(frozen=True, slots=True)
class Transition:
    """A breaker changed its state. Money as decimal strings in `currency`; `at` in seconds since the epoch."""

    at: float
    policy: str
    scope: dict[str, str]
    before: str
    after: str
    by: str
    reason: str
    spent: Decimal
    held: Decimal
    projected: Decimal
    ceiling: Decimal
    currency: str
    shadow: bool = False

    def to_wire(self) -> dict[str, Any]:
        """The fields of a log line but for its place in the chain."""
        return {
            "at": datetime.fromtimestamp(self.at, UTC).isoformat(),
            "policy": self.policy,
            "scope": self.scope,
            "from": self.before,
            "to": self.after,
            "by": self.by,
            "reason": self.reason,
            "spent": f"{self.spent:f}",
            "held": f"{self.held:f}",
            "projected": f"{self.projected:f}",
            "ceiling": f"{self.ceiling:f}",
            "currency": self.currency,
            "shadow": self.shadow,
        }


class TransitionLog:
    """Appends to a file and keeps the last `keep` lines at hand.

    `followers` are called with the lines of each append once they are durable: they must be quick and not raise.
    """

    def __init__(self, path: Path, keep: int = 200) -> None:
        self._path = path
        self.recent: deque[dict[str, Any]] = deque(maxlen=keep)
        self.followers: list[Callable[[Sequence[dict[str, Any]]], None]] = []
        self.length = 0
        self._hash = _GENESIS
        for line in self.read(after=0):
            self._hash = line["hash"]
            self.length = line["id"]
            self.recent.append(line)

    def states(self) -> dict[tuple[str, frozenset[tuple[str, str]]], dict[str, Any]]:
        """The last line of each breaker, by policy and scope: where it stood when this log was last written to."""
        last = {}
        for line in self.read(after=0):
            if line["to"] not in (WARNED, OVERRIDDEN, STOPPED, RUNAWAY):
                last[line["policy"], frozenset(line["scope"].items())] = line
        return last

    @property
    def head(self) -> str:
        """The hash of the last line."""
        return self._hash

    def append(self, *transitions: Transition) -> None:
        """Write transitions, durable when this returns. Raises OSError where it cannot; none is written then."""
        lines: list[dict[str, Any]] = []
        expected = self._hash
        for number, transition in enumerate(transitions, start=self.length + 1):
            body = {"id": number, **transition.to_wire(), "prev_hash": expected}
            expected = _digest(body)
            lines.append({**body, "hash": expected})
        written = b"".join(orjson.dumps(line) + b"\n" for line in lines)
        with self._path.open("ab", buffering=0) as file:
            end = file.tell()
            try:
                while written:
                    written = written[file.write(written) :]
                os.fsync(file.fileno())
            except OSError:
                # Half a line in the middle would break the chain for whatever is written after it.
                file.truncate(end)
                raise
        self._hash, self.length = expected, self.length + len(lines)
        self.recent.extend(lines)
        for follow in self.followers:
            follow(lines)

    def since(self, after: int) -> list[dict[str, Any]]:
        """The lines with an id above `after`: from memory where it has them all, else read and checked."""
        missing = self.length - after
        if missing <= len(self.recent):
            return list(self.recent)[len(self.recent) - missing :]
        return list(self.read(after))

    def read(self, after: int) -> Iterator[dict[str, Any]]:
        """The lines with an id above `after`, in order. Raises BrokenChainError at the first that does not fit.

        A last line without its end is what a crash left of an append that was never acknowledged: it is cut off.
        """
        if not self._path.exists():
            return
        content = self._path.read_bytes()
        complete = content.rfind(b"\n") + 1
        if complete < len(content):
            with self._path.open("r+b") as file:
                file.truncate(complete)
        expected = _GENESIS
        for number, raw in enumerate(content[:complete].splitlines(), start=1):
            line = _parse(raw)
            body = {name: value for name, value in line.items() if name != "hash"}
            if (
                line.get("prev_hash") != expected
                or line.get("hash") != _digest(body)
                or line.get("id") != number
            ):
                raise BrokenChainError(
                    f"{self._path}:{number}: the line does not follow from the one before it"
                )
            expected = line["hash"]
            if number > after:
                yield line


def _parse(raw: bytes) -> dict[str, Any]:
    try:
        line = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return {}
    return line if isinstance(line, dict) else {}


def _digest(body: dict[str, Any]) -> str:
    return hashlib.sha256(orjson.dumps(body, option=orjson.OPT_SORT_KEYS)).hexdigest()
