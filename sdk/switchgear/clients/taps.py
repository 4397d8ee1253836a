"""Taps: a streamed response that is metered as its bytes pass, none of them held back.

An answer that outgrows its hold is held for more, in the background; where the engine has no room for that, and the
policy says so, it is cut: the caller sees the end of an answer that has reached its maximum.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future
from functools import cache
from typing import Any

from ..guard import Call
from ..streams import Flow, StreamMeter

__all__ = ["hold_more", "tapped"]


def tapped(response: Any, call: Call) -> Any:
    """The byte stream of a response, which settles its call when it ends, is closed or is dropped."""
    encoding = response.headers.get("content-encoding", "").lower()
    meter = StreamMeter(call.request.provider, encoding)
    flow = Flow(meter, call.request, call.covers, cuts=call.cuts)
    return _tap(_library(response))(response.stream, flow, call)


def hold_more(flow: Flow, call: Call) -> None:
    """Where an answer has outgrown its hold, ask for more in the background; where there is none, have it stopped."""
    if not flow.over:
        return
    limit = 2 * flow.meter.output_so_far
    # Until the answer is there the next doubling is not asked for.
    flow.extend(limit)

    def answered(extended: Future[bool]) -> None:
        if extended.cancelled() or not extended.result():
            flow.stop()

    call.extend(limit).add_done_callback(answered)


def _library(message: Any) -> Any:
    """httpx or httpx2, whichever made a request or response."""
    return sys.modules[type(message).__module__.partition(".")[0]]


@cache
def _tap(library: Any) -> type[Any]:
    class Tap(library.SyncByteStream, library.AsyncByteStream):  # type: ignore[misc]
        def __init__(self, stream: Any, flow: Flow, call: Call) -> None:
            self._stream, self._flow, self._call = stream, flow, call

        def __iter__(self) -> Iterator[bytes]:
            try:
                for chunk in self._stream:
                    yield self._passed(chunk)
                    if self._flow.done:
                        break
            except Exception:
                self._settle()
                raise
            except BaseException:
                self._drop()
                raise
            self._settle()

        async def __aiter__(self) -> AsyncIterator[bytes]:
            try:
                async for chunk in self._stream:
                    yield self._passed(chunk)
                    if self._flow.done:
                        break
            except Exception:
                self._settle()
                raise
            except BaseException:
                self._drop()
                raise
            self._settle()

        def close(self) -> None:
            # An SDK's own generator, which is thrown away, closes its response.
            self._drop()
            self._stream.close()

        async def aclose(self) -> None:
            self._drop()
            await self._stream.aclose()

        def __del__(self) -> None:
            # Responses are dropped without being closed, too: a loop that is left, an answer that nobody reads.
            self._drop()

        def _passed(self, chunk: bytes) -> bytes:
            passed = self._flow.pass_on(chunk)
            if self._flow.done:
                self._call.cut()
            hold_more(self._flow, self._call)
            return passed

        def _drop(self) -> None:
            """It is left, by the garbage collector perhaps."""
            self._call.drop(self._settle)

        def _settle(self) -> None:
            meter = self._flow.meter
            # An answer that was cut, by us or by the caller, has no counts of its provider's: they are not known.
            self._call.settle(meter.usage(), meter.model, meter.response_id)

    return Tap
