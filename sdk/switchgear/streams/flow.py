"""Flow: a streamed answer on its way to the caller, counted, and ended early where it is told to."""

from __future__ import annotations

import re

from ..request import CallRequest
from .endings import Ending, ending_of
from .meter import StreamMeter

__all__ = ["Flow"]

_EVENT_END = re.compile(rb"\n\r?\n")
_ENDS = (b"\n\n", b"\n\r\n")
# The end of an event that chunks may part.
_TAIL = 3


class Flow:
    """Passes the chunks of one stream on, as they come and none held back, until it is told to stop.

        for chunk in stream:
            yield flow.pass_on(chunk)
            if flow.over:
                ...                     # more was granted: flow.extend(limit); or not: flow.stop()
            if flow.done:
                break                   # and close the stream: the provider need not go on

    `limit` is how many output tokens the call's hold is good for; None is any number. `stop` may come at any time and
    from any thread. What the caller then gets is the rest of the event that it is in the middle of, and the events by
    which the provider would end an answer that has reached its maximum of output tokens. Only what may be cut
    (`cuts`) is followed closely enough for that; else, and for a compressed stream or a format that is not known,
    `stop` changes nothing.
    """

    def __init__(self, meter: StreamMeter, request: CallRequest, limit: int | None, *, cuts: bool) -> None:
        self.meter = meter
        self.done = False
        """Whether the caller has got an end that is not the provider's."""
        self._request, self._limit = request, limit
        self._cuts = cuts and meter.plain
        self._stopped = False
        self._ending: Ending | None = None
        self._tail = b""

    @property
    def over(self) -> bool:
        """Whether more has come than was held for."""
        return self._limit is not None and self.meter.output_so_far > self._limit

    def extend(self, limit: int | None) -> None:
        """More is held now: `limit` output tokens in all."""
        self._limit = limit

    def stop(self) -> None:
        """End the answer as soon as it can be done cleanly."""
        self._stopped = self._cuts

    def pass_on(self, chunk: bytes) -> bytes:
        """The bytes to give to the caller: the chunk itself, but where the answer is cut."""
        if not self._stopped:
            return self._see(chunk)
        if self.done:
            return b""
        end = self._end_of_event(chunk)
        if end is None:
            return self._see(chunk)
        passed, dropped = self._see(chunk[:end]), chunk[end:]
        finish = self.finish()
        if not finish:
            return passed + self._see(dropped)
        # It is counted all the same, since the provider has made it. If that was all of the answer, nothing is cut.
        self.meter.feed(dropped)
        if self.meter.finished:
            self.done = self._stopped = False
            return chunk
        return passed + finish

    def finish(self) -> bytes:
        """The end of a stopped answer, to be given to the caller at once; empty where it cannot end here."""
        ending = self._ending
        if not self._stopped or self.done or ending is None or not ending.ready or ending.closing:
            return b""
        usage = self.meter.estimate(self._request.size)
        if usage is None or self.meter.finished or not self._tail.endswith(_ENDS):
            return b""
        try:
            end = ending.close(usage)
        except Exception:  # noqa: BLE001 - see _follow
            self._give_up()
            return b""
        self.done = True
        return end

    def _see(self, chunk: bytes) -> bytes:
        lines = self.meter.feed(chunk)
        if self._cuts and chunk:
            self._tail = chunk[-_TAIL:] if len(chunk) >= _TAIL else (self._tail + chunk)[-_TAIL:]
            self._follow(lines)
        return chunk

    def _follow(self, lines: bytes) -> None:
        if self._ending is None and self.meter.format is not None:
            self._ending = ending_of(
                self.meter.format, self._request.choices, streams_usage=self._request.streams_usage
            )
            self._cuts = self._ending is not None
        if self._ending is not None and lines:
            try:
                self._ending.see(lines)
            except Exception:  # noqa: BLE001 - events that are not as their format has them are passed on as they are
                self._give_up()

    def _give_up(self) -> None:
        self._cuts = self._stopped = False
        self._ending = None

    def _end_of_event(self, chunk: bytes) -> int | None:
        """How many bytes of a chunk belong to the event that is under way; None where all of them do."""
        if self._tail.endswith(_ENDS):
            return 0
        before = len(self._tail)
        for found in _EVENT_END.finditer(self._tail + chunk):
            if found.end() > before:
                return found.end() - before
        return None
