"""Parties: who sells a model's use, on whose machines it runs where that is another's, and who made the model.

FOCUS has four names for what one word, `provider`, says in a span. What is not known for certain is None: on whose
machines a provider's service runs is told only of those that own a cloud.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from ..prices.listed import names_of

__all__ = ["Seller", "developer", "seller"]


@dataclass(frozen=True, slots=True)
class Seller:
    """Who sells a call, and as what."""

    name: str
    """ServiceProviderName, and who issues the invoice."""
    service: str
    host: str | None
    """HostProviderName."""


_CLOUDS = {
    "aws": Seller("Amazon Web Services", "Amazon Bedrock", "Amazon Web Services"),
    "azure": Seller("Microsoft", "Azure OpenAI", "Microsoft"),
    "google": Seller("Google Cloud", "Gemini API", "Google Cloud"),
    "ovhcloud": Seller("OVHcloud", "AI Endpoints", "OVHcloud"),
    "cloudflare": Seller("Cloudflare", "Workers AI", "Cloudflare"),
}
_VERTEX = Seller("Google Cloud", "Vertex AI", "Google Cloud")
_AZURE_MODELS = Seller("Microsoft", "Azure AI Foundry", "Microsoft")
_NAMES = {
    "openai": "OpenAI",
    "anthropic": "Anthropic",
    "mistral": "Mistral AI",
    "cohere": "Cohere",
    "deepseek": "DeepSeek",
    "x-ai": "xAI",
    "groq": "Groq",
    "together": "Together AI",
    "fireworks": "Fireworks AI",
    "openrouter": "OpenRouter",
    "perplexity": "Perplexity",
    "voyageai": "Voyage AI",
    "meta": "Meta",
    "moonshotai": "Moonshot AI",
}
_DEVELOPERS = (
    ("claude", "Anthropic"),
    ("gpt|chatgpt|o[1-9]|text-embedding-(?:3|ada)|codex|davinci|whisper|dall-e", "OpenAI"),
    ("gemini|gemma|palm|text-embedding-00", "Google"),
    ("llama|meta-llama", "Meta"),
    ("mistral|mixtral|ministral|codestral|magistral|devstral|pixtral", "Mistral AI"),
    ("command|embed-|rerank|c4ai", "Cohere"),
    ("deepseek", "DeepSeek"),
    ("grok", "xAI"),
    ("qwen|qwq", "Alibaba Cloud"),
    ("nova|titan", "Amazon"),
    ("kimi|moonshot", "Moonshot AI"),
    ("phi-", "Microsoft"),
)
# "us.anthropic.claude-sonnet-4", "meta-llama/Llama-3.1-8B", "models/gemini-2.5-pro".
_PREFIX = re.compile(
    r"^.*/|^(?:(?:us|eu|apac|global)\.)?(?:anthropic|openai|amazon|meta|mistral|cohere|deepseek)\."
)
_PATTERNS = tuple((re.compile(f"(?:{pattern})"), name) for pattern, name in _DEVELOPERS)


@lru_cache(maxsize=4096)
def seller(provider: str) -> Seller:
    """Of whom it was bought: "aws.bedrock" is Amazon Web Services. A provider that is not known keeps its own name."""
    if "vertex" in provider:
        return _VERTEX
    if provider.endswith("ai.inference"):
        return _AZURE_MODELS
    for name in names_of(provider):
        if name in _CLOUDS:
            return _CLOUDS[name]
        if name in _NAMES:
            return Seller(_NAMES[name], f"{_NAMES[name]} API", None)
    return Seller(provider, f"{provider} API", None)


@lru_cache(maxsize=65_536)
def developer(model: str) -> str | None:
    """Who made the model, as its name tells; None where it does not."""
    name = _PREFIX.sub("", model.lower())
    return next((maker for pattern, maker in _PATTERNS if pattern.match(name)), None)
