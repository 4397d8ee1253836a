"""Counts: what one call used, as disjoint token counts and what is billed apart from them.

Disjoint means that a token stands in exactly one of the counts, so that a price is a sum of products.
The one exception is `reasoning`, which is the part of `output` spent on thinking: it is never priced again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

__all__ = ["APART", "COUNTS", "MAX_TOKENS_PER_CALL", "Usage", "UsageError"]

# No provider sells a context anywhere near this; a larger count is a broken client, not a call.
MAX_TOKENS_PER_CALL = 100_000_000

COUNTS = ("input_uncached", "cache_read", "cache_write_5m", "cache_write_1h", "output", "reasoning")

APART: Mapping[str, str | None] = MappingProxyType(
    {
        "input_audio": "input_uncached",
        "input_image": "input_uncached",
        "input_video": "input_uncached",
        "cache_read_audio": "cache_read",
        "cache_read_image": "cache_read",
        "cache_read_video": "cache_read",
        "output_audio": "output",
        "output_image": "output",
        "output_video": "output",
        "web_searches": None,
        "web_fetches": None,
        "file_searches": None,
        "code_executions": None,
        "search_units": None,
        "images": None,
        "pages": None,
        "audio_seconds": None,
    }
)
"""What may be billed apart: the count that its tokens are a part of, or None where it is no token.

`search_units` are Cohere's: a query over 100 documents is one. `images` and `pages` are made or read by the piece.
"""


class UsageError(ValueError):
    """A count that cannot be: names the field and the value."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What one call used. All counts are >= 0; `reasoning <= output`.

    `Usage(400, 600, 0, 0, 50, 20)`: 1,000 input tokens of which 600 came from the provider's cache,
    50 output tokens of which 20 were reasoning. Whoever ignores `apart` has still counted every token once.
    """

    input_uncached: int = 0
    cache_read: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    output: int = 0
    reasoning: int = 0
    apart: tuple[tuple[str, int], ...] = ()
    """(name in `APART`, count > 0), by name: what of the counts above has a rate of its own, and what is no token.

    Given in any order, with zeros, or as the lists that JSON has, it is kept in order, without, and as tuples.
    """

    def __post_init__(self) -> None:
        if not (
            0 <= self.input_uncached <= MAX_TOKENS_PER_CALL
            and 0 <= self.cache_read <= MAX_TOKENS_PER_CALL
            and 0 <= self.cache_write_5m <= MAX_TOKENS_PER_CALL
            and 0 <= self.cache_write_1h <= MAX_TOKENS_PER_CALL
            and 0 <= self.reasoning <= self.output <= MAX_TOKENS_PER_CALL
        ):
            self._refuse()
        if self.apart != ():
            object.__setattr__(self, "apart", _in_order(self))

    def _refuse(self) -> None:
        for name in COUNTS:
            if not 0 <= (count := getattr(self, name)) <= MAX_TOKENS_PER_CALL:
                raise UsageError(f"{name}: {count} tokens; a call has between 0 and {MAX_TOKENS_PER_CALL}")
        raise UsageError(f"reasoning: {self.reasoning} tokens is more than the output's {self.output}")

    @property
    def input_total(self) -> int:
        """Everything that went in, cached or not."""
        return self.input_uncached + self.cache_read + self.cache_write_5m + self.cache_write_1h

    @property
    def total(self) -> int:
        """Input and output together, as providers count towards tokens per minute."""
        return self.input_total + self.output


def _in_order(usage: Usage) -> tuple[tuple[str, int], ...]:
    """`usage.apart` by name and without zeros. Raises UsageError where it cannot be."""
    counts = dict(usage.apart)
    if len(counts) < len(usage.apart):
        raise UsageError(f"apart: {usage.apart!r} names something twice")
    parts: dict[str, int] = {}
    for name, count in counts.items():
        if name not in APART:
            raise UsageError(
                f"apart: {name!r} is nothing that is billed apart; there are: {', '.join(APART)}"
            )
        if not 0 <= count <= MAX_TOKENS_PER_CALL:
            raise UsageError(f"{name}: {count}; a call has between 0 and {MAX_TOKENS_PER_CALL}")
        if (whole := APART[name]) is not None:
            parts[whole] = parts.get(whole, 0) + count
    for whole, of in parts.items():
        if of > getattr(usage, whole):
            named = " + ".join(f"{name} {counts[name]}" for name in sorted(counts) if APART[name] == whole)
            raise UsageError(f"{named}: more than {whole}, {getattr(usage, whole)} tokens, which holds them")
    return tuple(sorted((name, count) for name, count in counts.items() if count))
