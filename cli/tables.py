"""Tables on stdout: columns of text, as wide as they are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .console import plain

__all__ = ["table"]

_WIDEST = 100_000


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, numbers: Sequence[str] = ()) -> None:
    """Print it; None is "-". The columns named in `numbers` are set to the right."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    found = Table(box=None, pad_edge=False)
    for column in columns:
        found.add_column(column, justify="right" if column in numbers else "left")
    for row in rows:
        found.add_row(*(Text("-" if value is None else plain(str(value))) for value in row))
    # A terminal wraps a long line, and an amount that was cut to fit would be another amount.
    Console(width=_WIDEST).print(found)
