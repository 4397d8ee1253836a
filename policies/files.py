"""Policy files: YAML in, a PolicySet or a report of every error with its line out.

The file is read with positions, validated by pydantic at this edge and turned into frozen values.
"""

from __future__ import annotations

import hashlib
import re
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from ruamel.yaml.comments import CommentedMap

from analytics import documents
from analytics.documents import DocumentError, Location
from switchgear.money import Money
from switchgear.tier import Tier

from .model import (
    OWN_BUDGET,
    Capacity,
    Ceiling,
    Degrade,
    Dimension,
    Plan,
    PolicySet,
    Rolling,
    Rung,
    Scope,
    Step,
    Tenant,
    Workload,
)

__all__ = ["PolicyDocument", "PolicyFileError", "load", "parse"]

_TAKEN = {OWN_BUDGET: "what an agent sets for its own task", "*": "every ceiling"}
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


class PolicyFileError(DocumentError):
    """A policy file that cannot be used; its text is one line per error: file:line: where: why."""


def _money(value: Any) -> Money:
    if isinstance(value, Money):
        return value
    if not isinstance(value, str):
        raise ValueError(f'{value!r} has no currency; write "{value} USD"')  # noqa: TRY004 - pydantic wants ValueError
    return Money.parse(value)


def _positive(money: Money) -> Money:
    if money.amount <= 0:
        raise ValueError(f'"{money}" is not above zero')
    return money


def _share(value: Any) -> Decimal:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*%", str(value))
    if match is None or not 0 < Decimal(match[1]) <= 100:
        raise ValueError(f'"{value}" is not a share of the limit; write "80%"')
    return Decimal(match[1]) / 100


def _seconds(value: Any) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhd])", str(value))
    if match is None or float(match[1]) <= 0:
        raise ValueError(f'"{value}" is not a length of time; write "30s", "5m", "1h" or "7d"')
    return float(match[1]) * _SECONDS[match[2]]


Name = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f]+$")]
Amount = Annotated[Money, BeforeValidator(_money)]
PositiveAmount = Annotated[Amount, Field(), BeforeValidator(lambda value: _positive(_money(value)))]
Seconds = Annotated[float, BeforeValidator(_seconds)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True, populate_by_name=True)


class DegradeDocument(_Strict):
    from_model: Name = Field(alias="from")
    to_model: Name = Field(alias="to")
    supports: list[Literal["tools", "schema", "thinking"]] = []
    min_output_tokens: int = Field(default=0, ge=0)


class WorkloadDocument(_Strict):
    owner: Name | None = None
    cost_centre: Name | None = None
    tier: Tier = Tier.BATCH
    degrade: list[DegradeDocument] = []


class TenantDocument(_Strict):
    weight: float = Field(default=1.0, gt=0, le=1000)
    workloads: dict[Name, WorkloadDocument] = {}


class PlanDocument(_Strict):
    cost_centre: Name
    month: str = Field(pattern=r"^\d{4}-(0[1-9]|1[0-2])$")
    amount: Amount


class CapacityDocument(_Strict):
    provider: Name
    requests_per_minute: int | None = Field(default=None, gt=0)
    tokens_per_minute: int | None = Field(default=None, gt=0)


class ScopeDocument(_Strict):
    tenant: Name | None = None
    workload: Name | None = None
    tier: Tier | None = None


class RungDocument(_Strict):
    at: Annotated[Decimal, BeforeValidator(_share)]
    do: Step


class CeilingDocument(_Strict):
    name: Name
    scope: ScopeDocument = ScopeDocument()
    limit: PositiveAmount
    window: Seconds | None = None
    per: Literal["task"] | None = None
    ladder: list[RungDocument] = []
    cooldown: Seconds = 10.0
    shadow: bool = False
    fail: Literal["open", "closed"] = "open"

    @model_validator(mode="after")
    def _one_extent(self) -> CeilingDocument:
        if (self.window is None) == (self.per is None):
            raise ValueError('say over what the limit counts: either "window: 1h" or "per: task"')
        paced = [rung.do.value for rung in self.ladder if rung.do in (Step.THROTTLE, Step.QUEUE)]
        if self.per == "task" and paced:
            raise ValueError(
                f'"{paced[0]}" waits for room, and a task\'s spend never leaves; use warn or degrade'
            )
        return self


