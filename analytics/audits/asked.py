"""What an audit is asked: a range, names to keep, and how many rows; and the statements that answer it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..parameters import at_most, check_names, time_range
from ..queries import sql

if TYPE_CHECKING:
    import duckdb
    import polars as pl

__all__ = ["NAMES", "Asked"]

NAMES = ("tenant", "workload", "owner", "provider", "model")
"""What may be asked for by name; an empty value asks for what has none."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: the values that its statements bind, and the names that its rows must have."""

    values: Mapping[str, Any]
    names: Mapping[str, str]
    top: int

    @classmethod
    def of(cls, params: Mapping[str, str], *, default: int, names: tuple[str, ...] = NAMES) -> Asked:
        """The request that text parameters make. Raises ReportError for what is unfit."""
        check_names(params, ("from", "to", "top", *names))
        start, stop = time_range(params)
        given = {name: params[name] for name in names if name in params}
        return cls({"start": start, "stop": stop}, given, at_most(params, default=default))

    def fits(self, row: Mapping[str, Any]) -> bool:
        """Whether a row has the names that were asked for."""
        return all((row[name] or "") == wanted for name, wanted in self.names.items())

    def table(self, con: duckdb.DuckDBPyConnection, name: str, **more: object) -> pl.DataFrame:
        """What the statement `analytics/sql/NAME.sql` finds in the range; `more` are further values that it binds."""
        import polars as pl

        found = con.sql(sql(name), params={**self.values, **more}).to_arrow_table()
        table = pl.from_arrow(found)
        assert isinstance(table, pl.DataFrame)  # noqa: S101 - a table makes a frame
        return table
