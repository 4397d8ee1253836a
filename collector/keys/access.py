"""Access: whether a request may pass, and who asks. The same in front of both services, on every request.

Who asks comes with a key, or with the token of an issuer (`tokens`) where there is one. A key is found by its prefix in
a table in memory and compared by its SHA-256 in constant time. An unknown prefix is compared all the same, so that the
time of an answer tells nothing. A thread looks twice a second whether the key file has changed, or the one about the
issuer: a new key and a revoked one are seen by running services within a second.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf

from ..errors import DeniedError, StoreError
from .key import ANYONE, EVERYTHING, ROOT, Holder, Key
from .keyring import ID_LENGTH, PREFIX, Keyring, Record, digest_of
from .rules import OPEN, Rules, meets
from .tokens import NotYetError, Tokens, is_of_token, looks_like_one

__all__ = ["Access"]

_log = logging.getLogger(__name__)
_LOOK_EVERY_S = 0.5
_MOST_KNOWN = 10_000
_WAITS_S = 3.0
"""For an issuer's keys; they are there in much less, or the issuer is away."""
_WANTED = "send a key as: Authorization: Bearer KEY"


@dataclass(frozen=True, slots=True)
class _Entry:
    """A key that was not revoked, until its time is over."""

    digest: bytes
    holder: Holder


@dataclass(frozen=True, slots=True)
class _Table:
    """What was last read of the key file."""

    stamp: tuple[int, int] | None = None
    entries: dict[str, _Entry] = field(default_factory=dict)
    known: dict[str, Holder] = field(default_factory=dict)
    """By the Authorization headers that were found good with this table: most requests carry one of a few."""


_EVERYTHING = Holder(EVERYTHING)
_ROOT = Holder(ROOT)


def _nobody() -> bytes:
    """A digest that no secret has."""
    return secrets.token_bytes(32)


class Access:
    """Who may use which route of one service. Safe to use from any thread; does no I/O but in its own."""

    def __init__(
        self,
        rules: Rules,
        keyring: Keyring,
        *,
        root: str | None = None,
        keyless: bool = False,
        tokens: Tokens | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`root` is the installation's own key, which may do everything; one of the key file is none, and only
        requires a key. With `keyless` nobody needs a key, whatever `root` is, until the file holds one. Where `tokens`
        are taken, everybody needs one or the other.

        Raises StoreError for a key file that cannot be read.
        """
        self._rules = rules
        self._keyring = keyring
        self._clock = clock
        self._tokens = tokens
        self._root = digest_of(root) if root and not root.startswith(PREFIX) else _nobody()
        self._no_entry = _Entry(_nobody(), Holder(ANYONE))
        self._table = _Table()
        self._failing = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="switchgear-keys", daemon=True)
        self.needs_key = (bool(root) and not keyless) or tokens is not None
        """Whether a request needs a key; once it does, it does until the process ends."""
        self._read()

    def start(self) -> None:
        """Follow the key file, and the issuer, from now on."""
        self._thread.start()
        if self._tokens is not None:
            self._tokens.start()

    def close(self) -> None:
        """Follow them no longer."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        if self._tokens is not None:
            self._tokens.close()

    async def admitted(self, method: str, path: str, authorization: str) -> Key:
        """As `admit`, but wait for an issuer's keys where they are being fetched."""
        try:
            return self.admit(method, path, authorization)
        except NotYetError as early:
            if early.coming is None:
                raise
            await asyncio.wait([asyncio.wrap_future(early.coming)], timeout=_WAITS_S)
        return self.admit(method, path, authorization)

    def admit(self, method: str, path: str, authorization: str) -> Key:
        """Who asks, by the value of the Authorization header. Raises DeniedError where the request may not pass."""
        needs = self._rules.needs(method, path)
        if needs == OPEN:
            return ANYONE
        key = self.holder(authorization).key
        if needs is None:
            raise self._no_route(method, path)
        if not meets(key, needs):
            raise DeniedError(f"key {key.id} has none of the scopes for this: {', '.join(needs)}", 403)
        return key

    def holder(self, authorization: str) -> Holder:
        """Who asks, whatever for. Raises DeniedError for nobody."""
        found = self._identify(authorization) if self.needs_key else _EVERYTHING
        if found is None:
            raise DeniedError(_WANTED, 401)
        return found

    def check(self, key: Key) -> None:
        """Raise DeniedError where a key has ended since it was admitted: before an answer that took long."""
        if key is EVERYTHING:
            ended = self.needs_key
        elif self._tokens is not None and is_of_token(key):
            ended = self._tokens.ended(key)
        else:
            entry = self._table.entries.get(key.id)
            ended = key is not ROOT and (entry is None or self._clock() >= entry.holder.ends_at)
        if ended:
            raise DeniedError(_WANTED, 401)

    def refresh(self) -> None:
        """Look at the files now. Where one cannot be read, what was read last holds, and the log says so."""
        if self._tokens is not None:
            self._tokens.look()
        try:
            self._read()
            self._failing = False
        except StoreError as problem:
            if not self._failing:
                _log.error("keys are those that were read last: %s", problem)
            self._failing = True

    def _identify(self, authorization: str) -> Holder | None:
        # What is found with a table is kept with it: where another takes its place meanwhile, it is not asked again.
        table = self._table
        holder = table.known.get(authorization)
        if holder is None or self._clock() >= holder.ends_at:
            holder = self._look_up(authorization, table)
            if holder is None:
                return self._of_token(authorization)
            if len(table.known) < _MOST_KNOWN:
                table.known[authorization] = holder
        return holder

    def _of_token(self, authorization: str) -> Holder | None:
        scheme, _, token = authorization.partition(" ")
        token = token.strip()
        if self._tokens is None or scheme.lower() != "bearer" or not looks_like_one(token):
            return None
        return self._tokens.identify(token)

    def _look_up(self, authorization: str, table: _Table) -> Holder | None:
        scheme, _, secret = authorization.partition(" ")
        secret = secret.strip()
        digest = hashlib.sha256(secret.encode("latin-1", "replace")).digest()
        entry = table.entries.get(secret[:ID_LENGTH], self._no_entry)
        is_known = hmac.compare_digest(digest, entry.digest)
        is_root = hmac.compare_digest(digest, self._root)
        if scheme.lower() != "bearer":
            return None
        if is_root:
            return _ROOT
        return entry.holder if is_known and self._clock() < entry.holder.ends_at else None

    def _no_route(self, method: str, path: str) -> DeniedError:
        methods = self._rules.methods(path)
        if methods:
            return DeniedError(
                f"{path[:64]} takes {', '.join(methods)}, not {method[:16]}", 405, allow=methods
            )
        return DeniedError("there is nothing at this path; /openapi.json lists what there is", 404)

    def _read(self) -> None:
        stamp = self._keyring.stamp()
        if stamp != self._table.stamp:
            # In this order: what changes in between is seen by the next look.
            records = self._keyring.records()
            self._table = _Table(
                stamp, {each.key.id: _entry(each) for each in records if not each.revoked_at}
            )
            self.needs_key = self.needs_key or bool(records)

    def _watch(self) -> None:
        while not self._stop.wait(_LOOK_EVERY_S):
            self.refresh()


def _entry(record: Record) -> _Entry:
    ends_at = record.expires_at.timestamp() if record.expires_at else inf
    return _Entry(record.digest, Holder(record.key, record.name, ends_at))
