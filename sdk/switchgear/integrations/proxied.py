"""What a call that a proxy makes for somebody says to the guard: whose it is, what is asked, and what it used.

Pure: LiteLLM's words come in as mappings, and nothing of LiteLLM is imported.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

from ..clients.providers import provider_at
from ..context import UNTAGGED
from ..errors import ConfigError
from ..names import name, parsed
from ..request import Api, CallRequest
from ..tier import Tier
from ..usage import Usage, from_response
from ..usage.body import count, part

__all__ = ["HEADERS", "METADATA", "Caller", "Key", "Whose", "provider_named", "request_of", "usage_of"]

METADATA = "metadata"
HEADERS = "headers"

# LiteLLM's names of the routes that are model calls of a form that is known.
_APIS: Mapping[str, Api] = {
    "acompletion": Api.CHAT,
    "completion": Api.CHAT,
    "atext_completion": Api.COMPLETIONS,
    "text_completion": Api.COMPLETIONS,
    "aembedding": Api.EMBEDDINGS,
    "embedding": Api.EMBEDDINGS,
    "embeddings": Api.EMBEDDINGS,
    "aresponses": Api.RESPONSES,
    "responses": Api.RESPONSES,
    "anthropic_messages": Api.MESSAGES,
}
# Of a request's fields, those by whose size the input is estimated, and those that say what is asked of the answer.
_INPUTS = ("messages", "input", "prompt", "system", "instructions", "tools", "functions")
_ASKED = (
    *("max_tokens", "max_completion_tokens", "max_output_tokens", "n", "best_of", "prompt", "stream_options"),
    *("tools", "functions", "response_format", "text", "output_format", "output_config"),
    *("thinking", "reasoning", "reasoning_effort"),
)
# LiteLLM's names of providers that price books and spans name otherwise.
_PROVIDERS: Mapping[str, str] = {
    "azure_ai": "azure",
    "bedrock": "aws",
    "bedrock_converse": "aws",
    "cohere_chat": "cohere",
    "fireworks_ai": "fireworks",
    "gemini": "google",
    "moonshot": "moonshotai",
    "text-completion-openai": "openai",
    "together_ai": "together",
    "vertex_ai": "google",
    "vertex_ai_beta": "google",
    "xai": "x-ai",
}
# What it puts before a Bedrock model to choose the operation.
_OPERATIONS = ("converse/", "invoke/")

T = TypeVar("T")


class Key(NamedTuple):
    """Who LiteLLM says made the request, by the key that it came with."""

    alias: str | None = None
    team: str | None = None
    team_alias: str | None = None
    user: str | None = None


class Caller(NamedTuple):
    """For whom a call is made. `task` is a root task's id, None for a call outside any."""

    tenant: str
    workload: str
    tier: Tier
    task: str | None
    user: str | None


@dataclass(frozen=True, slots=True)
class Whose:
    """Tells callers apart, as the operator of the proxy set it up.

    `tenants` maps key aliases, team ids and team aliases to tenants, and `trusts` says where a request itself may name
    them: in its "metadata", in its "headers", both, or nowhere. Raises ConfigError for anything else.
    """

    tenants: Mapping[str, str]
    trusts: Collection[str]
    tenant: str | None
    """Of requests whose key tells of none."""
    tier: Tier

    def __post_init__(self) -> None:
        for source in self.trusts:
            if source not in (METADATA, HEADERS):
                raise ConfigError(f'trusts: "{source}" is unknown; there are: {METADATA}, {HEADERS}')
        for known, tenant in self.tenants.items():
            name(f"tenants[{known!r}]", tenant)

    def caller(self, key: Key, metadata: Mapping[str, Any], headers: Mapping[str, Any]) -> Caller | None:
        """For whom a request is made; None where nothing names a tenant. Header names are in lower case.

        What is trusted and no usable name is passed over, as if it had not been said.
        """

        def said(what: str) -> str | None:
            return self._said(what, metadata, headers)

        tenant = said("tenant") or self._mapped(key) or _name(key.team_alias or key.team) or self.tenant
        if tenant is None:
            return None
        return Caller(
            tenant,
            said("workload") or _name(key.alias) or UNTAGGED,
            _usable(parsed, "tier", Tier.parse, said("tier")) or self.tier,
            said("task"),
            said("user") or _name(key.user),
        )

    def _said(self, what: str, metadata: Mapping[str, Any], headers: Mapping[str, Any]) -> str | None:
        found = None
        if METADATA in self.trusts:
            found = _name(metadata.get(f"switchgear_{what}"))
        if found is None and HEADERS in self.trusts:
            found = _name(headers.get(f"x-switchgear-{what}"))
        return found

    def _mapped(self, key: Key) -> str | None:
        known = (self.tenants.get(each) for each in (key.alias, key.team, key.team_alias) if each)
        return next((tenant for tenant in known if tenant is not None), None)


def request_of(call_type: str, data: Mapping[str, Any], provider: str, model: str) -> CallRequest | None:
    """The model call that a proxied request makes; None where it makes none whose form is known.

    `provider` and `model` are those that will answer.
    """
    api = _APIS.get(call_type)
    if api is None:
        return None
    given = json.dumps({each: data[each] for each in _INPUTS if data.get(each) is not None}, default=str)
    body = {each: data[each] for each in _ASKED if data.get(each) is not None} | {"model": model}
    return CallRequest(provider, model, body, len(given), api, writes_cache='"cache_control"' in given)


def provider_named(litellm: str, api_base: Any, model: str) -> tuple[str, str]:
    """(provider, model) as price books know them, for LiteLLM's name of a provider, its address and its model."""
    provider = _PROVIDERS.get(litellm, litellm)
    host = urlsplit(api_base).hostname if isinstance(api_base, str) else None
    for operation in _OPERATIONS if provider == "aws" else ():
        model = model.removeprefix(operation)
    return (provider_at(host, provider) if host else provider), model


def usage_of(body: Mapping[str, Any], *, streamed: bool) -> Usage | None:
    """What a response used, as LiteLLM tells of it in OpenAI's format or passes it on in Anthropic's.

    None where that is not known: in a stream without the provider's counts LiteLLM puts its own, which lack the details
    of the input. Raises UsageError where a count is impossible.
    """
    if body.get("type") == "message":
        return from_response("anthropic", body)
    usage = part(body, "usage")
    details = part(usage, "prompt_tokens_details", "input_tokens_details")
    if not usage or (streamed and not details and not count(usage, "cache_read_input_tokens")):
        return None
    written = count(details, "cache_creation_tokens", "cache_write_tokens") or count(
        usage, "cache_creation_input_tokens"
    )
    hour = count(part(details, "cache_creation_token_details"), "ephemeral_1h_input_tokens")
    read = count(details, "cached_tokens") or count(usage, "cache_read_input_tokens")
    told = {**details, "cached_tokens": read, "cache_write_tokens": written}
    found = from_response(
        "openai", {**body, "usage": {**usage, "prompt_tokens_details": told, "input_tokens_details": told}}
    )
    return found and replace(found, cache_write_5m=found.cache_write_5m - hour, cache_write_1h=hour)


def _name(value: Any) -> str | None:
    return _usable(name, "name", value)


def _usable(read: Callable[..., T], *given: Any) -> T | None:
    """What is read of something said from outside; None where nothing was said, or nothing that can be used."""
    if given[-1] is None:
        return None
    try:
        return read(*given)
    except ConfigError:
        return None
