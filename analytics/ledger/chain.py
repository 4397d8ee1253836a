"""Chain: each entry's hash is SHA-256 over the hash before it and the entry's canonical bytes.

The canonical bytes of an entry are its columns in the order of `COLUMNS`, each as `LENGTH:TEXT` in UTF-8 with its
length in bytes, or `~` where it is NULL. Text stands as it is, a whole number in digits, a decimal with its 12 places,
a day as 2026-10-05, a time as microseconds since 1970 in UTC. So NULL, "" and 0 are `~`, `0:` and `1:0`; no two
entries have the same bytes. The first entry follows `GENESIS`, which names the columns.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import polars as pl
import pyarrow as pa

from .line import LINES

__all__ = ["COLUMNS", "ENTRIES", "GENESIS", "canonical", "chained", "hashes"]

ENTRIES = pa.schema(
    [
        pa.field("seq", pa.int64(), nullable=False),
        pa.field("period", pa.string(), nullable=False),
        *LINES,
        *(pa.field(name, pa.string()) for name in ("reason", "prepared_by", "approved_by")),
        pa.field("posted_at", pa.timestamp("us", "UTC"), nullable=False),
        pa.field("prev_hash", pa.string(), nullable=False),
        pa.field("hash", pa.string(), nullable=False),
    ]
)
"""The columns of entries, as the table `ledger_entries` has them."""

COLUMNS = tuple(name for name in ENTRIES.names if name not in ("prev_hash", "hash"))
"""What an entry's hash is over, in this order, beside the hash before it."""

GENESIS = hashlib.sha256(f"switchgear ledger 1: {' '.join(COLUMNS)}".encode()).hexdigest()
"""What the first entry follows."""


def canonical(entries: pa.Table) -> list[str]:
    """The canonical text of each entry. Takes any columns beside `COLUMNS`."""
    frame = pl.DataFrame(entries.select(list(COLUMNS)))
    return frame.select(pl.concat_str([_field(frame, name) for name in COLUMNS])).to_series().to_list()


def hashes(texts: Iterable[str], head: str) -> list[str]:
    """The hash of each entry by its canonical text, in their order, after the hash `head`."""
    found = []
    for text in texts:
        head = hashlib.sha256(f"{head}{text}".encode()).hexdigest()
        found.append(head)
    return found


def chained(entries: pa.Table, head: str) -> pa.Table:
    """The entries, which have `COLUMNS`, with the hashes that they have after the hash `head`: as `ENTRIES`."""
    found = hashes(canonical(entries), head)
    before = [head, *found[:-1]] if found else []
    columns = [
        *(entries[name] for name in COLUMNS),
        pa.array(before, pa.string()),
        pa.array(found, pa.string()),
    ]
    return pa.table(dict(zip((*COLUMNS, "prev_hash", "hash"), columns, strict=True))).cast(ENTRIES)


def _field(frame: pl.DataFrame, name: str) -> pl.Expr:
    kind = frame.schema[name]
    value = pl.col(name)
    if isinstance(kind, pl.Datetime):
        value = value.dt.timestamp("us")
    elif isinstance(kind, pl.Date):
        value = value.dt.to_string("%Y-%m-%d")
    text = value.cast(pl.String)
    # A text of which one part is NULL is NULL as a whole.
    return pl.concat_str(text.str.len_bytes().cast(pl.String), pl.lit(":"), text).fill_null("~")
