"""Tellers: one for each destination, which follow the log, wait out the interval, and try until it is delivered.

At least once, also over a restart: a position moves on when a message is delivered, or was tried for long enough.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from switchgear.jitter import JITTER

from ..transitions import TransitionLog
from .channels import Channel, DeliveryError, channel
from .events import Event, Place, event
from .grouping import Group, Grouping
from .messages import Message, message
from .model import Destination, NoticeSet
from .positions import Position, Positions

__all__ = ["TRIES", "Notices", "Tally"]

_log = logging.getLogger(__name__)
_LONGEST_PAUSE_S = 300.0
_AT_ONCE = 50
TRIES = 20
"""With pauses that double from 1 s up to 5 minutes, this many tries take about an hour."""

FILE_NAME = "notices.json"


@dataclass(slots=True)
class Tally:
    """What became of a destination's messages since the start."""

    delivered: int = 0
    failed_tries: int = 0
    given_up: int = 0


class Notices:
    """Tells every destination what it wants to know of what is appended to `log`; `run` goes on for ever."""

    def __init__(
        self,
        told: NoticeSet,
        log: TransitionLog,
        data: Path,
        *,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        trusted = tls or ssl.create_default_context()
        self._sorted = asyncio.Event()
        names = [destination.name for destination in told.destinations]
        self._positions = Positions(data / FILE_NAME, log, names)
        self._tellers = [
            _Teller(
                destination,
                channel(destination.way, told.allowed, trusted),
                self._positions,
                told.interval_s,
                self._sorted,
                clock,
                pause,
            )
            for destination in told.destinations
        ]
        for teller in self._tellers:
            teller.catch_up(_news(self._positions.missed(teller.name)))
        self._positions.caught_up()
        self._lines: deque[Mapping[str, Any]] = deque()
        self._logged = asyncio.Event()
        log.followers.append(self._follow)

    @property
    def tallies(self) -> Mapping[str, Tally]:
        """By destination."""
        return {teller.name: teller.tally for teller in self._tellers}

    def figures(self) -> Iterator[str]:
        """The tallies as Prometheus text, by line."""
        for what in ("delivered", "failed_tries", "given_up"):
            yield f"# TYPE switchgear_notices_{what}_total counter"
            for name, tally in self.tallies.items():
                label = orjson.dumps(name).decode()
                yield f"switchgear_notices_{what}_total{{destination={label}}} {getattr(tally, what)}"

    async def run(self) -> None:
        """Deliver until cancelled; what was not told by then is told after the next start."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._sort())
                for teller in self._tellers:
                    group.create_task(teller.run())
        finally:
            for teller in self._tellers:
                await teller.stop()
            self._positions.save()

    def _follow(self, lines: Sequence[Mapping[str, Any]]) -> None:
        """What the log calls, while the engine waits: to disable everything is thousands of lines."""
        self._lines.extend(lines)
        self._sorted.clear()
        self._logged.set()

    async def _sort(self) -> None:
        """Hand every line to every destination, a few at a time: what is logged together is told together."""
        while True:
            self._logged.clear()
            while self._lines:
                news = _news([self._lines.popleft() for _ in range(min(_AT_ONCE, len(self._lines)))])
                for teller in self._tellers:
                    teller.take(news)
                    await asyncio.sleep(0)
            self._sorted.set()
            await self._logged.wait()


_News = list[tuple[Place, Event | None]]


def _news(lines: Iterable[Mapping[str, Any]]) -> _News:
    found: _News = []
    for line in lines:
        try:
            found.append((Place(line["id"], line["hash"]), event(line)))
        except (KeyError, TypeError, ValueError, ArithmeticError):
            # Whatever stands there, others must still be told of.
            _log.exception("a line of the log of transitions cannot be told")
    return found


class _Teller:
    """Brings one destination its messages, one after the other."""

    def __init__(
        self,
        destination: Destination,
        way: Channel,
        positions: Positions,
        interval_s: float,
        sorted_: asyncio.Event,
        clock: Callable[[], float],
        pause: Callable[[float], Awaitable[None]],
    ) -> None:
        self.name, self.tally = destination.name, Tally()
        self._destination, self._channel, self._positions = destination, way, positions
        self._sorted, self._clock, self._pause = sorted_, clock, pause
        self._grouping = Grouping(interval_s, positions.of[self.name].told)
        self._arrived = asyncio.Event()
        self._again: Group | None = None

    def catch_up(self, news: _News) -> None:
        """Take in all that was appended since this destination was told something, however long that is ago."""
        position = self._positions.of[self.name]
        telling = position.told.line if position.telling is None else position.telling
        self.take([each for each in news if each[0].line <= telling])
        self._again = self._grouping.cut()
        self.take([each for each in news if each[0].line > telling])

    def take(self, news: _News) -> None:
        """Take in what follows in the log."""
        for self._grouping.seen, found in news:
            if found is not None and self._destination.wants(found):
                self._grouping.add(found)
                self._arrived.set()

    async def run(self) -> None:
        """Tell, for ever."""
        if self._again is not None:
            await self._tell(self._again)
        while True:
            await self._sorted.wait()
            self._arrived.clear()
            group = self._grouping.cut(self._clock())
            if group is None:
                await self._more()
            else:
                await self._tell(group)

    async def stop(self) -> None:
        """Note what was seen and was nothing for this destination, and leave nothing open."""
        if self._grouping.due_at is None and self._positions.of[self.name].telling is None:
            self._positions.of[self.name] = Position(self._grouping.seen)
        await self._channel.close()

    async def _more(self) -> None:
        """Wait until something arrives, or what has arrived is due."""
        due_at = self._grouping.due_at
        with suppress(TimeoutError):
            async with asyncio.timeout(None if due_at is None else due_at - self._clock()):
                await self._arrived.wait()

    async def _tell(self, group: Group) -> None:
        position = self._positions.of[self.name]
        position.telling = group.upto.line
        await asyncio.to_thread(self._positions.save)
        await self._deliver(message(group))
        self._positions.of[self.name] = Position(group.upto)
        await asyncio.to_thread(self._positions.save)

    async def _deliver(self, told: Message) -> None:
        """Try until it is delivered, will never be, or was tried for long enough."""
        for tried in range(1, TRIES + 1):
            problem = await self._try(told)
            if problem is None:
                self.tally.delivered += 1
                return
            self.tally.failed_tries += 1
            if problem.final or tried == TRIES:
                break
            if tried == 1:
                _log.warning("notices: %s: %s; trying again", self.name, problem)
            await self._pause(_pause_s(tried, problem.after_s))
        self.tally.given_up += 1
        _log.error("notices: %s: message %s is given up: %s", self.name, told.id, problem)

    async def _try(self, told: Message) -> DeliveryError | None:
        try:
            # Receivers compare the time with theirs, so that it is the machine's and not the engine's steady one.
            await self._channel.send(told, time.time())
        except DeliveryError as problem:
            return problem
        except Exception as problem:  # noqa: BLE001 - whatever it is, other messages must still be told
            _log.exception("notices: %s: a message cannot be sent", self.name)
            return DeliveryError(type(problem).__name__)
        return None


def _pause_s(tried: int, after_s: float | None) -> float:
    """How long to wait after so many tries: as long as the receiver says, or doubling, with jitter and a bound."""
    own = 2.0 ** (tried - 1) * JITTER.uniform(0.5, 1.5)
    return min(max(own, after_s or 0.0), _LONGEST_PAUSE_S)
