"""The provider's own account of what happened: every request it served, and every one it refused.

It is kept by the provider alone, so that what others say about a run can be held against it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from ..usage import Usage

__all__ = ["TOO_MANY", "Log", "Refused", "Served"]

TOO_MANY = 429


@dataclass(frozen=True, slots=True)
class Served:
    """One billed request. `service_s` is from its arrival to the last byte."""

    id: str
    provider: str
    model: str
    tenant: str
    usage: Usage
    cost: Decimal | None
    """In USD; None where the provider was given no prices."""
    arrived_at: datetime
    served_at: datetime
    service_s: float

    @property
    def billed(self) -> Decimal:
        """The cost. Raises ValueError where the provider was given no prices."""
        if self.cost is None:
            raise ValueError(f"{self.id}: the provider was given no prices")
        return self.cost


@dataclass(frozen=True, slots=True)
class Refused:
    """One request that was not served, and not billed. `status` is None where there was no answer at all."""

    provider: str
    tenant: str
    status: int | None
    at: datetime
    retry_after_s: float | None


@dataclass(frozen=True, slots=True)
class Log:
    """Everything since the start or the last reset, oldest first."""

    served: Sequence[Served] = ()
    refused: Sequence[Refused] = ()

    def to_json(self) -> dict[str, Any]:
        """The log as JSON values: decimals as strings, times as RFC 3339."""
        return {
            "served": [
                asdict(one)
                | {
                    "cost": None if one.cost is None else str(one.cost),
                    "arrived_at": one.arrived_at.isoformat(),
                    "served_at": one.served_at.isoformat(),
                }
                for one in self.served
            ],
            "refused": [asdict(one) | {"at": one.at.isoformat()} for one in self.refused],
        }

    def totals(self) -> dict[str, Any]:
        """How many were served, how many refused for a limit (429), and what those served cost that have a cost."""
        return {
            "served": len(self.served),
            "limited": sum(one.status == TOO_MANY for one in self.refused),
            "cost": str(sum((one.cost for one in self.served if one.cost is not None), Decimal(0))),
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Log:
        """The log that `to_json` wrote."""
        return cls(
            served=[
                Served(
                    **one
                    | {
                        "usage": Usage(**one["usage"]),
                        "cost": None if one["cost"] is None else Decimal(one["cost"]),
                        "arrived_at": datetime.fromisoformat(one["arrived_at"]),
                        "served_at": datetime.fromisoformat(one["served_at"]),
                    }
                )
                for one in document["served"]
            ],
            refused=[
                Refused(**one | {"at": datetime.fromisoformat(one["at"])}) for one in document["refused"]
            ],
        )
