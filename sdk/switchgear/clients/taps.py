"""Taps: a streamed response that is metered as its bytes pass, none of them held back.

An answer that outgrows its hold is held for more, in the background; where the engine has no room for that, and the
policy says so, it is cut: the caller sees the end of an answer that has reached its maximum.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future
from functools import cache
from typing import TYPE_CHECKING, Any

from ..guard import Call, drive, drive_async
from ..streams import Flow, StreamMeter

if TYPE_CHECKING:
    from ..cache.model import Answer

__all__ = ["hold_more", "tapped"]

_LONGEST_DOCUMENT = 4 << 20
_LONGEST_ANSWER = 1 << 20
"""Of a stream that is to be kept by a cache."""


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
        self._status, self._kind = response.status_code, response.headers.get("content-type", "")
        wanted = call.cached is not None and call.cached.ticket is not None and encoding in ("", "identity")
        self._copy: bytearray | None = bytearray() if wanted else None

    @property
    def done(self) -> bool:
        return self._flow.done

    def pass_on(self, chunk: bytes) -> bytes:
        passed = self._flow.pass_on(chunk)
        if self._copy is not None:
            self._copy += passed
            if len(self._copy) > _LONGEST_ANSWER:
                self._copy = None
        if self._flow.done:
            self._call.cut()
        hold_more(self._flow, self._call)
        return passed

    def settle(self) -> None:
        meter = self._flow.meter
        # An answer that was cut, by us or by the caller, has no counts of its provider's: they are not known.
        self._call.settle(meter.usage(), meter.model, meter.response_id, meter.service_tier)

    def answer(self) -> Answer | None:
        """What of it is worth keeping: nothing where it was left early."""
        from ..cache.answers import answer_of

        copy = self._copy
        return None if copy is None else answer_of(self._call.request, self._status, self._kind, bytes(copy))


class _Document:
    """An answer that is one JSON document, of which a copy is kept until it is whole; too long a one is not read."""

    done = False

    def __init__(self, response: Any, call: Call) -> None:
        self._library, self._headers, self._call = _library(response), response.headers, call
        self._status = response.status_code
        self._kept: bytearray | None = bytearray()

    def pass_on(self, chunk: bytes) -> bytes:
        if self._kept is not None:
            self._kept += chunk
            if len(self._kept) > _LONGEST_DOCUMENT:
                self._kept = None
        return chunk

    def settle(self) -> None:
        self._call.settle_from(self._body())

    def answer(self) -> Answer | None:
        """What of it is worth keeping."""
        from ..cache.answers import answer_of

        whole = self._whole()
        kind = self._headers.get("content-type", "")
        return None if whole is None else answer_of(self._call.request, self._status, kind, whole.content)

    def _body(self) -> Any:
        try:
            whole = self._whole()
            return None if whole is None else whole.json()
        except Exception:  # noqa: BLE001 - it was left in the middle, or is no JSON; that is the caller's to find
            return None

    def _whole(self) -> Any:
        """The response, as the caller's own unpacks it; None where it is not whole."""
        if self._kept is None:
            return None
        try:
            return self._library.Response(200, headers=self._headers, content=bytes(self._kept))
        except Exception:  # noqa: BLE001 - as above
            return None


def _never(_body: bytes | None) -> Any:
    raise AssertionError("nothing is sent once there is an answer")


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
                self._fail()
                raise
            except BaseException:
                self._drop()
                raise
            if self._call.cached is not None:
                drive(self._call.cached.learning(self._answer.answer), _never)
            self._answer.settle()

        async def __aiter__(self) -> AsyncIterator[bytes]:
            try:
                async for chunk in self._stream:
                    yield self._answer.pass_on(chunk)
                    if self._answer.done:
                        break
            except Exception:
                self._fail()
                raise
            except BaseException:
                self._drop()
                raise
            try:
                if self._call.cached is not None:
                    await drive_async(self._call.cached.learning(self._answer.answer), _never)
            finally:
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

        def _fail(self) -> None:
            """It broke off."""
            self._call.give_up()
            self._answer.settle()

        def _drop(self) -> None:
            """It is left, by the garbage collector perhaps."""
            self._call.drop(self._answer.settle, self._answer.answer)

    return Tap
