"""Amazon Bedrock's Converse: `inputTokens` leaves out what was read from the cache and what was written to it."""

from __future__ import annotations

from collections.abc import Mapping

from .body import Json, count, listed, rest
from .counts import Usage, UsageError

__all__ = ["read"]


def read(holder: Json) -> Usage | None:
    """The usage of what Converse, or the last event of its stream, says; None where it has none."""
    usage = holder.get("usage")
    if not isinstance(usage, Mapping) or usage.get("inputTokens") is None:
        return None
    written = count(usage, "cacheWriteInputTokens", "cacheWriteInputTokenCount")
    split = {"5m": 0, "1h": 0}
    for detail in listed(usage, "cacheDetails"):
        ttl = detail.get("ttl")
        if not isinstance(ttl, str) or ttl not in split:
            raise UsageError(f"cacheDetails: a ttl of {ttl!r} is none of {', '.join(split)}")
        split[ttl] += count(detail, "inputTokens")
    unsplit = rest("cacheWriteInputTokens", written, {f"cacheDetails {ttl}": n for ttl, n in split.items()})
    return Usage(
        input_uncached=count(usage, "inputTokens"),
        cache_read=count(usage, "cacheReadInputTokens", "cacheReadInputTokenCount"),
        cache_write_5m=split["5m"] + unsplit,
        cache_write_1h=split["1h"],
        output=count(usage, "outputTokens"),
    )
