"""Reporting: what the collector's API needs of named reports and of the registry; passed in by the wiring."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import duckdb
import pyarrow as pa

__all__ = ["Registry", "Report", "ReportError"]


class ReportError(Exception):
    """A report that cannot be made of these parameters; the text names the parameter and what to write."""


class Report(Protocol):
    """A table made of the facts, read by `con`, a read cursor. Raises ReportError for bad parameters."""

    def __call__(self, con: duckdb.DuckDBPyConnection, params: Mapping[str, str]) -> pa.Table: ...


class Registry(Protocol):
    """Who owns what: all that one source says is replaced or read. Runs inside the caller's transaction."""

    def replace(self, con: duckdb.DuckDBPyConnection, document: Mapping[str, Any]) -> None:
        """Put `document` in place of what its source said. Raises ValueError that lists what is unfit."""

    def read(self, con: duckdb.DuckDBPyConnection, source: str | None = None) -> dict[str, Any]:
        """The document of one source as it was stored, or what counts of all."""
