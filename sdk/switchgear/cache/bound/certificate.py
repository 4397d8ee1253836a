"""Certificate: from which score on answers are served, so that at most a share of them is wrong, with a confidence.

Labels come from requests that were chosen before their score was seen: all of them while nothing is served, a random
part afterwards. They are counted in cells by score. At a look, the regions "score of at least t" are tested from the
strictest t on, each by the exact binomial test of "more than the bound is wrong", until one is not rejected: a fixed
sequence, which needs no correction for its length. Where it begins follows from how many labels there are, not from
what they say. Looks come as labels grow by 1.6, and the k-th spends 2^-k of the chance of being wrong, so that all of
them together stay within it. (Bauer 1991 on fixed sequences; Angelopoulos et al. 2021, "Learn then Test".)

What is certified stays so until an alarm: the labels of what is served, weighed as they come by how much likelier they
are were more of it wrong (a sum of CUSUMs over likelihood ratios: Lorden 1971), which under a share within the bound
alarms once in a thousand labels at most. After it all counts start anew.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from math import ceil, log
from typing import Any

from .binomial import at_most, lower, upper
from .judged import JudgeError

__all__ = ["SCORES", "Certificate"]

# Where regions begin: chances of being right, as the score says them. The last is all that is compared at all.
SCORES = (
    *(0.9999, 0.999, 0.998, 0.995, 0.99, 0.98, 0.97, 0.95, 0.92, 0.89, 0.86, 0.83, 0.8, 0.77, 0.74, 0.7),
    *(0.65, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05, 0.0),
)
_GROWTH = 1.6
_TIMES = (2.0, 4.0, 10.0)
_ALARM = 1000.0
_NEVER = len(SCORES)
_SERVED = SCORES.index(0.5) + 1
"""So many regions can be certified: what by its score is wrong more likely than not is never served. Labels that were
all right say nothing of an opposite that was not asked before; what was seen of it since says enough."""


@dataclass(slots=True)
class Certificate:
    """The state of one workload's bound. Mutable; what it says depends on counts alone."""

    bound: float
    confidence: float
    judge: JudgeError = field(default_factory=JudgeError)
    labels: list[int] = field(default_factory=lambda: [0] * len(SCORES))
    wrong: list[int] = field(default_factory=lambda: [0] * len(SCORES))
    doubts: list[float] = field(default_factory=lambda: [0.0] * len(SCORES))
    """By the scores' own word, how many of each cell's would be wrong."""
    looks: int = 0
    looked_at: int = 0
    """How many labels that tell there were at the last look."""
    region: int = _NEVER
    """The number of the certified region's score; past the last: none is."""
    audited: int = 0
    """Labels of what is served, since it is."""
    audited_wrong: int = 0
    sums: list[float] = field(default_factory=lambda: [0.0] * len(_TIMES))
    revoked: str | None = None
    """Why it was, the last time; None: it never was, or has been certified since."""

    @property
    def serves_from(self) -> float | None:
        """The score from which on answers are served; None: none is."""
        return SCORES[self.region] if self.region < _NEVER else None

    @property
    def would_serve_from(self) -> float | None:
        """From which score on what was labelled so far was wrong no more often than the bound; None: from none on."""
        labels = wrong = 0
        found = None
        for least, more, more_wrong in list(zip(SCORES, self.labels, self.wrong, strict=True))[:_SERVED]:
            labels, wrong = labels + more, wrong + more_wrong
            if labels and wrong <= self.bound * labels:
                found = least
        return found

    @property
    def on_said(self) -> float:
        """The bound on what the judge may call different."""
        return self.judge.bound_on_said(self.bound, 1 - self.confidence)

    @property
    def needed(self) -> int:
        """Labels without a wrong one that the next look needs at the least, in a region."""
        return _needed(self.on_said, self._alpha(self.looks + 1))

    @property
    def have(self) -> int:
        """Labels that tell: of the largest region where, by the scores' own word, no more than the bound is wrong."""
        labels = have = 0
        doubts = 0.0
        for more, doubted in zip(self.labels, self.doubts, strict=True):
            labels, doubts = labels + more, doubts + doubted
            if doubts <= self.bound * labels:
                have = labels
        return have

    def label(self, score: float, *, wrong: bool) -> None:
        """One more request of which it was known before its score that it would be judged."""
        cell = next((at for at, least in enumerate(SCORES) if score >= least), None)
        if cell is None:
            return
        self.labels[cell] += 1
        self.wrong[cell] += wrong
        self.doubts[cell] += 1 - score
        if cell <= self.region < _NEVER:
            self.served_label(wrong=wrong)
        if self.have >= max(_GROWTH * self.looked_at, self.needed):
            self._look()

    def served_label(self, *, wrong: bool) -> None:
        """A label of what is served. Revokes the certificate where there are too many wrong ones."""
        self.audited += 1
        self.audited_wrong += wrong
        within = min(max(self.on_said, 1e-6), 0.5)
        for at, times in enumerate(_TIMES):
            more = min(times * within, 0.9)
            ratio = log(more / within) if wrong else log((1 - more) / (1 - within))
            self.sums[at] = max(self.sums[at], 0.0) + ratio
        if max(self.sums) > log(_ALARM * len(_TIMES)):
            self.revoke(f"{self.audited_wrong} of {self.audited} audits of what was served were wrong")

    def revoke(self, why: str) -> None:
        """Serve nothing until it is certified anew, by new labels."""
        fresh = Certificate(self.bound, self.confidence, self.judge, revoked=why)
        for each in fields(self):
            setattr(self, each.name, getattr(fresh, each.name))

    def wrong_share(self) -> tuple[float | None, float, float]:
        """Of what is (or, before, of all that could be) served, which part is wrong: estimate and 90 % interval."""
        region = min(self.region, _NEVER - 1)
        labels, wrong = sum(self.labels[: region + 1]), sum(self.wrong[: region + 1])
        estimate = wrong / labels if labels else None
        return estimate, lower(wrong, labels, 0.05), upper(wrong, labels, 0.05)

    def words(self, confidence: float | None = None) -> str:
        """The state as a person reads it; with the confidence that is kept to together with other certificates."""
        bound = f"{100 * self.bound:g} %"
        if self.region < _NEVER:
            sure = self.confidence if confidence is None else confidence
            return f"certified at {bound}, {100 * sure:g} % confidence"
        if not self.needed:
            return f"cannot be certified at {bound}: too little is known of the judge's own errors, or they are many"
        shadow = f"shadow, {min(self.have, self.needed)} of {self.needed} labels"
        if self.looks:
            shadow += f", {self.looks} looks so far"
        return shadow if self.revoked is None else f"revoked: {self.revoked}; {shadow}"

    def to_document(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Certificate:
        return cls(**{**document, "judge": JudgeError(**document["judge"])})

    def _alpha(self, look: int) -> float:
        """What the look may spend of the chance of being wrong."""
        return self.judge.left(1 - self.confidence) * 0.5**look

    def _look(self) -> None:
        """Test the regions in their sequence, and extend what is certified."""
        self.looks += 1
        self.looked_at = self.have
        alpha, share = self._alpha(self.looks), self.on_said
        needed = _needed(share, alpha)
        labels = wrong = 0
        for at in range(_SERVED):
            labels += self.labels[at]
            wrong += self.wrong[at]
            if not needed or labels < needed:
                continue
            if at_most(wrong, labels, share) > alpha:
                return
            self._certify(at)

    def _certify(self, region: int) -> None:
        if self.region == _NEVER:
            self.audited = self.audited_wrong = 0
            self.sums = [0.0] * len(_TIMES)
            self.revoked = None
            self.region = region
        self.region = max(self.region, region)


def _needed(share: float, alpha: float) -> int:
    """How many draws without a hit rule a share out; 0: no number does."""
    return ceil(log(alpha) / log(1 - share)) if 0 < share < 1 else 0
