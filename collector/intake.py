"""Intake: the way of a request body to the disk, the same for HTTP and gRPC.

enter (quota, room) -> the body, read by the lane -> inflate -> decode -> charge -> bill -> admit -> writer -> on disk
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from functools import partial

from .admission import Admission
from .answers import log_fault
from .billing import ATTRIBUTES, bill
from .call import Call, NotBilled
from .inflate import inflate
from .key import Key
from .metrics import Metrics
from .otlp import decode
from .room import Place, Room
from .span import Span
from .turns import Turns
from .writer import Writer

__all__ = ["Intake"]


class Intake:
    """Decodes and bills bodies in two threads, each key in its turn; hands calls to the writer, waits for the disk."""

    def __init__(
        self,
        writer: Writer,
        metrics: Metrics,
        admission: Admission,
        room: Room,
        *,
        now: Callable[[], datetime],
    ) -> None:
        self._writer = writer
        self._metrics = metrics
        self._admission = admission
        self._room = room
        self._now = now
        self._decoders = Turns(2, name="collector-decode")

    def close(self) -> None:
        """Finish what is being decoded; take nothing new."""
        self._decoders.close()

    def enter(self, key: Key) -> AbstractContextManager[Place]:
        """A place for a request of `key` before it is read, held until it is answered.

        Raises QuotaError or BusyError where it had better not be read at all.
        """
        self._admission.check(key, self._now())
        return self._room.enter(key)

    async def take(
        self, body: bytes, *, content_type: str, encoding: str, key: Key, history: bool
    ) -> list[NotBilled]:
        """Book what `body` tells of; the spans that are refused. Returned means on disk.

        `history` asks to book spans of any age. Raises DecodeError for a body that can never be taken, QuotaError,
        BusyError or StoreError for one that should be sent again.
        """
        work = partial(self._billed, body, content_type, encoding, key, history=history)
        calls, not_billed = await asyncio.wrap_future(self._decoders.submit(key.id, work))
        if calls:
            await asyncio.wrap_future(self._writer.submit(calls))
        self._note(calls, not_billed)
        return [each for each in not_billed if each.rejected]

    def _billed(
        self, body: bytes, content_type: str, encoding: str, key: Key, *, history: bool
    ) -> tuple[list[Call], list[NotBilled]]:
        now = self._now()
        # What this key had queued before may have used up its quota by now.
        self._admission.check(key, now)
        plain = inflate(body, encoding)
        self._admission.charge(key, len(plain), now)
        decoded = decode(plain, content_type, ATTRIBUTES)
        self._admission.charge(key, 0, now, spans=len(decoded.spans) + len(decoded.rejected))
        calls: list[Call] = []
        not_billed = list(decoded.rejected)
        for span in decoded.spans:
            result = self._admitted(span, key, now, history=history)
            if isinstance(result, Call):
                calls.append(result)
            else:
                not_billed.append(result)
        return calls, not_billed

    def _admitted(self, span: Span, key: Key, now: datetime, *, history: bool) -> Call | NotBilled:
        try:
            result = bill(span)
            if isinstance(result, Call):
                return self._admission.admit(result, key, now, history=history)
        except Exception as problem:  # noqa: BLE001 - sent again it would fail again, and hold up the spans beside it
            log_fault(f"span {span.trace_id}:{span.span_id} cannot be billed", problem)
            reason = "the collector failed on this span; its log says more"
            return NotBilled(span.trace_id, span.span_id, "fault", reason, rejected=True)
        return result

    def _note(self, calls: Sequence[Call], not_billed: Sequence[NotBilled]) -> None:
        self._metrics.count("accepted_spans", len(calls) + len(not_billed))
        counted = Counter((each.rejected, each.code) for each in not_billed)
        for (rejected, code), count in counted.items():
            self._metrics.count("rejected_spans" if rejected else "not_billed_spans", count, reason=code)
