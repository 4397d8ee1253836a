"""Erasure: delete the details of one tenant, and every byte of its name that the collector keeps.

Its amounts stay in the sums by hour, under a pseudonym. The order matters: first nothing old of the tenant is let in
any more, then what was acknowledged is booked, then the rows go, then the file is written anew, since a database leaves
what it deleted in the file; last the journal, which held the same facts, is let go up to here.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa

from ..call import UNATTRIBUTED
from ..errors import StoreError
from ..facts import rollups
from ..facts.journal import FOLDER, Journal
from ..facts.statements import registered, statement
from ..facts.store import FILE_NAME, Store
from ..queries.reader import Reader
from .deletions import DETAILS, Deletion, delete, note
from .horizon import Horizon
from .pseudonyms import Pseudonyms

__all__ = ["Erased", "Eraser"]

BOOKED_WITHIN_S = 60.0
_POLL_S = 0.05
_MOST_BYTES = 64 * 1024 * 1024
"""Of a file that is searched for the name; larger ones are copies of the database."""

# What is deleted, in this order.
_ROWS = {
    "members": "tenant = $tenant OR call_id IN (SELECT call_id FROM booked WHERE tenant = $tenant)",
    "booked": "tenant = $tenant",
    "retractions": "tenant = $tenant OR starts_with(into_key, $tenant || '/')",
    "conflicts": "tenant = $tenant",
    "task_ends": "tenant = $tenant",
    "quarantine": "tenant = $tenant",
    "not_billed": "tenant = $tenant OR contains(reason, $tenant)",
    "not_billed_counts": "tenant = $tenant",
    "audit": "scope.tenant = $tenant",
    "rollup_tasks_base": "tenant = $tenant",
    "adjusted": "tenant = $tenant",
    "registry_workloads": "tenant = $tenant",
    "registry_revenue": "tenant = $tenant",
}
# Files beside the database that are copies of one, and of the journal.
_COPIES = (f"{FILE_NAME}.schema-*", "*.replaced-*", "backups/*")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Erased:
    """What was deleted, and what of it is still in the data folder because it is not the collector's to delete."""

    deletion: Deletion
    copies: list[str]
    """Backups and older copies, which may hold everything."""
    named_in: list[str]
    """Other files in which the tenant's name stands, such as that of the keys."""


class Eraser:
    """Erases tenants, one at a time; called from any thread but the booker's."""

    def __init__(
        self,
        data: Path,
        store: Store,
        journal: Journal,
        reader: Reader,
        horizon: Horizon,
        *,
        alone: threading.Lock | None = None,
    ) -> None:
        """`alone` is held while a tenant is erased, by whoever else may not work meanwhile."""
        self._data = data
        self._store = store
        self._journal = journal
        self._reader = reader
        self._horizon = horizon
        self._alone = alone or threading.Lock()

    def erase(self, tenant: str, *, by: str, reason: str, now: datetime) -> Erased:
        """Delete the tenant's details, one tenant at a time. Done again it finds no rows, and finishes what was begun.

        Raises LookupError for a tenant of whom there is nothing, and StoreError where it cannot be done (now).
        """
        with self._alone:
            return self._erase(tenant, by=by, reason=reason, now=now)

    def _erase(self, tenant: str, *, by: str, reason: str, now: datetime) -> Erased:
        if tenant == UNATTRIBUTED:
            raise LookupError(f"{UNATTRIBUTED} is no tenant: calls without one stand under it")
        self._wait_until_booked()
        pseudonyms = self._known(tenant)
        try:
            self._horizon.move(tenant, pseudonyms, now)
            last = self._journal.roll()
            self._wait_until_booked()
            deletion = self._delete(tenant, pseudonyms, by=by, reason=reason, now=now)
        finally:
            self._horizon.learn()
        self._store.rewrite(self._reader.paused)
        self._journal.prune(last, keep_bytes=0)
        _log.warning("the details of a tenant were deleted: %s by %s", deletion.tenant, by)
        return Erased(deletion, self._copies(), self._named_in(tenant))

    def _known(self, tenant: str) -> Pseudonyms:
        """What makes pseudonyms here. Raises LookupError where there is nothing to delete, nor was."""
        tests = [f"EXISTS (FROM {table} WHERE {test})" for table, test in _ROWS.items()]
        with self._store.transaction() as con:
            rollups.fold(con)
            pseudonyms = Pseudonyms.made(con)
            values = {"tenant": tenant, "pseudonym": pseudonyms.tenant(tenant)}
            tests.append("EXISTS (FROM deletions WHERE tenant = $pseudonym)")
            # Of one whose details were kept no longer there are sums alone; a pseudonym is no tenant.
            tests.append(
                "EXISTS (FROM rollup_hours_base AS h ANTI JOIN deletions USING (tenant) WHERE h.tenant = $tenant)"
            )
            ((there,),) = con.execute(f"SELECT {' OR '.join(tests)}", values).fetchall()
        if not there:
            raise LookupError(f"there is nothing of a tenant {tenant[:64]!r}")
        return pseudonyms

    def _wait_until_booked(self) -> None:
        wanted = self._journal.written
        ends = time.monotonic() + BOOKED_WITHIN_S
        while self._store.last_seq < wanted:
            if time.monotonic() > ends:
                raise StoreError(
                    f"facts up to {wanted} must be booked first, and {self._store.last_seq} is reached; ask again later"
                )
            time.sleep(_POLL_S)

    def _delete(
        self, tenant: str, pseudonyms: Pseudonyms, *, by: str, reason: str, now: datetime
    ) -> Deletion:
        pseudonym = pseudonyms.tenant(tenant)
        with self._store.transaction() as con:
            rollups.fold(con)
            amounts, there = _amounts(con, tenant), _amounts(con, pseudonym)
            deltas = _added(_deltas(con, tenant), _deltas(con, pseudonym))
            before = max(now, _after_the_last(con, tenant, now))
            _rename(con, tenant, pseudonym, pseudonyms)
            served = _served(con, tenant)
            rows = {table: delete(con, table, test, {"tenant": tenant}) for table, test in _ROWS.items()}
            if served:
                # Answers out of a cache stand among the calls, and are none.
                rows |= {"booked": rows["booked"] - served, "served": served}
            if _amounts(con, pseudonym) != _added(amounts, there) or _deltas(con, pseudonym) != deltas:
                raise StoreError(f"the amounts of {pseudonym} are not what they were: nothing was deleted")
            deletion = Deletion(now, by, reason, DETAILS, before, pseudonym, rows, amounts)
            note(con, deletion)
        return deletion

    def _copies(self) -> list[str]:
        found = [path for pattern in _COPIES for path in self._data.glob(pattern)]
        return sorted(str(path.relative_to(self._data)) for path in found)

    def _named_in(self, tenant: str) -> list[str]:
        """The files that are neither the database, nor the journal, nor a copy, and hold the name as it is."""
        known = (FILE_NAME, FOLDER, *self._copies())
        name = tenant.encode()
        found = []
        for path in sorted(self._data.rglob("*")):
            place = str(path.relative_to(self._data))
            if not place.startswith(known) and path.is_file() and path.stat().st_size <= _MOST_BYTES:
                found += [place] if name in path.read_bytes() else []
        return found


