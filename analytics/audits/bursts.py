"""Bursts: minutes above a rate that was committed, provisioned or declared, and whose they are.

What a contract charges for such a minute is divided by one of the methods of `analytics.bursts`; so are the tokens
above, which is all that there is to divide where nothing is charged on top. It takes a cursor that sees every tenant:
of a burst that is seen in part, neither its size nor its shares are right.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa

from collector.reporting import Report, ReportError

from ..bursts import Call, Method, Minute, attributed, charges
from ..contracts import Contract, Contracts
from ..contracts.matching import matches, names_provider
from ..contracts.terms import Burst, Measure, Weights
from ..parameters import check_names, time_range
from ..queries import is_cut, sql
from .herds import MONEY

if TYPE_CHECKING:
    import duckdb

__all__ = ["BUCKETS", "Kind", "bursts"]

BUCKETS: Mapping[str, int] = {"minute": 60, "5m": 300, "15m": 900, "hour": 3600, "6h": 21600, "day": 86400}
_COUNTS = ("input_uncached", "cache_read", "cache_write_5m", "cache_write_1h", "output")
# Weights are counted in millionths, so that sums of weighed tokens are whole numbers.
_PARTS = 1_000_000
_MINUTE = timedelta(minutes=1)
_MOST_RATE = 10**12
_METHODS = (Method.PROPORTIONAL, Method.MARGINAL, Method.EVEN)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_US = timedelta(microseconds=1)
_TIME = pa.timestamp("us", "UTC")
_TOKENS = pa.decimal128(38, 6)
_RATE = [
    ("kind", pa.string()),
    ("contract", pa.string()),
    ("term", pa.string()),
    ("provider", pa.string()),
    ("committed_tpm", pa.int64()),
    ("currency", pa.string()),
]
_WHO = pa.schema(
    [
        *_RATE,
        ("method", pa.string()),
        ("minutes_above", pa.int64()),
        ("unknown_minutes", pa.int64()),
        ("busiest_at", _TIME),
        ("busiest_tokens", _TOKENS),
        ("tenant", pa.string()),
        ("workload", pa.string()),
        ("minutes", pa.int64()),
        ("tokens_above", MONEY),
        ("charge", MONEY),
    ]
)
_WHEN = pa.schema(
    [
        *_RATE,
        ("bucket", _TIME),
        ("minute", _TIME),
        ("tokens", _TOKENS),
        ("minutes_above", pa.int64()),
        ("charge", MONEY),
        ("tenant", pa.string()),
        ("workload", pa.string()),
        ("tenant_tokens", _TOKENS),
    ]
)
_Params = Mapping[str, str]


class Kind(StrEnum):
    """What a rate is."""

    BURST = "burst"
    """Committed by a contract, which charges more for what is above."""
    PROVISIONED = "provisioned"
    """What units carry that are paid for; what is above is billed as usual, or refused."""
    DECLARED = "declared"
    """What whoever asks says that it is."""


@dataclass(frozen=True, slots=True)
class _Rate:
    """A rate, and which calls count towards it."""

    kind: Kind
    provider: str
    term: str
    committed: int
    models: tuple[str, ...]
    weights: Weights
    contract: Contract | None = None
    burst: Burst | None = None

    @property
    def currency(self) -> str | None:
        """Of what is charged on top."""
        return self.contract.currency if self.contract is not None and self.burst is not None else None

    @property
    def told(self) -> dict[str, Any]:
        """What stands in each of its rows."""
        return {
            "kind": self.kind.value,
            "contract": self.contract.name if self.contract is not None else None,
            "term": self.term,
            "provider": self.provider,
            "committed_tpm": self.committed,
            "currency": self.currency,
        }


def bursts(contracts: Callable[[], Contracts]) -> Mapping[str, Report]:
    """The reports by name; `contracts` are those that hold when one is asked for."""
    return {
        "audit_bursts": partial(audit_bursts, contracts),
        "audit_bursts_minutes": partial(audit_bursts_minutes, contracts),
    }


def audit_bursts(
    contracts: Callable[[], Contracts], con: duckdb.DuckDBPyConnection, params: _Params
) -> pa.Table:
    """Who is behind the minutes above each rate: a row for each rate, tenant and workload, the largest part first.

    Rates are those of contracts by the minute and of provisioned units; with `provider` and `committed_tpm` the one
    that these name. `tokens_above` adds up to what was used above it, and `charge`, NULL where nothing is charged on
    top, to what that costs, both by `method`: proportional (the default), marginal or even. A rate that was kept is a
    row too.
    """
    check_names(params, ("from", "to", "provider", "committed_tpm", "method"))
    method = _method(params)
    rows: list[dict[str, Any]] = []
    for rate, used in _used(con, params, contracts()):
        rows += _of_rate(rate, used, method)
    return pa.Table.from_pylist(rows, schema=_WHO)


def audit_bursts_minutes(
    contracts: Callable[[], Contracts], con: duckdb.DuckDBPyConnection, params: _Params
) -> pa.Table:
    """The busiest minute of each rate in each `bucket` (hour) that had calls, with who used most of it.

    `charge` is what all minutes of the bucket above the rate cost on top; NULL where nothing is charged or known.
    """
    check_names(params, ("from", "to", "provider", "committed_tpm", "bucket"))
    bucket = params.get("bucket", "hour")
    if bucket not in BUCKETS:
        raise ReportError(f"bucket: {bucket[:64]!r} is no bucket; there are: {', '.join(BUCKETS)}")
    rows: list[dict[str, Any]] = []
    for rate, used in _used(con, params, contracts()):
        rows += _busiest(rate, used, BUCKETS[bucket])
    return pa.Table.from_pylist(rows, schema=_WHEN)


def _method(params: _Params) -> Method:
    text = params.get("method", Method.PROPORTIONAL.value)
    if text not in {each.value for each in _METHODS}:
        raise ReportError(f"method: {text[:64]!r} is none; there are: {', '.join(_METHODS)}")
    return Method(text)


def _rates(params: _Params, contracts: Contracts) -> list[_Rate]:
    provider = params.get("provider")
    if "committed_tpm" in params:
        text = params["committed_tpm"]
        if not (re.fullmatch("[0-9]{1,13}", text) and 0 < int(text) <= _MOST_RATE):
            raise ReportError(f"committed_tpm: {text[:64]!r} is no number of tokens a minute")
        if not provider:
            raise ReportError("provider: say whose rate committed_tpm is")
        return [_Rate(Kind.DECLARED, provider, "declared", int(text), ("*",), Weights())]
    found: list[_Rate] = []
    for contract in contracts.contracts:
        if provider is None or names_provider(contract.provider, provider):
            found += _of_contract(contract)
    return found


def _of_contract(contract: Contract) -> Iterator[_Rate]:
    for burst in contract.bursts:
        if burst.measure is Measure.MINUTE:
            committed = int(burst.bands[0].start)
            yield _Rate(
                Kind.BURST,
                contract.provider,
                burst.name,
                committed,
                burst.models,
                burst.weights,
                contract,
                burst,
            )
    for units in contract.provisioned:
        carried = units.units * units.tokens_per_minute
        yield _Rate(
            Kind.PROVISIONED, contract.provider, units.name, carried, units.models, units.weights, contract
        )


def _used(
    con: duckdb.DuckDBPyConnection, params: _Params, contracts: Contracts
) -> Iterator[tuple[_Rate, pl.DataFrame]]:
    """Each rate with its use by minute, tenant and workload: `parts` are millionths of weighed tokens."""
    start, stop = time_range(params)
    if is_cut(con):
        raise ReportError(
            "bursts are told to a key that sees every tenant: of one that is seen in part, neither its size nor its "
            "shares are right"
        )
    rates = _rates(params, contracts)
    if not rates:
        return
    every = pl.DataFrame(con.sql(sql("audit_bursts"), params={"start": start, "stop": stop}).to_arrow_table())
    for rate in rates:
        found = _towards(every, rate, contracts)
        weighed = [pl.col(count) * int(Decimal(getattr(rate.weights, count)) * _PARTS) for count in _COUNTS]
        yield (
            rate,
            found.with_columns(parts=pl.sum_horizontal(weighed))
            .filter(pl.col("parts") > 0)
            .with_columns(
                pl.when(pl.col("currency") == pl.lit(rate.currency, pl.String)).then("cost").alias("cost"),
            )
            .group_by("minute", "tenant", "workload")
            .agg(
                pl.col("parts").sum(),
                pl.when(pl.col("cost").is_not_null().any()).then(pl.col("cost").sum()).alias("cost"),
            )
            .sort("minute", "tenant", "workload"),
        )


def _towards(every: pl.DataFrame, rate: _Rate, contracts: Contracts) -> pl.DataFrame:
    """What counts towards a rate: of its models, and of the calls that fall to its contract."""
    providers = [name for name in every["provider"].unique() if names_provider(rate.provider, name)]
    models = [name for name in every["model"].unique() if matches(rate.models, name)]
    found = every.filter(pl.col("provider").is_in(providers), pl.col("model").is_in(models))
    if rate.contract is None:
        return found
    # Contracts begin at midnight of their zone, which is a whole quarter of an hour anywhere.
    keys = ["provider", "tenant", "quarter"]
    found = found.with_columns(quarter=pl.col("minute").dt.truncate("15m"))
    cases = found.select(keys).unique()
    falls = [contracts.find(*case) is rate.contract for case in cases.iter_rows()]
    return found.join(cases.filter(pl.Series(falls, dtype=pl.Boolean)), on=keys, how="semi")


def _of_rate(rate: _Rate, used: pl.DataFrame, method: Method) -> list[dict[str, Any]]:
    calls = _above(rate, used)
    charged = charges(calls, rate.burst) if rate.burst is not None else {}
    sums: dict[int, Decimal] = defaultdict(Decimal)
    for call in calls:
        sums[call.at_us] += call.tokens or 0
    excess: dict[int, Decimal | None] = {at: total - rate.committed for at, total in sums.items()}

    def divided(amounts: Mapping[int, Decimal | None]) -> list[Minute]:
        return attributed(calls, amounts, committed_tpm=rate.committed, weights={}, method=method)

    tokens, minutes = _by_party(divided(excess))
    amounts, _ = _by_party(divided(charged))
    busiest = _by_minute(used).sort("parts", "minute", descending=[True, False]).head(1).to_dicts()
    common = rate.told | {
        "method": method.value,
        "minutes_above": len(excess),
        "unknown_minutes": sum(each is None for each in charged.values()),
        "busiest_at": busiest[0]["minute"] if busiest else None,
        "busiest_tokens": _tokens(busiest[0]["parts"]) if busiest else None,
    }
    known = rate.burst is not None and any(each is not None for each in charged.values())
    rows = [
        common
        | {
            "tenant": tenant,
            "workload": workload,
            "minutes": minutes[tenant, workload],
            "tokens_above": above,
            "charge": amounts.get((tenant, workload), Decimal(0)) if known else None,
        }
        for (tenant, workload), above in tokens.items()
    ]
    rows.sort(
        key=lambda row: (-(row["charge"] or 0), -row["tokens_above"], row["tenant"], row["workload"] or "")
    )
    return rows or [common | {"minutes": 0, "tokens_above": Decimal(0)}]


_Party = tuple[str, str | None]


def _by_party(minutes: Sequence[Minute]) -> tuple[dict[_Party, Decimal], dict[_Party, int]]:
    """What each tenant's workload has of the minutes, and in how many of them it has anything."""
    amounts: defaultdict[_Party, Decimal] = defaultdict(Decimal)
    counts: defaultdict[_Party, int] = defaultdict(int)
    for minute in minutes:
        for line in minute.lines:
            amounts[line.tenant, line.workload] += line.amount
            counts[line.tenant, line.workload] += 1
    return dict(amounts), dict(counts)


