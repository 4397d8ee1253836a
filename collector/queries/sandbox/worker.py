"""Worker: the process that runs the SQL of one question after another, each in a fresh in-memory DuckDB.

It is asked {sql, params, format, watermark, within_s} with the schemas of the views that there are. It answers with
a body and {answer}, or {error}; before that it asks for the rows that the query reads (`scans`). Whoever asks kills
it when time is over: nothing here needs to be able to stop.
"""

from __future__ import annotations

import os
import resource
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from math import ceil
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from ...errors import QueryError
from ..tables import ENCODERS
from .channel import Channel, unpacked_schemas
from .check import Checker
from .scans import Scans, View

__all__ = ["MAX_ANSWER_BYTES", "MAX_ROWS", "main"]

MAX_ROWS = 100_000
MAX_ANSWER_BYTES = 64 * 1024**2
MEMORY_BYTES = 1024**3
"""What a question may take beyond the process as it starts: rows, DuckDB's work on them, the answer."""
_WORN_OUT_BYTES = 512 * 1024**2
_NICENESS = 5
_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "memory_limit": "512MiB",
    "temp_directory": "",
    "threads": "1",
}
_SETTINGS = (
    "SET TimeZone = 'UTC'",
    # As in the store: sums are not narrowed.
    "SET disabled_optimizers = 'statistics_propagation'",
    "SET python_enable_replacements = false",
    "SET lock_configuration = true",
)


def main() -> None:
    """Answer questions on the pipes 0 and 1 until nobody asks any more."""
    channel = _own_pipes()
    checker = Checker()
    _warm_up()
    _limit_memory()
    # No file can grow, and none tells of a crash.
    for limit in (resource.RLIMIT_FSIZE, resource.RLIMIT_CORE):
        resource.setrlimit(limit, (0, 0))
    # A query yields to the taking in of traces.
    os.nice(_NICENESS)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    channel.send({"ready": True})
    # Nobody is left to speak to: the one who asked is gone.
    with suppress(EOFError, BrokenPipeError):
        while True:
            # Made before anyone waits for it.
            with _database() as con:
                while not _ask(channel, checker, con):
                    pass


def _ask(channel: Channel, checker: Checker, con: duckdb.DuckDBPyConnection) -> bool:
    """Take one question and answer it; whether the database was used, and is to be thrown away."""
    asked, content = channel.receive()
    _limit_time(asked["within_s"])
    schemas = unpacked_schemas(content)
    try:
        checker.check(asked["sql"], schemas.keys())
    except QueryError as refusal:
        channel.send({"error": str(refusal), "worn_out": False})
        return False
    scans = Scans(channel)
    views = {name: View(scans, name, schema) for name, schema in schemas.items()}
    try:
        # DuckDB has opened all that it needs.
        with _no_files():
            table = _run(con, asked["sql"], asked["params"], views)
        scans.end()
        body = _encoded(table, asked["format"], asked["watermark"])
    except (QueryError, duckdb.Error, pa.ArrowException, ValueError, TypeError, OverflowError) as problem:
        scans.end()
        channel.send({"error": _reason(problem), "worn_out": _is_worn_out()})
    else:
        channel.send({"answer": True, "worn_out": _is_worn_out()}, body)
    return True


def _run(con: duckdb.DuckDBPyConnection, sql: str, params: Any, views: Mapping[str, View]) -> pa.Table:
    """The rows of checked SQL. Raises QueryError for too many of them, and what the database makes of it."""
    for name, view in views.items():
        con.register(name, view)
    reader = con.sql(sql, params=params or None).to_arrow_reader(8192)
    batches, rows, size = [], 0, 0
    for batch in reader:
        batches.append(batch)
        rows += batch.num_rows
        size += batch.nbytes
        if rows > MAX_ROWS:
            raise QueryError(f"the answer has more than {MAX_ROWS} rows; narrow it or aggregate")
        _check_size(size)
    return pa.Table.from_batches(batches, schema=reader.schema)


def _encoded(table: pa.Table, form: str, watermark: str | None) -> bytes:
    _, encode = ENCODERS[form]
    body = encode(table, datetime.fromisoformat(watermark) if watermark else None)
    _check_size(len(body))
    return body


def _check_size(size: int) -> None:
    if size > MAX_ANSWER_BYTES:
        raise QueryError(f"the answer has more than {MAX_ANSWER_BYTES} bytes; narrow it or aggregate")


def _reason(problem: Exception) -> str:
    if isinstance(problem, duckdb.OutOfMemoryException | pa.ArrowMemoryError):
        return "the query needs more memory than it may have; narrow it or aggregate"
    return str(problem).strip()[:1000]


def _database() -> duckdb.DuckDBPyConnection:
    con = duckdb.connect(":memory:", config=_CONFIG)
    for setting in _SETTINGS:
        con.execute(setting)
    return con


def _own_pipes() -> Channel:
    """A channel on what were 0 and 1; whatever prints or reads by itself finds nothing there."""
    channel = Channel(os.dup(0), os.dup(1))
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 0)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    return channel


def _warm_up() -> None:
    """Do once what opens files when it is first done: filtering and encoding import more of Arrow and DuckDB."""
    table = pa.table({"at": pa.array([0], pa.timestamp("us", "UTC")), "name": ["a"]})
    table.filter(pc.field("name") == "a")
    with _database() as con:
        con.register("warm", table)
        found = con.sql("SELECT * FROM warm WHERE name = $1", params=["a"]).to_arrow_table()
    for form in ENCODERS:
        _encoded(found, form, None)


@contextmanager
def _no_files() -> Iterator[None]:
    """While this lasts no file can be opened, whatever asks for it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest_free = os.dup(0)
    os.close(lowest_free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def _limit_memory() -> None:
    """Allow `MEMORY_BYTES` beyond what the process has mapped by now. Where that is not told, DuckDB has a limit."""
    mapped, _ = _memory()
    if mapped:
        resource.setrlimit(resource.RLIMIT_AS, (mapped + MEMORY_BYTES, mapped + MEMORY_BYTES))


def _limit_time(within_s: float) -> None:
    """End this process by itself where nobody is left to kill it."""
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (ceil(time.process_time() + within_s) + 1, hard))


def _is_worn_out() -> bool:
    """Whether the process holds so much that a fresh one is better for the next question."""
    _, held = _memory()
    return held > _WORN_OUT_BYTES


def _memory() -> tuple[int, int]:
    """The bytes that this process has mapped, and those that it holds; 0 where no /proc tells.

    Not by getrusage: its peak is also that of the collector, out of which this process was started.
    """
    statm = Path("/proc/self/statm")
    if not statm.exists():
        return 0, 0
    mapped, held, *_ = (int(pages) * resource.getpagesize() for pages in statm.read_text().split())
    return mapped, held
