"""What a call costs, and what one that has not been made yet is worth to a counter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import NamedTuple

from switchgear.usage import Usage

from .book import Amount, Sizes
from .model import Unit, Who
from .sizing import CallSizes, Request, Size
from .units import atoms

__all__ = ["Costs", "Price", "Sized"]

# (provider, model, usage, at) -> cost, None where there is no price.
Price = Callable[[str | None, str | None, Usage, datetime], Decimal | None]

_MILLION = Decimal(1_000_000)
# Enough tokens to tell the price of one from.
_MANY = 1000


class Sized(NamedTuple):
    """A call's sizes, and the bounds (money in atoms, tokens) that they are shares of."""

    sizes: Sizes
    bound: int
    tokens: int


@dataclass(slots=True)
class Costs:
    """Prices usage, and sizes calls by what such calls have cost."""

    price: Price
    unpriced_rate: Decimal
    seen: CallSizes = field(default_factory=CallSizes)
    _last: tuple[Who, Request, float, bool, Sized] | None = None

    def of(self, provider: str | None, model: str | None, usage: Usage, now: float) -> int:
        """The cost in atoms; without a price, its tokens at the configured worst rate."""
        cost = self.price(provider, model, usage, datetime.fromtimestamp(now, UTC))
        return atoms(self.unpriced(usage) if cost is None else cost)

    def unpriced(self, usage: Usage) -> Decimal:
        """What a call without a price is worth to a ceiling."""
        return self.unpriced_rate * usage.total / _MILLION

    def sized(self, who: Who, call: Request, now: float, *, worst_case: bool = False) -> Sized:
        """How large a call probably gets; with `worst_case` it is held at the most that it can cost.

        A request's size is asked for twice in a row, for its turn and for its hold: it is worked out once.
        """
        last = self._last
        if last is not None and last[0] is who and last[1] is call and last[2:4] == (now, worst_case):
            return last[4]
        workload = (who.tenant, who.workload)
        usage = self.seen.bound(workload, call)
        bound, tokens = self.of(call.provider, call.model, usage, now), usage.total
        sizes = Sizes(*self.seen.sizes(workload, call.model, bound, tokens))
        if worst_case:
            sizes = Sizes(Size.certain(sizes.money.bound), Size.certain(sizes.tokens.bound))
        sized = Sized(sizes, bound, tokens)
        self._last = (who, call, now, worst_case, sized)
        return sized

    def settled(self, who: Who, call: Request, sized: Sized, model: str, usage: Usage, now: float) -> Amount:
        """What a finished call took; such calls are known better from now on."""
        cost = self.of(call.provider, model, usage, now)
        self.learn(who, call, sized, usage, cost)
        return Amount(cost, usage.total)

    def learn(self, who: Who, call: Request, sized: Sized, usage: Usage, cost: int) -> None:
        """Such calls are known better: one of them took this of its bounds."""
        self._last = None
        self.seen.learn(
            (who.tenant, who.workload),
            call,
            usage,
            cost=(sized.bound, cost),
            tokens=(sized.tokens, usage.total),
        )

    def affordable_output(self, who: Who, call: Request, left: int, unit: Unit, now: float) -> int | None:
        """The output limit at which the call cannot pass what is left; None where such calls have needed more.

        A cap that cuts answers short would cost the call and give nothing.
        """
        workload = (who.tenant, who.workload)
        usual = self.seen.usual_output(workload, call.model)
        if usual is None:
            return None
        inputs = self.seen.bound(workload, call)
        if unit is Unit.TOKENS:
            output = left - (inputs.total - inputs.output)
        else:
            fixed = self.of(call.provider, call.model, replace(inputs, output=0), now)
            each = self.of(call.provider, call.model, Usage(output=_MANY), now)
            output = (left - fixed) * _MANY // each if each else left
        wanted = call.max_output_tokens
        if output < usual or (wanted is not None and output >= wanted):
            return None
        return output
