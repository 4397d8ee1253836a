"""A provider's true limits: read from the headers of its answers, or learned from its 429s where no header tells.

Headers understood: `x-ratelimit-{limit,remaining,reset}-{requests,tokens}` (OpenAI, Azure, Groq and most others),
`anthropic-ratelimit-{requests,tokens,input-tokens,output-tokens}-{limit,remaining,reset}`, `retry-after`,
`retry-after-ms`. What cannot be read is left out, never guessed.

A header that names more than the one before, where that was what limited, ends what 429s taught; of two answers the
one to the later call counts, as a long stream brings the headers of when it began.

Without headers: a 429 lowers the limit to 85 % of what went through before it (to a quarter of what was allowed at the
least, never below a floor), and it comes back to what was refused along a cubic (CUBIC, RFC 9438). After that time K it
doubles every tenth of it. K is five seconds where a rate is refused for the first time, and half as long again, up to a
minute, each time that about the same rate is refused later than that: what has just fallen may rise as soon, and a
limit that was found to hold is tried ever more seldom. Refusals of calls that were on their way when one counted do not
count again.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime

__all__ = ["Learned", "Quota", "Reported", "parse"]

_KEPT = 0.85
_DEEPEST = 0.25
_SHORTEST_S, _LONGEST_S = 5.0, 60.0
_SELDOMER = 1.5
_DOUBLES_IN, _MOST_DOUBLINGS = 0.1, 64.0
# Rates this near to one another, as parts of each other, are about the same: a provider that lets bursts through blurs
# what a short time shows.
_SAME = 0.5
# So many times the rate that was once refused is no news of it any more.
_OUTGROWN = 100.0
# A quota of a minute is full again within a minute; rounding and the answer's way are allowed for.
_LONGEST_MINUTE_S = 66.0
_LONGEST_RETRY_S = 3600.0
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|d|h|m|s)")
_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


@dataclass(frozen=True, slots=True)
class Quota:
    """One limit as a provider reports it: how much, how much of it is left, and when it is whole again."""

    limit: int | None = None
    remaining: int | None = None
    reset_s: float | None = None

    def per_minute(self) -> int | None:
        """The limit, where it can be one per minute: one that takes longer to be whole again is per hour or day."""
        if self.limit is None or (self.reset_s is not None and self.reset_s > _LONGEST_MINUTE_S):
            return None
        return self.limit


@dataclass(frozen=True, slots=True)
class Reported:
    """What an answer's headers say of its provider's limits; empty where they say nothing."""

    requests: Quota = Quota()
    tokens: Quota = Quota()
    input_tokens: Quota = Quota()
    output_tokens: Quota = Quota()
    retry_after_s: float | None = None

    @property
    def tokens_per_minute(self) -> int | None:
        """The limit for all tokens; where only input and output have limits of their own, their sum."""
        total = self.tokens.per_minute()
        if total is not None:
            return total
        parts = self.input_tokens.per_minute(), self.output_tokens.per_minute()
        return None if parts[0] is None or parts[1] is None else parts[0] + parts[1]

    @property
    def exhausted(self) -> frozenset[str]:
        """Which of "requests" and "tokens" are used up."""
        used_up = {"requests"} if self.requests.remaining == 0 else set()
        if 0 in (self.tokens.remaining, self.input_tokens.remaining, self.output_tokens.remaining):
            used_up.add("tokens")
        return frozenset(used_up)


def parse(headers: Mapping[str, str], now: float) -> Reported:
    """What headers (of any case) tell at `now`, epoch seconds: resets and Retry-After may be moments."""
    said = {name.lower(): value.strip() for name, value in headers.items()}
    return Reported(
        requests=_quota(said, "requests", now),
        tokens=_quota(said, "tokens", now),
        input_tokens=_quota(said, "input-tokens", now),
        output_tokens=_quota(said, "output-tokens", now),
        retry_after_s=_retry_after(said, now),
    )


def _quota(said: Mapping[str, str], kind: str, now: float) -> Quota:
    def of(part: str) -> str:
        return said.get(f"anthropic-ratelimit-{kind}-{part}") or said.get(f"x-ratelimit-{part}-{kind}", "")

    return Quota(_count(of("limit")), _count(of("remaining")), _seconds(of("reset"), now))


def _retry_after(said: Mapping[str, str], now: float) -> float | None:
    milliseconds = _number(said.get("retry-after-ms", ""))
    if milliseconds is not None:
        return min(milliseconds / 1000.0, _LONGEST_RETRY_S)
    text = said.get("retry-after", "")
    seconds = _number(text)
    if seconds is None and text:
        try:
            seconds = max(0.0, parsedate_to_datetime(text).timestamp() - now)
        except ValueError:
            return None
    return None if seconds is None else min(seconds, _LONGEST_RETRY_S)


def _number(text: str) -> float | None:
    """A finite number of at least 0; None for anything else."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0.0 else None


