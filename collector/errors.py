"""Errors of the collector. Every text says what, where, which value, and what to do.

CollectorError
├── StoreError      the data folder or file cannot be used: refuse to start, or answer 503 until it can
├── BusyError       more is waiting than may wait: answer 503, the sender tries again
│   └── QuotaError  this sender has sent more than its share: answer 429, it tries again later
├── DeniedError     whoever asks may not: answer `status`, the sender must not try again
├── KeyringError    what was asked of the keys cannot be done: say it to whoever asked
├── DecodeError     a request that is no OTLP: answer `status`, the sender must not try again
├── QueryError      SQL that may not run, or did not finish
└── RerateError     a rerate that cannot be made as it was asked: answer `status`
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = [
    "BusyError",
    "CollectorError",
    "DecodeError",
    "DeniedError",
    "KeyringError",
    "QueryError",
    "QuotaError",
    "RerateError",
    "StoreError",
]


class CollectorError(Exception):
    """Base of all."""


class StoreError(CollectorError):
    """The data folder or the file in it cannot be used."""


class BusyError(CollectorError):
    """The collector holds as much unwritten work as it may; `retry_after_s` is when to come again."""

    def __init__(self, message: str, retry_after_s: int = 1) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class QuotaError(BusyError):
    """A sender has used up its own share, while others may go on."""


class DeniedError(CollectorError):
    """A request without a key, or with one that may not do this; `status` is the HTTP status for it.

    `allow` are the methods that the path may be asked with, where it was asked with another.
    """

    def __init__(self, message: str, status: int, *, allow: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.allow = allow


class KeyringError(CollectorError):
    """A key that cannot be made, changed or found."""


class DecodeError(CollectorError):
    """A request body that is not what its headers say; `status` is the HTTP status for it."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class QueryError(CollectorError):
    """SQL that may not run or did not finish; `status` is the HTTP status for it."""

    def __init__(self, message: str, status: int = 422) -> None:
        super().__init__(message)
        self.status = status


class RerateError(CollectorError):
    """A rerate that cannot be made as it was asked; `status` is the HTTP status for it."""

    def __init__(self, message: str, status: int = 422) -> None:
        super().__init__(message)
        self.status = status
