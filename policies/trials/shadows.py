"""Shadows: what each ceiling in shadow would have done if it were enforced, beside what its breakers recorded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from ..model import PolicySet
from .documents import policy_document
from .effects import Recordings, acts, effect, enforced
from .judging import Judged

__all__ = ["Observed", "Shadow", "Verdict", "observed_sql", "shadow_document", "shadows"]

_OBSERVED = """\
SELECT policy, count(*) FILTER ("to" = 'open') AS opened, count(*) FILTER ("to" = 'throttled') AS throttled
FROM transitions WHERE shadow AND "at" >= TIMESTAMPTZ '{start}' AND "at" < TIMESTAMPTZ '{end}' GROUP BY ALL"""

Observed = Mapping[str, tuple[int, int]]
"""By policy, how often its breakers opened and throttled by the collector's log."""


class Verdict(StrEnum):
    """It would have changed nothing; have stopped work that did no harm; or only what led to breaches."""

    IDLE = "idle"
    NEEDLESS = "needless"
    RIGHT = "right"


@dataclass(frozen=True, slots=True)
class Shadow:
    """A ceiling in shadow: what it would have done, and how often its breakers opened and throttled in service.

    `observed` is None where no log was asked.
    """

    judged: Judged
    observed: tuple[int, int] | None

    @property
    def acts(self) -> bool:
        """Whether enforcing it would have changed anything."""
        return acts(self.judged)

    @property
    def verdict(self) -> Verdict:
        """What follows from it."""
        if not self.acts:
            return Verdict.IDLE
        return Verdict.NEEDLESS if self.judged.needless.calls else Verdict.RIGHT


def observed_sql(start: datetime, end: datetime) -> str:
    """What a collector is asked for `Observed` in [start, end): rows of policy, opened, throttled."""
    return _OBSERVED.format(start=start.isoformat(), end=end.isoformat())


def shadows(
    policies: PolicySet,
    recordings: Recordings,
    observed: Observed | None,
    progress: Callable[[str, int], None],
) -> list[Shadow]:
    """Each ceiling of `policies` in shadow, in the file's order, as if all of them were enforced."""
    names = {each.name for each in policies.ceilings if each.shadow}
    return [
        Shadow(judged, None if observed is None else observed.get(judged.ceiling.name, (0, 0)))
        for judged in effect(enforced(policies), recordings, progress).policies
        if judged.ceiling.name in names
    ]


def shadow_document(shadow: Shadow) -> dict[str, Any]:
    """A shadow as programs and pages read it."""
    observed = shadow.observed and {"opened": shadow.observed[0], "throttled": shadow.observed[1]}
    return {
        **policy_document(shadow.judged),
        "observed": observed,
        "would_act": shadow.acts,
        "verdict": shadow.verdict.value,
    }
