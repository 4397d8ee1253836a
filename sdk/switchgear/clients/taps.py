"""Taps: a streamed response whose bytes are metered as they pass, none of them held back."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterator
from functools import cache
from typing import Any

from ..guard import Call
from ..streams import StreamMeter

__all__ = ["tapped"]


def tapped(response: Any, call: Call) -> Any:
    """The byte stream of a response, which settles its call when it ends, is closed or is dropped."""
    encoding = response.headers.get("content-encoding", "").lower()
    meter = StreamMeter(call.request.provider, encoding)
    return _tap(_library(response))(response.stream, meter, call)


def _library(message: Any) -> Any:
    """httpx or httpx2, whichever made a request or response."""
    return sys.modules[type(message).__module__.partition(".")[0]]


@cache
def _tap(library: Any) -> type[Any]:
    class Tap(library.SyncByteStream, library.AsyncByteStream):  # type: ignore[misc]
        def __init__(self, stream: Any, meter: StreamMeter, call: Call) -> None:
            self._stream, self._meter, self._call = stream, meter, call

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
            self._call.settle(self._meter.usage(), self._meter.model, self._meter.response_id)

    return Tap
