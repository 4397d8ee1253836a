"""Load: OTLP requests that are encoded once and made new by overwriting, and the connections that send them.

Encoding a span in Python costs more than a collector may spend on it, so a request is encoded once. Each time it is
sent, what must differ is overwritten in place: trace, span and response ids, the task, and the times. All of these
have fixed lengths. That leaves most of the machine to what is measured; `Sent.cpu_s` says how much it took.
"""

from __future__ import annotations

import http.client
import itertools
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from random import Random
from urllib.parse import urlsplit

import numpy as np
from spans import SPANS_PER_TRACE, Kind, MadeTrace, encoded, trace

from analytics.prices import PriceBook
from switchgear.usage import Usage

__all__ = ["SPANS_PER_REQUEST", "Request", "Sent", "post", "send"]

PROTOBUF = "application/x-protobuf"
SPANS_PER_REQUEST = 512
_TRACE_BYTES, _SPAN_BYTES = 16, 8
_RETRIED = frozenset({429, 503})
_COME_AGAIN_S = 0.05
_BOOK = PriceBook()


class Request:
    """One encoded request of traces with spans of these kinds, and where to overwrite it."""

    def __init__(self, kinds: Sequence[Kind], *, traces: int = SPANS_PER_REQUEST // SPANS_PER_TRACE) -> None:
        random = Random(4)
        made = [trace(kinds, number, random) for number in range(traces)]
        self.encoded = encoded(made)
        quotes = [_quote(*call) for each in made for call in each.calls]
        self.calls, self.cost = len(quotes), sum(quotes, Decimal(0))
        """Its billable spans, and what they cost at today's list prices."""
        self.spans = sum(len(each.spans) for each in made)
        self._fresh_bytes = traces * _TRACE_BYTES + self.spans * _SPAN_BYTES
        self._delays_ns = np.array([span.delays_ns for each in made for span in each.spans], np.uint64)
        self._call_ids: list[tuple[slice, slice]] = []
        """Where the ids of each billable span stand in the random bytes, written in hex."""
        self._to, self._of = self._places(made)

    def stamp(self, body: bytearray, random: Random, started_ns: int) -> None:
        """Make `body`, a copy of `encoded`, a request that was never sent: its traces begin at `started_ns`."""
        fresh = random.randbytes(self._fresh_bytes)
        times = (self._delays_ns + np.uint64(started_ns)).tobytes()
        source = np.frombuffer(fresh + fresh.hex().encode() + times, np.uint8)
        np.frombuffer(body, np.uint8)[self._to] = source[self._of]

    def keys(self, random: Random) -> list[str]:
        """The calls ("trace:span", hex) of the request that `stamp` makes with a `random` in this state."""
        fresh = random.randbytes(self._fresh_bytes).hex()
        return [f"{fresh[trace]}:{fresh[span]}" for trace, span in self._call_ids]

    def _places(self, made: Sequence[MadeTrace]) -> tuple[np.ndarray, np.ndarray]:
        """Which bytes of the request to overwrite, and with which of: random bytes, the same in hex, times."""
        hexed, clock = self._fresh_bytes, self._fresh_bytes * 3
        at = 0
        to: list[int] = []
        of: list[int] = []

        def copy(marker: bytes, source: int) -> None:
            begin = self.encoded.index(marker)
            while begin >= 0:
                to.extend(range(begin, begin + len(marker)))
                of.extend(range(source, source + len(marker)))
                begin = self.encoded.find(marker, begin + len(marker))

        for each in made:
            copy(each.trace_id, at)
            copy(each.trace_id.hex().encode(), hexed + 2 * at)
            of_trace = slice(2 * at, 2 * (at + _TRACE_BYTES))
            at += _TRACE_BYTES
            for span in each.spans:
                copy(span.span_id, at)
                if span.kind is Kind.CHAT:
                    copy(span.span_id.hex().encode(), hexed + 2 * at)
                    self._call_ids.append((of_trace, slice(2 * at, 2 * (at + _SPAN_BYTES))))
                at += _SPAN_BYTES
                for marker in span.times:
                    copy(marker, clock)
                    clock += len(marker)
        return np.array(to), np.array(of)


@dataclass(slots=True)
class Sent:
    """What became of the requests that were sent."""

    began: float = 0.0
    acknowledged: list[tuple[float, float]] = field(default_factory=list)
    """(when, after how many seconds), by `time.perf_counter`, for each request with a 200."""
    refused: list[float] = field(default_factory=list)
    """When an answer asked to come again (429, 503): the same request was, until it was taken or time was up."""
    cpu_s: float = 0.0
    """Processor time of this process meanwhile: what the generator took from the machine."""

    @property
    def seconds(self) -> float:
        """From the first request to the last acknowledgement."""
        return max((when for when, _ in self.acknowledged), default=self.began) - self.began

    def quantile_ms(self, share: float) -> float:
        """The time until acknowledgement that `share` of the requests did not exceed."""
        waits = sorted(wait for _, wait in self.acknowledged)
        return waits[min(int(share * len(waits)), len(waits) - 1)] * 1000 if waits else float("nan")

    def rate(self, first: int, last: int) -> float:
        """Requests a second between the acknowledgements number `first` and `last`, in their order."""
        times = [self.began, *sorted(when for when, _ in self.acknowledged)]
        return (last - first) / (times[last] - times[first])


def send(
    url: str,
    request: Request,
    *,
    connections: int,
    seconds: float | None = None,
    requests: int | None = None,
    started_ns: Callable[[int], int] = lambda _: time.time_ns() - 1_000_000_000,
    seed: int = 0,
) -> Sent:
    """Send for `seconds`, or `requests` requests, over kept-alive connections that each wait for their answer.

    `started_ns` gives the time at which the spans of request number n began. Raises OSError or
    http.client.HTTPException where a connection breaks, and RuntimeError for an answer that no retry mends.
    """
    sent = Sent(began=time.perf_counter())
    cpu = time.process_time()
    numbers: Iterator[int] = itertools.count() if requests is None else iter(range(requests))
    until = sent.began + seconds if seconds is not None else float("inf")
    failures: list[BaseException] = []

    def run(place: int) -> None:
        try:
            _run(url, request, sent, numbers, until, started_ns, Random(seed * 1_000 + place))
        except BaseException as failure:  # noqa: BLE001 - raised again where the threads are joined
            failures.append(failure)

    threads = [threading.Thread(target=run, args=(place,)) for place in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    sent.cpu_s = time.process_time() - cpu
    return sent


def post(connection: http.client.HTTPConnection, path: str, body: bytes | bytearray) -> int:
    """Send one request and read its answer; the status. Raises OSError or HTTPException where it breaks."""
    connection.request("POST", path, body, {"Content-Type": PROTOBUF})
    answer = connection.getresponse()
    answer.read()
    return answer.status


def _quote(provider: str, model: str, usage: Usage) -> Decimal:
    cost = _BOOK.quote(provider, model, usage, datetime.now(UTC)).cost
    assert cost is not None, f"{provider} {model} has no price: the load would not check costs"
    return cost


def _run(
    url: str,
    request: Request,
    sent: Sent,
    numbers: Iterator[int],
    until: float,
    started_ns: Callable[[int], int],
    random: Random,
) -> None:
    target = urlsplit(url)
    connection = http.client.HTTPConnection(target.hostname or "", target.port, timeout=60)
    body = bytearray(request.encoded)
    for number in numbers:
        request.stamp(body, random, started_ns(number))
        begun = time.perf_counter()
        if begun > until:
            break
        while (status := post(connection, target.path, body)) in _RETRIED:
            sent.refused.append(time.perf_counter())
            if sent.refused[-1] > until:
                break
            time.sleep(_COME_AGAIN_S)
        ended = time.perf_counter()
        if status == 200:
            sent.acknowledged.append((ended, ended - begun))
        elif status not in _RETRIED:
            raise RuntimeError(f"{url} answered {status}")
    connection.close()
