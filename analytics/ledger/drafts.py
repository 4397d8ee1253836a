"""Drafts: credits and adjustments by hand. One person prepares them, and another approves: then they are entries."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import orjson
import pyarrow as pa

from .calendar import Calendar
from .entries import ByHand, Head, append, made
from .errors import LedgerError
from .line import COUNTS, LINES, Kind
from .periods import open_for

if TYPE_CHECKING:
    import duckdb

__all__ = ["Draft", "Person", "approve", "check", "drafts", "prepare", "refuse"]

MAX_PLACES = 12
MAX_AMOUNT = Decimal(10) ** 15
_NAMED = ("owner", "cost_centre", "tenant", "workload", "provider", "model", "item")
_WAITING, _APPROVED, _REFUSED = "waiting", "approved", "refused"
_COLUMNS = (
    *("id", "prepared_at", "prepared_by", "preparer_key", "document"),
    *("decided_at", "decided_by", "note", "entry", "state"),
)


@dataclass(frozen=True, slots=True)
class Person:
    """Who does something: the id of the key, and a name where one was given."""

    key: str
    name: str | None

    @property
    def shown(self) -> str:
        """As it stands in an entry."""
        return f"{self.name} ({self.key})" if self.name else self.key

    def is_other_than(self, key: str, shown: str, *, keyless: str) -> bool:
        """Whether this is somebody else than who did something before with `key`.

        A key is a person. Where nobody has a key, since none is needed, the names must differ.
        """
        if self.key == key == keyless:
            return self.shown.casefold() != shown.casefold()
        return self.key != key


@dataclass(frozen=True, slots=True)
class Draft:
    """An entry that somebody wants."""

    kind: Kind
    amount: Decimal
    currency: str
    day: date
    reason: str
    owner: str | None = None
    cost_centre: str | None = None
    tenant: str | None = None
    workload: str | None = None
    provider: str | None = None
    model: str | None = None
    item: str | None = None

    def document(self) -> dict[str, Any]:
        """As it is kept and told."""
        return {
            "kind": self.kind.value,
            "amount": f"{self.amount:f}",
            "currency": self.currency,
            "day": self.day.isoformat(),
            "reason": self.reason,
            **{name: getattr(self, name) for name in _NAMED},
        }

    def line(self, reference: str) -> pa.Table:
        """The line that it is."""
        nothing = Decimal(0)
        values: dict[str, Any] = {
            **dict.fromkeys(LINES.names),
            **dict.fromkeys(COUNTS, 0),
            **{name: nothing for name in LINES.names if name.startswith("amount_")},
            **{name: getattr(self, name) for name in _NAMED},
            "day": self.day,
            "kind": self.kind.value,
            "currency": self.currency,
            "reference": reference,
            "amount_other": self.amount,
            "amount": self.amount,
            "list_amount": self.amount,
            "retry_amount": nothing,
            "cache_savings": nothing,
        }
        return pa.Table.from_pylist([values], schema=LINES)


def check(con: duckdb.DuckDBPyConnection, draft: Draft, currency: str, today: date) -> Draft:
    """The draft with the owner and cost centre that the registry gives its workload, where it names none.

    Raises LedgerError that says what is wrong with it and what to write.
    """
    amount = draft.amount
    if not amount.is_finite() or not amount or abs(amount) >= MAX_AMOUNT:
        raise LedgerError(
            f"amount {amount} is none that can be booked: write one other than 0, such as -100.00"
        )
    if amount != round(amount, MAX_PLACES):
        raise LedgerError(f"amount {amount} has more than {MAX_PLACES} decimals")
    if draft.kind is Kind.CREDIT and amount > 0:
        raise LedgerError(f"a credit takes something off, and {amount} adds it: write -{amount}")
    if draft.day > today:
        raise LedgerError(f"day {draft.day} has not come; today is {today}")
    if not draft.reason.strip():
        raise LedgerError("say why it is booked: reason is empty")
    currencies = {
        currency,
        *_column(con, "SELECT DISTINCT currency FROM rollup_hours WHERE currency IS NOT NULL"),
    }
    if draft.currency not in currencies:
        raise LedgerError(f"no cost is in {draft.currency!r} here; there is {', '.join(sorted(currencies))}")
    owner, centre = draft.owner, draft.cost_centre
    if draft.workload is not None and (owner is None or centre is None):
        known = con.execute(
            "SELECT owner, cost_centre FROM registry WHERE tenant = $1 AND workload = $2",
            [draft.tenant, draft.workload],
        ).fetchall()
        for registered_owner, registered_centre in known:
            owner, centre = owner or registered_owner, centre or registered_centre
    if centre is None:
        raise LedgerError("name the cost centre that it is for, or a tenant and workload of the registry")
    centres = _column(
        con,
        "SELECT cost_centre FROM registry UNION SELECT cost_centre FROM plans"
        " UNION SELECT cost_centre FROM ledger_entries WHERE cost_centre IS NOT NULL",
    )
    if centre not in centres:
        shown = ", ".join(sorted(filter(None, centres))[:8]) or "none"
        raise LedgerError(
            f"cost centre {centre[:64]!r} is unknown: it is in no registry, plan or entry; there is {shown}"
        )
    tenants = _column(con, "SELECT DISTINCT tenant FROM rollup_hours UNION SELECT tenant FROM registry")
    if draft.tenant is not None and draft.tenant not in tenants:
        raise LedgerError(f"tenant {draft.tenant[:64]!r} is unknown: it has no calls and is in no registry")
    return replace(draft, owner=owner, cost_centre=centre)


def prepare(con: duckdb.DuckDBPyConnection, draft: Draft, by: Person, now: datetime) -> dict[str, Any]:
    """Keep a draft that was checked, inside the caller's transaction."""
    name = f"{now:%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"
    con.execute(
        "INSERT INTO ledger_drafts (id, prepared_at, prepared_by, preparer_key, document, state)"
        " VALUES ($1, $2, $3, $4, $5, $6)",
        [name, now, by.shown, by.key, orjson.dumps(draft.document()).decode(), _WAITING],
    )
    return _draft(con, name)


