"""Follows the decisions of the scopes at work, by one long-poll for them all."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ..context import Task
from ..decision import Decision
from .away import Away
from .wire import Scope, ahead, read_decision

if TYPE_CHECKING:
    import httpx

__all__ = ["Following"]

_WAIT_S = 5.0
_ANSWERS_WITHIN_S = 1.0
_FIRST_PAUSE_S = 0.25
_LONGEST_PAUSE_S = 10.0


class Following:
    """The last decision of each scope that somebody watches. Read from any thread, written by one loop."""

    def __init__(self, away: Away, max_stale_s: float) -> None:
        self._away = away
        self._max_stale_s = max_stale_s
        self._lock = threading.Lock()
        self._watched: dict[Scope, list[Task]] = {}
        self._decisions: dict[Scope, Decision] = {}
        self._poll: asyncio.Task[None] | None = None

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
        """Ask again at once: other scopes are watched. On the loop."""
        if self._poll is not None:
            self._poll.cancel()

    async def run(self, client: httpx.AsyncClient) -> None:
        """Poll for ever; a fault of the engine's or the line's pauses, and changes nothing that is known."""
        pause = _FIRST_PAUSE_S
        while True:
            self._poll = asyncio.ensure_future(self._long_poll(client))
            try:
                await self._poll
                pause = _FIRST_PAUSE_S
            except asyncio.CancelledError:
                if asyncio.current_task().cancelling():  # type: ignore[union-attr]
                    raise
            except Exception:  # noqa: BLE001 - whatever it is: it must not reach an agent
                self._away.failed(_FIRST_PAUSE_S, time.monotonic())
                await asyncio.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - jitter
                pause = min(pause * 2, _LONGEST_PAUSE_S)

    async def _long_poll(self, client: httpx.AsyncClient) -> None:
        etag = None
        while True:
            with self._lock:
                scopes = list(self._watched)
            if not scopes:
                await asyncio.sleep(_WAIT_S)
                continue
            wait_s = _WAIT_S if etag else 0.0
            body = {"scopes": [scope.to_wire() for scope in scopes], "etag": etag, "wait": wait_s}
            reply = await client.post("/v1/decisions:batch", json=body, timeout=wait_s + _ANSWERS_WITHIN_S)
            reply.raise_for_status()
            answer = reply.json()
            off = ahead(reply.headers.get("date"), datetime.now(UTC))
            heard = [read_decision(decision, off) for decision in answer["decisions"]]
            etag = answer["etag"]
            for scope, decision in zip(scopes, heard, strict=True):
                self.hear(scope, decision)
            self._away.heard(time.monotonic())

    def _is_stale(self) -> bool:
        stale_s = self._away.stale_s(time.monotonic())
        return stale_s is None or stale_s > self._max_stale_s


def _tell(task: Task, decision: Decision) -> None:
    """Let a task hear of it, in a thread of its own: what it calls then may take its time."""
    if task.listens:
        threading.Thread(target=task.hears, args=(decision,), name="switchgear-wrap-up", daemon=True).start()
