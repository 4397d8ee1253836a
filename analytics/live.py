"""Live: what a running service prices by, which follows the files that say it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from collector.pricing import Quote
from switchgear.usage import Usage

from .contracts import Contracts
from .contracts.files import load
from .documents import DocumentError
from .prices import PriceBook

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Followed", "LivePrices", "follow"]

T = TypeVar("T")

_log = logging.getLogger("switchgear")
_LOOK_EVERY_S = 1.0


class Followed(Generic[T]):
    """What a file says, read again when the file changes; without a file, what `read` makes of None.

    A file that cannot be used is logged with every reason, and what it said before stays, whole.
    Raises DocumentError where it cannot be used from the start.
    """

    def __init__(self, what: str, path: Path | None, read: Callable[[Path | None], T]) -> None:
        self._what = what
        self._path = path
        self._read = read
        self._stamp = self._now()
        self.value = read(path)

    def look(self) -> None:
        """Take the file over if it has changed."""
        stamp = self._now()
        if stamp == self._stamp or self._path is None:
            return
        self._stamp = stamp
        try:
            self.value = self._read(self._path)
        except DocumentError as problem:
            for line in str(problem).splitlines():
                _log.error("%s: %s", self._what, line)
            _log.error("%s: %s is not used; what it said before stays", self._what, self._path)
        else:
            _log.info("%s: %s is read again", self._what, self._path)

    def _now(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat() if self._path is not None else None
        except OSError:
            return None
        return (found.st_mtime_ns, found.st_size) if found is not None else None


class LivePrices:
    """The price book with the user's file over it, and the contracts over that. Raises DocumentError, as `Followed`."""

    def __init__(self, prices: Path | None = None, contracts: Path | None = None) -> None:
        self._book = Followed("prices", prices, _book)
        self._contracts = Followed("contracts", contracts, _contracts)

    @property
    def book(self) -> PriceBook:
        """The price book that holds now."""
        return self._book.value

    @property
    def contracts(self) -> Contracts:
        """The contracts that hold now."""
        return self._contracts.value

    def quote(
        self,
        provider: str | None,
        model: str | None,
        usage: Usage,
        at: datetime,
        service_tier: str | None = None,
        tenant: str | None = None,
    ) -> Quote:
        """What the book says that holds now, and what a contract makes of it."""
        price = self.contracts.over(self.book.quote) if self.contracts.contracts else self.book.quote
        return price(provider, model, usage, at, service_tier, tenant)

    def quotes(self, calls: pa.Table) -> pa.Table:
        """The same of many calls at once, in order: a collector's `PriceCalls`.

        Those that a contract may price are quoted one by one, which takes some ten times as long.
        """
        # What quotes many is loaded by who asks for many: a policy engine never does.
        from .quoting import quotes

        return quotes(self.book, self.contracts, self.quote, calls)

    def look(self) -> None:
        """Take over what has changed."""
        self._book.look()
        self._contracts.look()


class _Looking(Protocol):
    def look(self) -> None: ...


def follow(*files: _Looking) -> None:
    """Let these look for changes from now on, every second, until the process ends."""

    def watch() -> None:
        never = threading.Event()
        while not never.wait(_LOOK_EVERY_S):
            for each in files:
                each.look()

    threading.Thread(target=watch, name="followed-files", daemon=True).start()


def _book(path: Path | None) -> PriceBook:
    return PriceBook([path] if path is not None else ())


def _contracts(path: Path | None) -> Contracts:
    return load(path) if path is not None else Contracts()
