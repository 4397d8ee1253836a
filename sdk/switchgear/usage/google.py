"""Google's Gemini API and Vertex AI: the prompt includes what was cached, and nothing else includes anything.

What tools put into the prompt stands beside it, thoughts stand beside the candidates. Over OpenAI's format the
thoughts show only in the total.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from . import openai
from .body import Json, count, listed, rest
from .counts import Usage
from .modalities import of_input, of_output

__all__ = ["chat", "read"]

_MODALITIES = {"AUDIO": "audio", "IMAGE": "image", "DOCUMENT": "image", "VIDEO": "video"}
"""A document is read, and billed, as the images of its pages."""
_ANSWERS = ("candidatesTokenCount", "responseTokenCount")


def read(holder: Json) -> Usage | None:
    """The usage of what generateContent, embedContent or a live session answered, or None where it has none."""
    usage = holder.get("usageMetadata")
    if not isinstance(usage, Mapping) or all(
        usage.get(name) is None for name in ("promptTokenCount", *_ANSWERS)
    ):
        return None
    prompt, tool = count(usage, "promptTokenCount"), count(usage, "toolUsePromptTokenCount")
    cache_read = count(usage, "cachedContentTokenCount")
    uncached = rest("promptTokenCount", prompt, {"cachedContentTokenCount": cache_read}) + tool
    answer, thoughts = count(usage, *_ANSWERS), count(usage, "thoughtsTokenCount")
    told = _details(usage, "promptTokenCount", prompt, "promptTokensDetails", "promptTokenDetails")
    told += _details(usage, "toolUsePromptTokenCount", tool, "toolUsePromptTokensDetails")
    cached = _details(usage, "cachedContentTokenCount", cache_read, "cacheTokensDetails")
    spoken = _details(usage, _ANSWERS[0], answer, "candidatesTokensDetails", "responseTokensDetails")
    apart = {
        **of_input(
            told,
            cached if usage.get("cacheTokensDetails") is not None else None,
            input_uncached=uncached,
            cache_read=cache_read,
        ),
        **of_output(spoken),
    }
    return Usage(
        input_uncached=uncached,
        cache_read=cache_read,
        output=answer + thoughts,
        reasoning=thoughts,
        apart=tuple(apart.items()),
    )


def chat(holder: Json) -> Usage | None:
    """The usage of an answer in OpenAI's format."""
    return openai.read(holder, openai.Thinking.UNNAMED)


def _details(usage: Json, whole: str, amount: int, *names: str) -> Counter[str]:
    """Tokens by modality, of those that may be billed apart."""
    name = next((name for name in names if usage.get(name) is not None), names[0])
    found: Counter[str] = Counter()
    for each in listed(usage, name):
        if (modality := _MODALITIES.get(str(each.get("modality")))) is not None:
            found[modality] += count(each, "tokenCount")
    rest(whole, amount, {f"{name} {modality}": tokens for modality, tokens in found.items()})
    return found
