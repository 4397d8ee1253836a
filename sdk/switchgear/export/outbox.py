"""Outbox: finished spans, on their way to the collector in the background, and kept while it is away.

A thread of its own sends them in batches. Each body gets one short attempt: the spool is what tries again, so that
neither an agent's thread nor its exit waits for a collector that is away or says nothing.
"""

from __future__ import annotations

import os
import sys
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from opentelemetry import context as otel
from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor

from ..context import run_in
from ..jitter import JITTER
from ..settings import Settings
from .bodies import encoded
from .complaints import Complaints
from .counts import Counts
from .facts import kept
from .line import Answer, Line, Verdict
from .pacing import LONGEST_PAUSE_S, Pacing
from .spool import Spool

__all__ = ["Outbox"]

# A burst of spans larger than the queue is dropped: this is one fan-out of several thousand calls with their
# framework's spans, or what a process makes in the seconds that one attempt takes with a collector that is silent.
_QUEUE = 65_536
_BATCH = 512
_ATTEMPT_S = 3.0
_PROBE_S = 1.0
_ADOPTS_EVERY_S = 60.0
# Of the time to close, what is kept back at least for writing to the disk, and at most; and what a span takes of it.
_LEAST_RESERVE, _MOST_RESERVE = 0.4, 0.9
_KEPT_IN_S = 0.000_1
# What is left of it for what cannot be stopped half-way.
_MARGIN = 0.04


class _Flush:
    """A flush that somebody waits for."""

    def __init__(self, until: float) -> None:
        self.until = until
        self.over = threading.Event()
        self.all_taken = False


@dataclass(frozen=True, slots=True)
class _Closing:
    """When the last attempt ends, and when everything does, by the monotonic clock."""

    last_attempt: float
    end: float


