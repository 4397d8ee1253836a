"""What a call that is not let through is told."""

from __future__ import annotations

from collections.abc import Hashable

from ..errors import SwitchgearError
from ..tier import Tier

__all__ = ["QueueFull", "QueueTimeout"]


class QueueFull(SwitchgearError):  # noqa: N818 - as the standard library's queue.Full
    """So many calls of its tier wait for the lane already that this one was not let in."""

    def __init__(self, lane: Hashable, tier: Tier, waiting: int) -> None:
        super().__init__(
            f"{waiting} {tier.value} calls wait for lane {lane!r} already: this one is not let in"
        )
        self.lane = lane
        self.tier = tier
        self.waiting = waiting

    def __reduce__(self) -> tuple[type[QueueFull], tuple[Hashable, Tier, int]]:
        return QueueFull, (self.lane, self.tier, self.waiting)


class QueueTimeout(SwitchgearError, TimeoutError):  # noqa: N818 - a TimeoutError, and named like one
    """Its deadline came before its turn. It was never sent."""

    def __init__(self, lane: Hashable, tier: Tier, waited_s: float) -> None:
        super().__init__(
            f"a call of tier {tier.value} waited {waited_s:.1f} s for lane {lane!r}; its deadline came before its turn"
        )
        self.lane = lane
        self.tier = tier
        self.waited_s = waited_s

    def __reduce__(self) -> tuple[type[QueueTimeout], tuple[Hashable, Tier, float]]:
        return QueueTimeout, (self.lane, self.tier, self.waited_s)
