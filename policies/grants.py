"""Grants: calls that may be made, each with a hold of its own, and what is still held for them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from .meters import Meter
from .model import Who
from .sizing import Size

__all__ = ["Amount", "Grant", "Sizes", "grant_of", "lease_of"]


class Amount(NamedTuple):
    """What a call took, in atoms of money and in tokens; None where it is not known."""

    money: int | None
    tokens: int | None


class Sizes(NamedTuple):
    """One call's size in each unit."""

    money: Size
    tokens: Size


@dataclass(slots=True, eq=False)
class Grant:
    """`left` calls of one size that may still be made, held in every meter that counts them.

    `drawn` has a bit for the number of each hold that was settled or booked, `booked` counts the latter, and
    `given_back` those that were released; `returned` has a bit for each of these that was named. Holds that have a
    size of their own are in `apart`, by number.
    """

    id: str
    who: Who
    meters: tuple[Meter, ...]
    sizes: Sizes
    calls: int
    left: int
    expires_at: float
    drawn: int = 0
    booked: int = 0
    given_back: int = 0
    returned: int = 0
    apart: dict[int, Sizes] = field(default_factory=dict)

    def sizes_of(self, number: int) -> Sizes:
        """What is held for the call of this number."""
        return self.apart.get(number, self.sizes) if self.apart else self.sizes

    def may_end(self, number: int) -> bool:
        """Whether the call of this number can still be settled: it is neither settled nor booked."""
        return 0 < number <= self.calls and not self.drawn >> number & 1

    def holds(self, number: int) -> bool:
        """Whether something is held for the call of this number, as far as is known: some are given back by count."""
        if not self.may_end(number) or self.returned >> number & 1:
            return False
        return number in self.apart or self.left > len(self.apart)

    def to_give_back(self, calls: int | None, number: int) -> tuple[int, tuple[int, ...]]:
        """Of `calls` to give back (None: all) how many are there, and the numbers of those of a size of their own.

        Those come last. A single one that is named by its number is that one, and given back once.
        """
        if calls == 1 and number:
            return int(self.holds(number)), (number,) if number in self.apart else ()
        calls = self.left if calls is None else min(calls, self.left)
        return calls, tuple(self.apart)[: max(0, calls - self.left + len(self.apart))]

    @property
    def held(self) -> tuple[int, int]:
        """What is held for the calls that are left: atoms of money, and tokens."""
        alike, apart = self.left - len(self.apart), self.apart.values()
        money = alike * self.sizes.money.mean + sum(sizes.money.mean for sizes in apart)
        return money, alike * self.sizes.tokens.mean + sum(sizes.tokens.mean for sizes in apart)

    @property
    def is_told(self) -> bool:
        """Whether all of its calls that were settled are booked too."""
        return self.drawn.bit_count() == self.booked


def lease_of(grant_id: str, number: int) -> str:
    """The id of a grant's hold, as it rides on the call's span."""
    return f"{grant_id}:{number}"


def grant_of(lease: str) -> tuple[str, int]:
    """The grant and the number of a hold; number 0 where the text is no lease."""
    grant_id, _, number = lease.rpartition(":")
    try:
        return grant_id, int(number)
    except ValueError:
        return lease, 0
