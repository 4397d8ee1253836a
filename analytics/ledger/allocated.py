"""Allocated: what a period's shared cost came to for each target, with the rule, its method and what that went by.

Made of the lines of kind `shared` that give: what was shared by day is added up over the days. Of one rule and day
every origin is divided by the same use, so a target's use counts once a day, however much it was given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa

from ..queries import is_cut
from . import standing
from .calendar import Period
from .line import MONEY, Kind
from .live import LiveLines

if TYPE_CHECKING:
    import duckdb

__all__ = ["allocated"]

_MONEY = pl.Decimal(38, 12)
_SCHEMA = pa.schema(
    [
        ("rule", pa.string()),
        ("takes", pa.string()),
        ("method", pa.string()),
        ("targets", pa.string()),
        ("cost_centre", pa.string()),
        ("tenant", pa.string()),
        ("owner", pa.string()),
        ("quantity", MONEY),
        ("unit", pa.string()),
        ("share", pa.float64()),
        ("cost", MONEY),
        ("currency", pa.string()),
    ]
)
_TARGET = ("cost_centre", "tenant", "owner")
_ELEMENT = pl.Struct(
    {
        "Elements": pl.List(
            pl.Struct({"AllocatedRatio": pl.String, "UsageUnit": pl.String, "UsageQuantity": pl.String})
        )
    }
)


def allocated(con: duckdb.DuckDBPyConnection, live: LiveLines, period: Period) -> pa.Table:
    """A row for each rule, target and currency: in the order of the rules, the largest part first.

    `share` is the part of all that the rule gave, NULL to whoever sees a part of that alone; `quantity` what the target
    used in `unit`, as the method counts it. `takes` and `method` are the rule's words; NULL of a rule that is in the
    file no more.
    """
    rows = pl.DataFrame(standing.of_period(con, live, period)).filter(
        pl.col("kind") == Kind.SHARED.value, pl.col("details").is_not_null()
    )
    if rows.is_empty():
        return _SCHEMA.empty_table()
    found = _summed(_with_use(rows))
    if is_cut(con):
        found = found.with_columns(share=pl.lit(None, pl.Float64))
    rules = {rule.name: place for place, rule in enumerate(live.chargeback.rules)}
    words = pl.DataFrame(
        [
            {
                "rule": rule.name,
                "takes": rule.pool.in_words(),
                "method": rule.how,
                "targets": rule.to.replace("_", " "),
            }
            for rule in live.chargeback.rules
        ],
        schema=dict.fromkeys(("rule", "takes", "method", "targets"), pl.String),
    )
    place = pl.col("rule").replace_strict(rules, default=len(rules), return_dtype=pl.Int64)
    ordered = (
        found.join(words, on="rule", how="left")
        .with_columns(place=place)
        .sort(["place", "rule", "currency", "cost", *_TARGET], descending=[False] * 3 + [True] + [False] * 3)
    )
    return ordered.select(_SCHEMA.names).to_arrow().cast(_SCHEMA)


def _with_use(rows: pl.DataFrame) -> pl.DataFrame:
    element = pl.col("details").str.json_decode(_ELEMENT).struct.field("Elements").list.first()
    return rows.with_columns(
        unit=element.struct.field("UsageUnit"),
        quantity=element.struct.field("UsageQuantity").cast(_MONEY),
        # A charge is divided by the use of all its days, and stands on the last of them.
        of_charge=pl.col("item").is_not_null(),
    )


def _summed(rows: pl.DataFrame) -> pl.DataFrame:
    keys = ["rule", "currency", *_TARGET]
    used = (
        rows.unique([*keys, "day", "of_charge", "unit", "quantity"])
        .group_by(keys)
        .agg(pl.col("quantity").sum(), pl.col("unit").first())
    )
    given = rows.group_by(keys).agg(pl.col("amount").sum().cast(_MONEY).alias("cost"))
    whole = pl.col("cost").sum().over("rule", "currency").cast(pl.Float64)
    return given.join(used, on=keys, nulls_equal=True).with_columns(
        share=pl.when(whole != 0).then(pl.col("cost").cast(pl.Float64) / whole)
    )
