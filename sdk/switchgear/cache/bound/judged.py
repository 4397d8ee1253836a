"""The judge's own error, and what it does to the bound.

A judge who says whether two answers are the same is wrong at times. Let `a` be how often it calls different answers the
same, `b` how often it calls answers different that mean the same. Of answers that are wrong with a share of r it then
calls r (1 - a) + (1 - r) b different, so that r is at most the bound d where that share is at most

    d (1 - a) + (1 - d) b.

How large a and b are is itself only known from samples: a from pairs labelled by hand, b from the same request asked
twice, or labelled. Taken are the upper limit of a and the lower limit of b, each at a tenth of the chance that all of
it may be wrong: either makes the bound on what the judge says smaller.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from .binomial import lower, upper

__all__ = ["JudgeError"]

_PART = 0.1


@dataclass(frozen=True, slots=True)
class JudgeError:
    """What is known of a judge, as counts: it needs no one's word for it."""

    different: int = 0
    """Pairs of answers labelled as different..."""
    missed: int = 0
    """... of which it called so many the same."""
    same: int = 0
    """Pairs of answers that mean the same, or to the same request..."""
    false_alarms: int = 0
    """... of which it called so many different."""

    def labelled(self, *, same: bool, said_same: bool) -> JudgeError:
        """With one more pair of which it is known whether it is the same."""
        if same:
            return replace(self, same=self.same + 1, false_alarms=self.false_alarms + (not said_same))
        return replace(self, different=self.different + 1, missed=self.missed + said_same)

    def misses_at_most(self, alpha: float) -> float:
        """The upper limit of `a`; 1 as long as nothing is known."""
        return upper(self.missed, self.different, alpha * _PART)

    def alarms_at_least(self, alpha: float) -> float:
        """The lower limit of `b`."""
        return lower(self.false_alarms, self.same, alpha * _PART)

    def bound_on_said(self, bound: float, alpha: float) -> float:
        """How much of what is served the judge may call different, for wrong answers to be within the bound.

        0 where it may be no better than chance: then what it says tells nothing, and nothing may be certified by it.
        """
        missed, alarms = self.misses_at_most(alpha), self.alarms_at_least(alpha)
        if missed + alarms >= 1:
            return 0.0
        return bound * (1 - missed) + (1 - bound) * alarms

    def left(self, alpha: float) -> float:
        """What is left of a chance of being wrong, once both limits have had their parts."""
        return alpha * (1 - 2 * _PART)
