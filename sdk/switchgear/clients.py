"""Guards provider SDK clients at the one place through which every request of theirs goes: their HTTP client.

The client keeps its own class, timeouts, limits, proxies and transport; only its `send` is preceded by the guard
and followed by the meter. That is where the span of the call is current, so that the hold's id lands on it.
"""

from __future__ import annotations

import asyncio
import importlib
import sys
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future
from functools import cache
from inspect import iscoroutinefunction
from itertools import islice
from typing import Any, Literal, TypeVar

from . import runtime
from .control import Granted
from .errors import ConfigError
from .guard import Attempt, Guard
from .request import read
from .streams import StreamMeter

__all__ = ["http_client", "wrap"]

_SDK_ERRORS = {"openai": "OpenAIError", "anthropic": "AnthropicError"}
_CLIENTS = {"openai": ("OpenAI", "AsyncOpenAI"), "anthropic": ("Anthropic", "AsyncAnthropic")}
_MARK = "_switchgear_guards"
# Failures before anything was sent: nothing can have been billed.
_UNSENT = ("ConnectError", "ConnectTimeout", "PoolTimeout", "UnsupportedProtocol", "ProxyError")
# By these headers providers name their limits; the engine takes so many, and none that is longer.
_LIMIT_HEADERS = ("x-ratelimit-", "anthropic-ratelimit-")
_RETRY_HEADERS = ("retry-after", "retry-after-ms")
_MOST_HEADERS = 64
_LONGEST_HEADER = 256

C = TypeVar("C")


def wrap(client: C) -> C:
    """Guard an OpenAI or Anthropic client, sync or async, and return that same client.

    Copies made with `with_options` share its HTTP client and are guarded too. Wrapping twice changes nothing.
    Raises ConfigError for a client of another kind.
    """
    provider = _provider(type(client))
    inner = getattr(client, "_client", None)
    if provider is None or inner is None:
        known = " or ".join(sorted(_SDK_ERRORS))
        raise ConfigError(
            f"wrap: {type(client).__module__}.{type(client).__qualname__} is no client of {known}"
        )
    _guard(inner, provider)
    return client


def _provider(kind: type) -> str | None:
    """Whose API a class of client speaks. Anthropic's for Bedrock and Vertex speak those clouds' own."""
    for base in kind.__mro__:
        sdk = base.__module__.partition(".")[0]
        if base.__name__ in _CLIENTS.get(sdk, ()):
            return sdk
    return None


def http_client(*, for_: Literal["openai", "anthropic"], asynchronous: bool = False, **options: Any) -> Any:
    """A guarded HTTP client for a provider SDK's `http_client=`, with that SDK's own timeouts and limits.

    `options` go to the SDK's own default client class (`base_url`, `proxy`, `timeout`, ...).
    """
    if for_ not in _SDK_ERRORS:
        raise ConfigError(
            f'http_client: for_="{for_}" is unknown; there are: {", ".join(sorted(_SDK_ERRORS))}'
        )
    try:
        sdk = importlib.import_module(for_)
    except ImportError:
        raise ConfigError(f'http_client: for_="{for_}" needs that SDK: pip install {for_}') from None
    client = (sdk.DefaultAsyncHttpxClient if asynchronous else sdk.DefaultHttpxClient)(**options)
    _guard(client, for_)
    return client


def _guard(client: Any, provider: str) -> None:
    if getattr(client, _MARK, None) is not None:
        return
    sdk_error = getattr(importlib.import_module(provider), _SDK_ERRORS[provider])
    send = client.send

    def guarded(request: Any, **options: Any) -> Any:
        guard = runtime.guard_or_none()
        attempt = _begin(guard, request, provider, sdk_error)
        if guard is None or attempt is None:
            return send(request, **options)
        while not guard.answered(attempt, _asked(attempt)):
            pass
        try:
            response = send(_degraded(request, attempt), **options)
        except BaseException as error:
            _failed(attempt, error)
            raise
        _finish(response, attempt, streamed=bool(options.get("stream")))
        return response

    async def guarded_async(request: Any, **options: Any) -> Any:
        guard = runtime.guard_or_none()
        attempt = _begin(guard, request, provider, sdk_error)
        if guard is None or attempt is None:
            return await send(request, **options)
        while not guard.answered(attempt, await _asked_async(attempt)):
            pass
        try:
            response = await send(_degraded(request, attempt), **options)
        except BaseException as error:
            _failed(attempt, error)
            raise
        _finish(response, attempt, streamed=bool(options.get("stream")))
        return response

    client.send = guarded_async if iscoroutinefunction(send) else guarded
    setattr(client, _MARK, provider)


