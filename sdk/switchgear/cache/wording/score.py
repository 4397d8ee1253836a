"""Score: how likely two texts with the same values mean the same, by their words and by what was seen of such texts.

The words give a first guess: a logistic regression over cheap features and vetoes (`weights.json`: trained by
`benchmarks/cache_training.py`, which says on what). What was seen outweighs it: each time that the model answered two
requests of these two wordings, with whatever values, the answers were the same or not. By Bayes' rule each such
label multiplies the odds by how much likelier it is of wordings that mean the same.

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

__all__ = ["NAME", "Seen", "first_guess", "score"]

NAME = "words-1"
"""Of the score: a certificate holds for one alone."""
# Labels of wordings that mean the same say so in all but a few; of others, they agree by chance at times: there are few
# answers to "is it ...?".
_SAME = log(0.97 / 0.2)
_DIFFERENT = log(0.03 / 0.8)
_VETO = -4.0
# Of the same words in the same order: what differs are capitals, marks and manners.
_SAME_WORDS = 8.0
_SLIPS = 5.0
# What was seen of a wording and a third, and of that and the other, says less than what was seen of both.
_THROUGH = 0.9
_MOST = 12.0


@dataclass(frozen=True, slots=True)
class Seen:
    """How often answers to two wordings were the same and not, and the same over third wordings between them."""

    same: int = 0
    different: int = 0
    through: int = 0
    """Of all third wordings: the fewer of their two counts of "same"; 0 where either was ever different."""
    apart: int = 0
    """Of all third wordings that were the same as one and different from the other: the fewer of both counts."""

    @property
    def weight(self) -> float:
        """What it adds to the logarithm of the odds."""
        direct = self.same * _SAME + self.different * _DIFFERENT
        return direct + _THROUGH * (self.through * _SAME + self.apart * _DIFFERENT)


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
