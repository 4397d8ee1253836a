"""Identity: who looks, and the sessions of those who signed in. Keys are held in memory alone, never on disk.

A session is named by 256 random bits in a cookie that no script can read. It ends after half a day, when its viewer
signs out, or with this process; what its key may see is asked of the services each time, so a key that is revoked
shows nothing more from then on.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from typing import Any

__all__ = ["COOKIE", "LASTS", "SESSIONS", "Sessions", "Viewer"]

COOKIE = "switchgear_session"
LASTS = timedelta(hours=12)
_MOST = 10_000


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who looks, as the services know them by what they came with."""

    id: str
    """What may be shown of the key, or of the identity that the company's sign-in gave."""
    name: str
    tenants: tuple[str, ...]
    """Names, or patterns in which `*` stands for any characters."""
    scopes: frozenset[str]
    owners: tuple[str, ...]
    """The owners whose workloads they may see, in whichever tenant."""
    keyless: bool
    """Nobody needs a key: whoever reaches this page is on this machine."""

    @classmethod
    def told(cls, document: Mapping[str, Any]) -> Viewer:
        """The viewer of an answer of `/v1/identity`."""
        return cls(
            str(document["id"]),
            str(document.get("name") or document["id"]),
            tuple(document["tenants"]),
            frozenset(document["scopes"]),
            tuple(document["owners"]),
            bool(document["keyless"]),
        )

    @property
    def all_tenants(self) -> bool:
        """Whether they speak for every tenant."""
        return "*" in self.tenants

    def may(self, scope: str) -> bool:
        """Whether the scope is theirs. What is drawn goes by it; what is done, the services decide."""
        return scope in self.scopes or "admin" in self.scopes


@dataclass(frozen=True, slots=True)
class _Session:
    key: str
    ends_at: datetime


class Sessions:
    """The keys of those who signed in, by the secret of their session. Safe to use from any thread."""

    def __init__(self) -> None:
        self._open: dict[str, _Session] = {}
        self._lock = Lock()

    def start(self, key: str, now: datetime) -> str:
        """Keep the key; the secret that finds it. Where there are too many sessions, the oldest ends."""
        secret = secrets.token_urlsafe(32)
        with self._lock:
            for ended in [name for name, one in self._open.items() if one.ends_at <= now]:
                del self._open[ended]
            while len(self._open) >= _MOST:
                del self._open[next(iter(self._open))]
            self._open[secret] = _Session(key, now + LASTS)
        return secret

    def find(self, secret: str | None, now: datetime) -> str | None:
        """The key of a session that has not ended."""
        with self._lock:
            session = self._open.get(secret or "")
        return session.key if session and now < session.ends_at else None

    def end(self, secret: str | None) -> None:
        """Forget the key."""
        with self._lock:
            self._open.pop(secret or "", None)


SESSIONS = Sessions()
"""Those of this process: the sign-in route fills it, the pages read it."""
