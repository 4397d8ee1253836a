"""Files: what a closed period leaves outside the database, made of its entries and of nothing else.

`ledger/2026-10/` in the data folder holds `entries.parquet`, `cost_centres.csv`, `tenants.csv`, `journal.csv` and
`manifest.json`. They are written into a folder `.2026-10.closing` and renamed once the close is committed; where that
was cut off they are finished from the entries, with the same bytes.
"""

from __future__ import annotations

import csv
import hashlib
import io
import shutil
from collections import defaultdict
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from collector.wire import rfc3339

from .anchors import folder, sync
from .errors import LedgerError
from .journal import as_csv, journal_lines, safe
from .line import COUNTS
from .periods import Closed

__all__ = [
    "JOURNAL",
    "MANIFEST",
    "built",
    "prepare",
    "prepared",
    "publish",
    "published",
    "sha256",
    "withdraw",
]

MANIFEST, JOURNAL = "manifest.json", "journal.csv"
_NAMES = ("cost_centre", "owner", "tenant", "workload", "provider", "model", "kind")
_BY = {"cost_centres.csv": _NAMES, "tenants.csv": ("tenant", "workload", *_NAMES[:2], *_NAMES[4:])}


def built(closed: Closed, entries: pa.Table) -> dict[str, bytes]:
    """The bytes of each file of a period but its manifest. The same entries give the same bytes."""
    lines = journal_lines(entries, closed.accounts, closed.accrued)
    reference = f"entries {closed.reach}, root {closed.root_hash[:16]}"
    return {
        "entries.parquet": _parquet(entries),
        **{name: _statement(entries, closed.period, by) for name, by in _BY.items()},
        JOURNAL: as_csv(lines, closed.period, closed.last_day, reference),
    }


def digests(files: Mapping[str, bytes]) -> dict[str, str]:
    """The SHA-256 of each, in hex."""
    return {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}


def manifest(closed: Closed) -> bytes:
    """What a period's folder says of itself."""
    told = {
        name: rfc3339(value) if hasattr(value, "tzinfo") else value for name, value in closed.told().items()
    }
    return orjson.dumps(told, option=orjson.OPT_INDENT_2) + b"\n"


def prepare(data: Path, closed: Closed, files: Mapping[str, bytes]) -> None:
    """Write all of a period's files, durably, where nobody takes them for a closed period yet.

    Raises LedgerError where their place is taken.
    """
    taken = folder(data) / closed.period
    if taken.exists():
        raise LedgerError(
            f"{taken} is there, and the database knows no close of {closed.period}: it is of another copy of the "
            "database; look with switchgear ledger verify, restore a backup, or move the folder away",
            409,
        )
    place = _closing(data, closed.period)
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    for name, content in {**files, MANIFEST: manifest(closed)}.items():
        path = place / name
        path.write_bytes(content)
        path.chmod(0o444)
        sync(path)
    sync(place)


def publish(data: Path, period: str) -> None:
    """Give the prepared files their place."""
    place = folder(data) / period
    _closing(data, period).rename(place)
    sync(place.parent)


def withdraw(data: Path, period: str) -> None:
    """Remove prepared files of a close that was not committed."""
    shutil.rmtree(_closing(data, period), ignore_errors=True)


def prepared(data: Path) -> list[str]:
    """The periods with files that have not got their place."""
    if not folder(data).is_dir():
        return []
    return sorted(each.name[1:].removesuffix(".closing") for each in folder(data).glob(".*.closing"))


def published(data: Path) -> list[str]:
    """The periods with files in their place."""
    if not folder(data).is_dir():
        return []
    return sorted(each.name for each in folder(data).glob("[0-9]*-[0-9]*") if each.is_dir())


def sha256(path: Path) -> str:
    """Of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _closing(data: Path, period: str) -> Path:
    return folder(data) / f".{period}.closing"


def _parquet(entries: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(entries.combine_chunks(), sink, compression="zstd", row_group_size=100_000)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def _statement(entries: pa.Table, period: str, by: tuple[str, ...]) -> bytes:
    """What each is charged: the lines add up to the period's total; those of other months are corrections."""
    sums: dict[tuple[str | None, ...], list[Any]] = defaultdict(lambda: [0] * len(COUNTS) + [None])
    rows = zip(
        *(entries[name].to_pylist() for name in by),
        entries["currency"].to_pylist(),
        entries["day"].to_pylist(),
        *(entries[name].to_pylist() for name in (*COUNTS, "amount")),
        strict=True,
    )
    width = len(by)
    for row in rows:
        of = f"{row[width + 1]:%Y-%m}"
        total = sums[(*row[:width], of, row[width])]
        for place, count in enumerate(row[width + 2 : -1]):
            total[place] += count
        if row[-1] is not None:
            total[-1] = (total[-1] or Decimal(0)) + row[-1]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*by, "month", "correction", "currency", *COUNTS, "amount"])
    for key in sorted(sums, key=lambda key: [each or "" for each in key]):
        *names, month, currency = key
        *counts, amount = sums[key]
        shown = "" if amount is None else f"{amount:.12f}"
        correction = "yes" if month != period else ""
        writer.writerow([*map(safe, names), month, correction, safe(currency), *counts, shown])
    return out.getvalue().encode()
