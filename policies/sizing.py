"""How large a call may get and will probably be, learned from what such calls have cost.

Tokens are not known before the provider counts them. The *bound* takes the request's bytes at the highest ratio of
tokens to bytes seen for such calls, and the request's own output limit where it has one: the most that the call can
cost if what it says of itself is true. What such calls (of a workload, to a model) have really cost, as a share of
their bounds, gives the mean and the spread of the next one; so a call with a longer context is larger, and a caller
whose estimates are five times too low or too high is seen through after a few calls. Where bounds tell nothing, the
mean and the spread of the costs themselves are taken.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from switchgear.usage import MAX_TOKENS_PER_CALL, Usage

__all__ = ["CallSizes", "Request", "Size"]

# Before anything is known: dense JSON and non-Latin text reach about one token in two bytes.
_FIRST_RATIO = 0.5
_FIRST_OUTPUT = 4096
_MARGIN = 1.1
# What was seen once must not bound such calls for ever: a maximum fades by a hundredth with each call.
_FADE = 0.99
# The last calls count: about so many of them.
_MEMORY = 100
# From so many calls on, none of which passed its bound, bounds of such calls are believed.
_BELIEVED_AFTER = 20
# From so many on, costs by themselves tell something.
_PLAIN_AFTER = 10
# In atoms: thirty-six thousand dollars. No call costs that, and an encoded number has 64 bits.
_LARGEST = 1 << 55


@dataclass(frozen=True, slots=True)
class Request:
    """What is known of a call before it is made. `max_output_tokens` is None where the request sets no limit."""

    provider: str
    model: str
    input_bytes: int
    max_output_tokens: int | None
    writes_cache: bool = False


@dataclass(frozen=True, slots=True)
class Size:
    """What one call in flight is worth to a counter, in atoms: expected, at most, and how sure that is.

    `doubt` is the standard error of the mean: the same for every call in flight, so that it adds up linearly while
    the spread adds up in squares. `peak` is the largest that such calls get now and then, `most` what one is not
    believed to pass, and `bound` what it may cost at most by what it says of itself and by how far such calls passed
    that.
    """

    mean: int
    most: int
    peak: int
    bound: int
    variance: float
    doubt: float

    def times(self, calls: int) -> Size:
        """So many calls of this size; the largest among them is no larger."""
        return Size(
            self.mean * calls,
            self.most * calls,
            self.peak,
            self.bound * calls,
            self.variance * calls,
            self.doubt * calls,
        )

    @classmethod
    def certain(cls, amount: int) -> Size:
        """The size of a call that is known to cost this at most, and is taken at its word."""
        return cls(amount, amount, amount, amount, 0.0, 0.0)


@dataclass(slots=True)
class _Plain:
    """Mean, variance and largest of what the last calls took."""

    calls: int = 0
    mean: float = 0.0
    variance: float = 0.0
    peak: float = 0.0

    def learn(self, amount: float) -> None:
        self.calls += 1
        step = 1 / min(self.calls, _MEMORY)
        off = amount - self.mean
        self.mean += step * off
        self.variance = (1 - step) * (self.variance + step * off * off)
        self.peak = max(self.peak * (1 - step / 2), amount)

    def size(self, most: int, bound: int) -> Size:
        doubt = math.sqrt(self.variance / min(self.calls, _MEMORY))
        return Size(math.ceil(self.mean), most, math.ceil(self.peak), bound, self.variance, doubt)


@dataclass(slots=True)
class _Shares:
    """What the last calls took of their bounds: amount = share x bound, and how far that was off.

    The share is that of the sums, since one call with a tiny bound must not speak for all. A call that cost its bound,
    give or take the whole of it, stands in for a first one.
    """

    calls: int = 0
    bounds: float = 0.0
    amounts: float = 0.0
    squares: float = 0.0
    errors: float = 0.0
    peak: float = 1.0

    def learn(self, bound: float, amount: float) -> None:
        if not self.calls:
            self.bounds = self.amounts = bound
            self.squares = self.errors = bound * bound
            self.peak = 0.0
        self.calls += 1
        step = 1 / (min(self.calls, _MEMORY) + 1)
        off = amount - self.mean * bound
        self.bounds += step * (bound - self.bounds)
        self.amounts += step * (amount - self.amounts)
        self.squares += step * (bound * bound - self.squares)
        self.errors += step * (off * off - self.errors)
        self.peak = max(self.peak * (1 - step / 2), amount / bound if bound else 1.0)

    @property
    def mean(self) -> float:
        return self.amounts / self.bounds if self.bounds else 1.0

    @property
    def is_believed(self) -> bool:
        return self.calls >= _BELIEVED_AFTER and self.peak <= 1.0

    def size(self, bound: int, most: int) -> Size:
        if not self.calls or not self.bounds:
            return Size(bound, most, bound, bound, float(bound) * bound, float(bound))
        spread = bound * bound * self.errors / self.squares
        doubt = bound * math.sqrt(self.errors / (min(self.calls, _MEMORY) + 1)) / self.bounds
        mean, passed = self.mean, max(self.peak, 1.0)
        peak = math.ceil(bound * max(self.peak, mean))
        return Size(math.ceil(bound * mean), most, peak, math.ceil(bound * passed), spread, doubt)


@dataclass(slots=True)
class _Amounts:
    """What such calls took, by their bounds and by themselves: whichever was less far off lately is used.

    A bound that follows from the request tells much; where every request says the same, or anything, it tells nothing.
    """

    shares: _Shares = field(default_factory=_Shares)
    plain: _Plain = field(default_factory=_Plain)

    def learn(self, bound: int, amount: int) -> None:
        self.shares.learn(float(bound), float(amount))
        self.plain.learn(float(amount))

    def size(self, bound: int) -> Size:
        shares, plain = self.shares, self.plain
        bound = min(bound, _LARGEST)
        known = plain.calls >= _PLAIN_AFTER
        if shares.is_believed:
            most = bound
        else:
            most = min(math.ceil(4 * max(bound * max(shares.peak, 1.0), plain.peak)), _LARGEST)
        if known and plain.variance < shares.errors:
            passed = math.ceil(bound * max(shares.peak, 1.0))
            return plain.size(max(most, math.ceil(plain.mean)), passed)
        size = shares.size(bound, most)
        return replace(size, peak=min(size.peak, math.ceil(plain.peak))) if known else size


@dataclass(slots=True)
class _Seen:
    calls: int = 0
    ratio: float = 0.0
    output: int = 0
    cost: _Amounts = field(default_factory=_Amounts)
    tokens: _Amounts = field(default_factory=_Amounts)


@dataclass(slots=True)
class CallSizes:
    """What calls of a workload to a model have been like. One instance learns for one engine."""

    _seen: dict[tuple[str, str, str], _Seen] = field(default_factory=dict)

    def bound(self, workload: tuple[str, str], request: Request) -> Usage:
        """Usage that the call will hardly pass: exact for the output where the request limits it."""
        seen = self._seen.get((*workload, request.model))
        ratio = seen.ratio * _MARGIN if seen and seen.ratio else _FIRST_RATIO
        tokens = min(int(request.input_bytes * ratio) + 16, MAX_TOKENS_PER_CALL)
        output = request.max_output_tokens
        if output is None:
            output = int(seen.output * 2 * _MARGIN) if seen and seen.output else _FIRST_OUTPUT
            output = min(output, MAX_TOKENS_PER_CALL)
        if request.writes_cache:
            return Usage(cache_write_1h=tokens, output=output)
        return Usage(input_uncached=tokens, output=output)

    def sizes(self, workload: tuple[str, str], model: str, bound: int, tokens: int) -> tuple[Size, Size]:
        """Sizes in money and in tokens of a call with these bounds (in atoms, and in tokens)."""
        seen = self._seen.get((*workload, model), _UNSEEN)
        return seen.cost.size(bound), seen.tokens.size(tokens)

    def usual_output(self, workload: tuple[str, str], model: str) -> int | None:
        """The most output that such calls have had lately; None before any is known."""
        seen = self._seen.get((*workload, model))
        return seen.output if seen and seen.calls else None

    def learn(
        self,
        workload: tuple[str, str],
        request: Request,
        usage: Usage,
        *,
        cost: tuple[int, int],
        tokens: tuple[int, int],
    ) -> None:
        """Take in a finished call: its usage, and its bound and what it took, in atoms and in tokens."""
        seen = self._seen.setdefault((*workload, request.model), _Seen())
        seen.calls += 1
        if request.input_bytes > 0:
            seen.ratio = max(seen.ratio * _FADE, usage.input_total / request.input_bytes)
        seen.output = max(int(seen.output * _FADE), usage.output)
        seen.cost.learn(*cost)
        seen.tokens.learn(*tokens)

    def state(self) -> dict[str, Any]:
        """All that was learned, as plain values."""
        return {"\x1f".join(key): asdict(seen) for key, seen in self._seen.items()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up what `state` gave."""
        for key, seen in state.items():
            tenant, workload, model = key.split("\x1f")
            amounts = {
                name: _Amounts(_Shares(**seen[name]["shares"]), _Plain(**seen[name]["plain"]))
                for name in ("cost", "tokens")
            }
            self._seen[tenant, workload, model] = _Seen(**{**seen, **amounts})


_UNSEEN = _Seen()
