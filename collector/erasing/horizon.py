"""Horizon: since when the details of a tenant are there. A call from before it may have been booked and deleted.

It is asked for every span that is admitted, from any thread.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from ..facts.store import Store
from .deletions import DETAILS
from .pseudonyms import Pseudonyms

__all__ = ["EVER", "Horizon"]

EVER = datetime.min.replace(tzinfo=UTC)
_MOST_NAMES = 100_000


@dataclass(frozen=True, slots=True)
class _State:
    everywhere: datetime = EVER
    by_pseudonym: Mapping[str, datetime] = field(default_factory=dict)
    pseudonyms: Pseudonyms | None = None
    known: dict[str, datetime] = field(default_factory=dict)
    """By the name, once it was asked for."""


class Horizon:
    """What the table `deletions` says, by the names of tenants, which it does not hold."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.learn()

    def learn(self) -> None:
        """Read the table anew."""
        with self._store.standing() as con:
            rows = con.execute(
                "SELECT tenant, max(before) FROM deletions WHERE what = $1 GROUP BY tenant", [DETAILS]
            ).fetchall()
            pseudonyms = Pseudonyms.of(con)
        found = {tenant: at.astimezone(UTC) for tenant, at in rows}
        self._state = _State(found.pop(None, EVER), found, pseudonyms)

    def move(self, tenant: str, pseudonyms: Pseudonyms, to: datetime) -> None:
        """Let nothing of the tenant in that began before `to`, from now on: its details are about to be deleted."""
        found = {**self._state.by_pseudonym, pseudonyms.tenant(tenant): to}
        self._state = _State(self._state.everywhere, found, pseudonyms)

    def of(self, tenant: str) -> datetime:
        """A call that began before this must not be booked: its like may have been deleted."""
        state = self._state
        if state.pseudonyms is None or not state.by_pseudonym:
            return state.everywhere
        found = state.known.get(tenant)
        if found is None:
            own = state.by_pseudonym.get(state.pseudonyms.tenant(tenant), EVER)
            found = max(own, state.everywhere)
            if len(state.known) < _MOST_NAMES:
                state.known[tenant] = found
        return found
