"""Guards the clients of providers' SDKs, and what is built on them."""

from __future__ import annotations

from typing import Any, Literal, TypeVar

from ..errors import ConfigError
from .sdks import KNOWN, guarded_http_client, wrap_sdk

__all__ = ["http_client", "wrap"]

# Each guards a client that it knows, and says whether it does.
_KINDS = (wrap_sdk,)

C = TypeVar("C")


def wrap(client: C) -> C:
    """Guard an OpenAI or Anthropic client, sync or async, and return that same client.

    Copies made with `with_options` share its HTTP client and are guarded too. Wrapping twice changes nothing.
    Raises ConfigError for a client of another kind.
    """
    if not any(guards(client) for guards in _KINDS):
        kind = type(client)
        raise ConfigError(f"wrap: {kind.__module__}.{kind.__qualname__} is no client of {' or '.join(KNOWN)}")
    return client


def http_client(*, for_: Literal["openai", "anthropic"], asynchronous: bool = False, **options: Any) -> Any:
    """A guarded HTTP client for a provider SDK's `http_client=`, with that SDK's own timeouts and limits.

    `options` go to the SDK's own default client class (`base_url`, `proxy`, `timeout`, ...).
    """
    return guarded_http_client(for_, asynchronous=asynchronous, **options)
