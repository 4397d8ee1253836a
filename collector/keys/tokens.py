"""Tokens: people whom an OIDC issuer has signed in, who come with its token in a key's place.

    Authorization: Bearer HEADER.CLAIMS.SIGNATURE

A token is verified once and then found by its SHA-256, until it ends. What it says of its person is kept with it, so
that a change of the rules holds at once for everybody who is signed in; a change of whom is trusted, or of the
issuer's keys, makes every token prove itself again. Whatever is not certain is a refusal.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, replace
from hashlib import sha256
from math import inf, isfinite
from typing import Any, Protocol

import jwt
from jwt import PyJWK
from jwt.exceptions import PyJWTError

from ..errors import DeniedError
from .claims import SUBJECT, Issuer, person
from .jwks import Jwks
from .key import Holder, Key

__all__ = ["Followed", "NotYetError", "Tokens", "is_of_token", "looks_like_one"]

_log = logging.getLogger(__name__)
_MOST = 2_000
_MAX_CHARS = 16_384
_PARTS = 3
# An access token, or the ID token that signing in brings; no token of another purpose that the issuer may sign.
_TYPES = frozenset({"", "jwt", "at+jwt"})
_SAID_EVERY_S, _MOST_SAID = 60.0, 20
_REFUSED = "the token is not accepted, or it has ended: sign in again"
_NOT_YET = "the public keys of the issuer are not there yet; ask again"


class NotYetError(DeniedError):
    """A token that cannot be verified yet; `coming` is done once it may be tried again, None where nothing is on its
    way."""

    def __init__(self, coming: Future[None] | None) -> None:
        super().__init__(_NOT_YET, 503)
        self.coming = coming


class Followed(Protocol):
    """The installation's file about its issuer, read again when it changes."""

    value: Issuer | None
    """None while there is no file: then nobody's token is taken."""

    def look(self) -> None:
        """Take the file over if it has changed."""


@dataclass(frozen=True, slots=True)
class _Known:
    """A token that was found good."""

    claims: Mapping[str, Any]
    signed_by: PyJWK
    holder: Holder


@dataclass(frozen=True, slots=True)
class _Trust:
    """Whom is trusted, and what was found good since."""

    issuer: Issuer
    jwks: Jwks
    known: dict[bytes, _Known]
    """By the SHA-256 of the token."""


