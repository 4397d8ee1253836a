"""Cohere: `billed_units` are what is billed, fewer than the `tokens` that were processed."""

from __future__ import annotations

from collections.abc import Mapping

from .body import Json, count, part
from .counts import Usage

__all__ = ["read"]


def read(holder: Json) -> Usage | None:
    """The usage of a chat, an embedding or a reranking, or None where it has none."""
    for name in ("usage", "meta"):
        usage = holder.get(name)
        if isinstance(usage, Mapping) and (billed := part(usage, "billed_units", "tokens")):
            images = count(billed, "image_tokens")
            return Usage(
                input_uncached=count(billed, "input_tokens") + images,
                output=count(billed, "output_tokens"),
                apart=(
                    ("input_image", images),
                    ("search_units", count(billed, "search_units")),
                    ("images", count(billed, "images")),
                ),
            )
    return None
