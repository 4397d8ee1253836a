"""Score: how likely two texts with the same values mean the same, by their words and by what was seen of such texts.

The words give a first guess: a logistic regression over cheap features and vetoes (`weights.json`: trained by
`benchmarks/cache_training.py`, which says on what). What was seen outweighs it: each time that the model answered two
requests of these two wordings, with whatever values, the answers were the same or not. By Bayes' rule each such
label multiplies the odds by how much likelier it is of wordings that mean the same. How likely it is of others depends
on what a workload's answers are like, and is counted in it. Wordings that were not seen together may differ in the very
words in which others do that were.

A veto does not forbid for ever: it makes the first guess so small that only labels can outweigh it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from math import exp, log

from .comparing import FEATURES, features, places_differ, placing, slips, veto
from .reading import Reading, Wording

__all__ = ["BY_CHANCE", "NAME", "Seen", "first_guess", "score"]

NAME = "words-2"
"""Of the score: a certificate holds for one alone."""
# Of labels of wordings that mean the same, how many say so.
_TOLD = 0.97
BY_CHANCE = 0.2
"""How often answers to wordings that mean different things are the same, where nothing was seen of that: there are few
answers to "is it ...?"."""
# Were it above `_TOLD`, a label of "different" would speak for "the same". It is counted so where a judge has once
# called answers different that are the same ever after.
_MOST_BY_CHANCE = 0.9
_VETO = -4.0
# Of the same words in the same order: what differs are capitals, marks and manners.
_SAME_WORDS = 8.0
_SLIPS = 5.0
# What was seen of a wording and a third, and of that and the other, says less than what was seen of both.
_THROUGH = 0.9
_MOST = 12.0
# Of wordings that differ as others do that mean the same, some do not, however many do: what is seen of them adds as
# the odds of a share do, with a fifth of a label on both sides.
_FEW = 0.2


@dataclass(frozen=True, slots=True)
class Seen:
    """How often answers to two wordings were the same and not, and those to others that tell something of these."""

    same: int = 0
    different: int = 0
    through: int = 0
    """Of all third wordings: the fewer of their two counts of "same"; 0 where either was ever different."""
    apart: int = 0
    """Of all third wordings that were the same as one and different from the other: the fewer of both counts."""
    alike_same: int = 0
    """Of all pairs that differ in the same words as these two: the labels that say "the same"."""
    alike_different: int = 0
    by_chance: float = BY_CHANCE
    """How often answers are the same, in this workload, to wordings of which it is known that they are not."""

    def __bool__(self) -> bool:
        """Whether anything was seen."""
        return any(
            (self.same, self.different, self.through, self.apart, self.alike_same, self.alike_different)
        )

    @property
    def weight(self) -> float:
        """What it adds to the logarithm of the odds."""
        by_chance = min(self.by_chance, _MOST_BY_CHANCE)
        same, different = log(_TOLD / by_chance), log((1 - _TOLD) / (1 - by_chance))
        direct = self.same * same + self.different * different
        third = _THROUGH * (self.through * same + self.apart * different)
        return direct + third + log((self.alike_same + _FEW) / (self.alike_different + _FEW))


@cache
def _weights() -> tuple[float, tuple[float, ...]]:
    document = json.loads(resources.files(__package__).joinpath("weights.json").read_text())
    if tuple(document["features"]) != FEATURES:
        raise ValueError(f"weights.json: has weights for {document['features']}, not for {list(FEATURES)}")
    return document["intercept"], tuple(document["weights"])


def first_guess(one: Reading, other: Reading, cosine: float) -> float:
    """The logarithm of the odds that two readings mean the same, by their words alone."""
    _, weights = _weights()
    alike = one.wording == other.wording
    if alike or slips(one.wording, other.wording):
        # The same words in the same order: then the same values are in the same order, too.
        return _VETO if placing(one, other) else _SAME_WORDS if alike else _SLIPS
    guess = weights[0] * cosine + _by_words(one.wording, other.wording)
    return guess + (_VETO if places_differ(one, other) else 0.0)


@lru_cache(maxsize=65_536)
def _by_words(one: Wording, other: Wording) -> float:
    """What wordings say, whatever their values: an agent's are few, and come again."""
    intercept, weights = _weights()
    guess = intercept + sum(
        weight * value for weight, value in zip(weights[1:], features(one, other), strict=True)
    )
    return guess + (_VETO if veto(one, other) else 0.0)


def score(guess: float, seen: Seen) -> float:
    """The chance that they mean the same, of a first guess and what was seen."""
    odds = max(-_MOST, min(_MOST, guess + seen.weight))
    return 1 / (1 + exp(-odds))
