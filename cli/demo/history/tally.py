"""Tally: what was made, summed by day, workload, model and service tier, with what no span tells."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import numpy as np

from switchgear.usage import COUNTS

from .archetypes import MODELS, Model
from .company import Workload
from .draws import OUTCOMES, Ints, Week
from .spans import served

__all__ = ["Line", "Tally"]

_DAY_NS = 86_400 * 1_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Of one line: calls, of them untold, attempts, tokens told, and tokens of the untold ones.
_CALLS, _UNTOLD, _ATTEMPTS, _TOLD, _HIDDEN = 0, 1, 2, 3, 3 + len(COUNTS)
_WIDTH = 3 + 2 * len(COUNTS)


class Line(NamedTuple):
    """The calls of one day, workload, model and service tier."""

    day: datetime
    workload: Workload
    model: Model
    service_tier: str | None
    calls: int
    untold: int
    """Of these, the ones that did not say their usage."""
    attempts: int
    told: tuple[int, ...]
    """Tokens in the order of `COUNTS`, of the calls that said them."""
    hidden: tuple[int, ...]
    """And of those that did not."""


@dataclass(slots=True)
class Tally:
    """All that was made so far."""

    spans: int = 0
    tasks: int = 0
    """Root tasks; those with a word of how they ended are in `ends`."""
    ends: dict[str, int] = field(default_factory=dict)
    _lines: dict[tuple[int, int, int, bool], Ints] = field(default_factory=dict)
    _workloads: dict[int, Workload] = field(default_factory=dict)

    @property
    def calls(self) -> int:
        """How many there are."""
        return sum(int(line[_CALLS]) for line in self._lines.values())

    def add(self, workload: Workload, drawn: Week) -> None:
        """Count a week of a workload."""
        self._workloads[workload.number] = workload
        self.tasks += len(drawn.task_starts_ns) if workload.kind.in_task else 0
        for place, outcome in enumerate(OUTCOMES):
            count = int((drawn.outcome == place).sum())
            self.ends[outcome] = self.ends.get(outcome, 0) + count
            self.spans += count
        self.spans += len(drawn.task)
        in_tier = drawn.in_tier & served(workload)[drawn.model]
        keys, where = np.unique(
            np.stack((drawn.starts_ns // _DAY_NS, drawn.model, in_tier), axis=1), axis=0, return_inverse=True
        )
        sums = np.zeros((len(keys), _WIDTH), np.int64)
        untold = drawn.untold[:, None]
        columns = (
            *(np.ones(len(drawn.task), np.int64)[:, None], untold, drawn.attempts[:, None]),
            *(np.where(untold, 0, drawn.counts), np.where(untold, drawn.counts, 0)),
        )
        np.add.at(sums, where.ravel(), np.concatenate(columns, axis=1))
        for (day, model, tier), line in zip(keys.tolist(), sums, strict=True):
            key = (day, workload.number, model, bool(tier))
            self._lines[key] = self._lines[key] + line if key in self._lines else line

    def lines(self) -> Iterator[Line]:
        """In the order of days and workloads."""
        for (day, number, model, tier), sums in sorted(self._lines.items(), key=lambda each: each[0]):
            workload = self._workloads[number]
            told = sums.tolist()
            yield Line(
                _EPOCH + timedelta(days=day),
                workload,
                MODELS[workload.models[model][0]],
                workload.kind.service[0] if tier else None,
                *(told[_CALLS], told[_UNTOLD], told[_ATTEMPTS]),
                tuple(told[_TOLD:_HIDDEN]),
                tuple(told[_HIDDEN:]),
            )