def _above(rate: _Rate, used: pl.DataFrame) -> list[Call]:
    """The use of the minutes above a rate, as calls at their begins."""
    over = _by_minute(used).filter(pl.col("parts") > rate.committed * _PARTS)
    rows = used.join(over.select("minute"), on="minute", how="semi", maintain_order="left")
    return [
        Call(
            (row["minute"] - _EPOCH) // _US,
            row["tenant"],
            row["workload"],
            None,
            None,
            _tokens(row["parts"]),
            row["cost"],
        )
        for row in rows.iter_rows(named=True)
    ]


def _busiest(rate: _Rate, used: pl.DataFrame, bucket_s: int) -> Iterator[dict[str, Any]]:
    charged = charges(_above(rate, used), rate.burst) if rate.burst is not None else {}
    bucket = (pl.col("minute").dt.epoch("s") // bucket_s).alias("bucket")
    minutes = _by_minute(used).with_columns(bucket)
    above = minutes.filter(pl.col("parts") > rate.committed * _PARTS)
    counted = dict(above.group_by("bucket").len().iter_rows())
    costs: dict[int, Decimal] = {}
    for at_us, charge in charged.items():
        if charge is not None:
            place = at_us // 1_000_000 // bucket_s
            costs[place] = costs.get(place, Decimal(0)) + charge
    largest = {
        row["minute"]: row
        for row in used.sort("parts", "tenant", descending=[True, False])
        .unique("minute", keep="first", maintain_order=True)
        .iter_rows(named=True)
    }
    top = minutes.sort("bucket", "parts", "minute", descending=[False, True, False])
    for row in top.unique("bucket", keep="first", maintain_order=True).iter_rows(named=True):
        most = largest[row["minute"]]
        yield rate.told | {
            "bucket": _EPOCH + timedelta(seconds=row["bucket"] * bucket_s),
            "minute": row["minute"],
            "tokens": _tokens(row["parts"]),
            "minutes_above": counted.get(row["bucket"], 0),
            "charge": costs.get(row["bucket"]),
            "tenant": most["tenant"],
            "workload": most["workload"],
            "tenant_tokens": _tokens(most["parts"]),
        }


def _by_minute(used: pl.DataFrame) -> pl.DataFrame:
    return used.group_by("minute").agg(pl.col("parts").sum())


def _tokens(parts: int) -> Decimal:
    return Decimal(parts) / _PARTS
