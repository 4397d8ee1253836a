"""Closing: a period becomes entries, totals, a root hash and files, all of it or nothing.

Everything is computed from one snapshot of the facts. Files are on the disk before the one transaction that makes the
period closed, and get their place after it; `keeper` does that, and finishes what was cut off in between.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from collector.wire import decimal_text

from .blockers import Blocker, Weight, blockers, worded
from .calendar import Period
from .corrections import Compute, difference
from .entries import Head, made, of_period
from .errors import LedgerError
from .files import built, digests
from .owed import owed
from .periods import Closed, as_closed, closed
from .settings import Chargeback

if TYPE_CHECKING:
    import duckdb

__all__ = ["Accepted", "Closing", "RefusedError", "closing", "refuse", "summed"]


class RefusedError(LedgerError):
    """Something speaks against the close."""

    def __init__(self, period: str, left: Sequence[Blocker]) -> None:
        told = "; ".join(f"{each.code}: {each.text}" for each in left)
        super().__init__(f"{period} stays open: {told}", 409)


@dataclass(frozen=True, slots=True)
class Accepted:
    """A blocker that whoever closes accepts."""

    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Closing:
    """A close that is ready to be written."""

    entries: pa.Table
    """What it appends."""
    head: Head
    """The ledger's after it."""
    closed: Closed
    files: Mapping[str, bytes]


def refuse(period: str, found: Sequence[Blocker], accepted: Sequence[Accepted]) -> None:
    """Raise RefusedError for what is not accepted, LedgerError for what cannot be."""
    weights = {each.code: each.weight for each in found}
    for each in accepted:
        if weights.get(each.code) is Weight.HARD:
            raise RefusedError(period, [one for one in found if one.code == each.code])
        if each.code not in weights:
            raise LedgerError(
                f"{each.code!r} is nothing that blocks {period}; "
                f"there is {', '.join(sorted(weights)) or 'nothing'}: accept what is there, or leave it out"
            )
        if not each.reason.strip():
            raise LedgerError(f"say why {each.code} is accepted: the reason stands in the manifest")
    codes = {each.code for each in accepted}
    left = [each for each in found if each.weight is not Weight.WARNING and each.code not in codes]
    if left:
        raise RefusedError(period, left)


def closing(
    con: duckdb.DuckDBPyConnection,
    period: Period,
    after: Head,
    *,
    compute: Compute,
    settings: Chargeback,
    accepted: Sequence[Accepted],
    by: str,
    by_key: str,
    now: datetime,
    behind: int,
    software: str,
    progress: Callable[[str, int, int], None] = lambda step, done, of: None,
) -> Closing:
    """The close of a period that is open, on a cursor inside one transaction. Raises RefusedError and LedgerError."""
    before = closed(con)
    steps = len(before) + 2
    progress(f"lines of {period.name}", 0, steps)
    own = difference(con, period, compute, settings.calendar)
    found = blockers(con, period, own, settings, now=now, behind=behind)
    refuse(period.name, found, accepted)
    lines = [own]
    for place, each in enumerate(before, start=1):
        progress(f"corrections of {each.period}", place, steps)
        lines.append(difference(con, as_closed(each, settings.calendar), compute, settings.calendar))
    progress("entries and files", steps - 1, steps)
    entries = made(pa.concat_tables(lines), period.name, after, now)
    charged = pa.concat_tables([of_period(con, period.name), entries]).combine_chunks()
    head = Head(after.seq + entries.num_rows, entries["hash"][-1].as_py()) if entries.num_rows else after
    watermark, booked = _facts(con)
    seqs = charged["seq"]
    terms = {
        "software": software,
        "by_key": by_key,
        "last_day": period.last_day.isoformat(),
        "fiscal": settings.calendar.fiscal(period),
        "entries": charged.num_rows,
        "reach": f"{seqs[0].as_py()}-{seqs[-1].as_py()}" if charged.num_rows else "none",
        "accounts": {**asdict(settings.accounts), "cost_centres": dict(settings.accounts.cost_centres)},
        "accrued": sorted({each.provider for each in owed(con, period, own) if not each.is_invoiced}),
        "accepted": [
            {**each, "reason": accept.reason}
            for accept in accepted
            for each in worded(found)
            if each["code"] == accept.code
        ],
        "warnings": [each for each in worded(found) if each["weight"] == Weight.WARNING],
    }
    unfiled = Closed(
        period=period.name,
        zone=settings.calendar.zone,
        starts=period.start,
        ends=period.stop,
        closed_at=now,
        closed_by=by,
        watermark=watermark,
        booked_seq=booked,
        first_seq=after.seq + 1,
        last_seq=head.seq,
        totals=summed(charged),
        root_hash=head.hash,
        terms=terms,
        files={},
    )
    files = built(unfiled, charged)
    return Closing(entries, head, replace(unfiled, files=digests(files)), files)


def summed(entries: pa.Table) -> list[dict[str, Any]]:
    """By currency: what is known of their amounts, how many entries and how many calls."""
    grouped = entries.select(["currency", "amount", "calls"]).group_by("currency")
    rows = grouped.aggregate([("amount", "sum"), ("calls", "sum"), ("calls", "count")]).to_pylist()
    return [
        {
            "currency": row["currency"],
            "amount": None if row["amount_sum"] is None else decimal_text(row["amount_sum"]),
            "entries": row["calls_count"],
            "calls": row["calls_sum"],
        }
        for row in sorted(rows, key=lambda row: (row["currency"] is None, row["currency"] or ""))
    ]


def _facts(con: duckdb.DuckDBPyConnection) -> tuple[datetime | None, int]:
    """(when the last fact was taken in, its number), as the snapshot has them."""
    ((at, seq),) = con.execute(
        "SELECT (SELECT max(booked_at) FROM booked), (SELECT max(applied_seq) FROM store)"
    ).fetchall()
    return None if at is None else at.astimezone(UTC), seq
