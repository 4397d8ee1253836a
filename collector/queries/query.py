"""Query: a user's SQL, answered by a process that holds only the rows which their key may read, and can be killed.

While its DuckDB works, the process asks for rows of the views, and gets them out of one read transaction of the store.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

import duckdb
import pyarrow as pa

from ..errors import BusyError, QueryError
from ..keys.key import Key
from ..turns import Turns
from .reader import Reader
from .sandbox.channel import Channel, packed, packed_schemas
from .sandbox.pushdown import sql_of
from .sandbox.workers import Worker, Workers

__all__ = ["Limits", "Queries", "Question"]

AT_ONCE = 3
AT_ONCE_OF_A_KEY = 2
WAITING_OF_A_KEY = 16
# So many rows at a time come out of the store; the first go by themselves, since a LIMIT may need no more.
_BATCH_ROWS = 2_048
_MOST_BATCHES = 16


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: `format` is one of tables.ENCODERS, `watermark` is what the answer says of its age."""

    sql: str
    params: Sequence[Any] | Mapping[str, Any]
    format: str
    watermark: str | None


@dataclass(frozen=True, slots=True)
class Limits:
    """What one question may take, beside what sandbox.worker says of its answer and memory."""

    within_s: float = 5.0
    input_rows: int = 20_000_000


class Queries:
    """Answers questions, a few at a time, for keys in rotation. Safe to use from one event loop."""

    def __init__(self, reader: Reader, workers: Workers, limits: Limits | None = None) -> None:
        self._reader = reader
        self._workers = workers
        self._limits = limits or Limits()
        self._turns = Turns(AT_ONCE, name="collector-query", of_one_key=AT_ONCE_OF_A_KEY)
        self._asked: Counter[str] = Counter()
        self._runs: set[_Run] = set()

    async def answer(self, question: Question, key: Key) -> bytes:
        """The encoded answer. Raises QueryError for what may not run or takes too much, BusyError for too many."""
        if self._asked[key.id] >= AT_ONCE_OF_A_KEY + WAITING_OF_A_KEY:
            raise BusyError(
                f"{self._asked[key.id]} queries of this key are under way; ask again when one is done"
            )
        run = _Run(question, key, self._reader, self._workers, self._limits)
        self._asked[key.id] += 1
        self._runs.add(run)
        try:
            return await asyncio.wrap_future(self._turns.submit(key.id, run))
        finally:
            # Whoever asked may be gone before the answer.
            run.stop()
            self._runs.discard(run)
            self._asked -= Counter([key.id])

    def close(self) -> None:
        """End what runs, and take no more."""
        for run in list(self._runs):
            run.stop()
        self._turns.close()


class _Run:
    """One question on its way through a worker, in a thread; `stop` may come from any other."""

    def __init__(
        self, question: Question, key: Key, reader: Reader, workers: Workers, limits: Limits
    ) -> None:
        self._question = question
        self._key = key
        self._reader = reader
        self._workers = workers
        self._limits = limits
        self._lock = threading.Lock()
        self._at_work: list[Callable[[], None]] = []
        self._stopped: Exception | None = None

    def __call__(self) -> bytes:
        try:
            with self._workers.lend() as worker:
                with self._limited(worker), ExitStack() as opened:
                    message, body = self._converse(worker.channel, opened)
                worker.is_worn_out = message["worn_out"]
        except (EOFError, OSError, ValueError, duckdb.InterruptException) as problem:
            raise self._stopped or QueryError(
                "the query ended the process that it ran in: it may need more memory than there is for one; "
                "narrow it or aggregate"
            ) from problem
        if "error" in message:
            raise QueryError(message["error"])
        return bytes(body)

    def stop(self, reason: Exception | None = None) -> None:
        """End it at once, unless it is done."""
        with self._lock:
            self._stopped = self._stopped or reason or BusyError("the service stops; ask again shortly")
            for end in self._at_work:
                end()

    @contextmanager
    def _limited(self, worker: Worker) -> Iterator[None]:
        """Let `stop` reach the worker, and call it when time is over."""
        late = QueryError(
            f"the query did not finish in time, which is {self._limits.within_s:g} s; narrow it or aggregate"
        )
        timer = threading.Timer(self._limits.within_s, self.stop, (late,))
        self._reach(worker.kill)
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            with self._lock:
                self._at_work.clear()

    def _reach(self, end: Callable[[], None]) -> None:
        """Let `stop` call this too. Raises what it was stopped for where that has been."""
        with self._lock:
            if self._stopped is not None:
                raise self._stopped
            self._at_work.append(end)

    def _converse(self, channel: Channel, opened: ExitStack) -> tuple[Mapping[str, Any], memoryview]:
        """Ask, send the rows that the worker wants, and return what it says in the end."""
        asked = {**asdict(self._question), "within_s": self._limits.within_s}
        channel.send(asked, packed_schemas(self._reader.schemas))
        cursor: duckdb.DuckDBPyConnection | None = None
        portions: Iterator[list[pa.RecordBatch]] = iter(())
        rows = 0
        while True:
            message, body = channel.receive()
            if "answer" in message or "error" in message:
                return message, body
            if "scan" in message:
                cursor = cursor or self._snapshot(opened)
                portions = _portions(self._scanned(cursor, **message))
            portion = next(portions, None)
            if portion is None:
                channel.send({"end": True})
                continue
            rows += sum(batch.num_rows for batch in portion)
            if rows > self._limits.input_rows:
                raise QueryError(
                    f"the query reads more than {self._limits.input_rows} rows; ask for a shorter time, or a report"
                )
            channel.send({"rows": True}, packed(portion))

    def _snapshot(self, opened: ExitStack) -> duckdb.DuckDBPyConnection:
        """A cursor that sees the store as of one moment."""
        cursor = opened.enter_context(self._reader.cursor())
        self._reach(cursor.interrupt)
        cursor.begin()
        return cursor

    def _scanned(
        self, cursor: duckdb.DuckDBPyConnection, scan: str, columns: Sequence[str], where: Any
    ) -> Iterator[pa.RecordBatch]:
        """The rows of a view that the key may read. Nothing of what a worker says gets into the SQL but known names."""
        schema = self._reader.schemas.get(scan)
        if schema is None or not set(columns) <= set(schema.names):
            raise ValueError(f"no such columns: {scan[:64]}")
        listed = ", ".join(f'"{name}"' for name in columns)
        test, values = sql_of(where, schema) if where is not None else ("true", [])
        yield from cursor.sql(
            f"SELECT {listed} FROM {self._reader.of(self._key, scan)} WHERE {test}",  # noqa: S608 - checked above
            params=values or None,
        ).to_arrow_reader(_BATCH_ROWS)


def _portions(batches: Iterator[pa.RecordBatch]) -> Iterator[list[pa.RecordBatch]]:
    """The batches in growing portions: one, two, four and so on."""
    size = 1
    while portion := list(islice(batches, size)):
        yield portion
        size = min(2 * size, _MOST_BATCHES)
