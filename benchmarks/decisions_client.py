"""Client: as many connections as told, each asking for the next decision as soon as it has one. A process of its own.

One thread, one epoll, requests that were encoded beforehand and answers that are only looked at for their status and
length: what is left of a core beside it is the engine's.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import cycle
from urllib.parse import urlsplit

from beside import Beside, cpu_s
from connection import complete

__all__ = ["Asked", "asking"]

SETTLES_S = 1.0
"""What is asked first is not counted: the engine meets each scope for the first time."""


@dataclass(slots=True)
class Asked:
    """What came of it. Times in seconds, without the first of them."""

    times: list[float] = field(default_factory=list)
    seconds: float = 0.0
    cpu_s: float = 0.0

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.times) / self.seconds

    def quantile_ms(self, share: float) -> float:
        """What `share` of the answers did not exceed."""
        times = sorted(self.times)
        return times[min(int(share * len(times)), len(times) - 1)] * 1000


def asking(url: str, requests: Sequence[bytes], *, connections: int, seconds: float) -> Asked:
    """Ask for `seconds`, in a process of its own. Raises RuntimeError for an answer that is not 200."""
    return Beside(_ask, url, requests, connections, seconds).value()


def _ask(url: str, requests: Sequence[bytes], connections: int, seconds: float) -> Asked:
    target = urlsplit(url)
    sockets = [socket.create_connection((target.hostname, target.port)) for _ in range(connections)]
    upcoming = cycle(requests)
    poll = select.epoll()
    by_number = {one.fileno(): one for one in sockets}
    data = dict.fromkeys(by_number, b"")
    began = time.perf_counter()
    counts_from, until = began + SETTLES_S, began + SETTLES_S + seconds
    sent = dict.fromkeys(by_number, began)
    for number, one in by_number.items():
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        poll.register(number, select.EPOLLIN)
        one.sendall(next(upcoming))
    found = Asked(seconds=seconds)
    now = began
    while now < until:
        for number, _ in poll.poll():
            one = by_number[number]
            data[number] += one.recv(65_536)
            whole = complete(data[number])
            if whole is None:
                continue
            if whole[0] != 200:
                raise RuntimeError(f"answered {data[number][:300]!r}")
            data[number] = b""
            now = time.perf_counter()
            if now >= counts_from:
                found.times.append(now - sent[number])
            one.sendall(next(upcoming))
            sent[number] = now
    found.cpu_s = cpu_s()
    return found
