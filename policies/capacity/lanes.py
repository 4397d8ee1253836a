"""Which lane a call goes in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from switchgear.tier import Tier

from ..model import TIER_WEIGHTS, Capacity
from .lane import Lane

__all__ = ["LaneKey", "Lanes"]


class LaneKey(NamedTuple):
    """Which capacity: None is any model, any account."""

    provider: str
    model: str | None = None
    account: str | None = None


@dataclass(slots=True)
class Lanes:
    """The declared lanes, and one for each model that no declaration covers: unlimited until its provider's answers
    teach better."""

    _declared: dict[LaneKey, Lane] = field(default_factory=dict)
    _found: dict[LaneKey, Lane] = field(default_factory=dict)
    _tier_weights: Mapping[Tier, float] = field(default_factory=lambda: dict(TIER_WEIGHTS))

    def __iter__(self) -> Iterator[tuple[LaneKey, Lane]]:
        yield from self._declared.items()
        yield from self._found.items()

    def declare(self, capacities: Iterable[Capacity], tier_weights: Mapping[Tier, float]) -> None:
        """Take over what a policy set says; a lane that stays keeps what it learned and who used it."""
        before, self._declared, self._tier_weights = self._declared, {}, tier_weights
        for capacity in capacities:
            key = LaneKey(capacity.provider, capacity.model, capacity.account)
            lane = before.get(key) or Lane(capacity, tier_weights)
            lane.declare(capacity, tier_weights)
            self._declared[key] = lane
        for key, lane in list(self._found.items()):
            if self.key(key.provider, key.model or "", key.account) != key or key in self._declared:
                del self._found[key]
            else:
                lane.declare(lane.capacity, tier_weights)

    def key(self, provider: str, model: str, account: str | None = None) -> LaneKey:
        """The lane of such calls: the one declared most closely (model before account), else the model's own."""
        closest = LaneKey(provider, model, account)
        if not self._declared or closest in self._declared:
            return closest
        for key in (LaneKey(provider, model), LaneKey(provider, None, account), LaneKey(provider)):
            if key in self._declared:
                return key
        return closest

    def get(self, key: LaneKey) -> Lane | None:
        """The lane of this key; None where nothing is declared or known of it, and so nothing limits it."""
        return self._declared.get(key) or self._found.get(key)

    def opened(self, key: LaneKey) -> Lane:
        """The lane of this key, a new one perhaps: its provider has something to teach."""
        lane = self.get(key)
        if lane is None:
            capacity = Capacity(key.provider, None, None, key.model, key.account)
            lane = self._found[key] = Lane(capacity, self._tier_weights)
        return lane

    def tidy(self, now: float) -> None:
        """Forget what is of no use any more; some seconds apart is often enough."""
        for key, lane in list(self):
            lane.tidy(now)
            if key in self._found and lane.idle(now):
                del self._found[key]
