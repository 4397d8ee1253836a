"""google-genai: a `genai.Client`, for the Gemini API or Vertex AI, or its async half, `client.aio`.

Every model call goes out by one of its two HTTP clients, which are guarded as those of other SDKs are. Its own retry
options then hold for everything else that it asks for (files, caches, lists of models), and not for calls.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ..errors import ConfigError
from ..request import CallRequest, api_of, read
from .http import Sdk, guard_http

if TYPE_CHECKING:
    from .cached import Use

__all__ = ["wrap_google"]

_PROVIDER = "google"
_MARK = "_switchgear_guards"
# What the SDK takes where its retry options do not say how often, the first attempt included.
_USUAL_ATTEMPTS = 5


def wrap_google(client: Any, cache: Use | None = None) -> bool:
    """Guard a client of google-genai, both its sync and its async half; False where it is none.

    The async half then goes by httpx also where aiohttp is installed. Raises ConfigError where requests would go out
    by neither of the HTTP clients: by an aiohttp session of the user's own, or with a client certificate.
    """
    if not _is_client(type(client)):
        return False
    api = client._api_client
    made: Sdk | None = getattr(api, _MARK, None)
    if made is not None:
        made.cache = cache or made.cache
        return True
    _use_httpx(api)
    sdk = Sdk(_read, None, _max_retries(api), url=_url, cache=cache)
    guard_http(api._httpx_client, sdk)
    guard_http(api._async_httpx_client, sdk)
    _try_calls_once(api)
    setattr(api, _MARK, sdk)
    return True


def _is_client(kind: type) -> bool:
    return any(
        base.__module__ == "google.genai.client" and base.__name__ in ("Client", "AsyncClient")
        for base in kind.__mro__
    )


def _use_httpx(api: Any) -> None:
    # Where a client certificate is set up, google-auth has sessions of its own.
    by_auth = (getattr(api, f"_use_google_auth_{half}", None) for half in ("sync", "async"))
    by_aiohttp = api._use_aiohttp() and getattr(api._http_options, "aiohttp_client", None) is not None
    if by_aiohttp or any(used is not None and used() for used in by_auth):
        raise ConfigError(
            "wrap: this google.genai client sends by an aiohttp session or with a client certificate, which cannot "
            "be guarded; give it http_options with an httpx_client and an httpx_async_client"
        )
    api._use_aiohttp = lambda: False


def _max_retries(api: Any) -> int | None:
    """As often as the client's retry options say; None, as the guard's settings do, where it has none."""
    options = api._http_options.retry_options
    if options is None:
        return None
    attempts = _USUAL_ATTEMPTS if options.attempts is None else options.attempts
    return max(0, attempts - 1)


def _try_calls_once(api: Any) -> None:
    """Leave the retries of model calls to the guard, whatever options a request of them has."""
    request, async_request = api._request, api._async_request

    def once(http_request: Any, http_options: Any = None, stream: bool = False) -> Any:  # noqa: FBT001, FBT002 - theirs
        if _is_call(http_request):
            return api._request_once(http_request, stream)
        return request(http_request, http_options, stream)

    async def once_async(http_request: Any, http_options: Any = None, stream: bool = False) -> Any:  # noqa: FBT001, FBT002
        if _is_call(http_request):
            return await api._async_request_once(http_request, stream)
        return await async_request(http_request, http_options, stream)

    api._request, api._async_request = once, once_async


def _is_call(http_request: Any) -> bool:
    return api_of(_PROVIDER, http_request.method.upper(), urlsplit(http_request.url).path) is not None


def _read(request: Any) -> CallRequest | None:
    try:
        content = request.content
    except Exception:  # noqa: BLE001 - an upload that streams its body is no model call
        return None
    return read(_PROVIDER, request.method, request.url.path, content)


def _url(url: Any, model: str) -> Any:
    """The same method of another model, which stands beside this one."""
    before, _, last = url.path.rpartition("/")
    return url.copy_with(path=f"{before}/{model}:{last.rpartition(':')[2]}")