def _count(text: str) -> int | None:
    value = _number(text)
    return None if value is None else int(value)


def _seconds(text: str, now: float) -> float | None:
    """Seconds until then: "20", "6m0s", "120ms", "2m59.56s" or a moment as in RFC 3339."""
    number = _number(text)
    if number is not None:
        return number
    if text and _PART.sub("", text) == "":
        return sum(float(amount) * _UNITS_S[unit] for amount, unit in _PART.findall(text))
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return max(0.0, moment.timestamp() - now) if moment.tzinfo is not None else None


@dataclass(slots=True)
class Learned:
    """What is known of one limit (requests or tokens a minute): declared, reported, and what 429s taught.

    `floor` is what it never falls below, unless less was declared or reported.
    """

    declared: int | None
    floor: float
    reported: int | None = None
    _reported_of: float = 0.0
    _refused_at: float | None = None
    _peak: float = 0.0
    _recovery_s: float = _SHORTEST_S

    def report(self, per_minute: int | None, of: float) -> None:
        """A header stated the limit (None: it did not), in the answer to a call that went at `of`."""
        if not per_minute or of < self._reported_of:
            return
        before, heard = self.stated(), self.reported is not None
        self.reported, self._reported_of = per_minute, of
        if heard and before is not None and (self.stated() or 0.0) > before:
            # What was refused was refused under another limit.
            self._refused_at = None

    @property
    def refused_at(self) -> float | None:
        """When a refusal last counted; None where none is remembered."""
        return self._refused_at

    def refused(self, used: float, now: float, of: float) -> None:
        """The provider answered 429 to a call that went at `of`, while `used` a minute went through."""
        if self._refused_at is not None and of <= self._refused_at:
            return
        allowed, top = self.limit(now), self.stated()
        least = self.floor if top is None else min(self.floor, top)
        if allowed is not None:
            used, least = min(used, allowed), max(least, allowed * _DEEPEST)
        peak = max(used, least / _KEPT)
        after_s = math.inf if self._refused_at is None else now - self._refused_at
        if after_s > 2.0 * _LONGEST_S or not _SAME < peak / self._peak < 1.0 / _SAME:
            self._recovery_s = _SHORTEST_S
        elif after_s >= self._recovery_s:
            self._recovery_s = min(_SELDOMER * self._recovery_s, _LONGEST_S)
        self._peak, self._refused_at = peak, now

    def stated(self) -> float | None:
        """What was declared or reported, whichever is less."""
        stated = [float(limit) for limit in (self.declared, self.reported) if limit is not None]
        return min(stated, default=None)

    def limit(self, now: float) -> float | None:
        """What may go through a minute; None where nothing limits it as far as is known."""
        learned = self.learned(now)
        return self.stated() if learned is None else learned

    def learned(self, now: float) -> float | None:
        """What 429s alone teach; None where there was none, or it was outgrown."""
        if self._refused_at is None:
            return None
        top = self.stated()
        most = self._peak * _OUTGROWN if top is None else top
        before = 1.0 - max(0.0, now - self._refused_at) / self._recovery_s
        if before > 0.0:
            grown = self._peak * (1.0 - (1.0 - _KEPT) * before**3)
        else:
            # Bounded, as hours after it the power would be no number.
            grown = self._peak * 2.0 ** min(-before / _DOUBLES_IN, _MOST_DOUBLINGS)
        return None if grown >= most else grown
