"""Savings: what could cost less, as candidates: each with the money, the assumption it stands on, and the next step.

Five kinds. **cheaper_model**: the same tokens at the nearest cheaper model of one make and generation. **repeats**:
calls that count what another task's call counted shortly before, an upper bound for an exact cache. **prompt_cache**:
input that a task sends again and that is not read from the provider's cache. **batch**: background calls at the
standard price where the model has one for batches (or a flexible tier). **semantic_cache**: calls that a cache of
answers in shadow mode would have answered; where that was measured, what `repeats` guesses is left out.

They overlap: a call that is not made saves nothing by a cheaper model. So `counted` is, of each workload and model,
the largest of its savings and 0 for the others; these add up to a total that counts no call twice, `saving` does not.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from decimal import Decimal
from statistics import median
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from collector.pricing import PriceCall
from collector.reporting import Report, ReportError

from ..parameters import MAX_TOP
from .lookback import Lookback
from .savings_answers import advice
from .savings_prices import Models, Shelf, Tokens

if TYPE_CHECKING:
    import duckdb

__all__ = ["Savings", "savings"]

_NOTHING, _CENTS = Decimal(0), Decimal("0.000000000001")
_CHEAPER = Decimal("0.75")
"""A model is a candidate if the same tokens cost at most so much of what they cost now."""
_WORTH = Decimal("0.01")
"""The part of what the calls cost from which a saving is worth a line."""
_FEWEST_CALLS = 20
_KEPT_S, _LEAST_CACHED = 300, 1024
_USUAL_HITS = Decimal("0.8")
_TIMES_CHANCE = 3.0
_MONEY = pa.decimal128(38, 12)
_SCHEMA = pa.schema(
    [
        ("kind", pa.string()),
        ("tenant", pa.string()),
        ("workload", pa.string()),
        ("owner", pa.string()),
        ("provider", pa.string()),
        ("model", pa.string()),
        ("candidate", pa.string()),
        ("calls", pa.int64()),
        ("cost", _MONEY),
        ("saving", _MONEY),
        ("counted", _MONEY),
        ("currency", pa.string()),
        ("confidence", pa.string()),
        ("evidence", pa.string()),
        ("assumption", pa.string()),
        ("next_step", pa.string()),
    ]
)

_Key = tuple[str, str | None, str | None, str]
"""Tenant, workload, provider, model."""


@dataclass(frozen=True, slots=True)
class _Group:
    """The calls of a workload and model that are of one size and kind."""

    key: _Key
    owner: str | None
    service_tier: str | None
    can_wait: bool
    tokens: Tokens
    cost: Decimal


@dataclass(frozen=True, slots=True)
class _Saving:
    """A candidate."""

    kind: str
    key: _Key
    calls: int
    cost: Decimal
    saving: Decimal
    confidence: str
    evidence: str
    assumption: str
    next_step: str
    candidate: str | None = None
    counted: Decimal = _NOTHING


def savings(price: PriceCall, models: Models) -> Mapping[str, Report]:
    """The report `audit_savings` over these prices: what a call costs at a time, and which models have a price."""
    return {"audit_savings": Savings(price, models)}


class Savings:
    """The report over a price function and the models that it knows."""

    def __init__(self, price: PriceCall, models: Models) -> None:
        self._price = price
        self._models = models

    def __call__(self, con: duckdb.DuckDBPyConnection, params: Mapping[str, str]) -> pa.Table:
        """The savings by money, at most `top` (1000); repeats are looked for `within` (24) hours.

        Prices are those at the end of the range, for the tenant; a saving is a share of what the calls really cost.
        """
        asked = Lookback.of(con, params, weeks=1, top=MAX_TOP, more=("within",))
        within = params.get("within", "24")
        if not (re.fullmatch("[0-9]{1,3}", within) and int(within)):
            raise ReportError(f"within: {within[:64]!r} is no number of hours from 1 to 999")
        groups = [_group(row) for row in asked.table(con, "audit_savings_groups").to_pylist()]
        of = _by_key(groups)
        shelf = Shelf(self._price, self._models, asked.stop - timedelta(seconds=1))
        answers = list(_answered(asked.table(con, "audit_savings_answers"), of))
        measured = {each.key for each in answers}
        found = [
            *answers,
            *_cheaper(of, shelf),
            *_batched(of, shelf),
            *_cached(asked.table(con, "audit_savings_cache", kept_s=_KEPT_S, least=_LEAST_CACHED), of, shelf),
            *_repeated(asked.table(con, "audit_savings_repeats", within_h=int(within)), of, int(within)),
        ]
        found = [each for each in found if each.kind != "repeats" or each.key not in measured]
        worth = [each for each in found if each.saving >= _WORTH * _cost(of[each.key])]
        rows = sorted(_counted(worth), key=lambda each: (-each.saving, each.kind, str(each.key)))
        owners = {key: own[0].owner for key, own in of.items()}
        return pa.Table.from_pylist(
            [_row(each, owners[each.key], asked.currency) for each in rows[: asked.top]], schema=_SCHEMA
        )


def _group(row: Mapping[str, Any]) -> _Group:
    names = ("input_uncached", "cache_read", "cache_write_5m", "cache_write_1h", "output", "reasoning")
    key = (row["tenant"], row["workload"], row["provider"], row["model"])
    tokens = Tokens(row["calls"], *(row[name] for name in names))
    return _Group(key, row["owner"], row["service_tier"], row["can_wait"], tokens, row["cost"])


def _by_key(groups: Sequence[_Group]) -> dict[_Key, list[_Group]]:
    of: dict[_Key, list[_Group]] = defaultdict(list)
    for each in groups:
        of[each.key].append(each)
    return dict(of)


def _cost(groups: Sequence[_Group]) -> Decimal:
    return sum((each.cost for each in groups), _NOTHING)


def _calls(groups: Sequence[_Group]) -> int:
    return sum(each.tokens.calls for each in groups)


def _share(cost: Decimal, now: Decimal | None, then: Decimal | None) -> Decimal | None:
    """What is saved of `cost` where the same tokens come to `then` instead of `now` at the prices of today."""
    if not now or then is None:
        return None
    return (cost * (1 - then / now)).quantize(_CENTS)


def _cheaper(of: Mapping[_Key, Sequence[_Group]], shelf: Shelf) -> Iterator[_Saving]:
    used = defaultdict(set)
    for tenant, _, provider, model in of:
        used[tenant, provider].add(model)
    for key, groups in of.items():
        tenant, _, provider, model = key
        now = [shelf.cost(tenant, provider, model, each.tokens, each.service_tier) for each in groups]
        offers = []
        for name in shelf.relatives(provider, model):
            then = [shelf.cost(tenant, provider, name, each.tokens, each.service_tier) for each in groups]
            saved = [_share(each.cost, *pair) for each, *pair in zip(groups, now, then, strict=True)]
            if saved and None not in saved:
                offers.append((sum((each for each in saved if each is not None), _NOTHING), name))
        cost = _cost(groups)
        enough = sorted(offer for offer in offers if offer[0] >= cost * (1 - _CHEAPER))
        if not enough:
            continue
        saving, name = enough[0]
        is_used = any(each == name or each.startswith(f"{name}-2") for each in used[tenant, provider])
        more = f"; the cheapest, {enough[-1][1]}, would save {enough[-1][0]:,.2f}" if len(enough) > 1 else ""
        yield _Saving(
            "cheaper_model",
            key,
            _calls(groups),
            cost,
            saving,
            "medium" if is_used else "low",
            f"the same tokens cost {saving / cost:.0%} less with {name}"
            + (", which this tenant uses already" if is_used else "")
            + more,
            "the same number of tokens, in and out; that its answers are good enough is not known",
            f"run the workload's evaluation on {name}; then list it under the workload's degrade, or switch",
            candidate=name,
        )


def _batched(of: Mapping[_Key, Sequence[_Group]], shelf: Shelf) -> Iterator[_Saving]:
    for key, groups in of.items():
        tenant, _, provider, model = key
        waiting = [each for each in groups if each.can_wait]
        now = [shelf.cost(tenant, provider, model, each.tokens) for each in waiting]
        for service_tier in ("batch", "flex"):
            then = [shelf.cost(tenant, provider, model, each.tokens, service_tier) for each in waiting]
            saved = [_share(each.cost, *pair) for each, *pair in zip(waiting, now, then, strict=True)]
            if not saved or None in saved:
                continue
            cost, saving = _cost(waiting), sum((each for each in saved if each is not None), _NOTHING)
            yield _Saving(
                "batch",
                key,
                _calls(waiting),
                cost,
                saving,
                "medium",
                f"{_calls(waiting):,} background calls at the standard price; "
                f"{service_tier} costs {saving / cost:.0%} less",
                "background calls may wait, for a batch up to 24 h; those that feed a next call may not",
                f"send calls that nothing waits for as {service_tier}; keep the tasks' last calls as they are",
                candidate=service_tier,
            )
            break


def _cached(table: pa.Table, of: Mapping[_Key, Sequence[_Group]], shelf: Shelf) -> Iterator[_Saving]:
    rows = table.to_pylist()
    hits: dict[tuple[str | None, str], list[tuple[_Key, Decimal]]] = defaultdict(list)
    for row in rows:
        if row["read"] and row["calls"] >= _FEWEST_CALLS:
            hits[row["provider"], row["model"]].append((_key(row), Decimal(row["read"]) / row["input"]))
    for row in rows:
        key, size = _key(row), row["input"]
        if row["calls"] < _FEWEST_CALLS or key not in of or size < _LEAST_CACHED * row["calls"]:
            continue
        peers = [ratio for peer, ratio in hits[row["provider"], row["model"]] if peer != key]
        usual = median(peers) if peers else _USUAL_HITS
        reach = min(usual, Decimal(row["again"]) / size)
        groups = of[key]
        saving = _from_cache(key, groups, shelf, reach, Decimal(row["read"]) / size)
        if saving is None or saving <= 0:
            continue
        whose = f"the {usual:.0%} of its {len(peers)} peers on this model" if peers else f"{usual:.0%}"
        yield _Saving(
            "prompt_cache",
            key,
            row["calls"],
            _cost(groups),
            saving,
            "medium",
            f"{size / row['calls']:,.0f} tokens in a call, {row['read'] / size:.0%} of them from the cache; "
            f"tasks send {row['again'] / size:.0%} again within 5 minutes",
            f"a hit ratio of {reach:.0%}: {whose}, but no more than is sent again; what is sent again comes first and "
            "unchanged, which counts cannot tell",
            "put what stays the same first in the prompt, and mark it for the cache where the provider wants that",
        )


def _key(row: Mapping[str, Any]) -> _Key:
    return (row["tenant"], row["workload"], row["provider"], row["model"])


def _from_cache(
    key: _Key, groups: Sequence[_Group], shelf: Shelf, reach: Decimal, hits: Decimal
) -> Decimal | None:
    """What a hit ratio of `reach` saves over `hits`; what is not read is then written, where writing costs more."""
    tenant, _, provider, model = key
    saved = _NOTHING
    for each in groups:
        rates = shelf.rates(tenant, provider, model, each.tokens, each.service_tier)
        now = shelf.cost(tenant, provider, model, each.tokens, each.service_tier)
        if rates is None or not now or rates["cache_read"] >= rates["input_uncached"]:
            return None
        of = each.tokens
        size = of.input_uncached + of.cache_read + of.cache_write_5m + of.cache_write_1h
        more = max(_NOTHING, reach - hits) * size
        written = max(_NOTHING, (1 - reach) * size - of.cache_write_5m - of.cache_write_1h)
        dearer = max(_NOTHING, rates["cache_write_5m"] - rates["input_uncached"])
        change = (more * (rates["input_uncached"] - rates["cache_read"]) - written * dearer) / 1_000_000
        saved += each.cost * change / now
    return saved.quantize(_CENTS)


def _repeated(table: pa.Table, of: Mapping[_Key, Sequence[_Group]], within: int) -> Iterator[_Saving]:
    for row in table.to_pylist():
        key = _key(row)
        if key not in of:
            continue
        is_more = row["pairs"] >= _TIMES_CHANCE * row["by_chance"]
        yield _Saving(
            "repeats",
            key,
            row["repeats"],
            _cost(of[key]),
            row["saving"],
            "medium" if is_more else "low",
            f"{row['repeats']:,} of {row['calls']:,} calls count the tokens of another task's call within {within} h; "
            f"{row['pairs']:,.0f} equal pairs, {row['by_chance']:,.0f} if input and output were drawn apart",
            "an upper bound: equal counts need not be equal prompts, whose text nobody keeps",
            "set `mode: shadow` under `cache` in the policy for this workload: it counts true repeats and serves none",
        )


def _answered(table: pa.Table, of: Mapping[_Key, Sequence[_Group]]) -> Iterator[_Saving]:
    for row in table.to_pylist():
        key = _key(row)
        found = advice(row) if row["looked_up"] >= _FEWEST_CALLS and key in of else None
        if found is not None:
            yield _Saving(
                "semantic_cache",
                key,
                found.calls,
                _cost(of[key]),
                found.saving,
                found.confidence,
                found.evidence,
                "requests come again as often as they did, and what was judged stands for what is served",
                found.next_step,
                candidate=found.mode,
            )


def _counted(found: Sequence[_Saving]) -> Iterator[_Saving]:
    """The savings, and of each workload and model the largest as what counts; repeats as chance makes them never do."""
    best: dict[_Key, _Saving] = {}
    for each in found:
        if each.kind == "repeats" and each.confidence == "low":
            continue
        if each.key not in best or each.saving > best[each.key].saving:
            best[each.key] = each
    for each in found:
        yield replace(each, counted=each.saving) if best.get(each.key) is each else each


def _row(saving: _Saving, owner: str | None, currency: str) -> dict[str, Any]:
    tenant, workload, provider, model = saving.key
    names = {"tenant": tenant, "workload": workload, "owner": owner, "provider": provider, "model": model}
    return {**asdict(saving), **names, "currency": currency}
