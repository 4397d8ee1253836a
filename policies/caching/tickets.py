"""Tickets: by one a client tells what the model answered, after a look. It is its own, for one use, and for a while."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from typing import NamedTuple

__all__ = ["MOST", "MOST_OF_ONE", "VALID_S", "Ticket", "Tickets"]

VALID_S = 600.0
"""As long as the cache itself remembers what was asked."""
MOST, MOST_OF_ONE = 10_000, 2_000
"""How many wait at most, and of one tenant's: many looks of one tenant must not end those of another."""


class Ticket(NamedTuple):
    """What a ticket stands for: whose it is, and what the cache itself calls it."""

    key: str
    tenant: str
    inner: str
    at: float


class Tickets:
    """The tickets of one service, by their secret names. For one thread; `now` is seconds of any steady clock."""

    def __init__(self, *, most: int = MOST, most_of_one: int = MOST_OF_ONE) -> None:
        self._most, self._most_of_one = most, most_of_one
        self._waiting: OrderedDict[str, Ticket] = OrderedDict()
        self._of: dict[str, OrderedDict[str, None]] = {}
        self._ended: list[str] = []

    def __len__(self) -> int:
        return len(self._waiting)

    def issue(self, key: str, tenant: str, inner: str, now: float) -> str:
        """A new one. Where there are too many, the oldest of this tenant's ends, or the oldest of all."""
        self._end_old(now)
        mine = self._of.get(tenant)
        if mine is not None and len(mine) >= self._most_of_one:
            self._give_up(next(iter(mine)))
        elif len(self._waiting) >= self._most:
            self._give_up(next(iter(self._waiting)))
        name = secrets.token_urlsafe(18)
        self._waiting[name] = Ticket(key, tenant, inner, now)
        self._of.setdefault(tenant, OrderedDict())[name] = None
        return name

    def redeem(self, name: str, key: str, now: float) -> Ticket | None:
        """What it stands for, this once; None where it is used, too old, or another key's, which keeps it."""
        self._end_old(now)
        ticket = self._waiting.get(name)
        if ticket is None or ticket.key != key:
            return None
        self._drop(name)
        return ticket

    def end(self, tenant: str) -> None:
        """What was asked before is not learned any more: its tenant is forgotten."""
        for name in list(self._of.get(tenant, ())):
            self._give_up(name)

    def ended(self) -> list[str]:
        """What the cache calls those that ended unused since this was asked last: it need not wait for them."""
        ended, self._ended = self._ended, []
        return ended

    def _end_old(self, now: float) -> None:
        while self._waiting:
            name, ticket = next(iter(self._waiting.items()))
            if now - ticket.at <= VALID_S:
                return
            self._give_up(name)

    def _give_up(self, name: str) -> None:
        self._ended.append(self._drop(name).inner)

    def _drop(self, name: str) -> Ticket:
        ticket = self._waiting.pop(name)
        mine = self._of[ticket.tenant]
        del mine[name]
        if not mine:
            del self._of[ticket.tenant]
        return ticket
