"""Effects: what a policy set would have done to recorded calls, from both of its replays; and of ceilings in shadow."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from collector.pricing import PriceCall

from ..engine import Price
from ..model import PolicySet
from .judging import Effect, Judged, Money, judge
from .recorded import RecordedCall, recorded_prices
from .replay import in_shadow, replay

__all__ = ["MixedCurrenciesError", "Recordings", "acts", "effect", "enforced", "recordings"]


class MixedCurrenciesError(ValueError):
    """The calls and the policies are in several currencies, which do not add up; the text names them."""


@dataclass(frozen=True, slots=True)
class Recordings:
    """Calls in the order of their begin, and prices of what is made otherwise."""

    calls: Sequence[RecordedCall]
    price: Price

    @property
    def money(self) -> Money:
        """What they cost."""
        known = [call.cost for call in self.calls if call.cost is not None]
        return Money(len(self.calls), sum(known, Decimal(0)), len(self.calls) - len(known))


def recordings(
    calls: Sequence[RecordedCall], currencies: Iterable[str], sets: Sequence[PolicySet], quote: PriceCall
) -> Recordings:
    """The calls, which were booked in these currencies, for all these policy sets, with the list prices by `quote`.

    Raises MixedCurrenciesError.
    """
    found = sorted({*currencies, *(policies.currency for policies in sets)})
    if len(found) > 1:
        raise MixedCurrenciesError(
            f"{' and '.join(found)} do not add up: the calls and the file have one currency"
        )
    return Recordings(
        calls, recorded_prices(calls, lambda by, model, usage, at: quote(by, model, usage, at).cost)
    )


def effect(policies: PolicySet, recordings: Recordings, progress: Callable[[str, int], None]) -> Effect:
    """What `policies` would have done; `progress` is told how many calls were made "as it was", and then "acting"."""
    calls, price = recordings.calls, recordings.price
    as_it_was = replay(in_shadow(policies), calls, price, lambda done: progress("as it was", done))
    acting = replay(policies, calls, price, lambda done: progress("acting", done))
    return judge(policies, as_it_was, acting, recordings.money)


def enforced(policies: PolicySet) -> PolicySet:
    """The same policies, of which none is in shadow any more."""
    return replace(policies, ceilings=tuple(replace(each, shadow=False) for each in policies.ceilings))


def acts(judged: Judged) -> bool:
    """Whether the policy would have changed anything for anyone."""
    return bool(judged.refused.calls or judged.gave_up.calls or judged.waited or judged.degraded)
