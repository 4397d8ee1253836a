"""Anthropic's messages, also at Bedrock (InvokeModel), Vertex AI and Azure: `input_tokens` leaves the cache out.

`output_tokens` includes the thinking. Neither includes a compaction, which is billed at the same rates.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from .body import Json, count, listed, part, rest
from .counts import Usage

__all__ = ["marked", "read"]

# OpenAI's responses have the same names: with these it is theirs, with those a message.
_OPENAI = ("input_tokens_details", "input_token_details")
_MARKS = ("cache_creation_input_tokens", "cache_read_input_tokens", "cache_creation")


def read(holder: Json) -> Usage | None:
    """The usage of a message, or None where it has none or is of another format."""
    usage = holder.get("usage")
    if not isinstance(usage, Mapping) or usage.get("input_tokens") is None:
        return None
    if any(name in usage for name in _OPENAI):
        return None
    parts = [usage, *_compactions(usage)]
    written = [_written(each) for each in parts]
    tools = part(usage, "server_tool_use")
    return Usage(
        input_uncached=sum(count(each, "input_tokens") for each in parts),
        cache_read=sum(count(each, "cache_read_input_tokens") for each in parts),
        cache_write_5m=sum(short for short, _ in written),
        cache_write_1h=sum(long for _, long in written),
        output=sum(count(each, "output_tokens") for each in parts),
        reasoning=count(part(usage, "output_tokens_details"), "thinking_tokens", "reasoning_tokens"),
        apart=(
            ("web_searches", count(tools, "web_search_requests")),
            ("web_fetches", count(tools, "web_fetch_requests")),
            ("code_executions", count(tools, "code_execution_requests")),
        ),
    )


def marked(holder: Json) -> Usage | None:
    """The same, of who answers in OpenAI's formats too: None where nothing shows that it is a message."""
    usage = holder.get("usage")
    return read(holder) if isinstance(usage, Mapping) and any(name in usage for name in _MARKS) else None


def _compactions(usage: Json) -> Iterator[Json]:
    # Not an advisor's: that is another model, at rates of its own.
    return (each for each in listed(usage, "iterations") if each.get("type") == "compaction")


def _written(usage: Json) -> tuple[int, int]:
    """(for 5 minutes, for an hour). What is not split lives as long as the default, 5 minutes."""
    split = part(usage, "cache_creation")
    parts = {name: count(split, name) for name in ("ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens")}
    short, long = parts.values()
    if usage.get("cache_creation_input_tokens") is None:
        return short, long
    unsplit = rest("cache_creation_input_tokens", count(usage, "cache_creation_input_tokens"), parts)
    return short + unsplit, long