class PolicyDocument(_Strict):
    """The file's shape; `model_json_schema()` of it is what editors can check against."""

    version: Literal[1]
    currency: str = Field(default="USD", pattern=r"^[A-Z]{3}$")
    unpriced_rate: PositiveAmount = Money(Decimal(60), "USD")
    tenants: dict[Name, TenantDocument] = {}
    plans: list[PlanDocument] = []
    capacity: list[CapacityDocument] = []
    ceilings: list[CeilingDocument] = []


def load(path: Path) -> PolicySet:
    """The policy set in a file. Raises PolicyFileError, also where the file cannot be read."""
    try:
        text = documents.read(path)
    except DocumentError as problem:
        raise PolicyFileError(str(problem)) from None
    return parse(text, name=str(path))


def parse(text: str, *, name: str) -> PolicySet:
    """The policy set in `text`; `name` stands for the file in errors."""
    try:
        tree = documents.tree_of(text, name)
        document = documents.validated(PolicyDocument, tree, name)
        _check_whole(document, tree, name)
    except DocumentError as problem:
        raise PolicyFileError(str(problem)) from None
    return _to_set(document, hashlib.sha256(text.encode()).hexdigest()[:12])


def _check_whole(document: PolicyDocument, tree: CommentedMap, name: str) -> None:
    """What no single field shows: names used twice, references to nothing, mixed currencies."""
    errors: list[tuple[Location, str]] = []
    seen: dict[str, int] = {}
    for index, ceiling in enumerate(document.ceilings):
        where: Location = ("ceilings", index)
        if ceiling.name in seen:
            errors.append(
                ((*where, "name"), f'"{ceiling.name}" is already the name of ceilings[{seen[ceiling.name]}]')
            )
        seen.setdefault(ceiling.name, index)
        if ceiling.name in _TAKEN:
            errors.append(((*where, "name"), f'"{ceiling.name}" is taken: it means {_TAKEN[ceiling.name]}'))
        tenant = ceiling.scope.tenant
        if tenant is not None and tenant not in document.tenants:
            known = ", ".join(sorted(document.tenants)) or "none"
            errors.append(
                ((*where, "scope", "tenant"), f'no tenant "{tenant}" is declared; there are: {known}')
            )
        workloads = {
            name for t, body in document.tenants.items() if tenant in (None, t) for name in body.workloads
        }
        if ceiling.scope.workload is not None and ceiling.scope.workload not in workloads:
            known = ", ".join(sorted(workloads)) or "none"
            errors.append(
                (
                    (*where, "scope", "workload"),
                    f'no workload "{ceiling.scope.workload}" is declared; there are: {known}',
                )
            )
    amounts = [(("ceilings", i, "limit"), c.limit) for i, c in enumerate(document.ceilings)]
    amounts += [(("plans", i, "amount"), p.amount) for i, p in enumerate(document.plans)]
    amounts += [(("unpriced_rate",), document.unpriced_rate)] if "unpriced_rate" in tree else []  # type: ignore[list-item]
    errors.extend(
        (loc, f'"{money}" is not in the file\'s currency {document.currency}')
        for loc, money in amounts
        if money.currency != document.currency
    )
    if errors:
        raise documents.refused(tree, name, errors)


def _to_set(document: PolicyDocument, version: str) -> PolicySet:
    return PolicySet(
        version=version,
        currency=document.currency,
        unpriced_rate=document.unpriced_rate.amount,
        tenants=tuple(
            Tenant(name, body.weight, tuple(_workload(*item) for item in body.workloads.items()))
            for name, body in document.tenants.items()
        ),
        ceilings=tuple(_ceiling(body) for body in document.ceilings),
        capacity=tuple(
            Capacity(c.provider, c.requests_per_minute, c.tokens_per_minute) for c in document.capacity
        ),
        plans=tuple(Plan(p.cost_centre, p.month, p.amount.amount) for p in document.plans),
    )


def _workload(name: str, body: WorkloadDocument) -> Workload:
    degrade = tuple(
        Degrade(d.from_model, d.to_model, frozenset(d.supports), d.min_output_tokens) for d in body.degrade
    )
    return Workload(name, body.owner, body.cost_centre, body.tier, degrade)


def _ceiling(body: CeilingDocument) -> Ceiling:
    return Ceiling(
        name=body.name,
        scope=Scope(body.scope.tenant, body.scope.workload, body.scope.tier),
        limit=body.limit.amount,
        window=None if body.window is None else Rolling(body.window),
        per=(Dimension.TASK,) if body.per == "task" else (),
        ladder=tuple(Rung(rung.at, rung.do) for rung in body.ladder),
        cooldown_s=body.cooldown,
        shadow=body.shadow,
        fail=body.fail,
    )
