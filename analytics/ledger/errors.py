"""Errors of the ledger. Every text says what, where, which value, and what to do."""

from __future__ import annotations

__all__ = ["BrokenLedgerError", "LedgerError"]


class LedgerError(Exception):
    """Something that cannot be done to the ledger; `status` is the HTTP status for it."""

    def __init__(self, message: str, status: int = 422) -> None:
        super().__init__(message)
        self.status = status


class BrokenLedgerError(LedgerError):
    """The ledger is not what it was: nothing is added to it until that is mended."""

    def __init__(self, message: str) -> None:
        super().__init__(message, 409)