def _begin(guard: Guard | None, request: Any, provider: str, sdk_error: type[Exception]) -> Attempt | None:
    if guard is None:
        return None
    try:
        content = request.content
    except Exception:  # noqa: BLE001 - an upload that streams its body is no model call
        return None
    call = read(provider, request.method, request.url.path, content)
    if call is None:
        return None
    retries = request.headers.get("x-stainless-retry-count", "0")
    return guard.begin(call, sdk_error, 1 + (int(retries) if retries.isdigit() else 0))


def _asked(attempt: Attempt) -> Granted | None:
    asking = attempt.control.ask(attempt.body)
    try:
        return asking.result()
    except BaseException:
        _given_up(attempt, asking)
        raise


async def _asked_async(attempt: Attempt) -> Granted | None:
    asking = attempt.control.ask(attempt.body)
    try:
        return await asyncio.wrap_future(asking)
    except BaseException:
        _given_up(attempt, asking)
        raise


def _given_up(attempt: Attempt, asking: Future[Granted | None]) -> None:
    # The grant may be there already, on its way to a caller who was cancelled before it could take it.
    asking.cancel()
    asking.add_done_callback(lambda _: attempt.give_back())


def _degraded(request: Any, attempt: Attempt) -> Any:
    """The request with another model in its body where the decision says so, else the request itself."""
    if attempt.content is None:
        return request
    headers = [
        (name, value) for name, value in request.headers.multi_items() if name.lower() != "content-length"
    ]
    return type(request)(
        request.method, request.url, headers=headers, content=attempt.content, extensions=request.extensions
    )


def _failed(attempt: Attempt, error: BaseException) -> None:
    if type(error).__name__ in _UNSENT:
        attempt.release()
    else:
        attempt.settle(None)


def _finish(response: Any, attempt: Attempt, *, streamed: bool) -> None:
    attempt.headers = _limits(response)
    if response.status_code >= 400:
        attempt.release(throttled_for_s=_retry_after(response) if response.status_code == 429 else None)
    elif streamed:
        encoding = response.headers.get("content-encoding", "").lower()
        meter = StreamMeter(attempt.call.provider, encoding)
        response.stream = _tap(_library(response))(response.stream, meter, attempt)
    else:
        try:
            body = response.json()
        except ValueError:
            body = None
        attempt.settle_from(body)


def _retry_after(response: Any) -> float:
    """Seconds that the provider asks to wait; 1 where it does not say."""
    for header, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            # In this order NaN becomes 0.
            return min(max(0.0, float(response.headers.get(header, "")) * unit), 3600.0)
        except ValueError:
            continue
    return 1.0


def _limits(response: Any) -> dict[str, str]:
    """The headers by which the provider names its limits, and no others, as far as the engine takes them."""
    said = (
        (name, value)
        for name, value in response.headers.items()
        if (name.startswith(_LIMIT_HEADERS) or name in _RETRY_HEADERS)
        and max(len(name), len(value)) <= _LONGEST_HEADER
    )
    return dict(islice(said, _MOST_HEADERS))


def _library(message: Any) -> Any:
    """httpx or httpx2, whichever made a request or response."""
    return sys.modules[type(message).__module__.partition(".")[0]]


@cache
def _tap(library: Any) -> type[Any]:
    """A byte stream of that library which meters what passes."""

    class Tap(library.SyncByteStream, library.AsyncByteStream):  # type: ignore[misc]
        def __init__(self, stream: Any, meter: StreamMeter, attempt: Attempt) -> None:
            self._stream, self._meter, self._attempt = stream, meter, attempt

        def __iter__(self) -> Iterator[bytes]:
            try:
                for chunk in self._stream:
                    self._meter.feed(chunk)
                    yield chunk
            finally:
                self._settle()

        async def __aiter__(self) -> AsyncIterator[bytes]:
            try:
                async for chunk in self._stream:
                    self._meter.feed(chunk)
                    yield chunk
            finally:
                self._settle()

        def close(self) -> None:
            self._settle()
            self._stream.close()

        async def aclose(self) -> None:
            self._settle()
            await self._stream.aclose()

        def __del__(self) -> None:
            # Responses are dropped without being closed, too: a loop that is left, an answer that nobody reads.
            self._settle()

        def _settle(self) -> None:
            self._attempt.settle(self._meter.usage(), self._meter.model, self._meter.response_id)

    return Tap
