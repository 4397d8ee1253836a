"""Priority classes of work."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Tier"]


class Tier(StrEnum):
    """Who waits for an answer: a person, a near-real-time process, or nobody."""

    INTERACTIVE = "interactive"
    BATCH = "batch"
    BACKGROUND = "background"

    @property
    def rank(self) -> int:
        """0 for the tier that is served first."""
        return _RANKS[self]

    @classmethod
    def parse(cls, text: str) -> Tier:
        """The tier of that name. Raises ValueError that lists the names."""
        try:
            return cls(text)
        except ValueError:
            raise ValueError(f'"{text}" is no tier; there are: {", ".join(cls)}') from None


_RANKS = {Tier.INTERACTIVE: 0, Tier.BATCH: 1, Tier.BACKGROUND: 2}
