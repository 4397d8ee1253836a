"""Live: the price book of a running service, which follows its file."""

from __future__ import annotations

import logging
import threading
from datetime import datetime
from pathlib import Path

import pyarrow as pa

from collector.pricing import Quote
from switchgear.usage import Usage

from ..documents import DocumentError
from .book import PriceBook
from .bulk import priced

__all__ = ["LivePriceBook"]

_log = logging.getLogger("switchgear")
_LOOK_EVERY_S = 1.0


class LivePriceBook:
    """The price book with the user's file over it, read again when the file changes; without a file, just the book.

    A file that cannot be used is logged with every reason, and the book before it stays, whole.
    Raises DocumentError where it cannot be used from the start.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._stamp = self._now()
        self.book = PriceBook([path] if path is not None else ())

    def quote(
        self,
        provider: str | None,
        model: str | None,
        usage: Usage,
        at: datetime,
        service_tier: str | None = None,
    ) -> Quote:
        """What the book says that holds now."""
        return self.book.quote(provider, model, usage, at, service_tier)

    def quotes(self, calls: pa.Table) -> pa.Table:
        """The same of many calls at once: `cost`, `currency`, `price_version` and `contract` of each, in order."""
        book = self.book
        found = priced(book, calls)
        versions = pa.repeat(book.version, found.num_rows)
        none = pa.nulls(found.num_rows, pa.string())
        return found.append_column("price_version", versions).append_column("contract", none)

    def follow(self) -> None:
        """Look for changes from now on, every second, until the process ends."""
        if self._path is not None:
            threading.Thread(target=self._watch, name="price-file", daemon=True).start()

    def look(self) -> None:
        """Take the file over if it has changed."""
        stamp = self._now()
        if stamp == self._stamp or self._path is None:
            return
        self._stamp = stamp
        try:
            self.book = PriceBook([self._path])
        except DocumentError as problem:
            for line in str(problem).splitlines():
                _log.error("prices: %s", line)
            _log.error("prices: %s is not used; %s stays", self._path, self.book.version)
        else:
            _log.info("prices: %s is read again: %s", self._path, self.book.version)

    def _watch(self) -> None:
        never = threading.Event()
        while not never.wait(_LOOK_EVERY_S):
            self.look()

    def _now(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat() if self._path is not None else None
        except OSError:
            return None
        return (found.st_mtime_ns, found.st_size) if found is not None else None
