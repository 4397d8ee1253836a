"""Anchors: what the ledger's head was, kept where whoever changes the table does not change it too.

`ledger/HEAD.json` in the data folder follows every append; a signed review carries one; anybody may note one down.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from collector.wire import rfc3339

from .entries import Head
from .errors import BrokenLedgerError, LedgerError

if TYPE_CHECKING:
    import duckdb

__all__ = ["HEAD", "Anchor", "folder", "of_reviews", "on_file", "parsed", "sync", "write"]

HEAD = "HEAD.json"
_NOTED = re.compile("([0-9]{1,18}):([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Anchor:
    """A head, and where it was kept."""

    head: Head
    where: str


def folder(data: Path) -> Path:
    """Where the ledger's files are."""
    return data / "ledger"


def write(data: Path, head: Head, period: str | None, closed_at: datetime | None) -> None:
    """Replace `HEAD.json` at once, durably; `period` was closed last. Raises OSError where it cannot."""
    path = folder(data) / HEAD
    path.parent.mkdir(parents=True, exist_ok=True)
    told = {
        "seq": head.seq,
        "hash": head.hash,
        "period": period,
        "closed_at": closed_at and rfc3339(closed_at),
    }
    fresh = path.with_name(f".{HEAD}")
    with fresh.open("wb") as file:
        file.write(orjson.dumps(told, option=orjson.OPT_INDENT_2) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    sync(path.parent)


def on_file(data: Path) -> Head | None:
    """What `HEAD.json` says; None where there is none. Raises BrokenLedgerError where it says nothing."""
    path = folder(data) / HEAD
    try:
        told: dict[str, Any] = orjson.loads(path.read_bytes())
        return Head(int(told["seq"]), str(told["hash"]))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as problem:
        raise BrokenLedgerError(
            f"{path} says no head of the ledger ({problem}); restore it from a backup"
        ) from problem


def of_reviews(con: duckdb.DuckDBPyConnection) -> list[Anchor]:
    """Those in published reviews; one that was made before anything was posted names none."""
    rows = con.execute("SELECT week, document FROM reviews ORDER BY week").fetchall()
    found = []
    for week, document in rows:
        try:
            told = orjson.loads(document)["cover"]
            noted = Head(int(told["ledger_seq"]), str(told["ledger_hash"]))
        except (ValueError, KeyError, TypeError, AttributeError):
            continue  # it names none
        if noted.seq:
            found.append(Anchor(noted, f"the review of {week}"))
    return found


def parsed(text: str) -> Head:
    """The head that was noted as SEQ:HASH. Raises LedgerError."""
    found = _NOTED.fullmatch(text.strip().lower())
    if found is None:
        raise LedgerError(
            f"{text[:80]!r} is no anchor: write SEQ:HASH, as ledger status shows it, such as 120:3f9a... "
            "with all 64 hexadecimal digits"
        )
    return Head(int(found[1]), found[2])


def sync(path: Path) -> None:
    """Bring a file or folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
