"""Reading: how providers' bodies turn into usage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .counts import Usage, UsageError

__all__ = ["from_response"]


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
