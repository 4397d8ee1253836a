"""Killing: `kill -9` at random moments under load, and what every consumer of the feed must then still find true.

Requests are numbered; what a request holds follows from its number alone, so that it can be sent again and its calls
be looked up. The ledger of a campaign is what its client saw: which numbers it sent, and which were acknowledged.
"""

from __future__ import annotations

import http.client
import itertools
import statistics
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from random import Random
from urllib.parse import urlsplit

from load import Request, post
from server import Collector
from spans import ONE_IN_FOUR

__all__ = ["Campaign", "Moment", "Outcome"]

SENDERS = 4
SPANS_PER_S = 2_000
TRACES_A_REQUEST = 2
UNDER_LOAD_S = (0.1, 1.5)
WHILE_STOPPING_S = (0.0, 0.5)
BOOKED_WITHIN_S = 20.0
# Checkpoints and new segments as often as it takes for kills to meet them. On Linux it ends with whoever started it,
# who may be killed too: 1 is PR_SET_PDEATHSIG.
OFTEN = (
    "import ctypes, signal, sys\n"
    "sys.platform != 'linux' or ctypes.CDLL(None).prctl(1, signal.SIGKILL)\n"
    "import collector.facts.booker, collector.facts.journal, cli.main\n"
    "collector.facts.booker.CHECKPOINT_EVERY_S = 0.2\n"
    "collector.facts.journal.SEGMENT_BYTES = 65536\n"
    "cli.main.main()"
)


class Moment(StrEnum):
    """What the collector was doing when it was killed."""

    LOAD = "taking spans in"
    START = "starting"
    STOP = "stopping"


@dataclass(slots=True)
class Outcome:
    """What a campaign found. `lost` and `twice` are the calls that must not be."""

    kills: Counter[Moment] = field(default_factory=Counter)
    acknowledged: int = 0
    lost: set[str] = field(default_factory=set)
    twice: set[str] = field(default_factory=set)
    invented: set[str] = field(default_factory=set)
    ready_s: list[float] = field(default_factory=list)
    total: tuple[int, int, Decimal] = (0, 0, Decimal(0))
    """In the end, after everything was sent again: rows, distinct calls and their cost."""
    expected: tuple[int, int, Decimal] = (0, 0, Decimal(0))

    @property
    def sound(self) -> bool:
        """Whether nothing was lost, doubled or made up."""
        return not (self.lost or self.twice or self.invented) and self.total == self.expected

    def __str__(self) -> str:
        kills = ", ".join(f"{count} while {moment}" for moment, count in sorted(self.kills.items()))
        total, expected = (
            f"{rows} rows, {calls} calls, {cost} USD" for rows, calls, cost in (self.total, self.expected)
        )
        return (
            f"kills                      {self.kills.total()}: {kills}\n"
            f"calls acknowledged         {self.acknowledged}\n"
            f"acknowledged and lost      {len(self.lost)}\n"
            f"booked twice               {len(self.twice)}\n"
            f"booked and never sent      {len(self.invented)}\n"
            f"after sending all again    {total} (sent: {expected})\n"
            f"ready after                {statistics.median(self.ready_s):.1f} s median, "
            f"{max(self.ready_s):.1f} s at most, of {len(self.ready_s)} starts"
        )


