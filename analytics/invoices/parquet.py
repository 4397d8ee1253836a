"""Parquet: the rows of a FOCUS file in that form. The one module of this room that needs pyarrow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from .problems import Problems

__all__ = ["MAGIC", "rows"]

MAGIC = b"PAR1"
"""What such a file begins with."""

_NEEDED = (
    *("BilledCost", "EffectiveCost", "BillingCurrency", "ChargePeriodStart", "ServiceProviderName"),
    *("ProviderName", "ServiceCategory", "SubAccountId", "SkuId", "SkuMeter", "SkuPriceDetails"),
    *("ConsumedQuantity", "ConsumedUnit", "PricingQuantity", "PricingUnit", "ChargeDescription"),
    *("ChargeCategory", "x_TokenType", "x_RequestModel", "x_Model", "x_ModelId", "x_ServiceTier"),
)


def rows(data: bytes, problems: Problems) -> tuple[tuple[str, ...], Iterator[tuple[str, dict[str, Any]]]]:
    """The names of the columns, and each row with its place; decimals come as they are, so do times."""
    try:
        file = pq.ParquetFile(pa.BufferReader(data))
    except (pa.ArrowException, OSError) as error:
        problems.add("file", f"no Parquet that can be read: {str(error).splitlines()[0]}; write it again")
        return (), iter(())
    names = tuple(file.schema_arrow.names)
    return names, _rows(file, [name for name in _NEEDED if name in names], problems)


def _rows(file: pq.ParquetFile, names: list[str], problems: Problems) -> Iterator[tuple[str, dict[str, Any]]]:
    place = 0
    try:
        for batch in file.iter_batches(columns=names):
            for row in batch.to_pylist():
                place += 1
                yield f"row {place}", row
    except (pa.ArrowException, OSError) as error:
        problems.add(
            f"row {place + 1}", f"cannot be read: {str(error).splitlines()[0]}; write the file again"
        )