class Tokens:
    """The tokens of one issuer. Safe to use from any thread; no request waits for the network here."""

    def __init__(
        self,
        file: Followed,
        *,
        clock: Callable[[], float] = time.time,
        keys_of: Callable[[Issuer], Jwks] = Jwks,
    ) -> None:
        self._file = file
        self._clock = clock
        self._keys_of = keys_of
        self._started = False
        self._said: dict[str, float] = {}
        self._trust = self._trusting(file.value)

    def start(self) -> None:
        """Fetch the issuer's keys from now on."""
        self._started = True
        if self._trust is not None:
            self._trust.jwks.start()

    def close(self) -> None:
        """Fetch them no longer."""
        self._started = False
        if self._trust is not None:
            self._trust.jwks.close()

    def look(self) -> None:
        """Go by the file as it is now."""
        self._file.look()
        issuer, trust = self._file.value, self._trust
        if (
            trust is not None
            and issuer is not None
            and replace(issuer, rules=trust.issuer.rules) == trust.issuer
        ):
            if issuer != trust.issuer:
                known = {
                    digest: replace(each, holder=self._holder(issuer, each.claims))
                    for digest, each in trust.known.copy().items()
                }
                self._trust = _Trust(issuer, trust.jwks, known)
        elif trust is not None or issuer is not None:
            self._trust = self._trusting(issuer)
            if trust is not None:
                trust.jwks.close()
            if self._trust is not None and self._started:
                self._trust.jwks.start()

    def identify(self, token: str) -> Holder:
        """Whose token it is. Raises DeniedError: 401 where it is not good, 403 where its person may do nothing."""
        trust = self._trust
        if trust is None or len(token) > _MAX_CHARS:
            raise DeniedError(_REFUSED, 401)
        digest = sha256(token.encode("latin-1", "replace")).digest()
        known = trust.known.get(digest)
        if known is None or not trust.jwks.holds(known.signed_by):
            known = self._verified(token, trust)
            self._remember(trust.known, digest, known)
        if self._clock() >= known.holder.ends_at:
            raise DeniedError(_REFUSED, 401)
        if not known.holder.key.scopes:
            raise DeniedError(
                f"{known.holder.name or known.holder.key.id} is signed in, but no rule of this installation gives "
                "them any right",
                403,
            )
        return known.holder

    def ended(self, key: Key) -> bool:
        """Whether no token gives these rights any more to whoever was admitted by them."""
        trust, now = self._trust, self._clock()
        return trust is None or not any(
            each.holder.key.id == key.id
            and each.holder.key == key
            and now < each.holder.ends_at
            and trust.jwks.holds(each.signed_by)
            for each in list(trust.known.values())
        )

    def _trusting(self, issuer: Issuer | None) -> _Trust | None:
        return None if issuer is None else _Trust(issuer, self._keys_of(issuer), {})

    def _verified(self, token: str, trust: _Trust) -> _Known:
        issuer = trust.issuer
        try:
            header = jwt.get_unverified_header(token)
            if header.get("alg") not in issuer.algorithms or str(header.get("typ", "")).lower() not in _TYPES:
                raise _unfit("of another kind or signed in another way")
            key = self._key(trust, header.get("kid"))
            claims = jwt.decode(
                token,
                key,
                algorithms=issuer.algorithms,
                audience=issuer.audience,
                issuer=issuer.url,
                # The times are compared below, by the clock that also ends what is remembered.
                options={
                    "require": ["iss", "aud", "sub", "exp"],
                    "verify_exp": False,
                    "verify_nbf": False,
                    "verify_iat": False,
                    "enforce_minimum_key_length": True,
                },
            )
            _check(claims, issuer, self._clock())
        except PyJWTError as problem:
            self._say(f"{type(problem).__name__}: {problem}")
            raise DeniedError(_REFUSED, 401) from problem
        return _Known(claims, key, self._holder(issuer, claims))

    def _key(self, trust: _Trust, kid: str | None) -> PyJWK:
        found = trust.jwks.find(kid)
        if found is not None:
            return found
        coming = trust.jwks.coming()
        if coming is not None or not trust.jwks.reached:
            raise NotYetError(coming)
        raise _unfit("signed with a key that the issuer does not name")

    def _holder(self, issuer: Issuer, claims: Mapping[str, Any]) -> Holder:
        found = person(issuer, claims)
        if found.left_out:
            rules = ", ".join(map(str, found.left_out))
            self._say(
                f"of {found.key.id} rules are left out that would give more than any rule says: {rules}"
            )
        return Holder(found.key, found.name, float(claims["exp"]))

    def _remember(self, known: dict[bytes, _Known], digest: bytes, token: _Known) -> None:
        if len(known) >= _MOST:
            now = self._clock()
            ended = [each for each, old in known.copy().items() if now >= old.holder.ends_at]
            for each in ended or list(known)[: _MOST // 10]:
                known.pop(each, None)
        known[digest] = token

    def _say(self, what: str) -> None:
        """Log why somebody is refused: each reason once a minute, and a few at most.

        Whoever comes is told no more than that they are.
        """
        now = self._clock()
        if now - self._said.get(what, -inf) >= _SAID_EVERY_S:
            said = {why: at for why, at in self._said.items() if now - at < _SAID_EVERY_S}
            # Whoever sends nonsense may find a new reason each time.
            if len(said) < _MOST_SAID:
                self._said = said | {what: now}
                _log.warning("oidc: a token: %.300s", what)


def looks_like_one(secret: str) -> bool:
    """Whether it may be a token: three parts with dots between them."""
    return secret.count(".") == _PARTS - 1


def is_of_token(key: Key) -> bool:
    """Whether somebody came with a token, and not with a key of the file."""
    return key.id.startswith(SUBJECT)


def _check(claims: Mapping[str, Any], issuer: Issuer, now: float) -> None:
    """What the signature says nothing about. Raises PyJWTError."""
    audience = claims["aud"]
    if isinstance(audience, list) and len(audience) > 1 and claims.get("azp") not in issuer.audience:
        raise _unfit("made for somebody else, who may pass it on to us")
    if not isinstance(claims["sub"], str) or not claims["sub"]:
        raise _unfit("of nobody: it has no sub")
    if now >= _time(claims, "exp", 0.0):
        raise _unfit("over")
    if now + issuer.leeway_s < max(_time(claims, "nbf", now), _time(claims, "iat", now)):
        raise _unfit("not valid yet; do the clocks agree?")


def _time(claims: Mapping[str, Any], name: str, absent: float) -> float:
    value = claims.get(name, absent)
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise _unfit(f"without a time in {name}")
    return float(value)


def _unfit(why: str) -> PyJWTError:
    return PyJWTError(f"it is {why}")
