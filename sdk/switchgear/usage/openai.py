"""OpenAI, and whoever speaks its formats: chat, responses, realtime, embeddings, speech, transcription, images.

Chat says prompt and completion, everything later input and output. Both include what was cached, written to the
cache, or thought; the details say how much of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from .body import Json, count, part, rest, seconds
from .counts import Usage
from .modalities import MODALITIES, of_input, of_output

__all__ = ["Thinking", "read"]


class Thinking(Enum):
    """Where a provider counts the tokens of its thinking, unless `total_tokens` shows that it is elsewhere."""

    INSIDE = "within the completion"
    BESIDE = "beside the completion, as reasoning_tokens"
    UNNAMED = "beside the completion, as what total_tokens has in excess"


def read(holder: Json, thinking: Thinking = Thinking.INSIDE) -> Usage | None:
    """The usage of a body in one of OpenAI's formats, or None where it has none."""
    usage = holder.get("usage")
    if not isinstance(usage, Mapping):
        return _pictures(holder)
    for name_in, name_out in (("prompt", "completion"), ("input", "output")):
        if usage.get(f"{name_in}_tokens") is not None:
            return _tokens(holder, usage, name_in, name_out, thinking)
    if usage.get("seconds") is not None:
        return Usage(apart=(("audio_seconds", seconds(usage, "seconds")),))
    return None


def _tokens(holder: Json, usage: Json, name_in: str, name_out: str, thinking: Thinking) -> Usage:
    whole_in, whole_out = count(usage, f"{name_in}_tokens"), count(usage, f"{name_out}_tokens")
    details_in = part(usage, f"{name_in}_tokens_details", f"{name_in}_token_details")
    details_out = part(usage, f"{name_out}_tokens_details", f"{name_out}_token_details")
    cache_read = _cached(usage, details_in, whole_in)
    cache_write = count(details_in, "cache_write_tokens")
    uncached = rest(
        f"{name_in}_tokens", whole_in, {"cached_tokens": cache_read, "cache_write_tokens": cache_write}
    )
    told_in, told_out = _modalities(details_in), _modalities(details_out)
    cached = details_in.get("cached_tokens_details")
    # Of the completion alone: what later formats count as output holds the thinking, at every provider.
    beside, reasoning = _thought(
        usage, details_out, whole_in, whole_out, thinking if name_in == "prompt" else Thinking.INSIDE
    )
    apart = _tools(holder, usage)
    # Most calls are of text alone, and all of them wait for this.
    if told_in or cached is not None:
        rest(f"{name_in}_tokens", whole_in, _named(told_in))
        apart |= of_input(
            told_in,
            None if cached is None else _modalities(part(details_in, "cached_tokens_details")),
            input_uncached=uncached,
            cache_read=cache_read,
        )
    if told_out:
        rest(f"{name_out}_tokens", whole_out, _named(told_out))
        apart |= of_output(told_out)
    apart["audio_seconds"] = seconds(usage, "prompt_audio_seconds")
    return Usage(
        input_uncached=uncached,
        cache_read=cache_read,
        cache_write_5m=cache_write,
        output=whole_out + beside,
        reasoning=reasoning,
        apart=tuple(each for each in apart.items() if each[1]),
    )


def _cached(usage: Json, details: Json, whole: int) -> int:
    # In the details; at the top for Moonshot and xAI's earlier answers; DeepSeek says what was missed, too.
    hit, miss = count(usage, "prompt_cache_hit_tokens"), count(usage, "prompt_cache_miss_tokens")
    rest("prompt_tokens", whole, {"prompt_cache_hit_tokens": hit, "prompt_cache_miss_tokens": miss})
    if details.get("cached_tokens") is not None:
        return count(details, "cached_tokens")
    return hit or count(usage, "cached_tokens", "cached_prompt_text_tokens")


def _modalities(details: Json) -> dict[str, int]:
    """Those of which there are any tokens."""
    found = ((name, count(details, f"{name}_tokens")) for name in MODALITIES)
    return {name: tokens for name, tokens in found if tokens}


def _named(told: Mapping[str, int]) -> dict[str, int]:
    return {f"{name}_tokens": tokens for name, tokens in told.items()}


def _thought(
    usage: Json, details: Json, whole_in: int, whole_out: int, thinking: Thinking
) -> tuple[int, int]:
    """(tokens of thinking that the completion leaves out, all of them)."""
    told = count(details, "reasoning_tokens") or count(usage, "reasoning_tokens")
    if usage.get("total_tokens") is not None:
        excess = count(usage, "total_tokens") - whole_in - whole_out
        if excess == 0:
            return 0, told
        if excess == told:
            return told, told
        if excess > 0 and thinking is Thinking.UNNAMED:
            return excess, max(told, excess)
    return (told, told) if thinking is Thinking.BESIDE else (0, told)


def _tools(holder: Json, usage: Json) -> dict[str, int]:
    """What the provider's own tools did: as counted by OpenAI, OpenRouter or xAI, else as listed in the answer."""
    listed = _items(holder, "output")
    tools = {
        "web_searches": sum(_searched(item) for item in listed),
        "file_searches": sum(item.get("type") == "file_search_call" for item in listed),
    }
    if holder.get("tool_usage") is not None:
        tools["web_searches"] = count(part(part(holder, "tool_usage"), "web_search"), "num_requests")
    if usage.get("server_tool_use") is not None:
        tools["web_searches"] = count(part(usage, "server_tool_use"), "web_search_requests")
    if usage.get("server_side_tool_usage_details") is not None:
        calls = part(usage, "server_side_tool_usage_details")
        tools = {
            "web_searches": count(calls, "web_search_calls") + count(calls, "x_search_calls"),
            "file_searches": count(calls, "file_search_calls"),
            "code_executions": count(calls, "code_interpreter_calls"),
        }
    return tools


def _searched(item: Json) -> bool:
    # A page that is opened, or looked through, after a search is no further search.
    action = item.get("action")
    did = action.get("type") if isinstance(action, Mapping) else "search"
    return item.get("type") == "web_search_call" and did == "search"


def _pictures(holder: Json) -> Usage | None:
    """Models that are paid for by the picture send no usage: what they bill is how many they made."""
    made = sum("b64_json" in item or "url" in item for item in _items(holder, "data"))
    return Usage(apart=(("images", made),)) if made else None


def _items(holder: Json, name: str) -> list[Json]:
    values = holder.get(name)
    return [item for item in values if isinstance(item, Mapping)] if isinstance(values, list) else []
