"""Cost and Usage: lines of the ledger as the FOCUS dataset of that name, written to a file as they come.

Lines are read a batch at a time and rows written at once, so that memory does not grow with the file. Costs are exact;
a rate is exact to 16 places.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from ..ledger.calendar import Calendar
from ..ledger.line import MONEY
from ..queries import sql
from .prepared import Prepared, cell, scaled

__all__ = ["ENDINGS", "VERSIONS", "Account", "write"]

VERSIONS = ("1.4", "1.2")
ENDINGS = (".csv", ".csv.gz", ".parquet")

# What FOCUS 1.2 calls two columns of later versions, and what it does not have. Its publisher takes no null.
_BEFORE_1_3 = {
    "ProviderName": '"ServiceProviderName"',
    "PublisherName": 'coalesce("HostProviderName", "ServiceProviderName")',
}
_SINCE_1_3 = (
    "InvoiceDetailId",
    *("ServiceProviderName", "HostProviderName", "AllocatedMethodId", "AllocatedMethodDetails"),
    *("AllocatedResourceId", "AllocatedResourceName", "AllocatedTags"),
)
# Of which scale the whole numbers of focus_rows.sql are: costs, rates per million tokens, millions of tokens.
_SCALES = {
    **dict.fromkeys(
        ("BilledCost", "ContractedCost", "EffectiveCost", "ListCost", "x_SplitOriginCost"), MONEY
    ),
    **dict.fromkeys(("ContractedUnitPrice", "ListUnitPrice"), pa.decimal128(38, 16)),
    "PricingQuantity": pa.decimal128(38, 6),
}
_CSV_ROWS, _PARQUET_ROWS = 20_000, 50_000
"""That are in memory at once; of Parquet they are a row group."""
_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "memory_limit": "512MiB",
    "threads": "2",
    # As the store's: DuckDB 2.0.1 narrows sums to what it estimates that they can be.
    "disabled_optimizers": "statistics_propagation",
}


@dataclass(frozen=True, slots=True)
class Account:
    """Who is billed, in which currency, and where days and months begin."""

    id: str
    name: str
    currency: str
    """Of rows whose cost is not known."""
    calendar: Calendar


def write(lines: Iterable[pa.RecordBatch], to: Path, account: Account, *, version: str = "1.4") -> int:
    """Write the rows of all lines (of schema `POSTED`) to `to`, CSV or Parquet by its name; how many there are.

    The file appears whole or not at all. In CSV a name that a spreadsheet would take for a formula has an apostrophe
    before it. Raises OSError where it cannot be written, ValueError for another kind of file or version, and whatever
    `lines` raises.
    """
    if version not in VERSIONS:
        raise ValueError(
            f"{version!r} is no version of FOCUS that is written; there are {', '.join(VERSIONS)}"
        )
    if not to.name.endswith(ENDINGS):
        raise ValueError(f"{to}: end the name in {', '.join(ENDINGS)}")
    to.parent.mkdir(parents=True, exist_ok=True)
    half = to.with_name(f".half-{to.name}")
    given = _Given(lines)
    try:
        count = _written(given, half, account, version)
        half.replace(to)
    except Exception:
        if given.problem is not None:
            raise given.problem from None
        raise
    finally:
        half.unlink(missing_ok=True)
    return count


class _Given:
    """Lines as they are given, and what was raised in place of the next: readers of them raise errors of their own."""

    def __init__(self, lines: Iterable[pa.RecordBatch]) -> None:
        self._lines = lines
        self.problem: Exception | None = None

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        try:
            yield from self._lines
        except Exception as problem:
            self.problem = problem
            raise


def _written(lines: Iterable[pa.RecordBatch], to: Path, account: Account, version: str) -> int:
    prepared = Prepared(account.calendar, is_csv=to.suffix != ".parquet")
    at_once = _CSV_ROWS if prepared.is_csv else _PARQUET_ROWS
    with duckdb.connect(config=_CONFIG) as con:
        con.execute("SET TimeZone = 'UTC'")
        con.execute(sql("focus_macros").replace("$is_csv", str(prepared.is_csv)))
        con.register("lines", prepared.batches(lines))
        rows = con.sql(_statement(account, is_csv=prepared.is_csv))
        found = rows.project(_columns(rows.columns, version)).to_arrow_reader(at_once)
        schema = pa.schema([pa.field(each.name, _SCALES.get(each.name, each.type)) for each in found.schema])
        batches = _ahead(_scaled(found, schema))
        return (_write_csv if prepared.is_csv else _write_parquet)(schema, batches, to)


def _statement(account: Account, *, is_csv: bool) -> str:
    """The SQL of all rows; what is chosen stands in it as constants."""
    names = {"account_name": account.name, "account": account.id}
    values = {name: cell(value) or "" if is_csv else value for name, value in names.items()}
    text = sql("focus_rows")
    for name, value in (values | {"currency": account.currency}).items():
        text = text.replace(f"${name}", "'" + value.replace("'", "''") + "'")
    return text


def _columns(names: Iterable[str], version: str) -> str:
    """The columns of the file, as SQL: those of FOCUS, then our own."""
    columns = {name: f'"{name}"' for name in names}
    own = {name: column for name, column in columns.items() if name.startswith("x_")}
    focus = {name: column for name, column in columns.items() if name not in own}
    if version == "1.2":
        focus = {name: column for name, column in focus.items() if name not in _SINCE_1_3} | _BEFORE_1_3
    return ", ".join(f'{column} AS "{name}"' for name, column in (focus | own).items())


def _scaled(rows: Iterable[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    for batch in rows:
        columns = [
            scaled(column, field.type) if field.name in _SCALES else column
            for column, field in zip(batch.columns, schema, strict=True)
        ]
        yield pa.RecordBatch.from_arrays(columns, schema=schema)


def _ahead(rows: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The same, each made while the one before is written: that takes as long."""
    batches = iter(rows)
    with ThreadPoolExecutor(1) as apart:
        coming = apart.submit(next, batches, None)
        while (batch := coming.result()) is not None:
            coming = apart.submit(next, batches, None)
            yield batch


def _write_csv(schema: pa.Schema, rows: Iterable[pa.RecordBatch], to: Path) -> int:
    count = 0
    opened: IO[bytes] = gzip.open(to, "wb") if to.suffix == ".gz" else to.open("wb")  # type: ignore[assignment]  # noqa: SIM115
    with opened as file:
        _frame(schema.empty_table()).write_csv(file)
        for batch in rows:
            # Texts are quoted already, once for each that there is.
            _frame(batch).write_csv(file, include_header=False, quote_style="never")
            count += batch.num_rows
    return count


def _frame(rows: pa.RecordBatch | pa.Table) -> pl.DataFrame:
    frame = pl.from_arrow(rows)
    assert isinstance(frame, pl.DataFrame)  # noqa: S101 - of a table it makes nothing else
    return frame


def _write_parquet(schema: pa.Schema, rows: Iterable[pa.RecordBatch], to: Path) -> int:
    count = 0
    with pq.ParquetWriter(to, schema, compression="zstd") as file:
        for batch in rows:
            file.write_batch(batch)
            count += batch.num_rows
    return count
