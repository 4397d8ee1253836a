"""Verify: whether the ledger is what it was, by its chain, its periods, their files, and the anchors outside of it.

The chain finds a changed value, an entry that was taken out or put in, and two that changed places. A cut tail leaves
a whole chain: that it was longer is known from `HEAD.json`, from signed reviews, and from whoever noted its head.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ..queries import sql
from .anchors import HEAD, Anchor, folder, of_reviews, on_file
from .chain import COLUMNS, canonical, hashes
from .closing import summed
from .entries import START, Head, hash_of, head, of_period, pages
from .errors import BrokenLedgerError
from .files import MANIFEST, manifest, published, sha256
from .periods import Closed, closed

if TYPE_CHECKING:
    import duckdb

__all__ = ["Finding", "Verified", "verify"]

MOST = 20
"""How many findings of one kind are told."""
_SHOWN = 80


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it was."""

    what: str
    """chain, period, file or anchor."""
    seq: int | None
    period: str | None
    text: str


@dataclass(frozen=True, slots=True)
class Verified:
    """What was looked at, and what is wrong with it."""

    head: Head
    entries: int
    periods: int
    files: int
    anchors: int
    findings: Sequence[Finding]


def verify(
    con: duckdb.DuckDBPyConnection,
    data: Path,
    noted: Sequence[Head] = (),
    progress: Callable[[str, int, int], None] = lambda step, done, of: None,
) -> Verified:
    """Look at all of it, on a cursor inside one transaction; `noted` are heads that somebody wrote down."""
    known = closed(con)
    ((count,),) = con.execute("SELECT count(*) FROM ledger_entries").fetchall()
    found = _first(_chain(con, data, {each.period for each in known}, count, progress))
    for place, each in enumerate(known):
        progress(f"period {each.period}", place, len(known))
        found += _first(_period(con, each))
        found += _first(_files(data, each))
    found += _first(_without_close(con, data, known))
    anchors, broken = _anchors(con, data, noted, count)
    found += [*broken, *_first(_anchored(con, anchors))]
    files = sum(len(each.files) + 1 for each in known)
    return Verified(head(con), count, len(known), files, len(anchors), found)


def _first(found: Iterable[Finding]) -> list[Finding]:
    told: list[Finding] = []
    for each in found:
        if len(told) == MOST:
            return [*told, Finding(each.what, None, each.period, f"and more: only the first {MOST} are told")]
        told.append(each)
    return told


def _chain(
    con: duckdb.DuckDBPyConnection,
    data: Path,
    filed: set[str],
    count: int,
    progress: Callable[[str, int, int], None],
) -> Iterator[Finding]:
    twice = con.execute(
        "SELECT seq, count(*) FROM ledger_entries GROUP BY seq HAVING count(*) > 1 ORDER BY seq"
    ).fetchall()
    for seq, times in twice:
        yield Finding("chain", seq, None, f"entry {seq} is there {times} times")
    last, done = START, 0
    for page in pages(con):
        progress("chain", done, count)
        texts, done = canonical(page), done + page.num_rows
        columns = (page[name].to_pylist() for name in ("seq", "period", "prev_hash", "hash"))
        for text, seq, period, before, own in zip(texts, *columns, strict=True):
            (right,) = hashes([text], before)
            if seq > last.seq + 1:
                missing = (
                    f"entry {last.seq + 1} is"
                    if seq == last.seq + 2
                    else f"entries {last.seq + 1} to {seq - 1} are"
                )
                yield Finding(
                    "chain", last.seq + 1, None, f"{missing} missing: the next that is there is {seq}"
                )
            elif before != last.hash:
                yield Finding(
                    "chain", seq, period, f"entry {seq} of {period} does not follow from entry {last.seq}"
                )
            if right != own:
                told = _changed(data, page, seq) if period in filed else None
                told = (
                    told or "which of its values cannot be told: its period has no file that says what it was"
                )
                yield Finding("chain", seq, period, f"entry {seq} of {period} was changed: {told}")
            last = Head(seq, own)


