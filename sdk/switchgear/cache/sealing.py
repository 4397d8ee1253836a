"""What the cache writes down is sealed: AES-256-GCM with a key for each tenant, all keys under one master key.

    master key --HKDF--> wrapping key   wraps each tenant's random data key
                         hashing key    HMAC-SHA256 of whatever rows are found by
                         own key        seals what is no tenant's
                         check value    tells a wrong master key before anything is read

The way of keys is that of NIST SP 800-38D (GCM, random nonces of 96 bits), RFC 5869 (HKDF) and RFC 2104 (HMAC). One key
may seal 2^32 times with random nonces; an entry takes two.
"""

from __future__ import annotations

import os
import stat
from hashlib import sha256
from hmac import digest
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from ..errors import ConfigError

__all__ = ["HASH", "Damaged", "Seal", "Secrets", "master_key"]

HASH = 16
"""Bytes of a keyed hash."""
_KEY, _NONCE = 32, 12
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class Damaged(Exception):  # noqa: N818 - it names a state of what was read
    """What was read is not what was written, or not where it was written."""


class Seal:
    """One key. What it seals opens under that key, in that context, and unchanged, or not at all."""

    __slots__ = ("_cipher",)

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def seal(self, plain: bytes, context: bytes) -> bytes:
        """Nonce, what is sealed, and its tag. `context` is not kept: who opens it has to know it."""
        nonce = os.urandom(_NONCE)
        return nonce + self._cipher.encrypt(nonce, plain, context)

    def open(self, sealed: bytes, context: bytes) -> bytes:
        """Raises Damaged for anything that was not sealed by this key in this context."""
        try:
            return self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], context)
        except (InvalidTag, ValueError, TypeError) as error:
            raise Damaged from error


class Secrets:
    """What follows from a master key of 32 bytes or more."""

    def __init__(self, master: bytes) -> None:
        if len(master) < _KEY:
            raise ConfigError(
                f"the cache's master key has {len(master)} bytes; give {_KEY} random ones or more"
            )
        self._wrapping = Seal(_derived(master, b"wrapping"))
        self._hashing = _derived(master, b"hashing")
        self.own = Seal(_derived(master, b"own"))
        self.check = _derived(master, b"check")

    def hashed(self, kind: bytes, *parts: bytes | None) -> bytes:
        """The keyed hash of `parts`; the same parts have another one as another `kind`."""
        framed = b"".join(b"-" if part is None else b"+%d:%b" % (len(part), part) for part in (kind, *parts))
        return digest(self._hashing, framed, sha256)[:HASH]

    def new_key(self, tenant: bytes) -> bytes:
        """A random data key for the tenant of that hash, wrapped."""
        return self._wrapping.seal(os.urandom(_KEY), tenant)

    def unwrapped(self, tenant: bytes, wrapped: bytes) -> Seal:
        """Raises Damaged unless it was wrapped for that very tenant."""
        return Seal(self._wrapping.open(wrapped, tenant))


def _derived(master: bytes, use: bytes) -> bytes:
    return HKDF(SHA256(), _KEY, salt=None, info=b"switchgear cache 1 " + use).derive(master)


def master_key(path: Path, *, new: bool) -> bytes:
    """The key in a file that its owner alone may read; made there, of 32 random bytes, where `new` and none is.

    Several processes may ask at once: one makes it, all get the same. Raises ConfigError where it is missing and not
    `new`, of another length, or open to others.
    """
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            key = file.read(_KEY + 1)
    except FileNotFoundError:
        if new:
            _made(path)
            return master_key(path, new=False)
        raise ConfigError(
            f"{path}: the key that the cache's answers were sealed with is missing; put it back, or remove the "
            "cache's folder"
        ) from None
    except OSError as error:
        raise ConfigError(f"{path}: the cache's key cannot be read: {error.strerror}") from error
    if os.name == "posix" and mode & _OTHERS:
        raise ConfigError(f"{path}: others may read the cache's key (mode {mode & 0o777:04o}); chmod 600 it")
    if len(key) != _KEY:
        raise ConfigError(f"{path}: a key of the cache has {_KEY} bytes, this file has {len(key)} or more")
    return key


def _made(path: Path) -> None:
    """Whole or not at all: another process may look at any moment, and this one may be killed at any."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(os.urandom(_KEY))
            file.flush()
            os.fsync(file.fileno())
        try:
            path.hardlink_to(draft)
        except FileExistsError:
            return
    finally:
        draft.unlink()
