"""Mistral: OpenAI's formats, and pages where it reads documents."""

from __future__ import annotations

from collections.abc import Mapping

from . import openai
from .body import Json, count
from .counts import Usage

__all__ = ["read"]


def read(holder: Json) -> Usage | None:
    """The usage of a chat, an embedding, a transcription or a document, or None where it has none."""
    # `num_cached_tokens` is what its servers happened to hold; what is billed as cached stands in the details.
    pages = holder.get("usage_info")
    if isinstance(pages, Mapping):
        return Usage(apart=(("pages", count(pages, "pages_processed")),))
    return openai.read(holder)
