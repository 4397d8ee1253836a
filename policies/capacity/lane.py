"""A provider's capacity (of one model or account, where limits are by those): who may go now, and who uses what."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from switchgear.tier import Tier

from ..model import TIER_WEIGHTS, Capacity
from .buckets import Buckets
from .lately import Lately
from .limits import Learned, Reported
from .order import Backlog
from .retries import Slots
from .shares import Claim, Share, offer, share_out

__all__ = ["Lane", "Taken", "Use"]

_LONGEST_PAUSE_S = 60.0
# Less than this no provider allows; a limit that was learned from a burst's 429s must not starve a quiet minute.
_LEAST_REQUESTS = 6.0
_LEAST_TOKENS = 10_000.0
# Calls that are not made yet, but may be at any moment: a provider that enforces its minutes in slices must not meet
# them as a burst.
_SPARE_S = 0.5


class Taken(NamedTuple):
    """What calls drew from their lane: `each` tokens each."""

    tenant: str
    tier: Tier
    each: float


@dataclass(frozen=True, slots=True)
class Use:
    """How a lane stands: its limits a minute (declared, and as far as is known), the last minute's use, shares."""

    capacity: Capacity
    requests_limit: float | None
    tokens_limit: float | None
    requests: int
    tokens: int
    paused_until: float
    throttles: int
    """429s of the last minute."""
    shares: tuple[Share, ...]
    """In tokens a minute."""


