"""Quoting: what a book says of many calls at once, and what contracts make of those that they may price."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from collector.pricing import PriceCall
from collector.rerating.repricing import one_by_one

from .contracts import Contracts
from .prices import PriceBook
from .prices.bulk import priced

__all__ = ["quotes"]


def quotes(book: PriceBook, contracts: Contracts, quote: PriceCall, calls: pa.Table) -> pa.Table:
    """The quotes of many calls, in order: a collector's `PriceCalls`.

    Those that a contract may price are asked of `quote` one by one, which takes some ten times as long.
    """
    under = _under(contracts, calls)
    found = _listed(book, calls.filter(pc.invert(under)))
    negotiated = one_by_one(quote)(calls.filter(under))
    places = pc.sort_indices(pa.table({"under": pc.cast(under, pa.int8())}), [("under", "ascending")])
    return pa.concat_tables([found, negotiated]).take(pc.sort_indices(places))


def _under(contracts: Contracts, calls: pa.Table) -> pa.Array:
    """Whether a contract may price the call, for each of them."""
    pairs = list(zip(calls["provider"].to_pylist(), calls["tenant"].to_pylist(), strict=True))
    may = {pair: contracts.may_price(*pair) for pair in set(pairs)}
    return pa.array([may[pair] for pair in pairs], pa.bool_())


def _listed(book: PriceBook, calls: pa.Table) -> pa.Table:
    found = priced(book, calls)
    versions = pa.repeat(book.version, found.num_rows)
    return found.append_column("price_version", versions).append_column(
        "contract", pa.nulls(found.num_rows, pa.string())
    )
