"""Guards an HTTP client (httpx or httpx2), the one place through which every request of a provider's SDK goes.

The client keeps its own class, timeouts, limits, proxies and transport; only its `send` is preceded by the guard
and followed by the meter. That is where the span of the call is current, so that the hold's id lands on it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from inspect import iscoroutinefunction
from itertools import islice
from typing import TYPE_CHECKING, Any

from ..context import is_volatile
from ..guard import Answer, Call, Failure, Script, Wire, current, drive, drive_async
from ..request import CallRequest
from .taps import tapped

if TYPE_CHECKING:
    from .cached import Use

__all__ = ["DEGRADED_FROM", "Sdk", "guard_http", "settle"]

# By it OpenAI's and Anthropic's SDKs count their own retries.
_TRIED_BEFORE = "x-stainless-retry-count"
_MARK = "_switchgear_guards"
# Failures before anything was sent: nothing can have been billed.
_UNSENT = ("ConnectError", "ConnectTimeout", "PoolTimeout", "UnsupportedProtocol", "ProxyError")
# By these headers providers name their limits; the engine takes so many, and none that is longer.
_LIMIT_HEADERS = (b"x-ratelimit-", b"anthropic-ratelimit-")
_RETRY_HEADERS = (b"retry-after", b"retry-after-ms")
_MOST_HEADERS = 64
_LONGEST_HEADER = 256
DEGRADED_FROM = "x-switchgear-degraded-from"
# By it a caller marks a request whose answer no cache is to keep or serve.
_VOLATILE = "x-switchgear-volatile"


@dataclass(slots=True)
class Sdk:
    """What the SDK that uses an HTTP client expects of it."""

    read: Callable[[Any], CallRequest | None]
    """The model call that a request makes; None where it makes none."""
    error: type[Exception] | None
    """Its base error, which it lets through untouched."""
    max_retries: int | None
    """How often a call is tried again; None: as the guard's settings say."""
    failed: Callable[[Any, Exception], Exception] = lambda _request, error: error
    """The error of the SDK's own in place of one of the HTTP client's, so that it does not try again by itself."""
    url: Callable[[Any, str], Any] = lambda url, _model: url
    """Where a request goes that is to ask another model, if that is not the body's to say."""
    cache: Use | None = None
    """How its calls use the answer cache; None: they do not."""


def guard_http(client: Any, sdk: Sdk) -> None:
    """Guard the requests of an HTTP client, sync or async, that are model calls; once."""
    made: Sdk | None = getattr(client, _MARK, None)
    if made is not None:
        made.cache = sdk.cache or made.cache
        return
    send = client.send

    def guarded(request: Any, **options: Any) -> Any:
        streamed = bool(options.get("stream"))
        begun = _begin(request, sdk, streamed=streamed)
        if begun is None:
            return send(request, **options)
        call, script = begun
        try:
            response = drive(script, lambda body: send(_with_body(request, body, call, sdk), **options))
        except Exception as error:
            told = sdk.failed(request, error)
            if told is error:
                raise
            raise told from error
        return _finish(response, call, streamed=streamed)

    async def guarded_async(request: Any, **options: Any) -> Any:
        streamed = bool(options.get("stream"))
        begun = _begin(request, sdk, streamed=streamed)
        if begun is None:
            return await send(request, **options)
        call, script = begun
        try:
            response = await drive_async(
                script, lambda body: send(_with_body(request, body, call, sdk), **options)
            )
        except Exception as error:
            told = sdk.failed(request, error)
            if told is error:
                raise
            raise told from error
        return _finish(response, call, streamed=streamed)

    client.send = guarded_async if iscoroutinefunction(send) else guarded
    setattr(client, _MARK, sdk)


def _begin(request: Any, sdk: Sdk, *, streamed: bool) -> tuple[Call, Script[Any]] | None:
    """The guarded call that a request makes, and its script; None where it is none."""
    # No provider gets it, whether there is a cache or not.
    marked = _VOLATILE in request.headers
    if marked:
        del request.headers[_VOLATILE]
    guard = current()
    if guard is None:
        return None
    read = sdk.read(request)
    call = None if read is None else guard.begin(read, sdk.error)
    if call is None:
        return None
    if streamed:
        # One that is packed could be counted by its end alone, and not at all in the newer ways of packing.
        request.headers["accept-encoding"] = "identity"

    def answer(response: Any) -> Answer:
        call.headers = _limits(response)
        return Answer(response.status_code, response.headers)

    wire = Wire(answer, _failure, _close, _mark_last)
    # Behind a copy of the client its SDK may try again what was given up here (Anthropic's does so where a connection
    # failed): then once each time.
    tried_before = request.headers.get(_TRIED_BEFORE, "0") != "0"
    max_retries = 0 if tried_before else sdk.max_retries
    if sdk.cache is not None and guard.caching is not None:
        volatile = marked or is_volatile()
        return call, sdk.cache.script(
            guard, call, wire, max_retries, request, volatile=volatile, streamed=streamed
        )
    return call, guard.making(call, wire, max_retries)


def _with_body(request: Any, body: bytes | None, call: Call, sdk: Sdk) -> Any:
    """The request with another body where the decision says so, else the request itself."""
    if body is None:
        return request
    headers = [
        (name, value) for name, value in request.headers.multi_items() if name.lower() != "content-length"
    ]
    url = request.url if call.model is None else sdk.url(request.url, call.model)
    return type(request)(request.method, url, headers=headers, content=body, extensions=request.extensions)


def _failure(error: BaseException) -> Failure:
    """An attempt that raised: a cancelled one is not tried again, and may have been billed."""
    name = type(error).__name__
    return Failure(
        sent=name not in _UNSENT, passing=isinstance(error, Exception) and name != "UnsupportedProtocol"
    )


def _close(response: Any) -> Any:
    return response.aclose() if hasattr(response.stream, "aclose") else response.close()


def _mark_last(response: Any) -> None:
    """Tell the SDK, which asks this header first, that trying again was weighed already."""
    response.headers["x-should-retry"] = "false"


def _finish(response: Any, call: Call, *, streamed: bool) -> Any:
    if response.status_code >= 400 or call.served:
        return response
    if call.body is not None:
        response.headers[DEGRADED_FROM] = call.request.model
    if streamed:
        response.stream = tapped(response, call)
        return response
    settle(response, call)
    return response


def settle(response: Any, call: Call) -> None:
    """The call was answered with a response that is whole."""
    try:
        body = response.json()
    except (ValueError, RecursionError):
        body = None
    call.settle_from(body)


def _limits(response: Any) -> dict[str, str]:
    """The headers by which the provider names its limits, and no others, as far as the engine takes them."""
    # As they came: the client's own view of them decodes them all, at each look.
    said = (
        (name.decode("latin-1"), value.decode("latin-1"))
        for raw, value in response.headers.raw
        if ((name := raw.lower()).startswith(_LIMIT_HEADERS) or name in _RETRY_HEADERS)
        and max(len(name), len(value)) <= _LONGEST_HEADER
    )
    return dict(islice(said, _MOST_HEADERS))