def _rename(con: duckdb.DuckDBPyConnection, tenant: str, pseudonym: str, pseudonyms: Pseudonyms) -> None:
    """Let the sums of the tenant, and who owned its workloads, stand under pseudonyms."""
    found = con.execute(
        "SELECT workload FROM rollup_hours_base WHERE tenant = $1 AND workload IS NOT NULL"
        " UNION SELECT workload FROM registry_workloads WHERE tenant = $1",
        [tenant],
    ).fetchall()
    workloads = [name for (name,) in found]
    names = {
        "workload": pa.array(workloads, pa.string()),
        "pseudonym": pa.array([pseudonyms.workload(tenant, name) for name in workloads], pa.string()),
    }
    con.execute("SET VARIABLE tenant = $1", [tenant])
    con.execute("SET VARIABLE pseudonym = $1", [pseudonym])
    with registered(con, names=pa.table(names)):
        con.execute(statement("erase_tenant"))
    con.execute("RESET VARIABLE tenant")


def _amounts(con: duckdb.DuckDBPyConnection, tenant: str) -> dict[str, Decimal]:
    """What is known of its cost in the sums by hour, by currency."""
    return dict(
        con.execute(
            "SELECT coalesce(currency, '') AS currency, sum(cost)::DECIMAL(38, 12) FROM rollup_hours_base"
            " WHERE tenant = $1 AND priced_calls > 0 AND kind <> 'served' GROUP BY ALL ORDER BY ALL",
            [tenant],
        ).fetchall()
    )


def _served(con: duckdb.DuckDBPyConnection, tenant: str) -> int:
    """How many of its answers came out of a cache."""
    ((found,),) = con.execute(
        "SELECT count(*) FROM booked WHERE tenant = $1 AND kind = 'served'", [tenant]
    ).fetchall()
    return int(found)


def _deltas(con: duckdb.DuckDBPyConnection, tenant: str) -> dict[str, Decimal]:
    """What adjustments make of its cost, by currency."""
    return dict(
        con.execute(
            "SELECT currency, sum(delta)::DECIMAL(38, 12) FROM adjustments_of_calls"
            " WHERE tenant = $1 AND applies GROUP BY currency",
            [tenant],
        ).fetchall()
    )


def _added(one: Mapping[str, Decimal], other: Mapping[str, Decimal]) -> dict[str, Decimal]:
    return {name: one.get(name, Decimal(0)) + other.get(name, Decimal(0)) for name in {*one, *other}}


def _after_the_last(con: duckdb.DuckDBPyConnection, tenant: str, now: datetime) -> datetime:
    """The moment after the start of its last call or task, which may lie some minutes ahead."""
    ((last,),) = con.execute(
        "SELECT greatest((SELECT max(started_at) FROM booked WHERE tenant = $1),"
        " (SELECT max(started_at) FROM task_ends WHERE tenant = $1))",
        [tenant],
    ).fetchall()
    return now if last is None else last + timedelta.resolution
