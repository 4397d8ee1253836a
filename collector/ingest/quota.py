"""Quota: how fast each key may send, as two token buckets that may be overdrawn once."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from datetime import datetime

from ..errors import QuotaError
from ..keys.key import Key
from .limits import Limits

__all__ = ["Quota"]


@dataclass(slots=True)
class _Account:
    """What a key may still send; below 0 it waits. A single large request is thus taken, and paid off after."""

    bytes: float
    spans: float
    at: datetime


class Quota:
    """One account for each key, refilled with time. Safe to use from any thread."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._accounts: dict[str, _Account] = {}
        self._lock = threading.Lock()

    def check(self, key: Key, now: datetime) -> None:
        """Raise QuotaError while `key` has sent more than it may."""
        if key.all_tenants:
            return
        with self._lock:
            account = self._refilled(key, now)
            wait_s = max(
                -account.bytes / self._limits.bytes_per_s,
                -account.spans / self._limits.spans_per_s,
            )
        if wait_s > 0:
            raise QuotaError(
                f"key {key.id[:64]!r} sends more than {self._limits.spans_per_s} spans/s or "
                f"{self._limits.bytes_per_s} bytes/s; send this again in {math.ceil(wait_s)} s",
                retry_after_s=math.ceil(wait_s),
            )

    def draw(self, key: Key, now: datetime, *, size: int, spans: int) -> None:
        """Take what a request really was off the key's account."""
        if key.all_tenants:
            return
        with self._lock:
            account = self._refilled(key, now)
            account.bytes -= size
            account.spans -= spans

    def _refilled(self, key: Key, now: datetime) -> _Account:
        limits = self._limits
        full_bytes, full_spans = limits.bytes_per_s * limits.burst_s, limits.spans_per_s * limits.burst_s
        account = self._accounts.setdefault(key.id, _Account(full_bytes, full_spans, now))
        # A clock that was put back refills nothing; it goes on from there.
        passed_s = max(0.0, (now - account.at).total_seconds())
        account.bytes = min(full_bytes, account.bytes + passed_s * limits.bytes_per_s)
        account.spans = min(full_spans, account.spans + passed_s * limits.spans_per_s)
        account.at = now
        return account