@dataclass(slots=True)
class Lane:
    """One capacity. `now` is seconds since the epoch."""

    capacity: Capacity
    tier_weights: Mapping[Tier, float] = field(default_factory=lambda: dict(TIER_WEIGHTS))
    paused_until: float = 0.0
    _requests: Learned = field(init=False)
    _tokens: Learned = field(init=False)
    _request_buckets: Buckets = field(init=False)
    _token_buckets: Buckets = field(init=False)
    _request_count: Lately = field(default_factory=Lately)
    _token_count: Lately = field(default_factory=Lately)
    _throttles: Lately = field(default_factory=Lately)
    _by_party: dict[tuple[str, Tier], Lately] = field(default_factory=dict)
    _slots: Slots = field(default_factory=Slots)
    _refilled_at: float | None = None
    _claims: tuple[int, tuple[Claim, ...]] = (-1, ())
    _entitlements: tuple[int, dict[tuple[str, Tier], float]] = (-1, {})

    def __post_init__(self) -> None:
        self._requests = Learned(self.capacity.requests_per_minute, _LEAST_REQUESTS)
        self._tokens = Learned(self.capacity.tokens_per_minute, _LEAST_TOKENS)
        self._request_buckets = Buckets(self.tier_weights)
        self._token_buckets = Buckets(self.tier_weights)

    def declare(self, capacity: Capacity, tier_weights: Mapping[Tier, float]) -> None:
        """Another policy set's word on it; what was learned and used is kept."""
        self._refilled_at = None
        self.capacity, self.tier_weights = capacity, tier_weights
        self._requests.declared, self._tokens.declared = (
            capacity.requests_per_minute,
            capacity.tokens_per_minute,
        )
        self._request_buckets.weights = self._token_buckets.weights = tier_weights

    # -- going

    def admits(self, now: float, tier: Tier = Tier.INTERACTIVE) -> bool:
        """Whether a call of this tier may go out now, of any size: what it draws too much is waited for after it."""
        self._refill(now)
        return (
            now >= self.paused_until
            and self._request_buckets.holds(tier, 1.0)
            and self._token_buckets.holds(tier, 1.0)
        )

    def take(
        self, tokens: int, now: float, tier: Tier = Tier.INTERACTIVE, tenant: str = "", calls: int = 1
    ) -> Taken:
        """Draw so many requests of about `tokens` in all."""
        self._refill(now)
        self._request_buckets.draw(tier, calls)
        self._token_buckets.draw(tier, tokens)
        self._request_count.add(calls, now)
        self._token_count.add(tokens, now)
        self._by_party.setdefault((tenant, tier), Lately()).add(tokens, now)
        return Taken(tenant, tier, tokens / calls)

    def spare(
        self, tenant: str, tier: Tier, tokens: int, now: float, weight: Callable[[str], float]
    ) -> int | None:
        """How many calls of so many tokens a tenant may draw in advance; None where nothing limits them.

        Half a second of what it is entitled to, and half of what its tier has left at most: none while the provider
        throttles, or has done so lately and is being probed.
        """
        if now < self.paused_until or self._is_tight(now):
            return 0
        self._refill(now)
        limits = (
            (self._requests.limit(now), self._request_buckets.level(tier), 1),
            (self._tokens.limit(now), self._token_buckets.level(tier), tokens),
        )
        part = self._entitled(tenant, tier, now, weight)
        calls = [
            int(max(0.0, min(limit / 60.0 * _SPARE_S * part, level / 2)) / each)
            for limit, level, each in limits
            if limit is not None and each
        ]
        return min(calls, default=None)

    def settle(self, taken: Taken, tokens: int, now: float, calls: int = 1) -> None:
        """So many of the calls took so many tokens in all (0: they were not served). Once for each call."""
        more = tokens - round(taken.each * calls)
        self._token_buckets.draw(taken.tier, more)
        self._token_count.add(more, now)
        self._by_party.setdefault((taken.tenant, taken.tier), Lately()).add(more, now)

    def correct(self, tokens: int) -> None:
        """Give back to interactive work what a call took too much (negative: take what it took too little)."""
        self._token_buckets.draw(Tier.INTERACTIVE, -tokens)

    # -- learning

    def reports(self, said: Reported, of: float) -> None:
        """What the headers of an answer said, to a call that went at `of`."""
        self._refilled_at = None
        self._requests.report(said.requests.per_minute(), of)
        self._tokens.report(said.tokens_per_minute, of)

    def throttled(
        self, now: float, retry_after_s: float, said: Reported | None = None, of: float | None = None
    ) -> None:
        """The provider answered 429: nothing goes out before it says so, and the limit is learned from it.

        The call went at `of` (None: now).
        """
        of = now if of is None else of
        self._throttles.add(1, now)
        self.paused_until = max(self.paused_until, now + min(retry_after_s, _LONGEST_PAUSE_S))
        hit: frozenset[str] = frozenset()
        if said is not None:
            self.reports(said, of)
            hit = said.exhausted
        self._refilled_at = None
        for name in hit or self._suspects():
            if name == "requests":
                self._requests.refused(self._request_count.rate(now, self._requests.refused_at), now, of)
            else:
                self._tokens.refused(self._token_count.rate(now, self._tokens.refused_at), now, of)

    def retry_at(self, key: Hashable, now: float, *, tokens: int, jitter: float) -> float:
        """A moment to come back at for `key` alone, paced at the learned rate; `jitter` in [0, 1)."""
        self._refill(now)
        gaps = [0.0]
        if rate := self._request_buckets.rate:
            gaps.append(1.0 / rate)
        if rate := self._token_buckets.rate:
            gaps.append(tokens / rate)
        return self._slots.slot(key, now, after=self.paused_until, gap_s=max(gaps), jitter=jitter)

    def next_at(self, now: float, tier: Tier = Tier.INTERACTIVE) -> float:
        """When a call of this tier may go out at the earliest."""
        self._refill(now)
        wait = max(self._request_buckets.wait_s(tier, 1.0), self._token_buckets.wait_s(tier, 1.0))
        return max(now + wait, self.paused_until)

    # -- telling

    def used(self, now: float) -> tuple[int, int]:
        """Requests and (expected) tokens let through in the last minute."""
        return self._request_count.sum(now), self._token_count.sum(now)

    def use(self, now: float, backlog: Iterable[Backlog], weight: Callable[[str], float]) -> Use:
        """How it stands; `backlog` is what waits for it, `weight` a tenant's weight."""
        tokens_limit = self._tokens.limit(now)
        shares = share_out(tokens_limit, self._wants(now, backlog, weight), self.tier_weights)
        requests, tokens = self.used(now)
        return Use(
            self.capacity,
            self._requests.limit(now),
            tokens_limit,
            requests,
            tokens,
            self.paused_until,
            self._throttles.sum(now),
            shares,
        )

    def share(
        self, tenant: str, tier: Tier, now: float, backlog: Callable[[], Iterable[Backlog]],
        weight: Callable[[str], float],
    ) -> float | None:  # fmt: skip
        """Tokens a minute that this tenant may use in this tier as things are; None: unlimited.

        What the others want is looked at once a second.
        """
        limit = self._tokens.limit(now)
        if limit is None:
            return None
        if self._claims[0] != int(now):
            self._claims = int(now), self._wants(now, backlog(), weight)
        return offer(limit, self._claims[1], Claim(tenant, tier, weight(tenant), limit), self.tier_weights)

    def tidy(self, now: float) -> None:
        """Forget who has not used it for a minute, and slots that have come."""
        for party in [party for party, tokens in self._by_party.items() if not tokens.sum(now)]:
            del self._by_party[party]
        self._slots.forget(now)

    def idle(self, now: float) -> bool:
        """Whether it says nothing that a new one would not: unlimited as far as is known, and not in use."""
        nothing_known = self._requests.limit(now) is None and self._tokens.limit(now) is None
        return nothing_known and not self._request_count.sum(now) and now >= self.paused_until

    def _suspects(self) -> list[str]:
        """What a 429 that names no limit may be about: those that are known of; requests where none is."""
        known = [name for name, of in (("requests", self._requests), ("tokens", self._tokens)) if of.stated()]
        return known or ["requests"]

    def _wants(
        self, now: float, backlog: Iterable[Backlog], weight: Callable[[str], float]
    ) -> tuple[Claim, ...]:
        """Each party would use what it used in the last minute, and what waits."""
        demand = {party: float(tokens.sum(now)) for party, tokens in self._by_party.items()}
        for waits in backlog:
            party = (waits.tenant, waits.tier)
            demand[party] = demand.get(party, 0.0) + waits.tokens
        return tuple(Claim(tenant, tier, weight(tenant), wants) for (tenant, tier), wants in demand.items())

    def _is_tight(self, now: float) -> bool:
        """Whether 429s have taught less than what was declared or reported, lately."""
        return self._requests.learned(now) is not None or self._tokens.learned(now) is not None

    def _entitled(self, tenant: str, tier: Tier, now: float, weight: Callable[[str], float]) -> float:
        """The part of its capacity that a tenant could claim in a tier, beside all who used it lately."""
        if self._entitlements[0] != int(now) or (tenant, tier) not in self._entitlements[1]:
            parties = {*self._by_party, (tenant, tier)}
            claims = [Claim(name, of_tier, weight(name), 1.0) for name, of_tier in parties]
            shares = share_out(1.0, claims, self.tier_weights)
            self._entitlements = int(now), {(s.tenant, s.tier): s.entitlement or 0.0 for s in shares}
        return self._entitlements[1][tenant, tier]

    def _refill(self, now: float) -> None:
        if now == self._refilled_at:
            return
        self._refilled_at = now
        for buckets, limit in ((self._request_buckets, self._requests), (self._token_buckets, self._tokens)):
            buckets.refill(limit.limit(now), now, tight=limit.learned(now) is not None)
