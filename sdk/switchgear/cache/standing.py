"""How far each workload's cache is, as a person reads it: its certificates in words and figures."""

from __future__ import annotations

from typing import NamedTuple

from .bound import Certificate, JudgeError

__all__ = ["Certified", "State", "certified_as", "state_of"]

_NOTHING = "nothing was compared by its meaning yet"
_BY_OTHERS = "what was compared by its meaning was so with another embedder or judge than this cache has"


class Certified(NamedTuple):
    """One of a workload's two certificates: for wordings of which something was seen before, and for new ones."""

    wordings: str
    """`familiar` or `new`."""
    bound: float
    confidence: float
    """Of the terms; both certificates together keep to them."""
    state: str
    """In words."""
    serves_from: float | None
    labels: int
    needed: int
    wrong_share: float | None
    """Of what is, or could be, served; an estimate, None without any label, and its 90 % interval."""
    wrong_low: float
    wrong_high: float


class State(NamedTuple):
    """A workload's cache, as a person reads it."""

    workload: str
    state: str
    certificates: list[Certified]
    judge_misses_at_most: float
    """How often, at the most, the judge calls different answers the same; 1 as long as nothing is known of that."""
    judge_alarms_at_least: float
    outcomes: dict[str, int]


def certified_as(it: Certificate, bound: str, confidence: str, wordings: str) -> Certified:
    """A certificate as it is told; `bound`, `confidence` and `wordings` are those it was asked for with."""
    sure = float(confidence)
    return Certified(
        wordings, float(bound), sure, it.words(sure), it.serves_from, it.have, it.needed, *it.wrong_share()
    )


def state_of(
    workload: str, certified: list[Certified], error: JudgeError, outcomes: dict[str, int], *, by_others: bool
) -> State:
    """How a workload is; `by_others`: there are certificates by another embedder or judge, which are not told."""
    several = len({(each.bound, each.confidence) for each in certified}) > 1
    words = []
    for each in certified:
        terms = f" at {100 * each.bound:g} %, {100 * each.confidence:g} %" if several else ""
        words.append(f"{each.wordings} wordings{terms}: {each.state}")
    alpha = min((1 - each.confidence for each in certified), default=0.2) / 2
    return State(
        workload,
        "; ".join(words) or (_BY_OTHERS if by_others else _NOTHING),
        certified,
        error.misses_at_most(alpha),
        error.alarms_at_least(alpha),
        outcomes,
    )
