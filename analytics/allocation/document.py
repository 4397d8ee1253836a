"""Rules as a file has them: the list `allocation` of `chargeback.yaml`, and what is wrong with it.

The file's own model holds `allocation: list[RuleDocument]`; `problems` finds what no single field shows, each at its
place, for `analytics.documents.refused`, and `parse` makes rules of what has none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from analytics.contracts.document import Day, Name, Number, Pattern, Patterns, Share
from analytics.documents import Location

from .rules import By, Method, Pool, Rule, To

__all__ = ["PoolDocument", "RuleDocument", "WorkloadDocument", "parse", "problems"]

Problem = tuple[Location, str]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class WorkloadDocument(_Strict):
    """Workloads whose tenant and name are like these."""

    tenant: Pattern = "*"
    workload: Pattern = "*"


class PoolDocument(_Strict):
    """What a rule takes: one of four, and of retries perhaps those of some workloads."""

    workloads: list[WorkloadDocument] = []
    charges: list[Literal["idle", "overage", "shortfall", "tier"]] = []
    retries: bool = False
    unattributed: bool = False


class RuleDocument(_Strict):
    """One line of the list."""

    name: Name
    start: Day = Field(alias="from", examples=["2026-11-01"])
    until: Day | None = None
    pool: PoolDocument = Field(examples=["{charges: [idle]}"])
    method: Method = Field(examples=["proportional"])
    by: By = By.COST
    to: To = To.COST_CENTRES
    only: Patterns = ["*"]
    excluded: list[Pattern] = Field(default=[], alias="except")
    shares: dict[Name, Share] = {}
    weights: dict[Name, Number] = {}


def parse(said: Sequence[RuleDocument]) -> tuple[Rule, ...]:
    """The rules, in the order of the file. `said` has no `problems`."""
    return tuple(
        Rule(
            name=each.name,
            start=each.start,
            until=each.until,
            pool=Pool(
                tuple((one.tenant, one.workload) for one in each.pool.workloads),
                tuple(each.pool.charges),
                retries=each.pool.retries,
                unattributed=each.pool.unattributed,
            ),
            method=each.method,
            by=each.by,
            to=each.to,
            only=tuple(each.only),
            excluded=tuple(each.excluded),
            shares=dict(each.shares),
            weights=dict(each.weights),
        )
        for each in said
    )


def problems(said: Sequence[RuleDocument], where: Location = ("allocation",)) -> Iterator[Problem]:
    """What is wrong with the list at `where`: each place, and why."""
    names: set[str] = set()
    for place, each in enumerate(said):
        if each.name in names:
            yield (*where, place, "name"), f'there is another rule "{each.name}"; each has a name of its own'
        names.add(each.name)
        for at, why in (*_of_dates(each), *_of_pool(each.pool), *_of_method(each)):
            yield (*where, place, *at), why


def _of_dates(rule: RuleDocument) -> Iterator[Problem]:
    if rule.until is not None and rule.until <= rule.start:
        yield (
            ("until",),
            f"{rule.until} is not after {rule.start}; it is the first day that is no longer in it",
        )


def _of_pool(pool: PoolDocument) -> Iterator[Problem]:
    sorts = [bool(pool.workloads) and not pool.retries, bool(pool.charges), pool.retries, pool.unattributed]
    if sum(sorts) != 1:
        had = "more than one sort of cost is" if any(sorts) else "nothing is"
        yield ("pool",), f"{had} in it; write one of: workloads, charges, retries, unattributed"
    elif not pool.retries and any(one.tenant == one.workload == "*" for one in pool.workloads):
        yield (
            ("pool", "workloads"),
            "all workloads are in it, and nobody is left to pay; name a tenant or workload",
        )


def _of_method(rule: RuleDocument) -> Iterator[Problem]:
    fixed = rule.method is Method.FIXED
    if fixed and not rule.shares:
        yield (), f"is fixed and has no shares; write shares: {{name of one of the {rule.to}: 60%, ...}}"
    elif not fixed and rule.shares:
        yield ("shares",), f"only fixed has shares, and the method is {rule.method}"
    elif fixed and (total := sum(rule.shares.values(), Decimal(0))) != 1:
        yield ("shares",), f"the shares add up to {_percent(total)}, not to 100%"
    if rule.weights and rule.method is not Method.MARGINAL:
        yield ("weights",), f"only marginal has weights, and the method is {rule.method}"
    for name, given in (("only", rule.only != ["*"]), ("except", bool(rule.excluded))):
        if fixed and given:
            yield (name,), "the shares name for whom it is; leave it out"


def _percent(share: Decimal) -> str:
    return f"{(share * 100).normalize():f}%"