class Campaign:
    """A collector on one folder that is killed and started again and again."""

    def __init__(self, data: Path, *, seed: int, note: Callable[[str], None] = lambda _: None) -> None:
        self._data = data
        self._random = Random(seed)
        self._seed = seed
        self._note = note
        self._request = Request(ONE_IN_FOUR, traces=TRACES_A_REQUEST)
        self._began_ns = time.time_ns()
        self._numbers = itertools.count()
        self._requests: list[int] = []
        self._of_last_round: list[int] = []
        self._sent: set[str] = set()
        self._acknowledged: set[str] = set()
        self._after = 0
        self._fed: Counter[str] = Counter()
        self.outcome = Outcome()

    def run(self, moments: Iterable[Moment]) -> Outcome:
        """Kill the collector at each of `moments` in turn, then send everything again; what was found."""
        for moment in moments:
            if moment is Moment.START:
                self._kill_starting()
            else:
                self._kill_working(moment)
            self.outcome.kills[moment] += 1
            self._note(
                f"{self.outcome.kills.total()}: killed while {moment}; {len(self._acknowledged)} calls taken"
            )
        collector = self._started()
        self._follow(collector)
        self._resend(collector, self._requests)
        self._follow(collector)
        found = collector.rows(
            "SELECT count(*), count(DISTINCT trace_id || span_id), sum(cost)::VARCHAR FROM calls"
        )
        rows, calls, cost = found[0]
        self.outcome.total = (rows, calls, Decimal(cost))
        self.outcome.expected = (len(self._sent), len(self._sent), len(self._requests) * self._request.cost)
        self.outcome.acknowledged = len(self._acknowledged)
        collector.stop()
        return self.outcome

    def _kill_starting(self) -> None:
        collector = self._begun()
        time.sleep(self._random.uniform(0, max(self.outcome.ready_s, default=1.0)))
        collector.kill()

    def _kill_working(self, moment: Moment) -> None:
        collector = self._started()
        self._follow(collector)
        self._resend(collector, self._of_last_round)
        already = len(self._requests)
        senders = [threading.Thread(target=self._send, args=(collector.traces,)) for _ in range(SENDERS)]
        for sender in senders:
            sender.start()
        time.sleep(self._random.uniform(*UNDER_LOAD_S))
        if moment is Moment.STOP:
            collector.process.terminate()
            time.sleep(self._random.uniform(*WHILE_STOPPING_S))
        collector.kill()
        for sender in senders:
            sender.join()
        self._of_last_round = self._requests[already:]

    def _begun(self) -> Collector:
        return Collector(self._data, program=[sys.executable, "-c", OFTEN])

    def _started(self) -> Collector:
        collector = self._begun()
        self.outcome.ready_s.append(collector.wait_ready())
        return collector

    def _send(self, url: str) -> None:
        """Send new requests at an even pace until the collector is gone."""
        pause = SENDERS * self._request.spans / SPANS_PER_S
        with closing(_connection(url)) as connection:
            for number in self._numbers:
                keys = self._request.keys(self._of(number))
                self._requests.append(number)
                self._sent.update(keys)
                try:
                    status = post(connection, urlsplit(url).path, self._body(number))
                except (OSError, http.client.HTTPException):
                    return
                if status == http.HTTPStatus.OK:
                    self._acknowledged.update(keys)
                time.sleep(pause)

    def _resend(self, collector: Collector, numbers: Iterable[int]) -> None:
        with closing(_connection(collector.traces)) as connection:
            for number in numbers:
                status = post(connection, urlsplit(collector.traces).path, self._body(number))
                assert status == http.HTTPStatus.OK, f"sent again, and answered {status}"
                self._acknowledged.update(self._request.keys(self._of(number)))

    def _body(self, number: int) -> bytearray:
        body = bytearray(self._request.encoded)
        self._request.stamp(body, self._of(number), self._began_ns + number * 1_000_000)
        return body

    def _of(self, number: int) -> Random:
        return Random(self._seed * 1_000_003 + number)

    def _follow(self, collector: Collector) -> None:
        """Read the feed on from where it was left, until all that was acknowledged has come; note what is wrong."""
        until = time.monotonic() + BOOKED_WITHIN_S
        while True:
            page = collector.http.get(
                "/v1/feed", params={"after": self._after, "wait": 0.2, "limit": 10_000}
            ).json()
            self._after = page["next"]
            self._fed.update(call["key"].partition("/")[2] for call in page["calls"])
            missing = self._acknowledged - self._fed.keys() - self.outcome.lost
            if not page["calls"] and (not missing or time.monotonic() > until):
                break
        self.outcome.lost |= missing
        self.outcome.twice |= {key for key, count in self._fed.items() if count > 1}
        self.outcome.invented |= self._fed.keys() - self._sent


def _connection(url: str) -> http.client.HTTPConnection:
    target = urlsplit(url)
    return http.client.HTTPConnection(target.hostname or "", target.port, timeout=60)
