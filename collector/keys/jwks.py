"""JWKS: the public keys of an issuer, fetched in a thread of their own and never while a request waits in the way.

They are fetched at the start, every few minutes, and when a token names a key that is not among them, for an issuer
may change its keys at any time. While it cannot be reached, those that were fetched last hold. A key that it names no
longer is forgotten, and with it whatever was signed by it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any
from urllib.parse import urlsplit

import httpx
import orjson
from jwt import PyJWK
from jwt.exceptions import PyJWTError

from .claims import Issuer

__all__ = ["Jwks", "JwksError", "is_safe"]

_log = logging.getLogger(__name__)
_EVERY_S = 300.0
_ASKED_EVERY_S = 5.0
"""A token that names an unknown key makes us ask no more often."""
_SOONEST_S, _LATEST_S = 1.0, 60.0
"""After a failure, until the next try: twice as long each time."""
_TIMEOUT_S = 5.0
_MAX_BYTES = 1024 * 1024
_LOCAL = frozenset({"127.0.0.1", "::1", "localhost"})
_DISCOVERY = "/.well-known/openid-configuration"

Keys = Mapping[str | None, PyJWK]
"""By `kid`; under None the only one there is, for tokens that name none."""


class JwksError(Exception):
    """The keys cannot be had, and why."""


def is_safe(url: str) -> bool:
    """Whether what is fetched there comes from where it says: over TLS, or from this machine."""
    parts = urlsplit(url)
    return bool(parts.hostname) and (
        parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOCAL)
    )


class Jwks:
    """The keys of one issuer. Safe to use from any thread; does no I/O but in its own."""

    def __init__(self, issuer: Issuer, clock: Callable[[], float] = time.monotonic) -> None:
        self._issuer = issuer
        self._clock = clock
        self._keys: Keys = {}
        self._lock = threading.Lock()
        self._coming: Future[None] | None = Future()
        self._fetched_at = 0.0
        self.reached = False
        """Whether the issuer gave its keys when it was last asked."""
        self._wake, self._stopped = threading.Event(), False
        self._thread = threading.Thread(target=self._run, name="switchgear-jwks", daemon=True)

    def start(self) -> None:
        """Fetch the keys, and again from time to time."""
        self._thread.start()

    def close(self) -> None:
        """Fetch them no longer. A fetch under way is left to end by itself."""
        self._stopped = True
        self._wake.set()

    def find(self, kid: str | None) -> PyJWK | None:
        """The key of that id."""
        return self._keys.get(kid)

    def holds(self, key: PyJWK) -> bool:
        """Whether the issuer still has this very key."""
        return any(each is key for each in self._keys.values())

    def coming(self) -> Future[None] | None:
        """Done once the keys have been fetched again; None where that was only just done."""
        with self._lock:
            if self._coming is None and self._clock() - self._fetched_at >= _ASKED_EVERY_S:
                self._coming = Future()
                self._wake.set()
            return self._coming

    def fetch(self) -> bool:
        """Fetch them now; whether that went well. Where it did not, the log says why, once."""
        try:
            self._keys = _same(self._keys, _usable(_fetched(self._issuer), self._issuer.algorithms))
            if not self.reached:
                _log.info("oidc: %d keys of %s are known", len(self._keys), self._issuer.url)
            self.reached = True
        except JwksError as problem:
            if self.reached or not self._fetched_at:
                _log.error(
                    "oidc: %s; the keys are those that were fetched last: %d", problem, len(self._keys)
                )
            self.reached = False
        with self._lock:
            self._fetched_at, coming, self._coming = self._clock(), self._coming, None
        if coming is not None:
            coming.set_result(None)
        return self.reached

    def _run(self) -> None:
        pause = _SOONEST_S
        while not self._stopped:
            self._wake.clear()
            pause = _SOONEST_S if self.fetch() else min(2 * pause, _LATEST_S)
            self._wake.wait(_EVERY_S if self.reached else pause)


def _fetched(issuer: Issuer) -> list[Any]:
    # A company's own certificates and proxies are named by the environment; this machine is asked directly.
    try:
        client = httpx.Client(timeout=_TIMEOUT_S, trust_env=issuer.url.startswith("https:"))
    except (OSError, ValueError) as problem:
        raise JwksError(
            f"nothing can be fetched by the environment's proxies and certificates: {problem}"
        ) from problem
    with client:
        url = issuer.jwks_url
        if url is None:
            found = _document(client, issuer.url.rstrip("/") + _DISCOVERY)
            if found.get("issuer") != issuer.url:
                raise JwksError(f"the discovery document of {issuer.url} is of {found.get('issuer')!r:.200}")
            url = str(found.get("jwks_uri"))
            if not is_safe(url):
                raise JwksError(f"{issuer.url} has its keys at {url!r:.200}, which is not https")
        keys = _document(client, url).get("keys")
    if not isinstance(keys, list):
        raise JwksError(f"{url} holds no keys")
    return keys


def _document(client: httpx.Client, url: str) -> Mapping[str, Any]:
    try:
        with client.stream("GET", url) as answer:
            answer.raise_for_status()
            content = bytearray()
            for part in answer.iter_bytes():
                content += part
                if len(content) > _MAX_BYTES:
                    raise JwksError(f"{url} answers with more than {_MAX_BYTES} bytes")
        found = orjson.loads(content)
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as problem:
        raise JwksError(f"{url} cannot be read: {str(problem) or type(problem).__name__:.200}") from problem
    if not isinstance(found, dict):
        raise JwksError(f"{url} holds no JSON object")
    return found


def _usable(listed: list[Any], algorithms: tuple[str, ...]) -> dict[str | None, PyJWK]:
    """The keys that sign with one of the algorithms. One of another kind is no error: issuers list those too."""
    keys: dict[str | None, PyJWK] = {}
    for each in listed:
        if not isinstance(each, dict) or each.get("use", "sig") != "sig":
            continue
        if not isinstance(each.get("kid"), str | None):
            continue
        try:
            key = PyJWK(each)
        except (PyJWTError, ValueError, TypeError):
            continue
        if key.algorithm_name in algorithms:
            keys[key.key_id] = key
    if len(keys) == 1:
        keys[None] = next(iter(keys.values()))
    else:
        keys.pop(None, None)
    return keys


def _same(old: Keys, new: dict[str | None, PyJWK]) -> Keys:
    """The new keys, each the old one where nothing about it has changed: what it has signed goes on."""
    return {
        kid: old[kid] if kid in old and _material(old[kid]) == _material(key) else key
        for kid, key in new.items()
    }


def _material(key: PyJWK) -> object:
    """What makes it the key that it is."""
    return key.algorithm_name, key.Algorithm.to_jwk(key.key)
