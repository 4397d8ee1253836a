"""Pseudonyms: the names under which the amounts of a deleted tenant remain.

A keyed hash, so that the same name gets the same pseudonym for ever. Whoever has the database has the key too and can
try names; nobody can read one out of it.
"""

from __future__ import annotations

import secrets
from hashlib import blake2b

import duckdb

__all__ = ["Pseudonyms"]

_SECRET_BYTES = 32


class Pseudonyms:
    """The pseudonyms of one installation."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    @classmethod
    def of(cls, con: duckdb.DuckDBPyConnection) -> Pseudonyms | None:
        """Those of the store, None where nothing was ever deleted under one."""
        rows = con.execute("SELECT secret FROM pseudonym_key").fetchall()
        return cls(rows[0][0]) if rows else None

    @classmethod
    def made(cls, con: duckdb.DuckDBPyConnection) -> Pseudonyms:
        """Those of the store, with a key from now on, inside the caller's transaction."""
        found = cls.of(con)
        if found is None:
            found = cls(secrets.token_bytes(_SECRET_BYTES))
            con.execute("INSERT INTO pseudonym_key VALUES ($1)", [found._secret])
        return found

    def tenant(self, name: str) -> str:
        """Such as deleted-9f3a01bc."""
        return f"deleted-{self._hash(name)}"

    def workload(self, tenant: str, name: str) -> str:
        """Such as workload-9f3a01bc; another for each tenant."""
        return f"workload-{self._hash(tenant, name)}"

    def _hash(self, *names: str) -> str:
        return blake2b("\0".join(names).encode(), digest_size=4, key=self._secret).hexdigest()
