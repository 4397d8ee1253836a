"""Booker: one thread that books into the database what the journal has, in its order.

It begins where the database ends: what was acknowledged and not yet booked when the last process died is read from the
journal. A database that cannot be written is tried again for ever, ever more rarely; meanwhile the queue fills up and
the writer turns senders away.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import duckdb
import pyarrow as pa

from ..call import NotBilled, State
from ..errors import StoreError
from ..merging.merge import Outcome
from ..metrics import Metrics
from ..pricing import PriceCall
from . import adjustments
from .booking import Booked
from .journal import Journal, Kind
from .rows import EPOCH, Packed, numbered, unpacked
from .store import Store

__all__ = ["Booker", "Taken"]

MAX_BATCH_FACTS = 16_384
CHECKPOINT_EVERY_S = 60.0
MAX_UNFOLDED = 32_768
"""Rows of the rollups that readers add up themselves until they are folded."""
_RETRY_S = (0.1, 2.0)
_IDLE_AFTER_S = 1.0
# How long more may gather: so many times what the last batch took, and so long at most.
_GATHERS, _GATHERS_AT_MOST_S = 3.0, 0.25
_COUNTED = {
    Outcome.NEW: "booked_calls",
    Outcome.TWIN: "merged_spans",
    Outcome.DUPLICATE: "duplicate_spans",
    Outcome.CONFLICT: "conflict_spans",
}
_log = logging.getLogger(__name__)

Part = tuple[pa.Table, int, int]
"""Facts, the number of the first, and when they were taken in (microseconds since 1970)."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What one request brought, acknowledged."""

    packed: Packed
    first: int
    """The number of its first fact; 0 where it has none."""
    taken_us: int
    """When it was taken in, in microseconds since 1970."""


