"""Keeper: the ledger of a running collector. One thing is done to it at a time, and what was cut off is finished first.

What takes long is computed on a snapshot while booking goes on; the writer is held for the appending only.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from collector.extension import Facts
from collector.keys.key import EVERYTHING

from . import anchors, drafts, files
from .blockers import Blocker, blockers
from .calendar import Period
from .closing import Accepted, Closing, closing
from .corrections import Compute, difference
from .drafts import Draft, Person
from .entries import Head, append, checked, head, made, of_period
from .errors import LedgerError
from .invoiced import Compared, compared, true_ups
from .periods import Closed, as_closed, closed, following, keep, open_for
from .settings import Chargeback
from .verify import Verified, verify

if TYPE_CHECKING:
    import duckdb

__all__ = ["Corrections", "Keeper"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Corrections:
    """What is not posted yet of closed periods."""

    lines: pa.Table
    period: str | None
    """In which they are charged; None where no period was closed yet."""
    posted: Head | None = None
    """The ledger's head, where they were written."""


class Keeper:
    """Closes periods and adds to the ledger. Safe to ask from any thread; everything here may take long."""

    def __init__(
        self, facts: Facts, compute: Compute, settings: Callable[[], Chargeback], software: str
    ) -> None:
        self._facts = facts
        self._compute = compute
        self._settings = settings
        self._software = software
        self._alone = threading.Lock()
        self._work: dict[str, Any] | None = None

    @property
    def settings(self) -> Chargeback:
        """As they are now."""
        return self._settings()

    @property
    def progress(self) -> dict[str, Any] | None:
        """What is under way, and how far; None where nothing is."""
        return self._work

    def period(self, name: str) -> Period:
        """The period of that name. Raises CalendarError."""
        return self.settings.calendar.period(name)

    def recover(self) -> None:
        """Finish what a crash has cut off. Raises BrokenLedgerError where the ledger is not what it was; OSError."""
        data = self._facts.data
        with self._snapshot() as con:
            known = closed(con)
            for each in known:
                if not (anchors.folder(data) / each.period).exists():
                    _log.warning("the files of %s are finished from its entries", each.period)
                    found = files.built(each, of_period(con, each.period))
                    files.prepare(data, each, found)
                    files.publish(data, each.period)
            for name in files.prepared(data):
                _log.warning("the close of %s was cut off before it was one; its files are removed", name)
                files.withdraw(data, name)
            on_file = anchors.on_file(data)
            last = checked(con, on_file)
            if last.seq and (on_file is None or last.seq > on_file.seq):
                self._anchor(last, known)

    def check(self, period: Period) -> tuple[Closed | None, list[Blocker], pa.Table]:
        """(its close, what speaks against one, its lines): of a closed period the close alone."""
        with self._snapshot() as con:
            found = _found(closed(con), period)
            if found is not None:
                return found, [], pa.table({})
            lines = difference(con, period, self._compute, self.settings.calendar)
            return None, self._blockers(con, period, lines), lines

    def close(self, period: Period, by: Person, accepted: Sequence[Accepted]) -> tuple[Closed, bool]:
        """(the close, whether it was one before): all of it is there when this returns, or nothing of it.

        Raises RefusedError and LedgerError.
        """
        with self._one(f"close of {period.name}") as tell:
            settings = self.settings
            with self._snapshot() as con:
                known = closed(con)
                found = _found(known, period)
                if found is not None:
                    return found, True
                plan = closing(
                    con,
                    period,
                    head(con),
                    compute=self._compute,
                    settings=settings,
                    accepted=accepted,
                    by=by.shown,
                    by_key=by.key,
                    now=self._facts.now(),
                    behind=self._facts.behind(),
                    software=self._software,
                    progress=tell,
                )
            self._commit(plan)
            return plan.closed, False

    def correct(self, *, write: bool) -> Corrections:
        """What closed periods cost now beyond what is posted; with `write` posted into the first open period."""
        with self._one("corrections") as tell:
            calendar = self.settings.calendar
            with self._snapshot() as con:
                known, after = closed(con), head(con)
                if not known:
                    return Corrections(pa.table({}), None)
                found = []
                for place, each in enumerate(known):
                    tell(f"corrections of {each.period}", place, len(known))
                    found.append(difference(con, as_closed(each, calendar), self._compute, calendar))
            lines = pa.concat_tables(found)
            into = following(known[-1], calendar).name
            if not write or not lines.num_rows:
                return Corrections(lines, into)
            entries = made(lines, into, after, self._facts.now())
            return Corrections(lines, into, self._append(lambda con: append(con, entries)))

    def reconcile(self, period: Period) -> Compared:
        """A month beside the statements of providers."""
        with self._snapshot() as con:
            return compared(con, period, self._compute, self.settings)

    def true_up(self, period: Period) -> Corrections:
        """Book what differs from the statements beyond what is booked. Raises LedgerError."""
        with self._one(f"booking of {period.name}"):
            settings = self.settings
            with self._snapshot() as con:
                found = compared(con, period, self._compute, settings)
                into, after = open_for(con, period, settings.calendar).name, head(con)
            lines = true_ups(found, period, f"statements of {period.name}")
            if not lines.num_rows:
                return Corrections(lines, into)
            entries = made(lines, into, after, self._facts.now())
            return Corrections(lines, into, self._append(lambda con: append(con, entries)))

    def prepare(self, draft: Draft, by: Person) -> dict[str, Any]:
        """Keep a draft. Raises LedgerError, or CalendarError for its day, where it cannot be booked."""
        now = self._facts.now()
        settings = self.settings
        if by.key == EVERYTHING.id and not by.name:
            raise LedgerError(
                "nobody needs a key here: say who prepares it (by), since somebody else must approve it"
            )
        settings.calendar.period_of(draft.day)  # what is of no period could not be approved
        with self._facts.store.transaction() as con:
            checked_ = drafts.check(con, draft, settings.currency, settings.calendar.day_of(now))
            return drafts.prepare(con, checked_, by, now)

    def approve(self, name: str, by: Person) -> dict[str, Any]:
        """Make an entry of a draft. Raises LedgerError."""
        if by.key == EVERYTHING.id and not by.name:
            raise LedgerError("nobody needs a key here: say who approves it (by); it is not who prepared it")
        told: dict[str, Any] = {}

        def work(con: duckdb.DuckDBPyConnection) -> Head:
            found, last = drafts.approve(
                con,
                name,
                by,
                after=head(con),
                calendar=self.settings.calendar,
                now=self._facts.now(),
                keyless=EVERYTHING.id,
            )
            told.update(found)
            return last

        with self._one("approval"):
            self._append(work)
        return told

    def refuse(self, name: str, by: Person, note: str) -> dict[str, Any]:
        """Let a draft be none. Raises LedgerError."""
        with self._facts.store.transaction() as con:
            return drafts.refuse(con, name, by, note, self._facts.now())

    def verify(self, noted: Sequence[Head]) -> Verified:
        """Look whether everything is what it was. Raises LedgerError while something is done to the ledger.

        What is appended meanwhile would be in the files and not in what is looked at.
        """
        with self._only("verification") as tell, self._snapshot() as con:
            return verify(con, self._facts.data, noted, tell)

    def _blockers(self, con: duckdb.DuckDBPyConnection, period: Period, lines: pa.Table) -> list[Blocker]:
        now, behind = self._facts.now(), self._facts.behind()
        return blockers(con, period, lines, self.settings, now=now, behind=behind)

    def _commit(self, plan: Closing) -> None:
        data, period = self._facts.data, plan.closed.period
        files.prepare(data, plan.closed, plan.files)

        def work(con: duckdb.DuckDBPyConnection) -> Head:
            append(con, plan.entries)
            keep(con, plan.closed)
            return plan.head

        try:
            self._append(work, publish=lambda: files.publish(data, period))
        finally:
            # Where it was committed they are in their place by now, or are finished before the next thing is done.
            with suppress(OSError):
                files.withdraw(data, period)
        _log.warning("%s is closed by %s: entries %s", period, plan.closed.closed_by, plan.closed.reach)

    def _append(
        self, work: Callable[[duckdb.DuckDBPyConnection], Head], publish: Callable[[], None] = lambda: None
    ) -> Head:
        with self._facts.store.transaction() as con:
            last = work(con)
        publish()
        with self._snapshot() as con:
            self._anchor(last, closed(con))
        return last

    def _anchor(self, last: Head, known: Sequence[Closed]) -> None:
        period, at = (known[-1].period, known[-1].closed_at) if known else (None, None)
        anchors.write(self._facts.data, last, period, at)

    @contextmanager
    def _one(self, what: str) -> Iterator[Callable[[str, int, int], None]]:
        """Alone, on a ledger that is whole. Yields what tells how far it is."""
        try:
            with self._only(what) as tell:
                self.recover()
                yield tell
        except OSError as problem:
            raise LedgerError(
                f"the ledger's files cannot be written ({problem.filename}: {problem.strerror}): what was under way is "
                "finished or undone before the next thing is done; make room, and ask again",
                503,
            ) from problem

    @contextmanager
    def _only(self, what: str) -> Iterator[Callable[[str, int, int], None]]:
        """Alone. Yields what tells how far it is."""
        if not self._alone.acquire(blocking=False):
            doing = self._work or {}
            raise LedgerError(
                f"the {doing.get('what', 'ledger')} is under way; ask again when it is done", 409
            )
        try:
            self._work = {"what": what, "step": "begins", "done": 0, "of": 1}
            yield lambda step, done, of: self._tell(what, step, done, of)
        finally:
            self._work = None
            self._alone.release()

    def _tell(self, what: str, step: str, done: int, of: int) -> None:
        self._work = {"what": what, "step": step, "done": done, "of": of}

    @contextmanager
    def _snapshot(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A cursor on everything, as it is at one moment."""
        with self._facts.reader.cursor() as con:
            con.begin()
            yield con


def _found(known: Sequence[Closed], period: Period) -> Closed | None:
    return next((each for each in known if each.period == period.name), None)
