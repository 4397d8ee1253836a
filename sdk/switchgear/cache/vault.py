"""The data keys of tenants: unwrapped once a process, made at a tenant's first entry, destroyed with the tenant."""

from __future__ import annotations

import sqlite3

from .sealing import Damaged, Seal, Secrets

__all__ = ["Vault"]


class Vault:
    """Tenants are named by their keyed hashes. From any thread: what it remembers is only ever replaced whole."""

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets
        self._seals: dict[bytes, tuple[bytes, Seal]] = {}

    def seal(self, connection: sqlite3.Connection, tenant: bytes) -> Seal:
        """To read by; as it was when it was last read. Raises Damaged where there is none."""
        known = self._seals.get(tenant)
        return known[1] if known is not None else self.fresh(connection, tenant)

    def fresh(self, connection: sqlite3.Connection, tenant: bytes) -> Seal:
        """To read by, as it is now: another process may have destroyed a key, and made another."""
        row = connection.execute("SELECT wrapped FROM keys WHERE tenant = ?", (tenant,)).fetchone()
        if row is None:
            self._seals.pop(tenant, None)
            raise Damaged
        return self._remembered(tenant, row[0])

    def for_writing(self, connection: sqlite3.Connection, tenant: bytes) -> Seal:
        """To write by, within a transaction; made where there is none.

        What a key that is damaged had sealed cannot be read any more: it goes with that key.
        """
        try:
            return self.fresh(connection, tenant)
        except Damaged:
            connection.execute("DELETE FROM entries WHERE tenant = ?", (tenant,))
            wrapped = self._secrets.new_key(tenant)
            connection.execute("REPLACE INTO keys VALUES (?, ?)", (tenant, wrapped))
            # Not remembered before it is committed: `fresh` reads it at the next entry.
            return self._secrets.unwrapped(tenant, wrapped)

    def _remembered(self, tenant: bytes, wrapped: bytes) -> Seal:
        known = self._seals.get(tenant)
        if known is None or known[0] != wrapped:
            known = wrapped, self._secrets.unwrapped(tenant, wrapped)
            self._seals[tenant] = known
        return known[1]

    def forget(self, tenant: bytes) -> None:
        """Its key is destroyed."""
        self._seals.pop(tenant, None)