class Outbox(SpanProcessor):
    """Takes finished spans from any thread and sends them to one collector."""

    _thread: threading.Thread | None
    _flushing: _Flush | None
    _closing: _Closing | None
    _flight: Sequence[ReadableSpan]
    """The fresh spans of the attempt that is under way."""

    def __init__(self, settings: Settings) -> None:
        self._flush_s = max(settings.flush_ms, 1) / 1000
        self._complaints = Complaints()
        self._spool = Spool(settings, self._complaints)
        self._line = Line(settings)
        self._reset()
        if hasattr(os, "register_at_fork"):
            forked = weakref.WeakMethod(self._forked)
            os.register_at_fork(after_in_child=lambda: (method := forked()) and method())
        self._start()

    # What others call, from any thread.

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Nothing."""

    def on_end(self, span: ReadableSpan) -> None:
        """Send a span that was sampled."""
        if span.context is not None and span.context.trace_flags.sampled:
            self.put(span)

    def put(self, span: ReadableSpan) -> None:
        """Send a span, whatever a sampler said of it."""
        if self._closing is not None:
            return
        waiting = len(self._queue)
        if waiting >= _QUEUE:
            with self._lock:
                self._dropped += 1
            self._complaints.say("queue", "spans are dropped: more than %d wait to be sent", _QUEUE)
            return
        self._queue.append(span)
        # The thread sleeps until there is something to send, or a batch is full.
        if not waiting or waiting == _BATCH:
            if self._thread is None:
                self._start()
            self._wake.set()

    def flush(self, timeout_s: float) -> bool:
        """Try now; True when all that waited was taken, False where it is kept for later or the time was up."""
        if self._closing is not None:
            return not self._queue
        with self._lock:
            if self._flushing is None:
                self._flushing = _Flush(time.monotonic() + timeout_s)
            flushing = self._flushing
        if self._thread is None:
            self._start()
        self._wake.set()
        return flushing.over.wait(timeout_s) and flushing.all_taken

    def close(self, timeout_s: float) -> None:
        """Send what waits, as far as the time allows; keep the rest, and stop."""
        if self._closing is not None:
            return
        deadline = time.monotonic() + timeout_s
        writing_s = len(self._queue) * _KEPT_IN_S
        reserve_s = min(max(timeout_s * _LEAST_RESERVE, writing_s), timeout_s * _MOST_RESERVE)
        last_attempt = deadline - reserve_s
        self._closing = _Closing(last_attempt, deadline - timeout_s * _MARGIN)
        self._wake.set()
        if self._thread is not None:
            self._thread.join(max(0.0, last_attempt - time.monotonic()))
        # An attempt may hang longer than it should: what it carries and what waits behind it is kept then.
        flight, self._flight = self._flight, ()
        self._keep(flight)
        while batch := self._taken():
            self._keep(batch)
        self._spool.close()

    def shutdown(self) -> None:
        """What a tracer provider says at its end; records of calls may still come, until `close`."""
        self.flush(_ATTEMPT_S)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Like `flush`."""
        return self.flush(timeout_millis / 1000)

    def counts(self) -> Counts:
        """What became of the spans so far."""
        return Counts(self._sent, self._dropped + self._spool.dropped, self._refused, self._spool.waiting)

    # What the thread does.

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._queue: deque[ReadableSpan] = deque()
        self._flight = ()
        self._thread = None
        self._flushing = None
        self._closing = None
        self._sent = self._dropped = self._refused = 0
        self._pacing = Pacing()
        self._send_at: float | None = None
        self._adopt_at = 0.0

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="switchgear-export", daemon=True)
                # It outlives the task in which the first span happened to end.
                run_in(None, self._thread.start)

    def _forked(self) -> None:
        """In a fork child: what waits, is under way or on the disk is the parent's."""
        closed = self._closing
        self._reset()
        self._closing = closed
        self._line.forget()
        self._spool.forget()
        if closed is None:
            _at_end_of_worker(self)

    def _run(self) -> None:
        # An instrumented HTTP client must not make spans of what sends spans.
        otel.attach(otel.set_value(_SUPPRESS_INSTRUMENTATION_KEY, True))  # noqa: FBT003 - its own form
        while self._closing is None:
            self._sleep()
            try:
                self._step()
            except Exception as fault:  # noqa: BLE001 - whatever it is, the next spans are to be sent
                self._fault(fault)
        try:
            self._last()
        except Exception as fault:  # noqa: BLE001 - no fault of ours reaches an agent
            self._fault(fault)
        self._line.close()

    def _step(self) -> None:
        self._adopt()
        if self._flushing is not None:
            self._flush()
        elif self._closing is None:
            # In turn, so that neither what is fresh waits behind a long replay nor the other way round.
            self._send_fresh()
            self._replay()

    def _fault(self, fault: Exception) -> None:
        # Not its text, which may hold what a prompt said.
        self._complaints.say(
            "fault", "spans could not be sent, a fault of switchgear: %s", type(fault).__name__
        )
        self._pacing.missed(time.monotonic(), LONGEST_PAUSE_S)
        if self._flushing is not None:
            self._flushing.over.set()
            self._flushing = None

    def _sleep(self) -> None:
        """Until there is something to do."""
        while True:
            self._wake.clear()
            pause = self._due() - time.monotonic()
            if pause <= 0:
                return
            self._wake.wait(pause)

    def _due(self) -> float:
        """When there is something to do next."""
        if self._closing is not None or self._flushing is not None or len(self._queue) >= _BATCH:
            return 0.0
        due = self._adopt_at
        if self._queue:
            if self._send_at is None:
                self._send_at = time.monotonic() + self._flush_s
            due = min(due, self._send_at)
        if self._spool.waiting:
            due = min(due, self._pacing.until)
        return due

    def _adopt(self) -> None:
        now = time.monotonic()
        if now >= self._adopt_at:
            self._adopt_at = now + _ADOPTS_EVERY_S * JITTER.uniform(0.5, 1.5)
            self._spool.adopt()

    def _send_fresh(self) -> None:
        now = time.monotonic()
        ready = len(self._queue) >= _BATCH or (self._send_at is not None and now >= self._send_at)
        if ready:
            self._send(self._taken())

    def _replay(self) -> None:
        if self._spool.waiting and not self._away:
            self._send_oldest()

    def _flush(self) -> None:
        """Send everything, asking the collector once more whatever it said before."""
        with self._lock:
            flushing = self._flushing
        assert flushing is not None  # noqa: S101 - only this thread takes it away
        self._pacing.taken()  # as far as anybody knows

        def goes_on() -> bool:
            return self._closing is None and time.monotonic() < flushing.until

        while self._flushing is not None:
            self._drain(goes_on)
            with self._lock:
                # Who comes now, with a span that the loop has not seen, waits for this flush too.
                if not (self._queue and goes_on()):
                    self._flushing = None
        flushing.all_taken = not self._queue and not self._spool.waiting
        flushing.over.set()

    def _last(self) -> None:
        """Send what waits while there is time, and what was kept for half of it: that may wait for the next process."""
        closing = self._closing
        assert closing is not None  # noqa: S101 - it is what ended the loop
        self._pacing.until = 0.0
        half = (time.monotonic() + closing.last_attempt) / 2
        self._drain(lambda: time.monotonic() < (closing.last_attempt if self._queue else half))

    def _drain(self, goes_on: Callable[[], bool]) -> None:
        """Send what is fresh, then what was kept. Once the collector is away, what is fresh is only kept."""
        while goes_on():
            if self._queue:
                self._send(self._taken())
            elif not self._spool.waiting or self._away or not self._send_oldest():
                return

    def _time_left(self) -> float:
        """For one attempt."""
        closing = self._closing
        if closing is None:
            return _ATTEMPT_S
        # A process that ends asks a collector that was away once more, but does not wait for it to say nothing.
        longest = _PROBE_S if self._pacing.failed else _ATTEMPT_S
        return min(longest, closing.last_attempt - time.monotonic())

    @property
    def _away(self) -> bool:
        return time.monotonic() < self._pacing.until

    def _taken(self) -> list[ReadableSpan]:
        """The next batch of the queue, oldest first."""
        self._send_at = None
        batch: list[ReadableSpan] = []
        with suppress(IndexError):
            while len(batch) < _BATCH:
                batch.append(self._queue.popleft())
        return batch

    def _send(self, batch: Sequence[ReadableSpan]) -> None:
        """One attempt at spans that are fresh; what is not taken is kept."""
        timeout_s = self._time_left()
        if self._away or timeout_s <= 0:
            self._keep(batch)
            return
        self._flight = batch
        answer = self._line.post(encoded(batch), timeout_s)
        if self._flight is not batch:
            return  # whoever closed could not wait, and keeps them
        self._note(answer, len(batch))
        # Without prompts it may be small enough.
        if answer.verdict in (Verdict.LATER, Verdict.TOO_LARGE):
            self._keep(batch)
        # Not before they are kept: who closes now keeps them too, which is better than neither of both.
        self._flight = ()

    def _send_oldest(self) -> bool:
        """One attempt at what was kept longest; False where there is none, or nobody took it."""
        timeout_s = self._time_left()
        oldest = self._spool.oldest() if timeout_s > 0 else None
        if oldest is None:
            return False
        answer = self._line.post(oldest.body, timeout_s)
        self._note(answer, oldest.spans)
        if answer.verdict is Verdict.LATER:
            return False
        if answer.verdict is Verdict.TOO_LARGE:
            self._refuse(oldest.spans, answer.reason)
        self._spool.done(oldest)
        return True

    def _note(self, answer: Answer, spans: int) -> None:
        match answer.verdict:
            case Verdict.TAKEN:
                self._pacing.taken()
                self._sent += spans - answer.rejected
                if answer.rejected:
                    self._refuse(answer.rejected, answer.reason)
            case Verdict.NEVER:
                self._refuse(spans, answer.reason)
            case Verdict.LATER:
                self._pacing.missed(time.monotonic(), answer.after_s)
                self._complaints.say(
                    "away",
                    "the collector takes no spans (%s); billing records are kept meanwhile",
                    answer.reason,
                )

    def _refuse(self, spans: int, reason: str) -> None:
        self._refused += spans
        self._complaints.say("refused", "the collector refused %d spans: %s", spans, reason)

    def _keep(self, batch: Sequence[ReadableSpan]) -> None:
        """Put to the spool what billing needs of some spans."""
        closing = self._closing
        if closing is not None and time.monotonic() >= closing.end:
            self._dropped += len(batch)
            self._complaints.say("late", "spans are dropped: there is no more time to keep them")
            return
        facts = [small for span in batch if (small := kept(span)) is not None]
        if facts:
            self._spool.put(encoded(facts), len(facts))


def _at_end_of_worker(outbox: Outbox) -> None:
    """Have a worker of `multiprocessing`, which ends without `atexit`, send what waits before it does."""
    util = sys.modules.get("multiprocessing.util")
    if util is not None:
        util.register_after_fork(
            outbox, lambda forked: util.Finalize(forked, forked.flush, args=(_ATTEMPT_S,), exitpriority=0)
        )
