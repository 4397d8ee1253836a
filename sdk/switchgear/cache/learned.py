"""What was learned about a workload's wordings, and its certificates: a SQLite file without any content in it.

Wordings and workloads stand there as keyed hashes, so that nobody who has the file can tell whether a wording was ever
asked, or whose the workloads are. Their names, the certificates and what is known of judges are sealed, each in its
place: one that another hand wrote or moved there is as if there were none, so that nothing is served by it. What shows
are counts. An old file put back whole is not told from the new one.
"""

from __future__ import annotations

import json
import logging
import os
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from .bound import Certificate, JudgeError
from .sealing import Damaged, Secrets
from .wording.score import BY_CHANCE, Seen

__all__ = ["Learned"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS workloads (workload BLOB PRIMARY KEY, name BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS pairs (
    workload BLOB NOT NULL, one BLOB NOT NULL, other BLOB NOT NULL, same INTEGER NOT NULL, different INTEGER NOT NULL,
    told INTEGER NOT NULL, PRIMARY KEY (workload, one, other)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS certificates (
    workload BLOB NOT NULL, method TEXT NOT NULL, document BLOB NOT NULL, PRIMARY KEY (workload, method)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS judges (
    workload BLOB NOT NULL, judge TEXT NOT NULL, document BLOB NOT NULL, PRIMARY KEY (workload, judge)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS outcomes (
    workload BLOB NOT NULL, outcome TEXT NOT NULL, requests INTEGER NOT NULL, PRIMARY KEY (workload, outcome)
) STRICT, WITHOUT ROWID;
"""
_TABLES = ("workloads", "pairs", "certificates", "judges", "outcomes")
_BUSY_S = 5.0
_AT_ONCE, _SERVED_AT_ONCE = 50, 1000
"""Outcomes that are counted before they are written: so many a process that is killed may lose. To write takes longer
than to find a very same request: where no model is asked, it is done so rarely that 999 of 1,000 do not wait for it."""
_NAMES = 10_000
_ALL = b""
"""In the place of a wording: behind an edit, all pairs that differ so; twice, all that were ever different."""
_GUESSED, _LEAST_CHANCE = 10, 0.01
"""As many labels as the guess of it counts for, and what it never goes below."""
_MOST_PAIRS, _COUNTED_AFTER = 400_000, 1000
"""Rows of pairs of a workload, some 40 MB, and after how many labellings they are counted: of more, the fourth
part that was told longest ago is forgotten."""
_SECRET = 32
_log = logging.getLogger("switchgear")


class _Named(NamedTuple):
    """A workload as the file has it."""

    key: bytes
    """The keyed hash of its name."""
    sealed: bytes
    """Its name."""


class Learned:
    """Counts of pairs of wordings, certificates and outcomes, by workload. Safe in many threads and processes."""

    def __init__(self, file: Path | None, secrets: Secrets | None = None) -> None:
        """In this file, or in memory where there is none.

        Without `secrets` they are made up: what is written nobody reads any more after this.
        """
        self._file = ":memory:" if file is None else str(file)
        self._secrets = Secrets(os.urandom(_SECRET)) if secrets is None else secrets
        self._of = lru_cache(_NAMES)(self._named)
        self._lock = threading.RLock()
        self._told = False
        self._labelled = Counter[bytes]()
        self._counting = threading.Lock()
        self._counted = Counter[tuple[str, str]]()
        self._con = self._connected()
        self._con.executescript(_SCHEMA)

    def seen(self, workload: str, one: bytes, others: Iterable[tuple[bytes, str, bytes]]) -> list[Seen]:
        """What was seen of a wording and of each of these others.

        Of each other: its hash, how its values are placed, and the hash of the edit between both (b"": none).
        """
        key = self._of(workload).key
        with self._lock:
            ours, by_chance = self._known(key, one), self._by_chance(key)
            found = []
            for other, placed, edit in others:
                same, different = self._pair(key, edit, _ALL) if edit else (0, 0)
                found.append(
                    replace(
                        self._seen(key, ours, other, placed),
                        alike_same=same,
                        alike_different=different,
                        by_chance=by_chance,
                    )
                )
        return found

    def _seen(
        self, workload: bytes, ours: Mapping[bytes, tuple[int, int]], other: bytes, placed: str
    ) -> Seen:
        same, different = ours.get(_turned(other, placed), (0, 0))
        if placed or not ours:
            # Third wordings are placed by one of both alone.
            return Seen(same, different)
        theirs = self._known(workload, other)
        through = apart = 0
        for each in ours.keys() & theirs.keys():
            (same_ours, not_ours), (same_theirs, not_theirs) = ours[each], theirs[each]
            if not not_ours and not not_theirs:
                through += min(same_ours, same_theirs)
            elif not not_ours or not not_theirs:
                apart += min(same_ours or same_theirs, not_ours or not_theirs)
        return Seen(same, different, through, apart)

    def label(self, workload: str, pairs: Iterable[tuple[bytes, bytes, str, str, bytes, bool]]) -> None:
        """Whether answers to requests of two wordings and of the same values were the same.

        Of each pair: both hashes, how the values of the second are placed by the first, and the other way round, and
        the hash of the edit between both (b"": none).
        """
        key = self._of(workload).key
        with self._lock, self._con as con:
            self._name(con, workload)
            if self._labelled[key] % _COUNTED_AFTER == 0:
                self._forget_some(con, key)
            self._labelled[key] += 1
            for one, other, placed, back, edit, same in pairs:
                known = self._pair(key, one, _turned(other, placed))
                told = {(one, _turned(other, placed)), (other, _turned(one, back))}
                # Of the others one pair is one witness, however often it is asked.
                if edit and known == (0, 0):
                    told.add((edit, _ALL))
                if known == (0, 1):
                    told.add((_ALL, _ALL))
                con.executemany(
                    "INSERT INTO pairs VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET same = same + excluded.same,"
                    " different = different + excluded.different, told = excluded.told",
                    [(key, *each, int(same), int(not same), self._labelled[key]) for each in told],
                )

    def _forget_some(self, con: sqlite3.Connection, workload: bytes) -> None:
        """Keep a workload's pairs few, and go on counting its labellings where the last process left off."""
        rows, last = con.execute(
            "SELECT count(*), coalesce(max(told), 0) FROM pairs WHERE workload = ?", (workload,)
        ).fetchone()
        self._labelled[workload] = max(self._labelled[workload], last)
        if rows > _MOST_PAIRS:
            con.execute(
                "DELETE FROM pairs WHERE workload = ?1 AND told <="
                " (SELECT told FROM pairs WHERE workload = ?1 ORDER BY told LIMIT 1 OFFSET ?2)",
                (workload, rows // 4),
            )

    def certificate(self, workload: str, method: str, fresh: Certificate) -> Certificate:
        """The certificate of a workload by this method, `fresh` where there is none yet."""
        key = self._of(workload).key
        with self._lock:
            found = self._con.execute(
                "SELECT document FROM certificates WHERE workload = ? AND method = ?", (key, method)
            ).fetchone()
        document = None if found is None else self._opened(found[0], _certified(key, method))
        return fresh if document is None else Certificate.from_document(document)

    def change(
        self, workload: str, method: str, fresh: Certificate, change: Callable[[Certificate], None]
    ) -> Certificate:
        """The certificate, changed: nobody else changes it meanwhile."""
        key = self._of(workload).key
        with self._lock:
            con = self._con
            con.execute("BEGIN IMMEDIATE")
            with con:
                found = self.certificate(workload, method, fresh)
                change(found)
                self._name(con, workload)
                sealed = self._sealed(found.to_document(), _certified(key, method))
                con.execute("INSERT OR REPLACE INTO certificates VALUES (?, ?, ?)", (key, method, sealed))
        return found

    def judge(self, workload: str, judge: str, fresh: JudgeError) -> JudgeError:
        """What is known of a judge's errors on a workload's answers, `fresh` where nothing is yet."""
        key = self._of(workload).key
        with self._lock:
            found = self._con.execute(
                "SELECT document FROM judges WHERE workload = ? AND judge = ?", (key, judge)
            ).fetchone()
        document = None if found is None else self._opened(found[0], _judged(key, judge))
        return fresh if document is None else JudgeError(**document)

    def judge_said(
        self, workload: str, judge: str, fresh: JudgeError, *, same: bool, said_same: bool
    ) -> None:
        """What the judge said of two answers of which it is known whether they are the same."""
        key = self._of(workload).key
        with self._lock:
            self._con.execute("BEGIN IMMEDIATE")
            with self._con as con:
                known = self.judge(workload, judge, fresh).labelled(same=same, said_same=said_same)
                self._name(con, workload)
                sealed = self._sealed(asdict(known), _judged(key, judge))
                con.execute("INSERT OR REPLACE INTO judges VALUES (?, ?, ?)", (key, judge, sealed))

    def count(self, workload: str, outcome: str, *, served: bool) -> None:
        """One more request of which this became. What is `served` waits for others and for the file once in 1,000."""
        with self._counting:
            self._counted[workload, outcome] += 1
            due = self._counted.total() >= (_SERVED_AT_ONCE if served else _AT_ONCE)
        if due:
            with self._lock:
                self._write_counts()

    def _write_counts(self) -> None:
        with self._counting:
            counted, self._counted = self._counted, Counter[tuple[str, str]]()
        with self._con as con:
            for (workload, outcome), requests in counted.items():
                con.execute(
                    "INSERT INTO outcomes VALUES (?, ?, ?) ON CONFLICT DO UPDATE"
                    " SET requests = requests + excluded.requests",
                    (self._name(con, workload), outcome, requests),
                )

    def workloads(self) -> list[str]:
        """The names of all of which anything was learned."""
        with self._lock:
            self._write_counts()
        return sorted(self._names().values())

    def outcomes(self) -> dict[str, dict[str, int]]:
        """How many requests of each workload became what."""
        found: dict[str, dict[str, int]] = {}
        with self._lock:
            self._write_counts()
            names = self._names()
            rows = self._con.execute("SELECT * FROM outcomes ORDER BY 1, 2").fetchall()
        for key, outcome, requests in rows:
            if key in names:
                found.setdefault(names[key], {})[outcome] = requests
        return found

    def certificates(self) -> list[tuple[str, str, Certificate]]:
        """All certificates with their workloads and methods."""
        names = self._names()
        with self._lock:
            rows = self._con.execute("SELECT * FROM certificates ORDER BY 1, 2").fetchall()
        return [
            (names[key], method, Certificate.from_document(document))
            for key, method, sealed in rows
            if key in names and (document := self._opened(sealed, _certified(key, method))) is not None
        ]

    def forget(self, workload: str) -> None:
        """All that was learned of a workload; it cannot be brought back from the file or its log."""
        with self._lock:
            self._write_counts()
            with self._con as con:
                for table in _TABLES:
                    con.execute(
                        f"DELETE FROM {table} WHERE workload = ?",  # noqa: S608 - names of ours
                        (self._of(workload).key,),
                    )
            self._con.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        with self._lock:
            self._write_counts()
            self._con.close()

    def _named(self, workload: str) -> _Named:
        key = self._secrets.hashed(b"learned", workload.encode())
        return _Named(key, self._secrets.own.seal(workload.encode(), _name_of(key)))

    def _name(self, con: sqlite3.Connection, workload: str) -> bytes:
        """Within a transaction, have the workload's name there; its key."""
        named = self._of(workload)
        con.execute("INSERT OR IGNORE INTO workloads VALUES (?, ?)", named)
        return named.key

    def _names(self) -> dict[bytes, str]:
        """All names by their keys."""
        with self._lock:
            rows = self._con.execute("SELECT * FROM workloads").fetchall()
        opened = ((key, self._unsealed(sealed, _name_of(key))) for key, sealed in rows)
        return {key: name.decode() for key, name in opened if name is not None}

    def _sealed(self, document: dict[str, Any], context: bytes) -> bytes:
        return self._secrets.own.seal(json.dumps(document).encode(), context)

    def _opened(self, sealed: bytes, context: bytes) -> dict[str, Any] | None:
        plain = self._unsealed(sealed, context)
        if plain is None:
            return None
        document: dict[str, Any] = json.loads(plain)
        return document

    def _unsealed(self, sealed: bytes, context: bytes) -> bytes | None:
        """None for what was not sealed there; told once."""
        try:
            return self._secrets.own.open(sealed, context)
        except Damaged:
            if not self._told:
                self._told = True
                _log.warning(
                    "%s: holds what is not as it was written, and is not used; who else writes there?",
                    self._file,
                )
            return None

    def _known(self, workload: bytes, one: bytes) -> dict[bytes, tuple[int, int]]:
        rows = self._con.execute(
            "SELECT other, same, different FROM pairs WHERE workload = ? AND one = ?", (workload, one)
        )
        return {other: (same, different) for other, same, different in rows}

    def _pair(self, workload: bytes, one: bytes, other: bytes) -> tuple[int, int]:
        with self._lock:
            found: tuple[int, int] | None = self._con.execute(
                "SELECT same, different FROM pairs WHERE workload = ? AND one = ? AND other = ?",
                (workload, one, other),
            ).fetchone()
        return found or (0, 0)

    def _by_chance(self, workload: bytes) -> float:
        """How often answers were the same to wordings whose answers had been different before; at first a guess."""
        same, different = self._pair(workload, _ALL, _ALL)
        return max(_LEAST_CHANCE, (BY_CHANCE * _GUESSED + same) / (_GUESSED + same + different))

    def _connected(self) -> sqlite3.Connection:
        con = sqlite3.connect(self._file, timeout=_BUSY_S, check_same_thread=False)
        con.execute("PRAGMA journal_mode = WAL")
        con.execute("PRAGMA secure_delete = ON")
        # What a crash of the machine takes with it are the last labels: they are asked again.
        con.execute("PRAGMA synchronous = NORMAL")
        return con


def _turned(wording: bytes, placed: str) -> bytes:
    return wording + placed.encode()


def _name_of(key: bytes) -> bytes:
    return b"name\0" + key


def _certified(key: bytes, method: str) -> bytes:
    return b"certificate\0" + key + method.encode()


def _judged(key: bytes, judge: str) -> bytes:
    return b"judge\0" + key + judge.encode()
