"""The running engine: one event loop around the pure engine, with a clock, a log and those who wait.

Everything here runs on one loop, so that the engine needs no lock.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from switchgear.decision import Decision
from switchgear.jitter import JITTER
from switchgear.usage import Usage

from .admission import Granted, GrantRequest
from .breaker import State
from .caching.rules import suffix_of
from .capacity import parse
from .engine import BookedCall, Engine
from .files import PolicyFileError, load
from .judge import tag_of
from .keeping import Keeper
from .model import PolicySet, Who
from .queue import Retry
from .transitions import TransitionLog

__all__ = ["Listening", "Runtime", "steady_clock"]

Listening = Callable[[], AbstractAsyncContextManager[asyncio.Future[None]]]
"""Begins to listen for the asker: the future completes when it hangs up."""

_log = logging.getLogger(__name__)
_TICK_S = 0.05
_TIDY_S = 5.0
_FILE_LOOK_S = 1.0
_AFTER_FAILURE_S = 1.0
# A tick that comes so much too late says that more is asked than can be answered.
_LAGS_S = 0.25


@dataclass(slots=True)
class Runtime:
    """Owns the engine; `clock` gives seconds since the epoch. `figures` are lines that others add to its metrics."""

    engine: Engine
    log: TransitionLog
    policy_file: Path
    keeper: Keeper | None = None
    """None keeps nothing: what is granted is forgotten at the next start."""
    clock: Callable[[], float] = field(default_factory=lambda: steady_clock())
    loaded_at: float = 0.0
    file_error: str | None = None
    refused_at: float | None = None
    """When the change of the file was refused that `file_error` is about."""
    log_error: str | None = None
    reloaded: list[Callable[[PolicySet], None]] = field(default_factory=list)
    rebuilt: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once the counters are what they were before this start, as far as that can be known."""
    figures: list[Callable[[], Iterable[str]]] = field(default_factory=list)
    lags: bool = False
    """Whether the last tick came late by more than a quarter of a second: no answer is quick any more."""
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _version: int = 0
    _file_stamp: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        self.loaded_at = self.clock()
        self.engine.count_versions_from(self.loaded_at)
        self.engine.accounts.open_windows(self.loaded_at)
        self._file_stamp = self._stamp()

    def ready(self) -> None:
        """The counters are what they were: breakers may move, and calls be granted."""
        if not self.rebuilt.is_set():
            self.engine.watch.blind = False
            self.engine.watch.begin(self.clock())
            self.rebuilt.set()

    async def grant(
        self, request: GrantRequest, wait_s: float, listening: Listening
    ) -> tuple[Decision, Granted | None]:
        """The answer to a request, waiting up to `wait_s` for it, or until the asker hangs up."""
        if self.rebuilt.is_set():
            ticket = self.engine.request(request, self.clock())
            if ticket.decision is not None:
                self.after_change()
                return ticket.decision, ticket.grant
        async with listening() as gone:
            return await self._grant_later(request, wait_s, gone)

    async def _grant_later(
        self, request: GrantRequest, wait_s: float, gone: asyncio.Future[None]
    ) -> tuple[Decision, Granted | None]:
        if not self.rebuilt.is_set():
            await _first(self.rebuilt, gone, wait_s)
            if not self.rebuilt.is_set():
                return self.engine.unready(self.clock()), None
        ticket = self.engine.request(request, self.clock())
        if ticket.decision is None:
            answered = asyncio.Event()
            ticket.on_answer = answered.set
            await _first(answered, gone, wait_s)
        self.after_change()
        if ticket.decision is not None:
            return ticket.decision, ticket.grant
        now = self.clock()
        decision = self.engine.waiting(request.id, now)
        self.engine.leave(request.id, now)
        return decision, None

    async def decisions(
        self, who: Sequence[Who], etag: str | None, wait_s: float, gone: asyncio.Future[None]
    ) -> tuple[str, list[Decision]]:
        """Decisions for several scopes and their tag; waits up to `wait_s` while the tag is still `etag`."""
        deadline = self.clock() + wait_s
        while True:
            now = self.clock()
            verdicts = [self.engine.verdict(one, now) for one in who]
            caching = self.engine.policies.caching
            tag = tag_of(verdicts) + suffix_of([caching.of(one.tenant, one.workload) for one in who])
            if tag != etag or now >= deadline or gone.done():
                told = zip(who, verdicts, strict=True)
                return tag, [self.engine.told(one, verdict, now) for one, verdict in told]
            await _first(self._changed, gone, deadline - now)

    # Of one lease. Whoever ends several says `ended` once, after them and before anyone is told.

    def settle(self, lease: str, model: str | None, usage: Usage | None, response_id: str | None) -> bool:
        return self.engine.leases.settle(lease, model, usage, self.clock(), response_id)

    def release(self, lease: str, calls: int | None = None) -> bool:
        return self.engine.leases.release(lease, self.clock(), calls)

    def throttled(
        self, lease: str, retry_after_s: float, headers: Mapping[str, str], calls: int | None
    ) -> Retry | None:
        now = self.clock()
        jitter = JITTER.random()
        said = parse(headers, now)
        return self.engine.leases.throttled(lease, now, retry_after_s, said, calls, jitter=jitter)

    def reported(self, lease: str, headers: Mapping[str, str]) -> None:
        """The headers of a provider's answer name its limits."""
        self.engine.leases.reported(lease, parse(headers, self.clock()))

    def extend(self, lease: str, output_tokens: int) -> bool:
        return self.engine.leases.extend(lease, output_tokens, self.clock())

    def ended(self) -> None:
        """Calls have ended: write that down, and let those go that fit now."""
        self.engine.ended(self.clock())
        self.after_change()

    def booked(self, calls: Sequence[BookedCall]) -> None:
        self.engine.booked(calls, self.clock())
        self.after_change()

    def force(
        self, ceilings: Collection[str], state: State | None, by: str, reason: str, for_s: float | None
    ) -> None:
        now = self.clock()
        self.engine.by_hand.force(ceilings, state, by, reason, None if for_s is None else now + for_s, now)
        self.after_change()

    def after_change(self) -> None:
        """Write down what the engine did, before anyone is told of it, and wake those who wait for a change."""
        if self.engine.records:
            if self.keeper is None:
                self.engine.records.clear()
            else:
                self.keeper.write()
        if self.engine.outbox:
            self._write_down()
        if self.engine.version != self._version:
            self._version = self.engine.version
            self._changed.set()
            self._changed = asyncio.Event()

    def _write_down(self) -> None:
        outbox = self.engine.outbox
        try:
            self.log.append(*outbox)
            outbox.clear()
            self.log_error = None
        except OSError as error:
            # A full disk must not open the gate: the engine goes on, and what waits is written by a later tick.
            if self.log_error is None:
                _log.error("transitions cannot be written: %s", error)
            self.log_error = str(error)

    async def tick(self) -> None:
        """Let time pass for the engine, for ever."""
        tidied_at = slept_at = self.clock()
        while True:
            await asyncio.sleep(_TICK_S)
            now = self.clock()
            self.lags = now - slept_at - _TICK_S > _LAGS_S
            try:
                self.engine.tick(now)
                if now - tidied_at >= _TIDY_S:
                    tidied_at = now
                    self.engine.tidy(now)
                self.after_change()
            except Exception:  # noqa: BLE001 - without this loop no hold ends and no breaker recovers
                _log.exception("a tick of the engine failed")
                await asyncio.sleep(_AFTER_FAILURE_S)
            slept_at = self.clock()

    async def watch_file(self) -> None:
        """Take over the policy file when it changes, for ever; a bad file is reported and the last good set stays."""
        while True:
            await asyncio.sleep(_FILE_LOOK_S)
            stamp = await asyncio.to_thread(self._stamp)
            if stamp != self._file_stamp:
                self._file_stamp = stamp
                await self.reload()

    async def reload(self) -> None:
        """Read the policy file again, beside the loop: a thousand tenants take a second."""
        try:
            policies = await asyncio.to_thread(load, self.policy_file)
        except PolicyFileError as error:
            self.file_error, self.refused_at = str(error), self.clock()
            return
        self.file_error = self.refused_at = None
        self.loaded_at = self.clock()
        self.engine.replace(policies, self.loaded_at)
        for tell in self.reloaded:
            tell(policies)
        self.after_change()

    def _stamp(self) -> tuple[int, int] | None:
        try:
            status = self.policy_file.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size


def steady_clock() -> Callable[[], float]:
    """A clock of seconds since the epoch that a step of the machine's clock does not move.

    Windows, cool-downs and deadlines are lengths of time: a clock set back by an hour must not hold a breaker for it.
    """
    offset = time.time() - time.monotonic()
    return lambda: offset + time.monotonic()


async def _first(event: asyncio.Event, gone: asyncio.Future[Any], timeout_s: float) -> None:
    """Wait for the event, for the asker to hang up, or for the time to be over."""
    happened = asyncio.ensure_future(event.wait())
    try:
        await asyncio.wait({happened, gone}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        happened.cancel()