def drafts(con: duckdb.DuckDBPyConnection, state: str | None = None) -> list[dict[str, Any]]:
    """All, or those in a state; the newest first."""
    rows = con.execute(
        f"SELECT {', '.join(_COLUMNS)} FROM ledger_drafts"  # noqa: S608 - our own names, here and below
        " WHERE $1 IS NULL OR state = $1 ORDER BY prepared_at DESC, id",
        [state],
    ).fetchall()
    return [_told(row) for row in rows]


def approve(
    con: duckdb.DuckDBPyConnection,
    name: str,
    by: Person,
    *,
    after: Head,
    calendar: Calendar,
    now: datetime,
    keyless: str,
) -> tuple[dict[str, Any], Head]:
    """Make an entry of a draft, inside the caller's transaction. Raises LedgerError where that may not be."""
    told = _waiting(con, name)
    if not by.is_other_than(told["preparer_key"], told["prepared_by"], keyless=keyless):
        how = "and say who with --by" if by.key == keyless else "with a key of their own"
        raise LedgerError(
            f"{told['prepared_by']} has prepared {name} and cannot approve it: somebody else must, {how}", 403
        )
    draft = _parsed(told["draft"])
    period = open_for(con, calendar.period_of(draft.day), calendar)
    by_hand = ByHand(draft.reason, told["prepared_by"], by.shown)
    head = append(con, made(draft.line(name), period.name, after, now, by_hand))
    _decide(con, name, by, now, _APPROVED, entry=head.seq)
    return _draft(con, name), head


def refuse(con: duckdb.DuckDBPyConnection, name: str, by: Person, note: str, now: datetime) -> dict[str, Any]:
    """Let a draft be none; whoever prepared it may take it back so. Raises LedgerError."""
    _waiting(con, name)
    _decide(con, name, by, now, _REFUSED, note=note)
    return _draft(con, name)


def _waiting(con: duckdb.DuckDBPyConnection, name: str) -> dict[str, Any]:
    told = _draft(con, name)
    if told["state"] != _WAITING:
        raise LedgerError(f"{name} is {told['state']} already, by {told['decided_by']}", 409)
    return told


def _draft(con: duckdb.DuckDBPyConnection, name: str) -> dict[str, Any]:
    rows = con.execute(f"SELECT {', '.join(_COLUMNS)} FROM ledger_drafts WHERE id = $1", [name]).fetchall()  # noqa: S608
    if not rows:
        raise LedgerError(f"there is no draft {name[:64]!r}; switchgear ledger drafts lists them", 404)
    return _told(rows[0])


def _told(row: tuple[Any, ...]) -> dict[str, Any]:
    told = dict(zip(_COLUMNS, row, strict=True))
    told["draft"] = orjson.loads(told.pop("document"))
    return {
        name: value.astimezone(UTC) if isinstance(value, datetime) else value for name, value in told.items()
    }


def _decide(
    con: duckdb.DuckDBPyConnection,
    name: str,
    by: Person,
    now: datetime,
    state: str,
    *,
    note: str | None = None,
    entry: int | None = None,
) -> None:
    con.execute(
        "UPDATE ledger_drafts SET state = $1, decided_at = $2, decided_by = $3, note = $4, entry = $5 WHERE id = $6",
        [state, now, by.shown, note, entry, name],
    )


def _parsed(document: Mapping[str, Any]) -> Draft:
    return Draft(
        **{
            **document,
            "kind": Kind(document["kind"]),
            "amount": Decimal(document["amount"]),
            "day": date.fromisoformat(document["day"]),
        }
    )


def _column(con: duckdb.DuckDBPyConnection, sql: str) -> set[str]:
    return {value for (value,) in con.execute(sql).fetchall()}
