"""Reading: which formats each provider answers in, and under which names a provider is known."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeAlias

from . import anthropic, bedrock, cohere, google, mistral, openai
from .body import Json, holders
from .counts import Usage, UsageError

__all__ = ["from_response"]

Reader: TypeAlias = Callable[[Json], Usage | None]

_BESIDE: Reader = partial(openai.read, thinking=openai.Thinking.BESIDE)
_OPENAI: tuple[Reader, ...] = (anthropic.marked, openai.read)

# The formats that each provider answers in: the first that fits a body reads it.
_READERS: Mapping[str, tuple[Reader, ...]] = {
    "anthropic": (anthropic.read, openai.read),
    "aws": (bedrock.read, anthropic.read, openai.read),
    "azure": _OPENAI,
    "cohere": (cohere.read, openai.read),
    "google": (google.read, anthropic.read, google.chat),
    "mistral": (mistral.read,),
    "openrouter": _OPENAI,
    "x-ai": (anthropic.marked, _BESIDE),
    # Who speaks OpenAI's formats, and counts as it does.
    **dict.fromkeys(
        (
            *("cerebras", "deepseek", "fireworks", "groq", "huggingface", "minimax", "moonshotai", "novita"),
            *("openai", "ovhcloud", "together", "zai", "zhipuai"),
        ),
        _OPENAI,
    ),
}
# Other names of theirs, after what follows a dot or an underscore was cut: "gcp.vertex_ai", "aws.bedrock".
_ALIASES: Mapping[str, str] = {
    "amazon-bedrock": "aws",
    "az": "azure",
    "bedrock": "aws",
    "gcp": "google",
    "gemini": "google",
    "mistralai": "mistral",
    "moonshot": "moonshotai",
    "vertex": "google",
    "vertexai": "google",
    "xai": "x-ai",
}


def from_response(provider: str, body: Json) -> Usage | None:
    """The usage in a provider's response body, or in the last event of a streamed one; None where it has none.

    Any name by which spans, or the price book, know the provider will do. Raises UsageError where a count is
    impossible or the body no object, ValueError for a provider that it does not know. Where each provider counts
    what: `docs/usage.md`.
    """
    readers = _readers(provider)
    if not isinstance(body, Mapping):
        raise UsageError(
            f"body: a {type(body).__name__} is no response, nor an event of one; give each by itself"
        )
    for holder in holders(body):
        for read in readers:
            if (usage := read(holder)) is not None:
                return usage
    return None


def _readers(provider: str) -> tuple[Reader, ...]:
    if readers := _READERS.get(provider):
        return readers
    name = provider.strip().lower()
    for known in (name, name.replace("_", "-"), re.split(r"[._]", name)[0], name.partition("-")[0]):
        if readers := _READERS.get(_ALIASES.get(known, known)):
            return readers
    raise ValueError(f"no usage reader for provider {provider!r}; there are: {', '.join(sorted(_READERS))}")
