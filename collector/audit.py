"""Audit: the transitions of breakers, as the policy engine forwards them; each is kept once, by its id."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated

import duckdb
import pyarrow as pa
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

__all__ = ["Scope", "Transition", "Transitions", "keep"]

_AMOUNT = pa.decimal128(38, 12)
# 26 digits before the point and 12 after it are what the table can hold.
Amount = Annotated[Decimal, Field(gt=Decimal("-1e15"), lt=Decimal("1e15"), allow_inf_nan=False)]
Name = Annotated[str, Field(max_length=256)]


class Scope(BaseModel):
    """What the breaker is for; a missing part means all.

    Parts that are not known here are left out: the engine may be newer, and would send what is refused for ever.
    """

    model_config = ConfigDict(extra="ignore")

    tenant: Name | None = None
    workload: Name | None = None
    tier: Name | None = None
    task: Name | None = None
    owner: Name | None = None
    model: Name | None = None
    provider: Name | None = None


_SCOPE = pa.struct([(name, pa.string()) for name in Scope.model_fields])


class Transition(BaseModel):
    """A breaker went from one state to another."""

    model_config = ConfigDict(extra="ignore")

    id: Annotated[str, Field(min_length=1, max_length=256)]
    at: AwareDatetime
    policy: Name
    scope: Scope = Scope()
    from_: Annotated[str, Field(alias="from", max_length=64)]
    to: Annotated[str, Field(max_length=64)]
    by: Name = "engine"
    reason: Annotated[str, Field(max_length=2048)] | None = None
    spent: Amount | None = None
    held: Amount | None = None
    projected: Amount | None = None
    ceiling: Amount | None = None
    currency: Annotated[str, Field(max_length=8)] | None = None
    shadow: bool = False
    prev_hash: Name | None = None
    hash: Name | None = None


class Transitions(BaseModel):
    """A batch of them, in order."""

    model_config = ConfigDict(extra="forbid")

    transitions: Annotated[list[Transition], Field(max_length=10_000)]


def keep(con: duckdb.DuckDBPyConnection, transitions: Sequence[Transition]) -> int:
    """Keep those whose id is not there yet, inside the caller's transaction; how many were new."""
    latest = {each.id: each for each in reversed(transitions)}
    rows = pa.table(
        {
            "id": pa.array(list(latest), pa.string()),
            "at": pa.array([each.at for each in latest.values()], pa.timestamp("us", "UTC")),
            "shadow": pa.array([each.shadow for each in latest.values()], pa.bool_()),
            "scope": pa.array([each.scope.model_dump() for each in latest.values()], _SCOPE),
            "from": pa.array([each.from_ for each in latest.values()], pa.string()),
            **{
                name: pa.array([getattr(each, name) for each in latest.values()], pa.string())
                for name in ("policy", "to", "by", "reason", "currency", "prev_hash", "hash")
            },
            **{
                name: pa.array([_amount(getattr(each, name)) for each in latest.values()], _AMOUNT)
                for name in ("spent", "held", "projected", "ceiling")
            },
        }
    )
    con.register("incoming", rows)
    try:
        done = con.execute(
            'INSERT INTO audit BY NAME SELECT * FROM incoming ANTI JOIN audit USING (id) ORDER BY "at"'
        ).fetchone()
    finally:
        con.unregister("incoming")
    return int(done[0]) if done else 0


def _amount(value: Decimal | None) -> Decimal | None:
    return None if value is None else value.quantize(Decimal("0.000000000001"))
