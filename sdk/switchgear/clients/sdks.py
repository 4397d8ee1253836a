"""The OpenAI and Anthropic SDKs: whose client it is, its HTTP client, and the errors that it lets through."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError, SwitchgearError
from ..guard import current
from ..request import CallRequest, read
from .http import Sdk, guard_http
from .providers import provider_at

if TYPE_CHECKING:
    from .cached import Use

__all__ = ["KNOWN", "guarded_http_client", "wrap_sdk"]

KNOWN = ("anthropic", "openai")
_ERRORS = {"openai": "OpenAIError", "anthropic": "AnthropicError"}
_CLIENTS = {"openai": ("OpenAI", "AsyncOpenAI"), "anthropic": ("Anthropic", "AsyncAnthropic")}


def wrap_sdk(client: Any, cache: Use | None = None) -> bool:
    """Guard a client of OpenAI's or Anthropic's SDK; False where it is none.

    Where a guard is configured by then, it alone tries a call again, as often as the client says, and the SDK no more.
    """
    name = _sdk_of(type(client))
    inner = getattr(client, "_client", None)
    if name is None or inner is None:
        return False
    guard_http(inner, _sdk(name, client.max_retries, cache))
    if current() is not None:
        client.max_retries = 0
    return True


def guarded_http_client(for_: str, cache: Use | None = None, *, asynchronous: bool, **options: Any) -> Any:
    """An SDK's own default HTTP client, guarded. Raises ConfigError where the SDK is unknown or missing."""
    if for_ not in KNOWN:
        raise ConfigError(f'http_client: for_="{for_}" is unknown; there are: {", ".join(KNOWN)}')
    try:
        sdk = importlib.import_module(for_)
    except ImportError:
        raise ConfigError(f'http_client: for_="{for_}" needs that SDK: pip install {for_}') from None
    client = (sdk.DefaultAsyncHttpxClient if asynchronous else sdk.DefaultHttpxClient)(**options)
    guard_http(client, _sdk(for_, None, cache))
    return client


def _sdk_of(kind: type) -> str | None:
    """Whose API a class of client speaks. Anthropic's for Bedrock and Vertex speak those clouds' own."""
    for base in kind.__mro__:
        sdk = base.__module__.partition(".")[0]
        if base.__name__ in _CLIENTS.get(sdk, ()):
            return sdk
    return None


def _sdk(name: str, max_retries: int | None, cache: Use | None) -> Sdk:
    module = importlib.import_module(name)
    return Sdk(
        partial(_read, name), getattr(module, _ERRORS[name]), max_retries, _failed(module), cache=cache
    )


def _read(sdk: str, request: Any) -> CallRequest | None:
    try:
        content = request.content
    except Exception:  # noqa: BLE001 - an upload that streams its body is no model call
        return None
    call = read(sdk, request.method, request.url.path, content)
    if call is None or (provider := provider_at(request.url.host, sdk)) == sdk:
        return call
    return replace(call, provider=provider)


def _failed(module: Any) -> Callable[[Any, Exception], Exception]:
    """What the SDK would make of an error of its HTTP client, once it has given up."""

    def failed(request: Any, error: Exception) -> Exception:
        if isinstance(error, SwitchgearError) or type(error).__module__.partition(".")[0] not in (
            "httpx",
            "httpx2",
        ):
            return error
        if "Timeout" in type(error).__name__:
            return module.APITimeoutError(request=request)  # type: ignore[no-any-return]
        return module.APIConnectionError(request=request)  # type: ignore[no-any-return]

    return failed
