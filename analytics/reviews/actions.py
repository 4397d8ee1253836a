"""Actions: what was decided in a week's review, and what became of it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from .document import Action

if TYPE_CHECKING:
    import duckdb

__all__ = ["STATES", "Changed", "Decided", "add", "change", "of_week", "open_before"]

STATES = ("open", "done", "dropped")
_NAMESPACE = uuid.UUID("0b2c6f6e-5f0f-4d0c-9a4c-6a1d2b1f7c11")
_COLUMNS = "id, week, owner, text, due, saving, state, note"


@dataclass(frozen=True, slots=True)
class Decided:
    """What an owner is to do."""

    week: str
    owner: str
    text: str
    due: date
    saving: Decimal | None = None
    """What it is expected to save in a week, in `currency`."""
    currency: str | None = None


@dataclass(frozen=True, slots=True)
class Changed:
    """What became of an action, or of its day or owner; None stays as it is."""

    state: str | None = None
    note: str | None = None
    due: date | None = None
    owner: str | None = None


def add(
    con: duckdb.DuckDBPyConnection, decided: Decided, *, by: str, now: datetime, once: str | None = None
) -> str:
    """Note it, inside the caller's transaction; its id. What came under the same `once` before is there already."""
    name = str(uuid.uuid4() if once is None else uuid.uuid5(_NAMESPACE, once))
    if con.execute("SELECT 1 FROM review_actions WHERE id = $1", [name]).fetchall():
        return name
    con.execute(
        "INSERT INTO review_actions VALUES ($1, $2, $3, $4, $5, $6, $7, 'open', NULL, $8, $9)",
        [
            *(name, decided.week, decided.owner, decided.text, decided.due, decided.saving, decided.currency),
            *(now, by),
        ],
    )
    return name


def change(
    con: duckdb.DuckDBPyConnection, name: str, changed: Changed, *, by: str, now: datetime, today: date
) -> Action | None:
    """Say what became of it, inside the caller's transaction; it as it is then, None where there is none of that id."""
    found = con.execute(
        f"""
        UPDATE review_actions
        SET state = coalesce($2, state), note = coalesce($3, note), due = coalesce($4, due),
            owner = coalesce($5, owner), changed_at = $6, changed_by = $7
        WHERE id = $1 RETURNING {_COLUMNS}
        """,  # noqa: S608
        [name, changed.state, changed.note, changed.due, changed.owner, now, by],
    ).fetchall()
    return _action(found[0], today) if found else None


def of_week(con: duckdb.DuckDBPyConnection, week: str, today: date) -> Iterator[Action]:
    """What was decided in that week's review, by owner."""
    rows = con.execute(
        f"SELECT {_COLUMNS} FROM review_actions WHERE week = $1 ORDER BY owner, due, id",  # noqa: S608
        [week],
    ).fetchall()
    return (_action(row, today) for row in rows)


def open_before(con: duckdb.DuckDBPyConnection, week: str, today: date) -> Iterator[Action]:
    """What was decided in earlier weeks and is open, or came to an end since the week began; the longest due first."""
    monday = date.fromisocalendar(int(week[:4]), int(week[6:]), 1)
    rows = con.execute(
        f"SELECT {_COLUMNS} FROM review_actions WHERE week < $1 AND (state = 'open' OR changed_at >= $2) "  # noqa: S608
        "ORDER BY due, owner, id",
        [week, monday],
    ).fetchall()
    return (_action(row, today) for row in rows)


def _action(row: tuple[Any, ...], today: date) -> Action:
    name, week, owner, text, due, saving, state, note = row
    return Action(
        name, week, owner, text, due, saving, "overdue" if state == "open" and due < today else state, note
    )
