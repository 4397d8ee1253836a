"""Follows the decisions of the scopes at work, by one long-poll for a thousand of them."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ..context import Task
from ..decision import Decision
from ..jitter import JITTER
from .away import Away
from .wire import Scope, ahead, read_decision

if TYPE_CHECKING:
    import httpx

__all__ = ["Following"]

_log = logging.getLogger("switchgear")
_WAIT_S = 5.0
_ANSWERS_WITHIN_S = 1.0
# Three times as long as a poll waits, as who comes back asks twice: however many processes lose an engine at once, they
# ask it no more often than before, give or take what chance does.
_AGAIN_WITHIN_S = 15.0
_LEFT_ALONE_S = 0.25
# Tasks that begin within it are asked for together; the more of them there are, the more it costs to ask.
_GATHER_S = 0.02
_GATHER_EACH_S = 50e-6
# Well within what an engine reads as one body, however long the names.
_MOST_AT_ONCE = 1000
_FORBIDDEN = 403
_REFUSED_FOR_S = 60.0


class Following:
    """The last decision of each scope that somebody watches. Read from any thread, written by one loop."""

    def __init__(self, away: Away, max_stale_s: float) -> None:
        self._away = away
        self._max_stale_s = max_stale_s
        self._lock = threading.Lock()
        self._watched: dict[Scope, list[Task]] = {}
        self._decisions: dict[Scope, Decision] = {}
        self._refused: dict[str, float] = {}
        """Tenants that this key may not ask for, and until when they are left out."""
        self._poll: asyncio.Task[None] | None = None
        self._anew = False
        self._first: set[object] = set()
        """The polls that wait for their first answer, which comes at once."""

    def watch(self, task: Task) -> bool:
        """Follow the decision for a task from now on; whether its scope is a new one."""
        scope = Scope.of(task)
        with self._lock:
            tasks = self._watched.setdefault(scope, [])
            tasks.append(task)
            known = self._decisions.get(scope)
        if known is not None:
            _tell(task, known)
        return len(tasks) == 1

    def follow(self, scope: Scope) -> bool:
        """Follow the decision for a scope that is no task's, for good; whether it is a new one."""
        with self._lock:
            new = scope not in self._watched
            self._watched.setdefault(scope, [])
        return new

    def unwatch(self, task: Task) -> None:
        """Stop following, once for each `watch`."""
        scope = Scope.of(task)
        with self._lock:
            tasks = self._watched.get(scope, [])
            # By identity: one task may be worked for at several places of a process.
            found = next((place for place, each in enumerate(tasks) if each is task), None)
            if found is not None:
                del tasks[found]
            if not tasks:
                self._watched.pop(scope, None)
                self._decisions.pop(scope, None)

    def forked(self) -> None:
        """In a child process: somebody may have held the lock when it was forked."""
        self._lock = threading.Lock()
        self._poll, self._first = None, set()

    def decision(self, scope: Scope) -> Decision | None:
        """The last decision heard for a scope, however old."""
        return self._decisions.get(scope)

    def hear(self, scope: Scope, decision: Decision) -> None:
        """Take in a decision, unless it is older than the one that is known."""
        with self._lock:
            if scope not in self._watched:
                return
            known = self._decisions.get(scope)
            if known is not None and decision.version < known.version and not self._is_stale():
                # An answer of an earlier moment, by whatever way it came. After long silence it may be an engine
                # that was put back to an earlier state: what it says is what there is.
                return
            self._decisions[scope] = decision
            tasks = list(self._watched[scope])
        if known is None or known.id != decision.id:
            for task in tasks:
                _tell(task, decision)

    def poll_anew(self) -> None:
        """Ask again soon: other scopes are watched. On the loop."""
        self._anew = True
        self._restart()

    async def run(self, client: httpx.AsyncClient) -> None:
        """Poll for ever; a fault of the engine's or the line's pauses, and changes nothing that is known."""
        while True:
            self._anew = False
            soonest = time.monotonic() + _GATHER_S + len(self._watched) * _GATHER_EACH_S
            self._poll = asyncio.ensure_future(self._long_poll(client))
            try:
                await self._poll
            except asyncio.CancelledError:
                if asyncio.current_task().cancelling():  # type: ignore[union-attr]
                    raise
                await asyncio.sleep(max(0.0, soonest - time.monotonic()))
            except Exception:  # noqa: BLE001 - whatever it is: it must not reach an agent
                self._away.failed(_LEFT_ALONE_S, time.monotonic())
                await asyncio.sleep(JITTER.uniform(0.0, _AGAIN_WITHIN_S))

    def _restart(self) -> None:
        """Not while a first answer is under way: tasks that begin fast would keep each other from ever hearing one."""
        if self._anew and not self._first and self._poll is not None:
            self._anew = False
            self._poll.cancel()

    async def _long_poll(self, client: httpx.AsyncClient) -> None:
        while True:
            with self._lock:
                scopes = list(self._watched)
            now = time.monotonic()
            self._refused = {tenant: until for tenant, until in self._refused.items() if until > now}
            scopes = [scope for scope in scopes if scope.tenant not in self._refused]
            if not scopes:
                if self._away.silent:
                    # No agent's call asks meanwhile, and nobody else would find out.
                    (await client.get("/readyz")).raise_for_status()
                    self._away.heard(time.monotonic())
                await asyncio.sleep(_WAIT_S)
                continue
            async with asyncio.TaskGroup() as parts:
                for first in range(0, len(scopes), _MOST_AT_ONCE):
                    parts.create_task(self._follow(client, scopes[first : first + _MOST_AT_ONCE]))

    async def _follow(self, client: httpx.AsyncClient, scopes: list[Scope]) -> None:
        """Follow some scopes by a poll of their own, as long as anybody watches one of them."""
        etag: str | None = None
        first, poll = self._first, object()
        while scopes := [scope for scope in scopes if scope in self._watched]:
            soonest = time.monotonic() + _GATHER_S
            if etag is None:
                first.add(poll)
            try:
                reply = await self._asked(client, scopes, etag)
            finally:
                first.discard(poll)
            if reply.status_code == _FORBIDDEN:
                await self._apart(client, scopes)
                return
            reply.raise_for_status()
            answer = reply.json()
            off = ahead(reply.headers.get("date"), datetime.now(UTC))
            heard = [read_decision(decision, off) for decision in answer["decisions"]]
            for scope, decision in zip(scopes, heard, strict=True):
                self.hear(scope, decision)
            self._away.heard(time.monotonic())
            etag = str(answer["etag"])
            self._restart()
            # However fast it answers: it is asked no more often than anybody could tell.
            await asyncio.sleep(max(0.0, soonest - time.monotonic()))

    async def _asked(
        self, client: httpx.AsyncClient, scopes: Sequence[Scope], etag: str | None
    ) -> httpx.Response:
        wait_s = 0.0 if etag is None else _wait_s()
        body = {"scopes": [scope.to_wire() for scope in scopes], "etag": etag, "wait": wait_s}
        return await client.post("/v1/decisions:batch", json=body, timeout=wait_s + _ANSWERS_WITHIN_S)

    async def _apart(self, client: httpx.AsyncClient, scopes: Sequence[Scope]) -> None:
        """The key may not ask for one of these tenants: the others are followed without it."""
        tenants = sorted({scope.tenant for scope in scopes})
        if len(tenants) == 1:
            self._refused[tenants[0]] = time.monotonic() + _REFUSED_FOR_S
            _log.warning("the policy engine tells this key no decisions for tenant %r", tenants[0])
            return
        half = set(tenants[: len(tenants) // 2])
        async with asyncio.TaskGroup() as parts:
            parts.create_task(self._follow(client, [scope for scope in scopes if scope.tenant in half]))
            parts.create_task(self._follow(client, [scope for scope in scopes if scope.tenant not in half]))

    def _is_stale(self) -> bool:
        stale_s = self._away.stale_s(time.monotonic())
        return stale_s is None or stale_s > self._max_stale_s


def _wait_s() -> float:
    """How long a poll waits for news: those of many processes that began at once do not stay in step."""
    return _WAIT_S * JITTER.uniform(0.5, 1.5)


def _tell(task: Task, decision: Decision) -> None:
    """Let a task hear of it, in a thread of its own: what it calls then may take its time."""
    if task.listens:
        threading.Thread(target=task.hears, args=(decision,), name="switchgear-wrap-up", daemon=True).start()
