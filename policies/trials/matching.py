"""Which ceilings of a policy set count a call, and what of a rule keeps it from counting: from the file alone."""

from __future__ import annotations

from dataclasses import dataclass

from ..model import Ceiling, PolicySet, Who
from .truth import Names, names_of

__all__ = ["Match", "matches"]


@dataclass(frozen=True, slots=True)
class Match:
    """One ceiling for one call. `scope` is which of its scopes counts the call; None where `why_not` says why none."""

    ceiling: Ceiling
    scope: Names | None
    why_not: str | None = None


def matches(policies: PolicySet, who: Who) -> list[Match]:
    """Every ceiling in the file's order."""
    return [_match(ceiling, who) for ceiling in policies.ceilings]


def _match(ceiling: Ceiling, who: Who) -> Match:
    scope = names_of(ceiling, who)
    return Match(ceiling, scope, None if scope is not None else _why_not(ceiling, who))


def _why_not(ceiling: Ceiling, who: Who) -> str:
    """The first part of the rule that the call does not fit."""
    for name, wanted in ceiling.scope.to_wire().items():
        found = getattr(who, name)
        if found is None:
            return f"it is for {name} {wanted}, and no {name} is named"
        if found != wanted:
            return f"it is for {name} {wanted}"
    missing = next(dimension.value for dimension in ceiling.per if who.value(dimension) is None)
    return f"it goes per {missing}, and no {missing} is named"
