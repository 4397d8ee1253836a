"""Caps: the ceilings that a workload's own history suggests, and how a policy file has them. Pure.

Of a **task**: what 99 of 100 tasks that ended well cost at most, times a margin. Of a **day**: what days of the past
weeks come to at most. For each weekday that is its median times e^(3 s), where s is how far days stray from the
median of their weekday (1.4826 x the median of |ln|, so that single wild days do not count), and times 1.5 at least;
a policy has one limit for all days, so that of the dearest weekday is taken. A limit is rounded up to two digits.
"""

from __future__ import annotations

import json
import math
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from statistics import median

from ..contracts.exact import QUANTUM

__all__ = ["MIN_TASKS", "Cap", "Costs", "of_day", "of_task", "policy", "rounded_up"]

MIN_TASKS = 19
"""Below, there is no telling what one in twenty costs: with n tasks the largest is passed once in n + 1."""

_MIN_DAYS = 10
_DEVIATIONS, _LEAST_TIMES, _LEAST_STRAY = 3.0, 1.5, 0.1
# As policies/files reads names.
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_LONGEST_NAME = 128


@dataclass(frozen=True, slots=True)
class Costs:
    """How many tasks there were of one kind, and what 99 of 100 of them cost at most."""

    count: int
    q99: Decimal | None
    words: str


@dataclass(frozen=True, slots=True)
class Cap:
    """A limit for each task, or for each day, and what it is based on."""

    per: str
    limit: Decimal
    basis: str


def of_task(kinds: Sequence[Costs], margin: Decimal) -> Cap | None:
    """The cap of a task by the first kind of which there are enough; None where there are of none."""
    for kind in kinds:
        if kind.count >= MIN_TASKS and kind.q99 is not None and kind.q99 > 0:
            what = "the largest" if kind.count < 100 else "99 in 100"
            basis = f"{what} of {kind.count:,} {kind.words} cost at most {kind.q99:.4f}; times {margin}"
            return Cap("task", rounded_up(kind.q99 * margin), basis)
    return None


def of_day(days: Sequence[int], costs: Sequence[Decimal]) -> Cap | None:
    """The cap of a day by past whole days (numbered since 1970) with a cost; None with less than ten of them."""
    by_weekday: dict[int, list[float]] = defaultdict(list)
    for day, cost in zip(days, costs, strict=True):
        if cost > 0:
            # Day 0 was a Thursday.
            by_weekday[(day + 3) % 7].append(math.log(cost))
    logs = [each for own in by_weekday.values() for each in own]
    if len(logs) < _MIN_DAYS:
        return None
    middles = {weekday: median(own) for weekday, own in by_weekday.items()}
    strays = [abs(each - middles[weekday]) for weekday, own in by_weekday.items() for each in own]
    times = max(_DEVIATIONS * max(1.4826 * median(strays), _LEAST_STRAY), math.log(_LEAST_TIMES))
    weekday = max(middles, key=lambda each: middles[each])
    name = ("Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays")[weekday]
    usual = Decimal(repr(math.exp(middles[weekday])))
    # To nine digits, so that what a logarithm adds in the last place is not rounded up.
    limit = rounded_up(Decimal(f"{math.exp(middles[weekday] + times):.9g}"))
    basis = (
        f"{name}, the dearest of {len(logs)} days, usually cost {usual:.2f}; "
        f"days come to {math.exp(times):.1f} times that"
    )
    return Cap("day", limit, basis)


def rounded_up(amount: Decimal) -> Decimal:
    """The next amount with two digits: 0.1234 is 0.13, 171 is 180; what is below them has the last that is stored."""
    step = max(Decimal(1).scaleb(amount.adjusted() - 1), QUANTUM)
    units = (amount / step).to_integral_value(ROUND_CEILING)
    return Decimal(f"{units * step:f}")


def policy(tenant: str, workload: str | None, cap: Cap, currency: str) -> str | None:
    """The lines to add under `ceilings:`, in shadow at first; None where calls name nobody that a policy can."""
    if workload is None or tenant == "unattributed" or any(map(_is_unfit, (tenant, workload))):
        return None
    window = "per: task" if cap.per == "task" else "window: {calendar: day, zone: UTC}"
    name = f"cap-{tenant}-{workload}"[: _LONGEST_NAME - 5] + f"-{cap.per}"
    return "\n".join(
        (
            f"  - name: {_quoted(name)}",
            f"    scope: {{tenant: {_quoted(tenant)}, workload: {_quoted(workload)}}}",
            f"    limit: {cap.limit:f} {currency}",
            f"    {window}",
            "    shadow: true                 # decides and records only; take this line out to enforce it",
        )
    )


def _is_unfit(name: str) -> bool:
    return name != name.strip() or len(name) > _LONGEST_NAME or _UNPRINTABLE.search(name) is not None


def _quoted(text: str) -> str:
    """The text as YAML: as it is where nothing in it could mean something, else as JSON, which YAML is."""
    plain = re.fullmatch(r"[A-Za-z][A-Za-z0-9_.-]*", text) and text.lower() not in ("true", "false", "null")
    return text if plain else json.dumps(text, ensure_ascii=False)
