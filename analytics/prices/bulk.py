"""Bulk: what many calls cost at once, whole and by count, to the last digit what `PriceBook.quote` says of each.

Amounts are whole numbers of 1e-12 here, which any number of tokens makes of almost every rate. A call with something
billed apart, or with a rate that does not come out even, is quoted by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from collector.pricing import Quote
from switchgear.usage import COUNTS, Usage

from .book import PriceBook
from .rates import REQUEST, SMALLEST, Amount, Rate, Sheet
from .schedule import Schedule

__all__ = ["COLUMNS", "PARTS", "parted", "priced"]

COLUMNS = ("provider", "model", "service_tier", "started_at", *COUNTS)
PARTS = (*COUNTS[:-1], "other")
"""What an amount is for: a count of usage, the output with its reasoning, and what is billed apart or by request."""
_AS_INPUT = "as_input"
_CACHED = COUNTS[1:4]
_NAMES = ["provider", "model", "service_tier"]
_COST = pa.decimal128(38, 12)
# A thousand a million tokens: 100 million tokens in each count still fit 64 bits.
_MOST_PER_TOKEN = 1_000_000_000
_MOST_FEE = 10**17


def priced(book: PriceBook, calls: pa.Table) -> pa.Table:
    """The `cost` (DECIMAL(38,12)) and `currency` of each call, in the order of `calls`; both null where unpriced.

    `calls` has the columns in `COLUMNS`, `started_at` in UTC, and may have `apart`, as the calls that are kept have it:
    "input_audio=60,web_searches=1", or null.
    """
    rows = pl.from_arrow(calls)
    assert isinstance(rows, pl.DataFrame)  # noqa: S101 - of a table it makes nothing else
    if not len(rows):
        return pa.table({"cost": pa.array([], _COST), "currency": pa.array([], pa.string())})
    rows = _asked(rows)
    return _answers(book, rows, _found(book, rows))


def parted(book: PriceBook, calls: pl.DataFrame) -> pl.DataFrame:
    """What each call costs by part, in whole 1e-12 of the currency, in order; null where unpriced.

    The columns are those in `PARTS`, which add up to what `priced` says, and `as_input`: what the tokens read from
    cache and written to it would cost as uncached input, null where that has no rate. `calls` as for `priced`.
    """
    columns = (*PARTS, _AS_INPUT)
    if not len(calls):
        return pl.DataFrame(schema=dict.fromkeys(columns, pl.Int128))
    rows = _asked(calls)
    found = _found(book, rows)
    whole = found.select(pl.when(pl.col("units").is_not_null()).then(pl.col(columns)).cast(pl.Int128))
    alone = found["alone"] | rows["apart"].is_not_null()
    if not alone.any():
        return whole
    places = alone.arg_true()
    quoted = [_parts(book, row) for row in rows.filter(alone).iter_rows(named=True)]
    return whole.with_columns(
        whole[name].scatter(places, pl.Series([each[name] for each in quoted], dtype=pl.Int128))
        for name in columns
    )


def _asked(rows: pl.DataFrame) -> pl.DataFrame:
    if "apart" not in rows.columns:
        rows = rows.with_columns(pl.lit(None, pl.String).alias("apart"))
    return rows.with_columns(pl.col("started_at").cast(pl.Datetime("us", "UTC")))


def _found(book: PriceBook, rows: pl.DataFrame) -> pl.DataFrame:
    asked = rows.select(_NAMES).unique().with_row_index("asked")
    tables = _Tables()
    for place, provider, model, tier in asked.select("asked", *_NAMES).iter_rows():
        tables.add(place, book.schedule(provider, model, tier))
    return _summed(_placed(rows, asked, tables), tables)


@dataclass(slots=True)
class _Tables:
    """All rates that are asked for, as rows: schedules by moment, their days by second, their sheets by context."""

    moments: list[tuple[int, Any, int]] = field(default_factory=list)
    seconds: list[tuple[int, int, int]] = field(default_factory=list)
    starts: list[tuple[int, ...]] = field(default_factory=list)
    bands: list[tuple[Any, ...]] = field(default_factory=list)
    days: int = 0

    def add(self, asked: int, schedule: Schedule | None) -> None:
        if schedule is None:
            return
        for moment, day in zip(schedule.moments, schedule.days, strict=True):
            self.moments.append((asked, moment, self.days))
            for second, sheet in zip(day.seconds, day.sheets, strict=True):
                self.seconds.append((self.days, second, self._sheet(sheet)))
            self.days += 1

    def _sheet(self, sheet: Sheet | None) -> int:
        place = len(self.starts)
        steps = {start for rate in sheet.rates.values() for start, _ in rate.steps} if sheet else set()
        self.starts.append(tuple(sorted(steps)))
        for band, start in enumerate((-1, *self.starts[-1])):
            self.bands.append((place, band, *_band(sheet, start + 1)))
        return place


def _band(sheet: Sheet | None, input_total: int) -> Iterator[Any]:
    """The currency, whether each call is quoted by itself, the fee, and the rate of each count, in 1e-12."""
    rates = sheet.rates if sheet else {}
    fee = rates[REQUEST].base if REQUEST in rates else None
    found = [_at(rates.get(kind), input_total) for kind in COUNTS]
    # Reasoning without a rate of its own is output.
    found[-1] = found[-1] or found[-2]
    yield sheet.currency if sheet else None
    yield not (_fits(found, _MOST_PER_TOKEN) and _fits([fee], _MOST_FEE))
    yield (_units(fee) or 0) if sheet else None
    yield from map(_units, found)


def _at(rate: Rate | None, input_total: int) -> Amount | None:
    return rate.at(input_total) if rate is not None else None


def _units(amount: Amount | None) -> int | None:
    if amount is None:
        return None
    return int(amount.per_unit / SMALLEST) if amount.is_exact else 0


def _fits(amounts: Iterable[Amount | None], most: int) -> bool:
    return all(each is None or (each.is_exact and each.per_unit <= most * SMALLEST) for each in amounts)


def _placed(rows: pl.DataFrame, asked: pl.DataFrame, tables: _Tables) -> pl.DataFrame:
    """The rows by `row`, each with the sheet that holds for it; null where there is no schedule."""
    wanted = rows.with_row_index("row").join(asked, on=_NAMES, how="left", nulls_equal=True)
    moments = pl.DataFrame(
        tables.moments,
        {"asked": pl.UInt32, "started_at": pl.Datetime("us", "UTC"), "day": pl.Int64},
        orient="row",
    )
    found = wanted.select("row", "asked", "started_at", *COUNTS).sort("started_at")
    found = found.join_asof(moments.sort("started_at"), on="started_at", by="asked", check_sortedness=False)
    seconds = pl.DataFrame(
        tables.seconds, {"day": pl.Int64, "second": pl.Int32, "sheet": pl.Int64}, orient="row"
    )
    if len(seconds) == tables.days:
        return found.join(seconds.select("day", "sheet"), on="day", how="left")
    clock = pl.col("started_at").dt
    found = found.with_columns(
        (clock.hour().cast(pl.Int32) * 3600 + clock.minute().cast(pl.Int32) * 60 + clock.second()).alias(
            "second"
        )
    )
    return found.sort("second").join_asof(
        seconds.sort("second"), on="second", by="day", check_sortedness=False
    )


def _summed(placed: pl.DataFrame, tables: _Tables) -> pl.DataFrame:
    """`units` (1e-12 of the currency), what it is for, `currency` and `alone` of each row, in order."""
    most = max((len(each) for each in tables.starts), default=0)
    steps = [f"start_{place}" for place in range(most)]
    starts = pl.DataFrame(
        [(sheet, *each, *[None] * (most - len(each))) for sheet, each in enumerate(tables.starts)],
        {"sheet": pl.Int64} | dict.fromkeys(steps, pl.Int64),
        orient="row",
    )
    rates = [f"rate_{kind}" for kind in COUNTS]
    bands = pl.DataFrame(
        tables.bands,
        {"sheet": pl.Int64, "band": pl.Int64, "currency": pl.String, "alone": pl.Boolean, "fee": pl.Int64}
        | dict.fromkeys(rates, pl.Int64),
        orient="row",
    )
    total = pl.sum_horizontal("input_uncached", "cache_read", "cache_write_5m", "cache_write_1h")
    band = pl.sum_horizontal(pl.lit(0), *((total > pl.col(step)).fill_null(value=False) for step in steps))
    counts = {kind: pl.col(kind) for kind in COUNTS} | {"output": pl.col("output") - pl.col("reasoning")}
    amounts = {
        kind: pl.when(counts[kind] == 0).then(0).otherwise(counts[kind] * pl.col(rate))
        for kind, rate in zip(COUNTS, rates, strict=True)
    }
    units = pl.col("fee")
    for amount in amounts.values():
        units = units + amount
    cached = pl.sum_horizontal(_CACHED)
    return (
        placed.join(starts, on="sheet", how="left")
        .with_columns(band.cast(pl.Int64).alias("band"))
        .join(bands, on=["sheet", "band"], how="left")
        .select(
            "row",
            units.alias("units"),
            *(amounts[kind].alias(kind) for kind in COUNTS[:-2]),
            (amounts["output"] + amounts["reasoning"]).alias("output"),
            pl.col("fee").alias("other"),
            pl.when(cached == 0).then(0).otherwise(cached * pl.col(rates[0])).alias(_AS_INPUT),
            "currency",
            pl.col("alone").fill_null(value=False),
        )
        .sort("row")
    )


def _answers(book: PriceBook, rows: pl.DataFrame, found: pl.DataFrame) -> pa.Table:
    units = found["units"].to_arrow().cast(pa.decimal128(38, 0))
    # The same whole numbers, read as what they are: units of 1e-12.
    cost = pa.Array.from_buffers(_COST, len(units), units.buffers())
    known = pc.is_valid(cost)
    currency = pc.if_else(known, found["currency"].to_arrow().cast(pa.string()), None)
    alone = found["alone"] | rows["apart"].is_not_null()
    if alone.any():
        quotes = [_quoted(book, row) for row in rows.filter(alone).iter_rows(named=True)]
        mask = alone.to_arrow()
        cost = pc.replace_with_mask(cost, mask, pa.array([each[0] for each in quotes], _COST))
        currency = pc.replace_with_mask(currency, mask, pa.array([each[1] for each in quotes], pa.string()))
    return pa.table({"cost": cost, "currency": currency})


def _quoted(book: PriceBook, row: dict[str, Any]) -> tuple[Decimal | None, str | None]:
    quote = _quote(book, row)
    return quote.cost, quote.currency


def _quote(book: PriceBook, row: dict[str, Any]) -> Quote:
    return book.quote(row["provider"], row["model"], _usage(row), row["started_at"], row["service_tier"])


def _usage(row: dict[str, Any]) -> Usage:
    named = (part.partition("=") for part in (row["apart"] or "").split(",") if part)
    apart = tuple((name, int(count)) for name, _, count in named)
    return Usage(**{kind: row[kind] for kind in COUNTS}, apart=apart)


def _parts(book: PriceBook, row: dict[str, Any]) -> dict[str, int | None]:
    """The parts of a call that is quoted by itself."""
    quote = _quote(book, row)
    if quote.cost is None:
        return dict.fromkeys((*PARTS, _AS_INPUT))
    found: dict[str, int | None] = {}
    for part in PARTS:
        kinds = ("output", "reasoning") if part == "output" else (part,)
        amounts = [line.amount for line in quote.lines if _part_of(line.kind) in kinds]
        found[part] = int(sum(amounts, Decimal(0)) / SMALLEST)
    schedule = book.schedule(row["provider"], row["model"], row["service_tier"])
    sheet = schedule.at(row["started_at"]) if schedule is not None else None
    cached = sum(row[kind] for kind in _CACHED)
    rate = _at(sheet.rates.get("input_uncached"), _usage(row).input_total) if sheet is not None else None
    as_input = rate.line("input_uncached", cached).amount if rate is not None else None
    found[_AS_INPUT] = 0 if not cached else None if as_input is None else int(as_input / SMALLEST)
    return found


def _part_of(kind: str) -> str:
    return kind if kind in COUNTS else "other"
