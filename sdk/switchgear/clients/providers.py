"""Which provider a client talks to: many speak OpenAI's or Anthropic's format at another address."""

from __future__ import annotations

__all__ = ["provider_at"]

# By the end of the host's name; a price book knows them by these names.
_BY_HOST = {
    "api.anthropic.com": "anthropic",
    "api.cerebras.ai": "cerebras",
    "api.cohere.com": "cohere",
    "api.deepseek.com": "deepseek",
    "api.fireworks.ai": "fireworks",
    "api.groq.com": "groq",
    "api.mistral.ai": "mistral",
    "api.moonshot.ai": "moonshotai",
    "api.novita.ai": "novita",
    "api.openai.com": "openai",
    "api.together.xyz": "together",
    "api.x.ai": "x-ai",
    "generativelanguage.googleapis.com": "google",
    "aiplatform.googleapis.com": "google",
    "openrouter.ai": "openrouter",
    "openai.azure.com": "azure",
    "services.ai.azure.com": "azure",
    "router.huggingface.co": "huggingface",
}


def provider_at(host: str, otherwise: str) -> str:
    """The provider at a host, `otherwise` (that of the SDK) where it is not known."""
    name = host.lower()
    while name:
        if (known := _BY_HOST.get(name)) is not None:
            return known
        name = name.partition(".")[2]
    return otherwise
