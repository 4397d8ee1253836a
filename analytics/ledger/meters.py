"""Meters: what of each call's cost is for input, for reading and writing the cache, for output, and for anything else.

Amounts are whole numbers of 1e-12 here. Each call is split by itself, so that no order of them matters.
"""

from __future__ import annotations

import polars as pl

from ..prices import PriceBook
from ..prices.bulk import PARTS, parted
from .line import AMOUNTS

__all__ = ["UNSPLIT", "split"]

UNSPLIT = "unsplit"
"""The item of usage that is known by its whole amount only."""
_CACHED = AMOUNTS[1:4]


def split(calls: pl.DataFrame, book: PriceBook) -> pl.DataFrame:
    """The calls, in some order, with the amounts by meter, which add up to `cost`, and `cache_savings`.

    Where the book says of a call what was booked, it is split as the book does; else (under a contract, by another
    book, a difference) in that proportion, by largest remainder. What the book cannot split stands in `amount_other`
    with the item `unsplit`, and so does, with its own item, what is no usage of a model. Where `cost` is NULL, so is
    all of this.

    `calls` has what `parted` asks for, `item`, and `cost`, which may be below 0. A cost of 900 which the book parts
    into 600 and 400 is 540 and 360.
    """
    asked = pl.all_horizontal(
        pl.col("cost").is_not_null(), pl.col("item").is_null(), pl.col("output").is_not_null()
    )
    mine, whole = calls.filter(asked), calls.filter(~asked)
    parts = parted(book, mine).rename(dict(zip(PARTS, AMOUNTS, strict=True)))
    mine = pl.concat([mine, parts], how="horizontal").with_columns(
        total=pl.sum_horizontal(AMOUNTS, ignore_nulls=False), size=pl.col("cost").abs()
    )
    total, size = pl.col("total"), pl.col("size")
    same = mine.filter(total == size)
    scaled = mine.filter((total != size) & (total > 0))
    unknown = mine.filter(total.is_null() | ((total == 0) & (size != 0))).select(calls.columns)
    columns = [*calls.columns, *AMOUNTS, "cache_savings"]
    return pl.concat(
        [
            same.with_columns(cache_savings=_saved())
            .with_columns(_signed(*AMOUNTS, "cache_savings"))
            .select(columns),
            _apportioned(scaled).with_columns(_signed(*AMOUNTS, "cache_savings")).select(columns),
            _unsplit(pl.concat([whole, unknown])).select(columns),
        ]
    )


def _apportioned(calls: pl.DataFrame) -> pl.DataFrame:
    """`size` in the proportion of the amounts, each rounded down, and one more for the largest remainders."""
    size, total = pl.col("size"), pl.col("total")
    shares = {name: pl.col(name) * size for name in AMOUNTS}
    calls = calls.with_columns(
        cache_savings=_saved() * size // total,
        **{f"whole_{name}": share // total for name, share in shares.items()},
        **{f"rest_{name}": share % total for name, share in shares.items()},
    )
    left = size - pl.sum_horizontal(f"whole_{name}" for name in AMOUNTS)
    return calls.with_columns(
        (pl.col(f"whole_{name}") + (_before(name) < left).cast(pl.Int128)).alias(name) for name in AMOUNTS
    )


def _before(name: str) -> pl.Expr:
    """How many remainders go before that of `name`: the larger ones, of equal ones the first."""
    own, place = pl.col(f"rest_{name}"), AMOUNTS.index(name)
    others = [
        pl.col(f"rest_{other}") >= own if AMOUNTS.index(other) < place else pl.col(f"rest_{other}") > own
        for other in AMOUNTS
        if other != name
    ]
    return pl.sum_horizontal(other.cast(pl.Int128) for other in others)


def _saved() -> pl.Expr:
    """What the cached tokens would cost more as input, less what writing them cost more, by the book."""
    return pl.col("as_input") - pl.sum_horizontal(_CACHED)


def _signed(*names: str) -> list[pl.Expr]:
    sign = pl.when(pl.col("cost") < 0).then(-1).otherwise(1).cast(pl.Int128)
    return [pl.col(name) * sign for name in names]


def _unsplit(calls: pl.DataFrame) -> pl.DataFrame:
    known = pl.col("cost").is_not_null()
    nothing = pl.when(known).then(pl.lit(0, pl.Int128))
    no_usage = pl.col("item").is_not_null()
    return calls.with_columns(
        *(nothing.alias(name) for name in AMOUNTS[:-1]),
        pl.col("cost").alias(AMOUNTS[-1]),
        pl.when(known & no_usage).then(pl.lit(0, pl.Int128)).alias("cache_savings"),
        pl.when(known).then(pl.col("item").fill_null(UNSPLIT)).otherwise("item").alias("item"),
    )
