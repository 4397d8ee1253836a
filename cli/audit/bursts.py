"""`switchgear audit bursts`: who bursts, what the minutes above a committed rate cost, and who pays for them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import polars as pl

from analytics.bursts import Call, Method, Minute, Peak, Smoothing, attributed, charges, peaks, smoothing
from analytics.contracts import Contract, Contracts
from analytics.contracts.files import load
from analytics.contracts.matching import matches, names_provider
from analytics.contracts.terms import Band, Burst, Measure, Weights
from analytics.documents import DocumentError
from policies.trials.recorded import COUNTS

from ..calls import CallsError, MisuseError, booked, from_file, instant
from ..console import fail, misuse, note
from ..durations import duration
from . import telling

__all__ = ["Found", "Question", "as_calls", "run"]

_US = timedelta(microseconds=1)
# From so many calls on it takes a few seconds.
_MANY = 200_000


@dataclass(frozen=True, slots=True)
class Question:
    """What was typed."""

    start: str | None
    end: str | None
    calls: Path | None
    provider: str | None
    tenant: str | None
    committed_tpm: int | None
    bands: tuple[str, ...]
    contract: Path | None
    burst: str | None
    method: str
    shares: tuple[str, ...]
    max_delay: str
    measure: str
    top: int


@dataclass(frozen=True, slots=True)
class Found:
    """What the audit found. Without burst terms there are peaks and nothing else."""

    start: datetime
    end: datetime
    calls: int
    without_usage: int
    unpriced: int
    currency: str | None
    peaks: Sequence[Peak]
    method: Method
    burst: Burst | None
    minutes: Sequence[Minute]
    smoothing: Smoothing | None
    max_delay: str


@dataclass(frozen=True, slots=True)
class _Terms:
    """Burst terms, and the contract that they are of, where they are of one."""

    burst: Burst
    contracts: Contracts | None = None
    contract: Contract | None = None


def run(question: Question, *, collector: str, api_key: str | None, as_json: bool) -> int:
    """Print the audit; 0 where no minute was above, 1 with one or where the calls cannot be read, 2 for misuse."""
    try:
        terms = _terms(question)
        weights = _weights(question.shares, Method(question.method))
        max_delay_us = _max_delay_us(question.max_delay)
        table, start, end = _read(question, collector, api_key)
        found = _found(question, terms, weights, max_delay_us, _of_terms(table, question, terms), start, end)
    except (MisuseError, DocumentError) as problem:
        return misuse(f"audit bursts: {problem}")
    except CallsError as problem:
        return fail(f"audit bursts: {problem}")
    telling.show(found, tenant=question.tenant, measure=question.measure, top=question.top, as_json=as_json)
    return int(bool(telling.of_tenant(found.minutes, question.tenant)))


def _found(
    question: Question,
    terms: _Terms | None,
    weights: Mapping[str, Decimal],
    max_delay_us: int,
    table: pl.DataFrame,
    start: datetime,
    end: datetime,
) -> Found:
    currencies = sorted(table["currency"].drop_nulls().unique())
    if len(currencies) > 1:
        raise MisuseError(
            f"the calls cost {' and '.join(currencies)}, which do not add up; choose with --provider"
        )
    contract = terms.contract if terms else None
    if contract is not None and currencies not in ([], [contract.currency]):
        raise MisuseError(
            f"the calls cost {currencies[0]}, and {contract.name} is in {contract.currency}: "
            "another contract is theirs"
        )
    if len(table) > _MANY:
        note(f"audit: {len(table):,} calls read; looking for bursts")
    burst = terms.burst if terms else None
    calls = as_calls(table, burst)
    method = Method(question.method)
    return Found(
        start=start,
        end=end,
        calls=len(calls),
        without_usage=sum(call.tokens is None for call in calls),
        unpriced=sum(call.cost is None and call.tokens is not None for call in calls),
        currency=currencies[0] if currencies else None,
        peaks=peaks(calls, (end - start) // _US),
        method=method,
        burst=burst,
        minutes=() if burst is None else _above(calls, burst, weights, method),
        smoothing=None if burst is None else smoothing(calls, burst, max_delay_us),
        max_delay=question.max_delay,
    )


def _above(
    calls: Sequence[Call], burst: Burst, weights: Mapping[str, Decimal], method: Method
) -> Sequence[Minute]:
    committed = burst.bands[0].start
    return attributed(calls, charges(calls, burst), committed_tpm=committed, weights=weights, method=method)


def _read(question: Question, collector: str, api_key: str | None) -> tuple[pl.DataFrame, datetime, datetime]:
    """The calls of the range, and the range: of a file without one, from its first call to its last."""
    start = None if question.start is None else instant("--from", question.start)
    end = None if question.end is None else instant("--to", question.end)
    if start is not None and end is not None and end <= start:
        raise MisuseError(f"--to {question.end} is not after --from {question.start}")
    if question.calls is None:
        if start is None or end is None:
            raise MisuseError("name the range with --from and --to, or a file of calls with --calls")
        return booked(start, end, collector=collector, api_key=api_key), start, end
    table = from_file(question.calls)
    if start is not None:
        table = table.filter(pl.col("started_at") >= start)
    if end is not None:
        table = table.filter(pl.col("started_at") < end)
    if table.is_empty():
        raise MisuseError(f"--calls {question.calls} holds no call of that range")
    return table, start or table["started_at"][0], end or table["started_at"][-1]


def _terms(question: Question) -> _Terms | None:
    if question.contract is not None:
        if question.committed_tpm is not None or question.bands:
            raise MisuseError("--contract brings its own terms; leave out --committed-tpm and --band")
        return _contracted(question.contract, question.burst)
    if question.committed_tpm is None:
        if question.bands:
            raise MisuseError("--band is a multiple of --committed-tpm; give that too")
        return None
    if not question.bands:
        raise MisuseError("what is above --committed-tpm costs something: add --band 1.0:1.5")
    bands = tuple(_band(text, question.committed_tpm) for text in question.bands)
    for below, above in pairwise(bands):
        if above.start <= below.start:
            raise MisuseError(f"the bands {' '.join(question.bands)} do not rise")
    return _Terms(Burst("committed rate", ("*",), Measure.MINUTE, bands))


def _band(text: str, committed_tpm: int) -> Band:
    try:
        threshold, multiplier = (_factor(part) for part in text.split(":"))
        if threshold >= 1 and multiplier >= 1:
            return Band(threshold * committed_tpm, multiplier - 1)
    except ValueError:
        pass
    raise MisuseError(f"--band {text[:64]!r}: write AT:TIMES, both from 1 to a million, such as 1.0:1.5")


def _factor(text: str) -> Decimal:
    """A number up to a million, with at most six decimals: what is calculated with it stays exact."""
    if re.fullmatch(r"\d{1,7}(\.\d{1,6})?", text.strip(), re.ASCII) is None or Decimal(text) > 1_000_000:
        raise ValueError("no such number")
    return Decimal(text)


def _contracted(path: Path, name: str | None) -> _Terms:
    contracts = load(path)
    there = {
        f"{contract.name}/{burst.name}": _Terms(burst, contracts, contract)
        for contract in contracts.contracts
        for burst in contract.bursts
        if burst.measure is Measure.MINUTE
    }
    chosen = [terms for key, terms in there.items() if name in (None, key, terms.burst.name)]
    if len(chosen) != 1:
        said = ", ".join(there) or "none"
        raise MisuseError(
            f"--contract {path}: choose burst terms by the minute with --burst; there are: {said}"
        )
    return chosen[0]


def _max_delay_us(text: str) -> int:
    try:
        return duration(text) // _US
    except ValueError as problem:
        raise MisuseError(f"--max-delay: {problem}") from problem


def _weights(shares: Sequence[str], method: Method) -> dict[str, Decimal]:
    weights: dict[str, Decimal] = {}
    for text in shares:
        tenant, sign, number = text.rpartition("=")
        try:
            weight = _factor(number)
        except ValueError:
            tenant = ""
        if not (tenant and sign):
            raise MisuseError(f"--share {text[:64]!r}: write TENANT=WEIGHT up to a million, such as acme=3")
        weights[tenant] = weight
    if method is Method.FIXED and not any(weights.values()):
        raise MisuseError("--method fixed divides by the weights given: --share acme=3 --share globex=1")
    return weights


def _of_terms(table: pl.DataFrame, question: Question, terms: _Terms | None) -> pl.DataFrame:
    """The calls that the question and the contract are about."""
    if question.provider is not None:
        named = [
            name
            for name in table["provider"].drop_nulls().unique()
            if names_provider(question.provider, name)
        ]
        table = table.filter(pl.col("provider").is_in(named))
    if terms is None or terms.contracts is None:
        return table
    models = [name for name in table["model"].drop_nulls().unique() if matches(terms.burst.models, name)]
    table = table.filter(pl.col("model").is_in(models))
    # Contracts begin at midnight of their zone, which is a whole quarter of an hour anywhere.
    keys = ["provider", "tenant", "quarter"]
    table = table.with_columns(pl.col("started_at").dt.truncate("15m").alias("quarter"))
    cases = table.select(keys).unique()
    falls = [terms.contracts.find(*case) is terms.contract for case in cases.iter_rows()]
    return table.join(
        cases.filter(pl.Series(falls, dtype=pl.Boolean)), on=keys, how="semi", maintain_order="left"
    )


def as_calls(table: pl.DataFrame, burst: Burst | None) -> list[Call]:
    """The calls as bursts look at them; their tokens as the terms weigh them, cache reads not at all by default."""
    weights = burst.weights if burst else Weights()
    of = [Decimal(getattr(weights, count)) for count in COUNTS]
    if all(weight == int(weight) for weight in of):
        tokens = pl.sum_horizontal(
            *(pl.col(count) * int(weight) for count, weight in zip(COUNTS, of, strict=True)),
            ignore_nulls=False,
        )
        weighed = table.select(tokens.alias("tokens"))["tokens"].to_list()
    else:
        weighed = [
            None if counts[0] is None else sum(map(Decimal.__mul__, of, map(Decimal, counts)), Decimal(0))
            for counts in table.select(COUNTS).iter_rows()
        ]
    at = table["started_at"].dt.epoch("us").to_list()
    names = (table[name].to_list() for name in ("tenant", "workload", "task_id", "tier"))
    return list(map(Call, at, *names, weighed, table["cost"].to_list()))
