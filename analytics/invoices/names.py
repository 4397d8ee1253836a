"""Names: providers, models and kinds of tokens, which statements and spans each write in their own way."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .line import KINDS

__all__ = ["Item", "family", "item_of", "kind_of", "labels", "plain", "provider_of"]

_PROVIDERS: Mapping[str, str] = {
    "open ai": "openai",
    "openai, llc": "openai",
    "openai opco, llc": "openai",
    "anthropic, pbc": "anthropic",
    "claude": "anthropic",
    "aws": "aws.bedrock",
    "amazon": "aws.bedrock",
    "amazon-bedrock": "aws.bedrock",
    "amazon web services": "aws.bedrock",
    "amazon web services, inc.": "aws.bedrock",
    "azure": "azure.ai.openai",
    "az.ai.openai": "azure.ai.openai",
    "azure_openai": "azure.ai.openai",
    "azure.ai.inference": "azure.ai.openai",
    "az.ai.inference": "azure.ai.openai",
    "microsoft": "azure.ai.openai",
    "microsoft azure": "azure.ai.openai",
    "google": "gcp.vertex_ai",
    "google cloud": "gcp.vertex_ai",
    "gcp.gemini": "gcp.vertex_ai",
    "gcp.gen_ai": "gcp.vertex_ai",
}
_PREFIX = re.compile(
    r"^(?:(?:publishers/[^/]+/)?models/|(?:openai|anthropic|azure|google|vertex_ai|bedrock)/"
    r"|(?:(?:us|eu|apac|global)\.)?(?:anthropic|openai|amazon|meta|mistral)\.)"
)
_DATE = re.compile(r"(?:[-@]\d{4}-\d{2}-\d{2}|[-@]20\d{6}|-latest)$")
_REVISION = re.compile(r"-v\d+:\d+$")
_TIERS = ("priority", "batch", "flex", "scale")
# "priority | gpt-5.6, output, long context"; "gpt-audio-mini-2025-12-15 audio, input"; "gpt-6, input_tokens".
_ITEM = re.compile(
    r"^(?:(?P<tier>" + "|".join(_TIERS) + r") \| )?(?P<model>[\w.:/@-]+)(?: (?:text|audio|image))?"
    r", (?P<meter>[\w ]+?)(?:, [\w ]+)?$",
    re.IGNORECASE,
)
_BARE = re.compile(r"^[\w.:/@]+(?:-[\w.:/@]+)+$")


@dataclass(frozen=True, slots=True)
class Item:
    """What the name of a line item tells. `Item(None, "other", None)` where it names no model."""

    model: str | None
    kind: str
    service_tier: str | None


def provider_of(name: str) -> str:
    """The name under which a provider's lines meet: "OpenAI" and "openai" are openai, "AWS" is aws.bedrock."""
    key = " ".join(name.lower().split())
    return _PROVIDERS.get(key, key)


def item_of(text: str) -> Item:
    """What "gpt-4o-2024-08-06, cached input" is: that model's cache reads."""
    name = text.strip()
    match = _ITEM.match(name)
    if match is None:
        return Item(name if _BARE.match(name) else None, "other", None)
    kind, tier = kind_of(match["meter"]), match["tier"]
    model = match["model"] if kind != "other" or _BARE.match(match["model"]) else None
    return Item(model, kind, tier.lower() if tier else None)


def kind_of(text: str) -> str:
    """The kind that a meter's name means: "Cache Write Input Tokens", "uncached_input_tokens", "cached input"."""
    if text in KINDS:
        return text
    words = re.sub(r"[^a-z0-9]+", " ", text.lower())
    if "storage" in words:
        return "other"
    if "cache" in words and "uncached" not in words:
        if re.search(r"writ|creat", words):
            return "cache_write_1h" if re.search(r"\b1 ?h", words) else "cache_write_5m"
        return "cache_read"
    if re.search(r"\b(output|completion)", words):
        return "output"
    return "input" if re.search(r"\b(input|prompt|uncached)", words) else "other"


def plain(model: str) -> str:
    """A model's name without what says where it is run: "openai/gpt-4o" is gpt-4o."""
    return _REVISION.sub("", _PREFIX.sub("", model.strip().lower()))


def family(model: str) -> str:
    """A model's name without the date of its snapshot: "gpt-4o-2024-08-06" is gpt-4o."""
    return _DATE.sub("", plain(model))


def labels(ours: Iterable[str], theirs: Iterable[str]) -> dict[str, str]:
    """Under which name each model is compared: the most specific that both sides use.

    A snapshot that both name is compared by itself. Where one side says "gpt-4o" and the other only
    "gpt-4o-2024-08-06", nothing tells which snapshots the bare name stands for, and all of that family
    are compared together.
    """
    mine, given = set(ours), set(theirs)
    bare = [{plain(name) for name in side if plain(name) == family(name)} for side in (mine, given)]
    known = [{family(name) for name in side} for side in (mine, given)]
    joined = (bare[0] ^ bare[1]) & known[0] & known[1]
    return {name: family(name) if family(name) in joined else plain(name) for name in mine | given}
