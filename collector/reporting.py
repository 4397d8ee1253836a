"""Reporting: what the collector's API needs of the named reports and of the registry, passed in from above."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import duckdb
import pyarrow as pa

__all__ = ["Registry", "RegistryError", "Report", "ReportError"]


class ReportError(Exception):
    """A report that cannot be made of these parameters; the text names the parameter and what to write."""


class RegistryError(Exception):
    """A registry document that cannot be stored; the text names the entry and what to write."""


class Report(Protocol):
    """A table made of the facts. `con` is a read cursor on the store; raises ReportError for bad parameters."""

    def __call__(self, con: duckdb.DuckDBPyConnection, params: Mapping[str, str]) -> pa.Table: ...


class Registry(Protocol):
    """Who owns what: the whole document is replaced or read. Runs inside the caller's transaction."""

    def replace(self, con: duckdb.DuckDBPyConnection, document: Mapping[str, Any]) -> None:
        """Put `document` in place of what is there. Raises RegistryError for an unfit document."""

    def read(self, con: duckdb.DuckDBPyConnection) -> dict[str, Any]:
        """The document as it was stored."""
