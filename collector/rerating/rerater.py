"""Rerater: re-rates the calls of a range, a stretch of them at a time, as they were at one moment.

What is written goes the way of facts: through the journal into the database, in parts that count all at once with the
last. It is held back until all calls have been looked at: where that is not what was shown, nothing counts.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from switchgear.usage import Usage

from ..errors import BusyError, RerateError, StoreError
from ..facts import adjustments
from ..facts.adjustments import Rerate
from ..facts.statements import statement
from ..facts.store import Store
from ..facts.writer import Writer
from ..keys.key import Key
from ..pricing import PriceCall
from ..queries.reader import Reader
from ..queries.visible import of_tenants
from .asked import Asked
from .lines import Lines
from .repricing import PriceCalls, one_by_one, repriced

__all__ = ["Rerater"]

_CALLS_AT_ONCE = 32_768
_ROWS_A_PART = 16_384
_MOST_WAITING = 32_768
"""Facts and rows that wait to be booked, while another part is handed in: senders of spans need room too."""
_WITHIN_S = 60.0
_POLL_S = 0.02
_TELLING = ("call_id", "call_seq", "currency", "old_cost", "new_cost", "new_price_version", "new_contract")
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Work:
    """What is under way."""

    by: str
    writes: bool
    calls: int = 0
    of: int = 0


class Rerater:
    """Re-rates, one range at a time. Safe to ask from any thread."""

    def __init__(
        self,
        store: Store,
        reader: Reader,
        writer: Writer,
        price: PriceCall,
        *,
        price_calls: PriceCalls | None = None,
        alone: threading.Lock,
    ) -> None:
        """`price_calls` prices many calls at once, as `price` does each. `alone` is held while it works."""
        self._store = store
        self._reader = reader
        self._writer = writer
        self._price = price
        self._price_calls = price_calls or one_by_one(price)
        self._alone = alone
        self._work: _Work | None = None
        self._closing = False

    def close(self) -> None:
        """Break off what is under way: nothing of it counts."""
        self._closing = True

    def progress(self, key: Key) -> dict[str, Any] | None:
        """How far the rerate is that `key` has asked for; None where none is under way."""
        work = self._work
        if work is None or work.by != key.id or not work.of:
            return None
        return {"calls": work.calls, "of": work.of, "write": work.writes}

    def rerate(self, asked: Asked, key: Key, now: datetime) -> dict[str, Any]:
        """What calls of the key's tenants cost and would cost; written where that is asked, and only as it was shown.

        Raises RerateError, and BusyError and StoreError where it cannot be written (now): then nothing of it counts.
        """
        if not self._alone.acquire(blocking=False):
            raise RerateError(
                "a rerate, or the deletion of a tenant, is under way; ask again when it is done", 409
            )
        try:
            version = self._price(None, None, Usage(), now).version
            if asked.book not in (None, version):
                raise RerateError(
                    f"the price book {asked.book!r} is not the one that is loaded: that is {version!r}"
                )
            self._work = work = _Work(key.id, asked.write)
            return self._rerate(asked, key, now, version, work)
        finally:
            self._work = None
            self._alone.release()

    def _rerate(self, asked: Asked, key: Key, now: datetime, version: str, work: _Work) -> dict[str, Any]:
        began = time.perf_counter()
        lines = Lines(asked.by)
        told = hashlib.sha256()
        parts = _Parts(self._writer, f"{now:%Y%m%dT%H%M%S}-{secrets.token_hex(4)}") if asked.write else None
        for calls in self._calls(asked, key, work):
            found = repriced(calls, self._price_calls)
            if set(pc.unique(found.rows["new_price_version"]).to_pylist()) - {version}:
                raise RerateError(f"the price book is no longer {version!r}; ask again", 409)
            lines.add(found.calls)
            told.update(_text(found.rows))
            if parts is not None:
                parts.add(found.rows)
            work.calls += calls.num_rows
        shown = told.hexdigest()
        answer = {
            "book": version,
            "from": asked.from_,
            "to": asked.to,
            "by": asked.by,
            "lines": lines.documents(),
            "totals": lines.totals(),
            "shown": shown,
            "rerate": None,
        }
        if parts is not None:
            if shown != asked.shown:
                raise RerateError(
                    "what would be written is not what was shown: calls came or changed; look again, "
                    "and choose a range that has ended",
                    409,
                )
            answer["rerate"] = self._finish(asked, key, now, version, parts)
        return {**answer, "seconds": round(time.perf_counter() - began, 3)}

    def _calls(self, asked: Asked, key: Key, work: _Work) -> Iterator[pa.Table]:
        """The calls, in stretches, all as they were at one moment."""
        wanted = {name: getattr(asked, name) for name in ("tenant", "provider", "model")}
        filters = {name: value for name, value in wanted.items() if value is not None}
        tests = f"({of_tenants(key)})" + "".join(f" AND {name} = ${name}" for name in filters)
        times = {"begins": asked.from_, "ends": asked.to}
        with self._reader.cursor() as con:
            con.begin()
            ((first, last, work.of),) = con.execute(
                "SELECT min(call_id), max(call_id), count(*) FROM booked"  # noqa: S608 - our own names and conditions
                f" WHERE started_at >= $begins AND started_at < $ends AND kind <> 'served' AND {tests}",
                {**times, **filters},
            ).fetchall()
            if not work.of:
                return
            stretch = f"SELECT * FROM ({statement('rerate')}) WHERE {tests} ORDER BY call_id"  # noqa: S608
            # From whole multiples, so that what is shown and what is written are cut alike.
            for low in range(first - first % _CALLS_AT_ONCE, last + 1, _CALLS_AT_ONCE):
                bounds = {"low": low, "high": low + _CALLS_AT_ONCE - 1}
                calls = con.sql(stretch, params={**times, **filters, **bounds}).to_arrow_table()
                if self._closing:
                    raise BusyError("the collector is stopping; nothing of this rerate counts")
                if calls.num_rows:
                    yield calls

    def _finish(
        self, asked: Asked, key: Key, now: datetime, version: str, parts: _Parts
    ) -> dict[str, Any] | None:
        """Let what was written count. Returns None where there was nothing to write."""
        if not parts.rows:
            return None
        rerate = Rerate(parts.id, now, key.id, asked.reason or "", asked.from_, asked.to, version, parts.rows)
        parts.end(rerate)
        self._wait_until_booked(self._writer.acknowledged)
        _log.warning("rerate %s by %s: %d adjustments, %s", rerate.id, rerate.by, rerate.rows, version)
        with self._reader.cursor() as con:
            ((changed,),) = con.execute(
                "SELECT count(*) FROM adjustments_of_calls WHERE rerate = $1 AND NOT applies", [rerate.id]
            ).fetchall()
        return {"id": rerate.id, "adjustments": rerate.rows, "do_not_apply": changed}

    def _wait_until_booked(self, wanted: int) -> None:
        ends = time.monotonic() + _WITHIN_S
        while self._store.last_seq < wanted:
            if time.monotonic() > ends:
                raise StoreError(
                    "the rerate is in the journal and counts as soon as the database can be written"
                )
            time.sleep(_POLL_S)


class _Parts:
    """A rerate on its way into the journal. The last part stays in hand until it is certain."""

    def __init__(self, writer: Writer, name: str) -> None:
        self.id = name
        self.rows = 0
        self._writer = writer
        self._held: pa.Table | None = None

    def add(self, rows: pa.Table) -> None:
        """Hand in as much as there is beyond the last part."""
        if not rows.num_rows:
            return
        self.rows += rows.num_rows
        rows = rows.append_column("rerate", pa.repeat(self.id, rows.num_rows))
        held = rows if self._held is None else pa.concat_tables([self._held, rows])
        whole = (held.num_rows - 1) // _ROWS_A_PART
        for place in range(whole):
            self._submit(held.slice(place * _ROWS_A_PART, _ROWS_A_PART))
        self._held = held.slice(whole * _ROWS_A_PART).combine_chunks()

    def end(self, rerate: Rerate) -> None:
        """Hand in the last part, with the rerate itself."""
        if self._held is not None:
            self._submit(self._held, rerate)

    def _submit(self, rows: pa.Table, rerate: Rerate | None = None) -> None:
        ends = time.monotonic() + _WITHIN_S
        while self._writer.waiting > _MOST_WAITING:
            if time.monotonic() > ends:
                raise BusyError("too much waits to be booked; ask again later: nothing of this rerate counts")
            time.sleep(_POLL_S)
        self._writer.submit(adjustments.pack(rows, rerate)).result()


def _text(rows: pa.Table) -> bytes:
    """What tells the rows from any others."""
    if not rows.num_rows:
        return b""
    columns = [pc.fill_null(pc.cast(rows[name], pa.string()), "") for name in _TELLING]
    texts = pc.binary_join_element_wise(*columns, "\0")
    return "\n".join([*texts.to_pylist(), ""]).encode()
