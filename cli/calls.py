"""Calls: the calls of a range as one table, from a running collector or from a file.

Columns of the table, named as in the view `calls`: `started_at` and `ended_at` (UTC, microseconds; null: not known),
`tenant`, `workload`, `task_id`, `root_task_id`, `tier`, `provider`, `model`, the five counts that add up to a call's
tokens (null: usage not known), `cost` (null: no price) and `currency`. Rows come in order of time.
"""

from __future__ import annotations

import io
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import httpx
import polars as pl
import pyarrow as pa

from analytics.calls import booked as pages_of
from policies.trials.recorded import COUNTS
from switchgear.usage import MAX_TOKENS_PER_CALL

from .answers import key_refused, reason, stranger
from .client import connect
from .console import note

__all__ = ["CallsError", "MisuseError", "booked", "from_file", "instant"]

_TEXTS = ("tenant", "workload", "task_id", "root_task_id", "tier", "provider", "model", "currency")
_LINES = (".jsonl", ".ndjson")
_MONEY = pl.Decimal(38, 12)
_TIME = pl.Datetime("us", "UTC")
_TIMEOUT_S = 60.0
# So many calls take long enough to read to say how far it is.
_LONG = 50_000


class CallsError(Exception):
    """The calls cannot be read; the text says why and what to do."""


class MisuseError(CallsError):
    """What was asked makes no sense; the text says what to write."""


def instant(option: str, text: str) -> datetime:
    """The instant in UTC; a time without a zone is taken as UTC. Raises MisuseError for anything else."""
    try:
        at = datetime.fromisoformat(text)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        raise MisuseError(f"{option} {text[:64]!r} is no instant; write 2026-11-20T08:00:00Z") from None


def booked(start: datetime, end: datetime, *, collector: str, api_key: str | None) -> pl.DataFrame:
    """The calls that a collector has booked in [start, end), as far as the key sees them. Raises CallsError."""
    try:
        with connect(collector, api_key, timeout_s=_TIMEOUT_S) as client:
            pages = [_page(page) for page in pages_of(partial(_asked, client), start, end, _told)]
    except (httpx.HTTPError, httpx.InvalidURL) as problem:
        raise CallsError(
            f"no collector answers at {collector} ({problem}); start one with: switchgear up"
        ) from problem
    except UnicodeEncodeError:
        raise MisuseError("SWITCHGEAR_API_KEY holds a character that no key has") from None
    except (ValueError, TypeError, pl.exceptions.PolarsError):
        raise CallsError(stranger(collector)) from None
    return pl.concat(pages).sort("started_at")


def from_file(path: Path) -> pl.DataFrame:
    """The calls in a CSV, Parquet or JSON lines file: `started_at`, `tenant` and a count; the rest may be missing.

    Raises MisuseError, with the column and a value of it, for what is no such file.
    """
    try:
        table = _table(path)
    except OSError as problem:
        raise MisuseError(f"--calls {path}: {problem.strerror or problem}") from problem
    except pl.exceptions.PolarsError as problem:
        raise MisuseError(
            f"--calls {path} is no CSV, Parquet or JSON lines: {_first_line(problem)}"
        ) from problem
    missing = [name for name in ("started_at", "tenant") if name not in table.columns]
    if missing or not set(COUNTS) & set(table.columns):
        wanted = " and ".join(missing) if missing else f"any of {', '.join(COUNTS)}"
        raise MisuseError(f"--calls {path} has no column {wanted}; it has {', '.join(table.columns)}")
    try:
        return _typed(table, f"--calls {path}")
    except pl.exceptions.PolarsError as problem:
        raise MisuseError(f"--calls {path}: {_first_line(problem)}") from problem


def _table(path: Path) -> pl.DataFrame:
    if path.suffix == ".parquet":
        return pl.read_parquet(path)
    if path.suffix in _LINES:
        return pl.read_ndjson(path, infer_schema_length=None)
    return pl.read_csv(path, infer_schema=False)


def _typed(table: pl.DataFrame, name: str) -> pl.DataFrame:
    """The table with all columns, each of its type."""
    if table.schema.get("cost") in (pl.Float32, pl.Float64):
        raise MisuseError(f"{name}: cost is a float, which no amount is; write decimals or text")
    columns: list[pl.Expr | pl.Series] = [_times(table, at, name) for at in ("started_at", "ended_at")]
    columns += [_or_null(table, text).cast(pl.String).alias(text) for text in _TEXTS]
    counted = [count for count in COUNTS if count in table.columns]
    known = pl.any_horizontal(pl.col(counted).is_not_null())
    for count in COUNTS:
        column = pl.col(count).cast(pl.Int64) if count in counted else pl.lit(None, pl.Int64)
        # Where one count is known the call told its usage: the others are none, not unknown.
        columns.append(pl.when(known).then(column.fill_null(0)).alias(count))
    columns.append(_or_null(table, "cost").cast(_MONEY).alias("cost"))
    typed = table.select(columns).sort("started_at")
    for needed in ("started_at", "tenant"):
        if without := typed[needed].null_count():
            raise MisuseError(f"{name}: {without} of {len(typed)} rows have no {needed}")
    for amount in (*COUNTS, "cost"):
        if len(below := typed.filter(pl.col(amount) < 0)):
            raise MisuseError(f"{name}: {amount} = {below[amount][0]} must not be below 0")
    for count in COUNTS:
        if len(above := typed.filter(pl.col(count) > MAX_TOKENS_PER_CALL)):
            raise MisuseError(
                f"{name}: {count} = {above[count][0]}; a call has at most {MAX_TOKENS_PER_CALL} tokens"
            )
    return typed


def _times(table: pl.DataFrame, at: str, name: str) -> pl.Series:
    if at not in table.columns:
        return pl.Series(at, [None] * len(table), dtype=_TIME)
    column = table[at]
    if column.dtype == pl.String:
        texts = column.to_list()
        instants = [None if text is None else instant(f"{name}: {at}", text) for text in texts]
        return pl.Series(at, instants, dtype=_TIME)
    if isinstance(column.dtype, pl.Datetime) and column.dtype.time_zone is not None:
        return column.dt.convert_time_zone("UTC").cast(_TIME)
    return column.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")


def _or_null(table: pl.DataFrame, name: str) -> pl.Expr:
    return pl.col(name) if name in table.columns else pl.lit(None).alias(name)


def _asked(client: httpx.Client, sql: str) -> pa.Table:
    answer = client.post("/v1/query", json={"sql": sql, "params": [], "format": "arrow"})
    if answer.status_code == httpx.codes.UNAUTHORIZED:
        raise CallsError(key_refused(answer))
    if not answer.is_success:
        raise CallsError(f"the collector answered {answer.status_code}: {reason(answer)}")
    with pa.ipc.open_stream(io.BytesIO(answer.content)) as stream:
        return stream.read_all()


def _page(page: pa.Table) -> pl.DataFrame:
    found = pl.from_arrow(page)
    if not isinstance(found, pl.DataFrame):
        raise TypeError("no table")
    return _typed(found, "the collector")


def _told(read: int, total: int) -> None:
    if read and total > _LONG:
        note(f"{read:,} of {total:,} calls read")


def _first_line(problem: Exception) -> str:
    return str(problem).splitlines()[0][:300]
