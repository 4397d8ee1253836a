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

_LONGEST_DOCUMENT = 4 << 20


def tapped(response: Any, call: Call) -> Any:
    """The byte stream of a response, which settles its call when it ends, is closed or is dropped."""
    library = _library(response)
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    # Callers may take a whole answer as it comes, too.
    answer = _Document(response, call) if kind.endswith("json") else _Events(response, call)
    return _tap(library)(response.stream, answer, call)


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


class _Events:
    """An answer in server-sent events, counted as they pass."""

    def __init__(self, response: Any, call: Call) -> None:
        encoding = response.headers.get("content-encoding", "").lower()
        self._flow = Flow(
            StreamMeter(call.request.provider, encoding), call.request, call.covers, cuts=call.cuts
        )
        self._call = call

    @property
    def done(self) -> bool:
        return self._flow.done

    def pass_on(self, chunk: bytes) -> bytes:
        passed = self._flow.pass_on(chunk)
        if self._flow.done:
            self._call.cut()
        hold_more(self._flow, self._call)
        return passed

    def settle(self) -> None:
        meter = self._flow.meter
        # An answer that was cut, by us or by the caller, has no counts of its provider's: they are not known.
        self._call.settle(meter.usage(), meter.model, meter.response_id, meter.service_tier)


class _Document:
    """An answer that is one JSON document, of which a copy is kept until it is whole; too long a one is not read."""

    done = False

    def __init__(self, response: Any, call: Call) -> None:
        self._library, self._headers, self._call = _library(response), response.headers, call
        self._kept: bytearray | None = bytearray()

    def pass_on(self, chunk: bytes) -> bytes:
        if self._kept is not None:
            self._kept += chunk
            if len(self._kept) > _LONGEST_DOCUMENT:
                self._kept = None
        return chunk

    def settle(self) -> None:
        self._call.settle_from(self._body())

    def _body(self) -> Any:
        if self._kept is None:
            return None
        try:
            # Which unpacks it as the caller's own did.
            whole = self._library.Response(200, headers=self._headers, content=bytes(self._kept))
            return whole.json()
        except Exception:  # noqa: BLE001 - it was left in the middle, or is no JSON; that is the caller's to find
            return None


def _library(message: Any) -> Any:
    """httpx or httpx2, whichever made a request or response."""
    return sys.modules[type(message).__module__.partition(".")[0]]


@cache
def _tap(library: Any) -> type[Any]:
    class Tap(library.SyncByteStream, library.AsyncByteStream):  # type: ignore[misc]
        def __init__(self, stream: Any, answer: _Events | _Document, call: Call) -> None:
            self._stream, self._answer, self._call = stream, answer, call

        def __iter__(self) -> Iterator[bytes]:
            try:
                for chunk in self._stream:
                    yield self._answer.pass_on(chunk)
                    if self._answer.done:
                        break
            except Exception:
                self._answer.settle()
                raise
            except BaseException:
                self._drop()
                raise
            self._answer.settle()

        async def __aiter__(self) -> AsyncIterator[bytes]:
            try:
                async for chunk in self._stream:
                    yield self._answer.pass_on(chunk)
                    if self._answer.done:
                        break
            except Exception:
                self._answer.settle()
                raise
            except BaseException:
                self._drop()
                raise
            self._answer.settle()

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

        def _drop(self) -> None:
            """It is left, by the garbage collector perhaps."""
            self._call.drop(self._answer.settle)

    return Tap