def _changed(data: Path, page: pa.Table, seq: int) -> str | None:
    """Which values of an entry differ from those in its period's file; None where that cannot say."""
    now = page.filter(pc.equal(page["seq"], seq)).slice(0, 1).to_pylist()[0]
    path = folder(data) / now["period"] / "entries.parquet"
    try:
        rows = pq.read_table(path, filters=[("seq", "=", seq)]).slice(0, 1)
    except (OSError, pa.ArrowException):
        return None
    if not rows.num_rows:
        return None
    (then,) = rows.to_pylist()
    if hashes(canonical(rows), then["prev_hash"]) != [then["hash"]]:
        return None  # the file was changed too
    told = [
        f"{name} is {_value(now[name])} and was {_value(then[name])}"
        for name in COLUMNS
        if now[name] != then[name]
    ]
    if now["hash"] != then["hash"]:
        told.append("its hash is another than in the file")
    return "; ".join(told) or None


def _value(value: Any) -> str:
    return (
        "NULL" if value is None else repr(value)[:_SHOWN] if isinstance(value, str) else str(value)[:_SHOWN]
    )


def _period(con: duckdb.DuckDBPyConnection, period: Closed) -> Iterator[Finding]:
    name = period.period
    totals = summed(of_period(con, name))
    if totals != list(period.totals):
        yield Finding(
            "period",
            None,
            name,
            f"{name} was closed with {period.totals}, and its entries add up to {totals}",
        )
    root = hash_of(con, period.last_seq)
    if root != period.root_hash:
        what = "is missing" if root is None else f"has the hash {root[:16]}..."
        yield Finding(
            "period",
            period.last_seq,
            name,
            f"{name} was closed with the root hash {period.root_hash[:16]}..., and entry {period.last_seq} {what}",
        )


def _files(data: Path, period: Closed) -> Iterator[Finding]:
    name = period.period
    place = folder(data) / name
    for file, digest in period.files.items():
        if not (place / file).is_file():
            yield Finding("file", None, name, f"{place / file} is missing")
        elif (found := sha256(place / file)) != digest:
            yield Finding(
                "file",
                None,
                name,
                f"{place / file} was changed: its SHA-256 is {found[:16]}..., not {digest[:16]}...",
            )
    path = place / MANIFEST
    if not path.is_file():
        yield Finding("file", None, name, f"{path} is missing")
    elif path.read_bytes() != manifest(period):
        yield Finding("file", None, name, f"{path} does not say what the table ledger_periods says of {name}")


def _without_close(con: duckdb.DuckDBPyConnection, data: Path, known: Sequence[Closed]) -> Iterator[Finding]:
    closed_ones = {each.period for each in known}
    for name in published(data):
        if name not in closed_ones:
            yield Finding(
                "period", None, name, f"{folder(data) / name} is of a close that the database does not have"
            )
    for name, seq in con.execute(sql("ledger_of_closes")).fetchall():
        if name not in closed_ones:
            text = f"entry {seq} was made by a close of {name}, and the database does not have it"
            yield Finding("period", seq, name, text)
    for before, after in pairwise(known):
        if before.ends != after.starts:
            text = f"{before.period} and {after.period} are closed, and nothing between them"
            yield Finding("period", None, after.period, text)


def _anchors(
    con: duckdb.DuckDBPyConnection, data: Path, noted: Sequence[Head], count: int
) -> tuple[list[Anchor], list[Finding]]:
    path = folder(data) / HEAD
    found = [Anchor(each, "the anchor that was noted") for each in noted] + of_reviews(con)
    try:
        own = on_file(data)
    except BrokenLedgerError as problem:
        return found, [Finding("anchor", None, None, str(problem))]
    if own is not None:
        return [*found, Anchor(own, str(path))], []
    if count:
        text = f"{path} is missing: nothing beside the database says how far the ledger goes"
        return found, [Finding("anchor", None, None, text)]
    return found, []


def _anchored(con: duckdb.DuckDBPyConnection, anchors: Iterable[Anchor]) -> Iterator[Finding]:
    last = head(con)
    for anchor in anchors:
        wanted = anchor.head
        if wanted.seq > last.seq:
            text = f"the tail is cut: the ledger ends with entry {last.seq}, and {anchor.where} has entry {wanted.seq}"
            yield Finding("anchor", last.seq + 1, None, text)
            continue
        own = hash_of(con, wanted.seq)
        if own != wanted.hash:
            what = "is missing" if own is None else f"has the hash {own[:16]}..."
            text = f"entry {wanted.seq} {what}, and {anchor.where} has {wanted.hash[:16]}..."
            yield Finding("anchor", wanted.seq, None, text)
