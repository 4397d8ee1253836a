"""Intake: the way of a request body to the disk, the same for HTTP and gRPC.

enter (quota, room) -> the body, read by the lane -> inflate -> decode -> charge -> bill -> admit -> writer -> on disk
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from functools import partial

from ..billing import Price, price_of
from ..call import Call, NotBilled
from ..facts.rows import Packed, pack
from ..facts.writer import Writer
from ..keys.key import Key
from ..metrics import Metrics
from ..pricing import PriceCall
from ..turns import Turns
from .admission import Admission
from .answers import log_fault
from .body import BillBody
from .inflate import inflate
from .room import Place, Room

__all__ = ["Intake"]


class Intake:
    """Has bodies decoded and billed, each key in its turn; hands calls to the writer and waits for the disk."""

    def __init__(
        self,
        writer: Writer,
        metrics: Metrics,
        admission: Admission,
        room: Room,
        bill: BillBody,
        price: PriceCall,
        *,
        billers: int = 0,
        now: Callable[[], datetime],
    ) -> None:
        """`billers` is how many processes `bill` spreads its work over; 0 where it is done in the calling thread."""
        self._writer = writer
        self._metrics = metrics
        self._admission = admission
        self._room = room
        self._bill = bill
        self._price = price
        self._now = now
        # One thread a key to work in this interpreter, since a second would only contend for it (15 % fewer spans a
        # second), and one more for each process to wait for; of all threads one more, so that another key finds it.
        self._decoders = Turns(billers + 2, name="collector-decode", of_one_key=billers + 1)

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
        work = partial(self._packed, body, content_type, encoding, key, history=history)
        packed = await asyncio.wrap_future(self._decoders.submit(key.id, work))
        await asyncio.wrap_future(self._writer.submit(packed))
        self._note(packed)
        return [each for each in packed.not_billed if each.rejected]

    async def book(self, calls: Sequence[Call], key: Key) -> list[NotBilled]:
        """Book calls that came otherwise than as spans; those that are refused. Returned means on disk.

        Raises BusyError or StoreError for what should be sent again.
        """
        packed = self._admitted_all(calls, key, self._now(), history=False)
        await asyncio.wrap_future(self._writer.submit(packed))
        return [each for each in packed.not_billed if each.rejected]

    def _packed(self, body: bytes, content_type: str, encoding: str, key: Key, *, history: bool) -> Packed:
        now = self._now()
        # What this key had queued before may have used up its quota by now.
        self._admission.check(key, now)
        plain = inflate(body, encoding)
        self._admission.charge(key, len(plain), now)
        billed = self._bill(plain, content_type)
        self._admission.charge(key, 0, now, spans=len(billed))
        return self._admitted_all(billed, key, now, history=history)

    def _admitted_all(
        self, billed: Iterable[Call | NotBilled], key: Key, now: datetime, *, history: bool
    ) -> Packed:
        calls: list[Call] = []
        prices: list[Price] = []
        not_billed: list[NotBilled] = []
        for each in billed:
            result = self._admitted(each, key, now, history=history)
            if isinstance(result, NotBilled):
                not_billed.append(result)
            else:
                calls.append(result[0])
                prices.append(result[1])
        for flag, count in Counter(flag for call in calls for flag in call.flags).items():
            self._metrics.count("flagged_calls", count, flag=flag.value)
        return pack(calls, not_billed, prices=prices)

    def _admitted(
        self, each: Call | NotBilled, key: Key, now: datetime, *, history: bool
    ) -> tuple[Call, Price] | NotBilled:
        try:
            admitted = self._admission.admit(each, key, now, history=history)
            return (
                admitted if isinstance(admitted, NotBilled) else (admitted, price_of(admitted, self._price))
            )
        except Exception as problem:  # noqa: BLE001 - sent again it would fail again, and hold up the spans beside it
            log_fault(f"span {each.span} cannot be booked", problem)
            reason = "the collector failed on this span; its log says more"
            return NotBilled(each.trace_id, each.span_id, "internal", reason, rejected=True)

    def _note(self, packed: Packed) -> None:
        held = sum(each.held is not None for each in packed.not_billed)
        self._metrics.count("accepted_spans", packed.facts.num_rows - held + len(packed.not_billed))
        counted = Counter((each.rejected, each.code) for each in packed.not_billed)
        for (rejected, code), count in counted.items():
            self._metrics.count("rejected_spans" if rejected else "not_billed_spans", count, reason=code)