class Booker:
    """Books in a thread of its own. `start` it once; `close` books what waits."""

    def __init__(
        self,
        store: Store,
        journal: Journal,
        price: PriceCall,
        metrics: Metrics,
        *,
        committed: Callable[[], None],
        idle: Callable[[], None] = lambda: None,
    ) -> None:
        """From the booker's thread `committed` is called after each batch, `idle` each second in which nothing waits.

        Raises StoreError where the journal cannot give what the database lacks.
        """
        self._store = store
        self._journal = journal
        self._price = price
        self._metrics = metrics
        self._committed = committed
        self._idle = idle
        self._behind = _reconciled(store, journal)
        self._waiting: deque[Taken] = deque()
        self._waiting_size = 0
        self._changed = threading.Condition()
        self._closing = False
        self._hurried = False
        self._broken = False
        self._checkpointed_at = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="collector-book", daemon=True)

    @property
    def healthy(self) -> bool:
        """Whether the last batch could be booked."""
        return not self._broken

    @property
    def waiting(self) -> int:
        """Facts and reasons that are acknowledged and not yet in the database."""
        return self._behind + self._waiting_size

    def start(self) -> None:
        self._thread.start()

    def put(self, taken: Sequence[Taken]) -> None:
        """Book these."""
        with self._changed:
            self._waiting.extend(taken)
            self._waiting_size += sum(each.packed.size for each in taken)
            self._changed.notify()

    def hurry(self) -> None:
        """Book what waits without letting more gather: somebody asks for it."""
        with self._changed:
            self._hurried = bool(self._waiting)
            self._changed.notify()

    def close(self, timeout_s: float) -> None:
        """Book what waits and stop; what cannot be booked in time stays in the journal."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def _run(self) -> None:
        for kind, parts in _batches(self._journal, self._store.last_seq, self._behind):
            if not self._book(parts, kind=kind):
                return
            self._behind = max(0, self._behind - sum(facts.num_rows for facts, _, _ in parts))
        self._behind = 0
        while (batch := self._take()) is not None:
            began = time.monotonic()
            parts = [(each.packed.facts, each.first, each.taken_us) for each in batch if each.first]
            reasons = [reason for each in batch for reason in each.packed.not_billed]
            if batch and not self._book(parts, reasons, batch[-1].taken_us, batch[-1].packed.kind):
                return
            with self._changed:
                self._waiting_size -= sum(each.packed.size for each in batch)
            self._keep_up()
            if not batch:
                self._idle()
            else:
                self._gather(time.monotonic() - began)

    def _take(self) -> list[Taken] | None:
        """What has gathered, up to a batch's limit; empty when nothing comes for a while; None when closed and done.

        A part of a rerate is a batch of its own.
        """
        with self._changed:
            if not self._waiting and not self._closing:
                self._changed.wait(_IDLE_AFTER_S)
            if not self._waiting and self._closing:
                return None
            self._hurried = False
            batch: list[Taken] = []
            size = 0
            while self._waiting and size < MAX_BATCH_FACTS:
                if batch and Kind.ADJUSTED in (batch[-1].packed.kind, self._waiting[0].packed.kind):
                    break
                batch.append(self._waiting.popleft())
                size += batch[-1].packed.facts.num_rows
            return batch

    def _gather(self, took_s: float) -> None:
        """Let more gather, for a while that goes by how long the last batch took.

        A batch costs some 30 ms of CPU whatever is in it. Booked one by one, requests would take all of a core, and
        those who send them would wait for it.
        """
        with self._changed:
            self._changed.wait_for(
                lambda: self._closing or self._hurried or self._waiting_size >= MAX_BATCH_FACTS,
                min(took_s * _GATHERS, _GATHERS_AT_MOST_S),
            )

    def _book(
        self,
        parts: Sequence[Part],
        reasons: Sequence[NotBilled] = (),
        told_us: int = 0,
        kind: Kind = Kind.FACTS,
    ) -> bool:
        """Book until it is done; False when it cannot be and the booker is closing."""
        facts = numbered(parts) if parts else None
        told_at = EPOCH + timedelta(microseconds=told_us)
        pause, closed = _RETRY_S[0], False
        while True:
            try:
                if closed:
                    self._store.reopen()
                if kind is Kind.ADJUSTED and facts is not None:
                    self._adjust(facts)
                else:
                    self._write(facts, reasons, told_at)
            except Exception as problem:  # noqa: BLE001 - nobody else books: it goes on, whatever it is
                # A full disk leaves the connection usable, and readers with it; after a fatal error it must be opened
                # anew, and as often as that fails.
                closed = isinstance(problem, duckdb.FatalException | duckdb.ConnectionException | StoreError)
                if not self._broken:
                    _log.error("the database cannot be written: %s", _first_line(problem))
                self._broken = True
            else:
                if self._broken:
                    _log.warning("the database can be written again")
                self._broken = False
                return True
            with self._changed:
                if self._closing:
                    return False
                self._changed.wait(pause)
            pause = min(pause * 2, _RETRY_S[1])

    def _write(self, facts: pa.Table | None, reasons: Sequence[NotBilled], told_at: datetime) -> None:
        """Book the batch; where one fact in it brings booking down, that one is put aside and the others booked.

        Reasons that do are let go: they are no facts.
        """
        try:
            began = time.perf_counter()
            booked = self._store.book(facts, self._price, reasons, told_at)
        except (duckdb.Error, StoreError):
            raise
        except Exception as problem:
            if reasons:
                _log.exception("%d reasons why spans are no calls cannot be kept", len(reasons))
                self._write(facts, (), told_at)
                return
            if facts is None:
                raise
            _log.exception("facts %s to %s cannot be booked", facts["seq"][0], facts["seq"][-1])
            if facts.num_rows == 1:
                self._store.book(_put_aside(facts, problem), self._price)
                return
            half = facts.num_rows // 2
            self._write(facts.slice(0, half), (), told_at)
            self._write(facts.slice(half), (), told_at)
            return
        self._note(booked, time.perf_counter() - began)
        self._confirm()

    def _adjust(self, rows: pa.Table) -> None:
        self._store.adjust(rows)
        self._confirm()

    def _confirm(self) -> None:
        self._journal.booked = self._store.last_seq
        self._committed()

    def _note(self, booked: Booked, seconds: float) -> None:
        self._metrics.observe("commit_seconds", seconds)
        for outcome, count in booked.outcomes.items():
            self._metrics.count(_COUNTED[outcome], count)
        self._metrics.count("unpriced_calls", booked.states[State.UNPRICED])
        self._metrics.count("incomplete_calls", booked.states[State.INCOMPLETE])
        self._metrics.count("settled_only_calls", booked.states[State.SETTLED_ONLY])
        self._metrics.count("quarantined_calls", booked.quarantined)
        self._metrics.count("task_ends", booked.task_ends)
        self._metrics.count("served_answers", booked.served)

    def _keep_up(self) -> None:
        """Fold the rollups now and then, bring the file up to date, let go of the journal that it makes needless."""
        is_time = time.monotonic() - self._checkpointed_at >= CHECKPOINT_EVERY_S
        try:
            if self._store.unfolded > (0 if is_time else MAX_UNFOLDED):
                self._store.fold()
            if is_time:
                self._checkpointed_at = time.monotonic()
                if self._store.checkpoint():
                    self._journal.prune(self._store.last_seq)
        except (duckdb.Error, OSError) as problem:
            _log.warning("no checkpoint: %s", _first_line(problem))


def _reconciled(store: Store, journal: Journal) -> int:
    """Compare the journal with the database; how many facts the journal has that the database lacks.

    Raises StoreError where they cannot be read: facts that were acknowledged would be lost without a word.
    """
    if journal.torn_bytes:
        _log.warning(
            "the journal ended in %d bytes of an interrupted write: never acknowledged, skipped",
            journal.torn_bytes,
        )
    if store.last_seq < journal.booked:
        _log.error(
            "the database holds facts up to %d and had confirmed %d: its file or WAL was damaged or is an older copy; "
            "the rest is booked again from the journal",
            *(store.last_seq, journal.booked),
        )
    behind = sum(entry.count for entry in journal.entries(store.last_seq))
    journal.skip_to(store.last_seq)
    return behind


def _batches(journal: Journal, after: int, behind: int) -> Iterator[tuple[Kind, list[Part]]]:
    """The `behind` facts that the database lacked at the start, in batches; a part of a rerate is one by itself."""
    batch: list[Part] = []
    size = 0
    for entry in journal.entries(after):
        if behind <= 0:
            break
        behind -= entry.count
        if entry.kind is Kind.ADJUSTED:
            if batch:
                yield Kind.FACTS, batch
                batch, size = [], 0
            yield entry.kind, [(adjustments.unpacked(entry.payload), entry.first, entry.taken_us)]
            continue
        batch.append((unpacked(entry.payload), entry.first, entry.taken_us))
        size += entry.count
        if size >= MAX_BATCH_FACTS:
            yield Kind.FACTS, batch
            batch, size = [], 0
    if batch:
        yield Kind.FACTS, batch


def _first_line(problem: Exception) -> str:
    return f"{type(problem).__name__}: {next(iter(str(problem).strip().splitlines()), '')}"


def _put_aside(facts: pa.Table, problem: Exception) -> pa.Table:
    """The one fact, to be kept in quarantine with what stood in its way."""
    reason = f"cannot be booked: {type(problem).__name__}: {str(problem)[:200]}"
    place = facts.schema.get_field_index("quarantined")
    return facts.set_column(place, "quarantined", pa.array([reason], pa.string()))
