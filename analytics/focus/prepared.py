"""Prepared: lines with what their rows are made of, worked out once for each name and day of a batch, not for each row.

Amounts become whole numbers of 1e-12, without a copy: `scaled` is the way there and back.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa

from ..cells import guarded
from ..ledger.calendar import Calendar
from ..ledger.line import AMOUNTS, COUNTS, LINES, MONEY
from .parties import developer, seller

__all__ = ["POSTED", "WHOLE", "Prepared", "cell", "scaled", "time_text"]

POSTED = pa.schema(
    [
        pa.field("period", pa.string(), nullable=False),
        pa.field("entry", pa.int64()),
        pa.field("origin_amount", MONEY),
        *LINES,
    ]
)
"""What is exported: lines with the period that they are booked in, the number of the entry where there is one, and, of
a share of a cost, what all shares of that cost add up to."""

WHOLE = pa.decimal128(38, 0)
_TEXT, _TIME = pa.string(), pa.timestamp("s", "UTC")
_AMOUNTS = (*AMOUNTS, "amount", "list_amount", "origin_amount")
_IN_JSON = (
    *("tenant", "workload", "tier", "owner", "cost_centre", "model", "service_tier"),
    *("rule", "item", "reference", "currency"),
)
_IN_PARTS = ("model", "service_tier", "price_version", "contract", "rule", "item")
_CELLS = (*_IN_JSON, "provider", "state", "price_version", "contract", "details")
"""Texts, most of which tenants and people choose themselves."""
_AS_THEY_ARE = ("period", "entry", "day", "kind", *COUNTS)
_QUOTED = re.compile(r'[",\r\n]')


@dataclass(frozen=True, slots=True)
class Prepared:
    """How lines are prepared: in which zone days begin, and whether a spreadsheet may open the file."""

    calendar: Calendar
    is_csv: bool

    def batches(self, lines: Iterable[pa.RecordBatch]) -> pa.RecordBatchReader:
        """Each batch of `POSTED`, prepared when it is asked for."""
        empty = self._of(pa.RecordBatch.from_pylist([], POSTED))
        return pa.RecordBatchReader.from_batches(empty.schema, self._each(lines))

    def _each(self, lines: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in lines:
            yield self._of(batch)

    def _of(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        columns = {name: batch[name] for name in _AS_THEY_ARE}
        columns |= {name: scaled(batch[name], WHOLE) for name in _AMOUNTS}
        columns |= {f"{name}_json": self._parts(batch[name], _json).fill_null("null") for name in _IN_JSON}
        columns |= {f"{name}_part": self._parts(batch[name], str) for name in _IN_PARTS}
        makers = self._parts(batch["model"], lambda name: _json(developer(name)))
        columns |= {name: self._cells(batch[name], str) for name in _CELLS}
        columns |= {
            "seller": self._cells(batch["provider"], lambda name: seller(name).name),
            "service": self._cells(batch["provider"], lambda name: seller(name).service),
            "host": self._cells(batch["provider"], lambda name: seller(name).host),
            # What begins with it begins a cell.
            "provider_part": self._parts(batch["provider"], guarded),
            "developer_json": makers.fill_null("null"),
            "billing_start": self._instants(batch["period"], lambda name: self.calendar.period(name).start),
            "billing_end": self._instants(batch["period"], lambda name: self.calendar.period(name).stop),
            "charge_start": self._instants(batch["day"], lambda day: self._bounds(day)[0]),
            "charge_end": self._instants(batch["day"], lambda day: self._bounds(day)[1]),
        }
        return pa.RecordBatch.from_pydict(columns)

    def _cells(self, texts: pa.Array, what: Callable[[str], str | None]) -> pa.Array:
        """Each text as it stands in the file, alone."""
        if not self.is_csv:
            return texts if what is str else _each_value(texts, what)
        return _each_value(texts, lambda text: cell(what(text)))

    def _parts(self, texts: pa.Array, what: Callable[[str], str]) -> pa.Array:
        """Each text as it stands in a longer one; focus_macros.sql puts quotes around these."""
        if not self.is_csv:
            return texts if what is str else _each_value(texts, what)
        return _each_value(texts, lambda text: _doubled(what(text)))

    def _instants(self, keys: pa.Array, what: Callable[[Any], datetime]) -> pa.Array:
        if self.is_csv:
            return _each_value(keys, lambda key: time_text(what(key)))
        return _each_value(keys, what, _TIME)

    def _bounds(self, day: date) -> tuple[datetime, datetime]:
        return self.calendar.bounds(day, day)


def cell(text: str | None) -> str | None:
    """A text as CSV has it, guarded, and between quotes where it must be."""
    shown = text and guarded(text)
    if shown and not _QUOTED.search(shown):
        return shown
    return None if shown is None else f'"{_doubled(shown)}"'


def _doubled(text: str) -> str:
    return text.replace('"', '""')


def time_text(at: datetime) -> str:
    """An instant as FOCUS writes it: "2026-10-01T00:00:00Z"."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def scaled(numbers: pa.Array, kind: pa.DataType) -> pa.Array:
    """The same digits read as decimals of another scale."""
    return pa.Array.from_buffers(kind, len(numbers), numbers.buffers(), offset=numbers.offset)


def _each_value(column: pa.Array, what: Callable[[Any], Any], kind: pa.DataType = _TEXT) -> pa.Array:
    """What each value becomes, asked once for each that there is; null stays null."""
    encoded = column.dictionary_encode()
    values = [what(value) for value in encoded.dictionary.to_pylist()]
    return pa.array(values, kind).take(encoded.indices)


def _json(text: str | None) -> str:
    return json.dumps(text, ensure_ascii=False)
