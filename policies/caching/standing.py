"""How a workload's cache stands, in words and figures: what the service answers, and the command line prints."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pydantic import BaseModel, ConfigDict

from switchgear.cache.model import Outcome
from switchgear.cache.standing import Certified, State

from .names import Owned, owned

__all__ = ["Certificate", "Standing", "Standings", "standings", "whose"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class Certificate(_Strict):
    """Whether answers are served for their meaning, to wordings of a kind and on some terms; or what is missing."""

    wordings: str
    """`familiar`: something was seen of the wording and of that of the kept answer before; or `new`."""
    bound: float
    confidence: float
    """Of the terms that it was asked for with."""
    says: str
    """In words: shadow and how many labels there are of how many, certified, or revoked and why."""
    serves_from: float | None
    """The score from which on answers are served; null: none are."""
    labels: int
    labels_needed: int
    """Without a wrong one, for the next look at them; 0: no number is enough."""
    wrong: float | None
    """Which part of what is served (or, before any is, could be) is called wrong by the judge; null: not known."""
    wrong_low: float
    wrong_high: float
    """Where that lies with a confidence of 90 %."""


class Standing(_Strict):
    """How a workload's cache stands."""

    tenants: list[str]
    """Whose it is: one, or several that share their answers; none where processes keep answers by themselves."""
    workload: str
    says: str
    """In words, of all certificates."""
    certificates: list[Certificate]
    """None where nothing was compared by its meaning: the very same requests are served without any."""
    judge_misses_at_most: float
    """Of answers that differ, how many the judge may call the same."""
    judge_alarms_at_least: float
    """Of answers that are the same, how many it calls different at the least."""
    requests: int
    served: int
    hit_rate: float | None
    """Which part of the requests were served; null where there were none."""
    outcomes: dict[str, int]


class Standings(_Strict):
    """Every workload that anything was asked of, as far as the key reaches."""

    at: datetime
    policies: str | None
    """The version of the policy file in force; null where none is."""
    workloads: list[Standing]


def whose(state: State) -> Owned:
    """Whose workload it is."""
    return owned(state.workload) or Owned((), state.workload)


def standings(states: Sequence[State]) -> list[Standing]:
    """The cache's states as they are told."""
    return [_standing(state) for state in states]


def _standing(state: State) -> Standing:
    of = whose(state)
    requests = sum(state.outcomes.values())
    served = sum(state.outcomes.get(each, 0) for each in Outcome if each.served)
    return Standing(
        tenants=list(of.tenants),
        workload=of.workload,
        says=state.state,
        certificates=[_certificate(each) for each in state.certificates],
        judge_misses_at_most=state.judge_misses_at_most,
        judge_alarms_at_least=state.judge_alarms_at_least,
        requests=requests,
        served=served,
        hit_rate=served / requests if requests else None,
        outcomes=dict(state.outcomes),
    )


def _certificate(it: Certified) -> Certificate:
    return Certificate(
        wordings=it.wordings,
        bound=it.bound,
        confidence=it.confidence,
        says=it.state,
        serves_from=it.serves_from,
        labels=it.labels,
        labels_needed=it.needed,
        wrong=it.wrong_share,
        wrong_low=it.wrong_low,
        wrong_high=it.wrong_high,
    )
