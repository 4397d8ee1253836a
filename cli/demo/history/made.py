"""Made: a history week by week, as bodies of requests and as sums of what is in them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from .company import Company, company
from .draws import ns, week
from .plan import Plan, Wanted, plan
from .planted import Planted, planted
from .spans import Encoded, encoded, request
from .tally import Tally

__all__ = ["SPANS_PER_REQUEST", "Body", "History"]

SPANS_PER_REQUEST = 2_048
_WEEK = timedelta(weeks=1)


@dataclass(frozen=True, slots=True)
class Body:
    """One request, and how many calls are in it."""

    content: bytes
    calls: int


class History:
    """Everything that was wanted. `tally` has summed up all bodies once all were taken."""

    def __init__(self, wanted: Wanted) -> None:
        """Raises ValueError for what cannot be made."""
        self.wanted = wanted
        self.company: Company = company(seed=wanted.seed, tenants=wanted.tenants, workloads=wanted.workloads)
        self.tally = Tally()
        self.planted: Planted = planted(wanted, self.company)
        self._plan: Plan = plan(wanted, self.company)

    def bodies(self) -> Iterator[Body]:
        """The spans in the order of time, but that a task that goes on after its week is in its week."""
        for number in range(len(self._plan.begins)):
            groups = list(self._week(number))
            if not groups:
                continue
            spans = [span for _, of_group, _ in groups for span in of_group]
            calls = np.repeat([told for _, _, told in groups], [len(times) for times, _, _ in groups])
            order = np.argsort(np.concatenate([times for times, _, _ in groups]), kind="stable")
            for first in range(0, len(order), SPANS_PER_REQUEST):
                places = order[first : first + SPANS_PER_REQUEST]
                yield Body(request([spans[place] for place in places]), int(calls[places].sum()))

    def _week(self, number: int) -> Iterator[Encoded]:
        wanted, begin = self.wanted, self._plan.begins[number]
        for share in self._plan.shares(number):
            drawn = week(
                share.workload,
                share.calls,
                share.hours,
                ns(begin),
                share=(begin - wanted.start) / (wanted.end - wanted.start),
                end_ns=ns(wanted.end),
                seed=[wanted.seed, share.workload.number, 1 + number],
            )
            self.tally.add(share.workload, drawn)
            yield from encoded(share.workload, drawn)
        for workload, drawn in self.planted.of_week(begin, begin + _WEEK):
            self.tally.add(workload, drawn)
            yield from encoded(workload, drawn)
