"""Decision: what an agent may do now. One type for the engine that makes it and the SDK that obeys it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from math import inf
from typing import Any

__all__ = ["Action", "Caps", "Decision"]


class Action(StrEnum):
    """From free to forbidden; later members are more restrictive."""

    ALLOW = "allow"
    THROTTLE = "throttle"
    QUEUE = "queue"
    DEGRADE = "degrade"
    DENY = "deny"

    @property
    def severity(self) -> int:
        """0 for allow, 4 for deny: the most restrictive of several decisions applies."""
        return _SEVERITY[self]


_SEVERITY = {action: severity for severity, action in enumerate(Action)}


@dataclass(frozen=True, slots=True)
class Caps:
    """Limits under which a call may still be made: another model, fewer output tokens."""

    model: str | None = None
    max_output_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What a scope may do now, by which policy and why.

    Money is in `currency`; `remaining` is what the ceiling still has free, `projected` what the scope will
    have spent at the end of its window (or task). All are None where no ceiling applies.
    """

    id: str
    action: Action
    reason: str
    version: int
    valid_until: datetime
    policy: str | None = None
    remaining: Decimal | None = None
    projected: Decimal | None = None
    ceiling: Decimal | None = None
    currency: str | None = None
    caps: Caps = field(default_factory=Caps)
    retry_after_s: float | None = None
    share: float | None = None
    fail: str = "open"
    wrap_up: bool = False
    """Whether a task should answer with what it has: its ceiling is near, and the next calls may be refused."""
    overrun: str = "extend"
    """How a streamed answer ends that outgrows its hold where no more room is left: "extend" lets it run on, "cut"
    finishes it."""
    cache: Mapping[str, Any] | None = field(default=None, hash=False)
    """On which terms answers may be served again (`switchgear.cache.terms`); None: as the code says."""

    def to_wire(self) -> dict[str, Any]:
        """The JSON object that programs outside rely on; decimals are strings."""
        return {
            "id": self.id,
            "action": self.action.value,
            "policy": self.policy,
            "reason": self.reason,
            "remaining": _text(self.remaining),
            "projected": _text(self.projected),
            "ceiling": _text(self.ceiling),
            "currency": self.currency,
            "caps": {"model": self.caps.model, "max_output_tokens": self.caps.max_output_tokens},
            "retry_after_s": self.retry_after_s,
            "share": self.share,
            "valid_until": self.valid_until.isoformat(),
            "version": self.version,
            "fail": self.fail,
            "wrap_up": self.wrap_up,
            "overrun": self.overrun,
            "cache": None if self.cache is None else dict(self.cache),
        }

    @classmethod
    def from_wire(cls, body: Mapping[str, Any]) -> Decision:
        """The decision in a reply. Raises ValueError, KeyError or TypeError where it is none."""
        caps = body.get("caps") or {}
        return cls(
            id=str(body["id"]),
            action=Action(body["action"]),
            policy=_named(body, "policy"),
            reason=str(body["reason"]),
            remaining=_decimal(body.get("remaining")),
            projected=_decimal(body.get("projected")),
            ceiling=_decimal(body.get("ceiling")),
            currency=_named(body, "currency"),
            caps=Caps(_named(caps, "model"), _tokens(caps, "max_output_tokens")),
            retry_after_s=_amount(body, "retry_after_s"),
            share=_amount(body, "share"),
            valid_until=_instant(body["valid_until"]),
            version=int(body["version"]),
            fail=str(body.get("fail", "open")),
            wrap_up=body.get("wrap_up") is True,
            overrun="cut" if body.get("overrun") == "cut" else "extend",
            cache=_document(body, "cache"),
        )


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else f"{amount:f}"


def _instant(text: str) -> datetime:
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ValueError(f'"{text}" names no time zone')
    return instant


def _named(body: Mapping[str, Any], name: str) -> str | None:
    value = body.get(name)
    if value is not None and not isinstance(value, str):
        raise ValueError(f"{name}: {value!r} is no name")
    return value


def _document(body: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    value = body.get(name)
    if value is not None and not isinstance(value, Mapping):
        raise ValueError(f"{name}: {value!r} is no document")
    return value


def _tokens(body: Mapping[str, Any], name: str) -> int | None:
    value = body.get(name)
    if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
        raise ValueError(f"{name}: {value!r} is no count")
    return value


def _amount(body: Mapping[str, Any], name: str) -> float | None:
    value = body.get(name)
    if value is None:
        return None
    # NaN fails this, too.
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < inf:
        raise ValueError(f"{name}: {value!r} is no amount")
    return value


def _decimal(text: Any) -> Decimal | None:
    return None if text is None else Decimal(str(text))
