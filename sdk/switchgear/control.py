"""The line to the policy engine: decisions by long-poll, grants on request, settlements in the background.

One daemon thread with an event loop of its own serves synchronous and asynchronous callers alike, so that an agent's
own loop and threads carry none of it. Nothing here raises a fault of the engine's into a caller: it says None.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import ssl
import threading
import time
from collections.abc import Coroutine
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx

from .context import Task, run_in
from .decision import Decision
from .settings import Settings

__all__ = ["Control", "Granted", "Scope"]

_log = logging.getLogger("switchgear")
_POLL_WAIT_S = 5.0
_ASK_WAIT_S = 5.0
_FIRST_PAUSE_S = 0.25
_LONGEST_AWAY_S = 30.0
_LONGEST_PAUSE_S = 10.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose decision is followed; `task` is a root task's id."""

    tenant: str
    workload: str
    tier: str
    task: str | None

    @classmethod
    def of(cls, task: Task) -> Scope:
        return cls(task.tenant, task.workload, task.tier.value, task.root_id)

    def to_wire(self) -> dict[str, str]:
        parts = {"tenant": self.tenant, "workload": self.workload, "tier": self.tier, "task": self.task}
        return {name: value for name, value in parts.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Granted:
    """The engine's answer to a request for a grant; `lease` is None where the call may not be made (yet)."""

    decision: Decision
    grant: str | None
    lease: str | None


class Control:
    """Talks to one policy engine for one process. Starts on first use and again after a fork."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._watched: dict[Scope, int] = {}
        self._decisions: dict[Scope, Decision] = {}
        self._heard_at: float | None = None
        self._away_until = 0.0
        self._away_s = 0.0
        self._closed = False
        self._pid = 0
        self._begin()

    # What callers use, from any thread or loop.

    def watch(self, scope: Scope) -> None:
        """Follow a scope's decision from now on."""
        self._ensure_running()
        with self._lock:
            self._watched[scope] = self._watched.get(scope, 0) + 1
            if self._watched[scope] > 1:
                return
        self._call(self._poll_anew)

    def unwatch(self, scope: Scope) -> None:
        """Stop following, once for each `watch`."""
        with self._lock:
            left = self._watched.get(scope, 0) - 1
            if left > 0:
                self._watched[scope] = left
                return
            self._watched.pop(scope, None)
            self._decisions.pop(scope, None)

    def decision(self, scope: Scope) -> Decision | None:
        """The last decision heard for a scope, however old; no I/O."""
        return self._decisions.get(scope)

    def stale_s(self) -> float | None:
        """Seconds since the engine was last heard; None before it was heard at all."""
        return None if self._heard_at is None else time.monotonic() - self._heard_at

    def ask(self, body: dict[str, Any]) -> Future[Granted | None]:
        """Ask for a grant, waiting a few seconds in the engine's queue; None where the engine cannot be reached."""
        if self._closed:
            nobody: Future[Granted | None] = Future()
            nobody.set_result(None)
            return nobody
        self._ensure_running()
        return self._submit(self._ask(body))

    def finish(self, grant: str, verb: str, body: dict[str, Any]) -> None:
        """Settle or release a grant, in the background and in order."""
        if not self._closed:
            self._ensure_running()
            self._call(self._finished.put_nowait, (grant, verb, body))

    def flush(self, timeout_s: float) -> bool:
        """Wait until every settlement so far was sent; False where that took too long."""
        if self._pid != os.getpid():
            return True
        try:
            self._submit(self._finished.join()).result(timeout_s)
        except FutureTimeout:
            return False
        return True

    def close(self, timeout_s: float) -> None:
        """Send what is left, as far as the time allows, and stop."""
        if self._pid == os.getpid() and not self._closed:
            self.flush(timeout_s)
            self._closed = True
            self._call(self._loop.stop)
            self._thread.join(timeout_s)

    # What runs on the loop.

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._loop = asyncio.new_event_loop()
        self._finished: asyncio.Queue[tuple[str, str, dict[str, Any]]] = asyncio.Queue()
        self._poll: asyncio.Task[None] | None = None
        ready = threading.Event()
        self._thread = threading.Thread(
            target=self._run, args=(ready,), name="switchgear-control", daemon=True
        )
        # The thread outlives the task in which the first call happened to be made.
        run_in(None, self._thread.start)
        ready.wait(5.0)

    def _run(self, ready: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        headers = {"authorization": f"Bearer {self._settings.api_key}"} if self._settings.api_key else {}
        timeout = httpx.Timeout(_ASK_WAIT_S + 2.0, connect=1.0)
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=64)
        self._client = httpx.AsyncClient(
            base_url=self._settings.policies,
            headers=headers,
            timeout=timeout,
            limits=limits,
            verify=ssl.create_default_context(),
            trust_env=False,
        )
        poll = self._loop.create_task(self._follow())
        send = self._loop.create_task(self._send_finished())
        self._loop.call_soon(ready.set)
        self._loop.run_forever()
        for job in asyncio.all_tasks(self._loop):
            job.cancel()
        with suppress(asyncio.CancelledError):
            self._loop.run_until_complete(asyncio.gather(poll, send, return_exceptions=True))
        self._loop.run_until_complete(self._client.aclose())
        self._loop.close()

    async def _ask(self, body: dict[str, Any]) -> Granted | None:
        if time.monotonic() < self._away_until:
            return None
        try:
            reply = await self._client.post("/v1/grants", json={**body, "wait": _ASK_WAIT_S})
            if reply.status_code == 422:
                _log.warning("the policy engine refused a request: %s", reply.json().get("detail"))
                # A budget that it cannot use (another currency) must not lift everybody's ceilings.
                return await self._ask({**body, "budgets": []}) if body.get("budgets") else None
            reply.raise_for_status()
            answer = reply.json()
            decision, grant = Decision.from_wire(answer["decision"]), answer["grant"]
        except asyncio.CancelledError:
            # The caller gave up; the engine may have granted meanwhile.
            self._finished.put_nowait((body["id"], "release", {}))
            raise
        except Exception as error:  # noqa: BLE001 - no fault of the engine's or the line's reaches an agent
            # One that takes calls and is silent costs each of them the whole time-out.
            self._skip_a_while(10.0 if isinstance(error, httpx.ReadTimeout) else 1.0)
            _log.warning("the policy engine at %s cannot be reached: %r", self._settings.policies, error)
            if not isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
                # It may have granted, and only its answer was lost.
                self._finished.put_nowait((body["id"], "release", {}))
            return None
        self._heard()
        return Granted(decision, grant["id"] if grant else None, grant["lease"] if grant else None)

    def _skip_a_while(self, least_s: float) -> None:
        """Let calls go on at once: each would find out by itself, at the price of a time-out."""
        if time.monotonic() >= self._away_until:
            self._away_s = min(max(least_s, self._away_s * 2), _LONGEST_AWAY_S)
            self._away_until = time.monotonic() + self._away_s * random.uniform(0.5, 1.5)  # noqa: S311 - jitter

    def _heard(self) -> None:
        self._heard_at, self._away_s, self._away_until = time.monotonic(), 0.0, 0.0

    async def _follow(self) -> None:
        pause = _FIRST_PAUSE_S
        while True:
            self._poll = self._loop.create_task(self._long_poll())
            try:
                await self._poll
                pause = _FIRST_PAUSE_S
            except asyncio.CancelledError:
                if asyncio.current_task().cancelling():  # type: ignore[union-attr]
                    raise
            except Exception:  # noqa: BLE001 - as above
                await asyncio.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - jitter
                pause = min(pause * 2, _LONGEST_PAUSE_S)

    async def _long_poll(self) -> None:
        etag = None
        while True:
            with self._lock:
                scopes = list(self._watched)
            if not scopes:
                await asyncio.sleep(_POLL_WAIT_S)
                continue
            body = {
                "scopes": [scope.to_wire() for scope in scopes],
                "etag": etag,
                "wait": _POLL_WAIT_S if etag else 0,
            }
            reply = await self._client.post("/v1/decisions:batch", json=body, timeout=_POLL_WAIT_S + 5.0)
            reply.raise_for_status()
            answer = reply.json()
            heard = [Decision.from_wire(decision) for decision in answer["decisions"]]
            etag = answer["etag"]
            with self._lock:
                for scope, decision in zip(scopes, heard, strict=True):
                    if scope in self._watched:
                        self._decisions[scope] = decision
            self._heard()

    async def _send_finished(self) -> None:
        while True:
            grant, verb, body = await self._finished.get()
            try:
                (await self._client.post(f"/v1/grants/{grant}:{verb}", json=body)).raise_for_status()
            except Exception as error:  # noqa: BLE001 - as above
                # The hold ends by itself, or is replaced when the call's span is booked.
                _log.warning("a settlement was lost, its hold stays until the call is booked: %r", error)
            finally:
                self._finished.task_done()

    def _poll_anew(self) -> None:
        if self._poll is not None:
            self._poll.cancel()

    def _ensure_running(self) -> None:
        if self._pid != os.getpid():
            with self._lock:
                if self._pid != os.getpid():
                    self._begin()

    def _submit(self, job: Coroutine[Any, Any, T]) -> Future[T]:
        return asyncio.run_coroutine_threadsafe(job, self._loop)

    def _call(self, function: Any, *args: Any) -> None:
        with suppress(RuntimeError):  # the loop has ended with the process
            self._loop.call_soon_threadsafe(function, *args)
