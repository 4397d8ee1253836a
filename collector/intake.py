"""Intake: the way of a whole request body to the disk, the same for HTTP and gRPC.

body -> inflate -> charge the sender's quota -> decode -> bill -> admit -> writer -> on disk -> the spans refused
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Protocol

from .billing import ATTRIBUTES, bill
from .call import Call, NotBilled
from .inflate import inflate
from .key import Key
from .metrics import Metrics
from .otlp import decode
from .writer import Writer

__all__ = ["Admits", "Everyone", "Intake"]


class Admits(Protocol):
    """Who may have what booked, and how much of it. Called from the decoder threads, so safe in any."""

    def charge(self, key: Key, size: int, now: datetime) -> None:
        """Count `size` bytes against the key's quota. Raises QuotaError where it has none left."""

    def admit(self, call: Call, key: Key, now: datetime, *, history: bool) -> Call | NotBilled:
        """The call as it may be booked for the key, or why it may not."""


class Everyone:
    """Admits every call of every key."""

    def charge(self, key: Key, size: int, now: datetime) -> None:
        """Nothing is counted."""

    def admit(self, call: Call, key: Key, now: datetime, *, history: bool) -> Call | NotBilled:
        """The call as it is."""
        return call


class Intake:
    """Decodes and bills two bodies at a time in threads, hands their calls to the writer and waits for the disk."""

    def __init__(
        self, writer: Writer, metrics: Metrics, *, admission: Admits, now: Callable[[], datetime]
    ) -> None:
        self._writer = writer
        self._metrics = metrics
        self._admission = admission
        self._now = now
        self._decoders = ThreadPoolExecutor(2, thread_name_prefix="collector-decode")

    def close(self) -> None:
        """Finish what is being decoded; take nothing new."""
        self._decoders.shutdown(wait=True, cancel_futures=True)

    async def take(
        self, body: bytes, *, content_type: str, encoding: str, key: Key, history: bool
    ) -> list[NotBilled]:
        """Book what `body` tells of; the spans that are refused. Returned means on disk.

        `history` asks to book spans of any age. Raises DecodeError for a body that can never be taken, QuotaError,
        BusyError or StoreError for one that should be sent again.
        """
        calls, not_billed = await asyncio.get_running_loop().run_in_executor(
            self._decoders, self._billed, body, content_type, encoding, key, history
        )
        if calls:
            await asyncio.wrap_future(self._writer.submit(calls))
        self._note(calls, not_billed)
        return [each for each in not_billed if each.rejected]

    def _billed(
        self,
        body: bytes,
        content_type: str,
        encoding: str,
        key: Key,
        history: bool,  # noqa: FBT001
    ) -> tuple[list[Call], list[NotBilled]]:
        now = self._now()
        plain = inflate(body, encoding)
        self._admission.charge(key, len(plain), now)
        decoded = decode(plain, content_type, ATTRIBUTES)
        calls: list[Call] = []
        not_billed = list(decoded.rejected)
        for span in decoded.spans:
            result = bill(span)
            if isinstance(result, Call):
                result = self._admission.admit(result, key, now, history=history)
            if isinstance(result, Call):
                calls.append(result)
            else:
                not_billed.append(result)
        return calls, not_billed

    def _note(self, calls: Sequence[Call], not_billed: Sequence[NotBilled]) -> None:
        self._metrics.count("accepted_spans", len(calls) + len(not_billed))
        counted = Counter((each.rejected, each.code) for each in not_billed)
        for (rejected, code), count in counted.items():
            self._metrics.count("rejected_spans" if rejected else "not_billed_spans", count, reason=code)
