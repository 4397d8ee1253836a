"""Entries: lines as they stand in the ledger, appended and never changed; and how they are read back.

Whoever appends makes the entries of lines after the head that it has read (`made`), and hands them in inside one
transaction (`append`), which takes them only where the head is still that one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from collector.facts.statements import registered

from .chain import COLUMNS, ENTRIES, GENESIS, chained
from .errors import BrokenLedgerError, LedgerError
from .line import KEYS, LINES

if TYPE_CHECKING:
    import duckdb

__all__ = [
    "PAGE",
    "START",
    "ByHand",
    "Head",
    "append",
    "checked",
    "head",
    "made",
    "of_period",
    "page",
    "pages",
]

PAGE = 50_000
"""Entries that are read at once."""
_NAMES = ", ".join(ENTRIES.names)


@dataclass(frozen=True, slots=True)
class Head:
    """How far the ledger goes."""

    seq: int
    """The number of its last entry; 0 where there is none."""
    hash: str


START = Head(0, GENESIS)
"""The head of an empty ledger."""


@dataclass(frozen=True, slots=True)
class ByHand:
    """Who booked an entry that no rule makes, and why."""

    reason: str
    prepared_by: str
    approved_by: str


def head(con: duckdb.DuckDBPyConnection) -> Head:
    """The last entry's."""
    rows = con.execute("SELECT seq, hash FROM ledger_entries ORDER BY seq DESC LIMIT 1").fetchall()
    return Head(*rows[0]) if rows else START


def hash_of(con: duckdb.DuckDBPyConnection, seq: int) -> str | None:
    """The hash that an entry has; None where it is not there. Of the entry 0 that is what the first one follows."""
    if seq == START.seq:
        return START.hash
    rows = con.execute("SELECT hash FROM ledger_entries WHERE seq = $1", [seq]).fetchall()
    return rows[0][0] if rows else None


def made(
    lines: pa.Table, period: str, after: Head, posted_at: datetime, by_hand: ByHand | None = None
) -> pa.Table:
    """The entries, as `ENTRIES`, that lines become in a period; sorted by their keys, so that the same lines give the
    same entries whatever their order."""
    lines = lines.select(LINES.names).cast(LINES)
    lines = lines.take(pc.sort_indices(lines, [(name, "ascending", "at_start") for name in KEYS]))
    count = lines.num_rows
    own: dict[str, pa.Array] = {
        "seq": pa.array(range(after.seq + 1, after.seq + 1 + count), pa.int64()),
        "period": pa.repeat(period, count),
        **{
            name: pa.array([getattr(by_hand, name) if by_hand else None] * count, pa.string())
            for name in ("reason", "prepared_by", "approved_by")
        },
        "posted_at": pa.array([posted_at] * count, pa.timestamp("us", "UTC")),
    }
    columns = [own[name] if name in own else lines[name] for name in COLUMNS]
    return chained(pa.table(dict(zip(COLUMNS, columns, strict=True))), after.hash)


def append(con: duckdb.DuckDBPyConnection, entries: pa.Table) -> Head:
    """Add entries, inside the caller's transaction; the head after them.

    Raises LedgerError where they do not follow the last one, or their period is closed.
    """
    found = head(con)
    if not entries.num_rows:
        return found
    first = entries.slice(0, 1).to_pylist()[0]
    if (first["seq"], first["prev_hash"]) != (found.seq + 1, found.hash):
        raise LedgerError(
            f"the ledger goes to entry {found.seq} by now, and these were made after entry {first['seq'] - 1}; "
            "nothing was added: ask again",
            409,
        )
    for period in entries["period"].unique().to_pylist():
        if con.execute("SELECT 1 FROM ledger_periods WHERE period = $1", [period]).fetchall():
            raise LedgerError(f"{period} is closed: no entry is added to it", 409)
    with registered(con, new_entries=entries):
        con.execute(f"INSERT INTO ledger_entries ({_NAMES}) SELECT {_NAMES} FROM new_entries")  # noqa: S608
    last = entries.slice(entries.num_rows - 1).to_pylist()[0]
    return Head(last["seq"], last["hash"])


def page(
    con: duckdb.DuckDBPyConnection,
    after: int,
    condition: str = "true",
    values: Mapping[str, object] | None = None,
    limit: int = PAGE,
) -> pa.Table:
    """The first entries with a number above `after` that meet a condition of ours."""
    found = con.sql(
        f"SELECT {_NAMES} FROM ledger_entries WHERE seq > $after AND ({condition})"  # noqa: S608
        f" ORDER BY seq LIMIT {limit}",
        params={"after": after, **(values or {})},
    )
    return found.to_arrow_table().cast(ENTRIES)


def pages(
    con: duckdb.DuckDBPyConnection, condition: str = "true", values: Mapping[str, object] | None = None
) -> Iterator[pa.Table]:
    """All of them, so many at a time."""
    after = -(2**63)
    while (found := page(con, after, condition, values)).num_rows:
        yield found
        after = found["seq"][-1].as_py()


def of_period(con: duckdb.DuckDBPyConnection, period: str) -> pa.Table:
    """All entries that are charged to a period."""
    found = list(pages(con, "period = $period", {"period": period}))
    return pa.concat_tables(found).combine_chunks() if found else ENTRIES.empty_table()


def checked(con: duckdb.DuckDBPyConnection, anchor: Head | None) -> Head:
    """The head, where the ledger still holds the entry that was anchored. Raises BrokenLedgerError."""
    found = head(con)
    own = anchor and hash_of(con, anchor.seq)
    if anchor is not None and own != anchor.hash:
        what = f"ends with entry {found.seq}" if own is None else f"has another entry {anchor.seq}"
        raise BrokenLedgerError(
            f"the ledger {what}, and ledger/HEAD.json says that entry {anchor.seq} is {anchor.hash[:16]}...: "
            "nothing is added to it; look with: switchgear ledger verify, and restore a backup"
        )
    return found
