"""Usage: the canonical, disjoint token counts of one call, and how provider bodies turn into it.

Disjoint means that a token stands in exactly one of the counts, so that a price is a sum of products.
The one exception is `reasoning`, which is the part of `output` spent on thinking: it is never priced again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["COUNTS", "MAX_TOKENS_PER_CALL", "Usage", "UsageError", "from_response"]

# No provider sells a context anywhere near this; a larger count is a broken client, not a call.
MAX_TOKENS_PER_CALL = 100_000_000


class UsageError(ValueError):
    """A token count that cannot be: names the field and the value."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts of one call. All are >= 0; `reasoning <= output`.

    `Usage(400, 600, 0, 0, 50, 20)`: 1,000 input tokens of which 600 came from the provider's cache,
    50 output tokens of which 20 were reasoning.
    """

    input_uncached: int = 0
    cache_read: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    output: int = 0
    reasoning: int = 0

    def __post_init__(self) -> None:
        counts = (self.input_uncached, self.cache_read, self.cache_write_5m, self.cache_write_1h, self.output)
        if min(counts) < 0 or max(counts) > MAX_TOKENS_PER_CALL or self.reasoning < 0:
            names = (name for name in COUNTS if not 0 <= getattr(self, name) <= MAX_TOKENS_PER_CALL)
            name = next(names)
            raise UsageError(
                f"{name}: {getattr(self, name)} tokens; a call has between 0 and {MAX_TOKENS_PER_CALL}"
            )
        if self.reasoning > self.output:
            raise UsageError(f"reasoning: {self.reasoning} tokens is more than the output's {self.output}")

    @property
    def input_total(self) -> int:
        """Everything that went in, cached or not."""
        return self.input_uncached + self.cache_read + self.cache_write_5m + self.cache_write_1h

    @property
    def total(self) -> int:
        """Input and output together, as providers count towards tokens per minute."""
        return self.input_total + self.output


COUNTS = ("input_uncached", "cache_read", "cache_write_5m", "cache_write_1h", "output", "reasoning")


def from_response(provider: str, body: Mapping[str, Any]) -> Usage | None:
    """The usage in a provider's response body, or None where the body carries none.

    `provider` is "openai" (chat, responses, embeddings and what speaks its format) or "anthropic".
    Raises UsageError where a count is impossible, ValueError for a provider that it does not know.
    """
    usage = body.get("usage")
    if provider not in _READERS:
        raise ValueError(
            f"no usage reader for provider {provider!r}; there are: {', '.join(sorted(_READERS))}"
        )
    if not isinstance(usage, Mapping):
        return None
    return _READERS[provider](usage)


def _openai(usage: Mapping[str, Any]) -> Usage | None:
    # Chat says prompt/completion, Responses says input/output; both counts include their cached part.
    prefix_in, prefix_out = ("prompt", "completion") if "prompt_tokens" in usage else ("input", "output")
    if usage.get(f"{prefix_in}_tokens") is None:
        return None
    details_in = _part(usage, f"{prefix_in}_tokens_details")
    details_out = _part(usage, f"{prefix_out}_tokens_details")
    cache_read = _count(details_in, "cached_tokens")
    cache_write = _count(details_in, "cache_write_tokens")
    return Usage(
        input_uncached=_count(usage, f"{prefix_in}_tokens") - cache_read - cache_write,
        cache_read=cache_read,
        cache_write_5m=cache_write,
        output=_count(usage, f"{prefix_out}_tokens"),
        reasoning=_count(details_out, "reasoning_tokens"),
    )


def _anthropic(usage: Mapping[str, Any]) -> Usage | None:
    # `input_tokens` excludes both cache counts. Without the split by lifetime a write is the default, 5 min.
    if usage.get("input_tokens") is None:
        return None
    split = _part(usage, "cache_creation")
    written = _count(usage, "cache_creation_input_tokens")
    one_hour = _count(split, "ephemeral_1h_input_tokens")
    return Usage(
        input_uncached=_count(usage, "input_tokens"),
        cache_read=_count(usage, "cache_read_input_tokens"),
        cache_write_5m=written - one_hour,
        cache_write_1h=one_hour,
        output=_count(usage, "output_tokens"),
    )


def _part(usage: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = usage.get(name)
    if part is not None and not isinstance(part, Mapping):
        raise UsageError(f"{name}: {part!r} holds no counts")
    return part or {}


def _count(counts: Mapping[str, Any], name: str) -> int:
    value = counts.get(name)
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int):
        raise UsageError(f"{name}: {value!r} is not a whole number of tokens")
    return value


_READERS = {"openai": _openai, "anthropic": _anthropic}
