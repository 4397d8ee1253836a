"""Logs: one line an event on stderr, as text for a person or as JSON for a machine; used by every service.

What is logged is an event in words and, as `extra`, its fields: who, how many. Nothing from outside can break a line
or run long: texts are escaped, fields cut at 64 characters. Of an exception only the type and the places are kept, as
its text may hold what a prompt said.
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

import orjson

__all__ = ["JSON", "TEXT", "start"]

JSON, TEXT = "json", "text"

_EVENT_CHARS, _FIELD_CHARS = 500, 64
_PLACES = 4
_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def start(service: str, form: str, to: TextIO | None = None) -> None:
    """Write what this process logs to `to` (default: stderr), `form` "json" or "text"; in place of any other place."""
    handler = logging.StreamHandler(to or sys.stderr)
    handler.setFormatter(_Json(service) if form == JSON else _Text())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    for chatty in ("httpx", "httpcore"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


class _Json(logging.Formatter):
    """{"at": ..., "level": ..., "service": ..., "logger": ..., "event": ..., and the fields}."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line of JSON."""
        at = (
            datetime.fromtimestamp(record.created, UTC)
            .replace(tzinfo=None)
            .isoformat(timespec="milliseconds")
        )
        line = {
            "at": f"{at}Z",
            "level": record.levelname.lower(),
            "service": self._service,
            "logger": record.name,
            "event": _event(record),
            **_fields(record),
        }
        return orjson.dumps(line, default=str).decode()


class _Text(logging.Formatter):
    """`switchgear: event field=value`, with the level where it is a warning or worse."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line of text."""
        level = f"{record.levelname.lower()}: " if record.levelno >= logging.WARNING else ""
        fields = "".join(f" {name}={value}" for name, value in _fields(record).items())
        return f"switchgear: {level}{_event(record)}{fields}"


def _event(record: logging.LogRecord) -> str:
    text = _escaped(record.getMessage(), _EVENT_CHARS)
    return text if record.exc_info is None else f"{text}: {_where(record.exc_info[1])}"


def _where(problem: BaseException | None) -> str:
    """The type of an exception and the innermost places that it came through."""
    frames = traceback.extract_tb(problem.__traceback__)[-_PLACES:] if problem is not None else []
    places = [f"{Path(each.filename).name}:{each.lineno}" for each in reversed(frames)]
    return f"{type(problem).__name__} at {' <- '.join(places) or 'an unknown place'}"


def _fields(record: logging.LogRecord) -> Mapping[str, Any]:
    return {
        name: value if isinstance(value, bool | int | float | None) else _escaped(str(value), _FIELD_CHARS)
        for name, value in vars(record).items()
        if name not in _OWN
    }


def _escaped(text: str, chars: int) -> str:
    r"""At most `chars` characters, with what a terminal or a line would obey written out: a newline as `\n`."""
    safe = "".join(char if char.isprintable() else repr(char)[1:-1] for char in text[: chars + 1])
    return safe if len(safe) <= chars else safe[: chars - 1] + "…"
