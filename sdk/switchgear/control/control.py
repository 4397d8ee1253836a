"""Control: the line to one policy engine for one process.

One daemon thread with an event loop of its own serves synchronous and asynchronous callers alike, so that an agent's
own loop and threads carry none of it. Nothing here raises a fault of the engine's into a caller: it says None.
"""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
import threading
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Future, InvalidStateError
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from ..context import Task, run_in
from ..decision import Decision
from ..settings import Settings
from .away import Away
from .finishing import EngineFaultError, Finishing
from .following import Following
from .wire import Finished, Granted, Retry, Scope, ahead, read_granted, read_retry

if TYPE_CHECKING:
    import httpx

__all__ = ["Control"]

_log = logging.getLogger("switchgear")
_ANSWERS_WITHIN_S = 1.0
# So many questions that are answered at once are under way; others wait here for their turn. Those of hundreds of
# threads share one interpreter with the threads: all at once, each takes longer than it may, and an engine that is well
# counts as silent. A few after each other are all answered in time, and sooner.
_AT_ONCE = 8
_SWEEP_S = 1.0
# Below the five seconds after which common servers close an idle connection: of one that is closed while a question is
# on its way no answer comes, and its call goes without a hold.
_IDLE_S = 2.0
_LONGEST_REASON = 200
# A request that will never be taken, however often it is sent.
_NOT_TO_BE_SENT_AGAIN = frozenset(range(400, 500)) - {408, 429}
# What it says of one request, or of one tenant that the key does not speak for.
_OF_THIS_REQUEST = frozenset({403, 413, 422})
_FAULT = 500
# Of the engine as a whole, or of what stands before it, whatever is sent.
_NOT_THERE = frozenset({502, 503, 504})

T = TypeVar("T")


class Control:
    """Talks to one policy engine for one process. Starts on first use and again after a fork."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self.away = Away()
        self.following = Following(self.away, settings.max_stale_s)
        self.on_sweep: Callable[[float], None] = lambda _now: None
        """Called about each second on the loop, with the monotonic time."""
        self._closed = False
        self._pid = 0
        self._begin()

    # What callers use, from any thread or loop.

    def watch(self, task: Task) -> None:
        """Follow the decision for a task from now on, and let it hear of it."""
        self._ensure_running()
        if self.following.watch(task):
            self._call(self.following.poll_anew)

    def follow(self, scope: Scope) -> None:
        """Follow the decision for a scope of no task's, from now on."""
        self._ensure_running()
        if self.following.follow(scope):
            self._call(self.following.poll_anew)

    def unwatch(self, task: Task) -> None:
        """Stop following, once for each `watch`."""
        self.following.unwatch(task)

    def decision(self, scope: Scope) -> Decision | None:
        """The last decision heard for a scope, however old; no I/O."""
        return self.following.decision(scope)

    def stale_s(self) -> float | None:
        """Seconds since the engine was last heard; None before it was heard at all."""
        return self.away.stale_s(time.monotonic())

    def ask(self, body: Mapping[str, Any], wait_s: float) -> Future[Granted | None]:
        """Ask for a grant, up to so long in the engine's queue; None where the engine cannot be reached."""
        if self._closed:
            return _answered(None)
        # Also where it is left alone: what runs in the background finds out when it is back.
        self._ensure_running()
        if self.away.skips(time.monotonic()):
            return _answered(None)
        return self._submit(self._ask(body, wait_s), None)

    def throttled(self, lease: str, said: Mapping[str, Any]) -> Future[Retry | None]:
        """A provider answered 429 to a call under this lease: give it back, and hear when to try again."""
        if self._closed or self.away.skips(time.monotonic()):
            self.finish(lease, "release", said)
            return _answered(None)
        self._ensure_running()
        return self._submit(self._throttled(lease, said), None)

    def extend(self, lease: str, output_tokens: int) -> Future[bool]:
        """Hold more for an answer that may come to so many tokens in all; False where there is no room for that."""
        if self._closed or self.away.skips(time.monotonic()):
            return _answered(answer=True)
        self._ensure_running()
        return self._submit(self._extend(lease, output_tokens), otherwise=True)

    def finish(self, lease: str, verb: str, said: Mapping[str, Any]) -> None:
        """Settle or release a hold, in the background."""
        if not self._closed:
            self._ensure_running()
            with suppress(RuntimeError):  # the loop has ended with the process
                self._finishing.add(Finished(lease, verb, said), self._loop)

    def soon(self, function: Callable[[], object]) -> None:
        """Call it in the background. Takes no lock, for what the garbage collector begins: in a thread that is in the
        middle of anything, and may have each of ours.
        """
        if self._pid == os.getpid():
            self._call(function)

    def forked(self) -> None:
        """This is a child of the process whose line it was: it begins one of its own when it needs it."""
        self._lock = threading.Lock()
        self.following.forked()

    def flush(self, timeout_s: float) -> bool:
        """Wait until every settlement so far was sent; False where that took too long."""
        if self._pid != os.getpid():
            return True
        try:
            return self._submit(self._drained(), otherwise=False).result(timeout_s)
        except FutureTimeout:
            return False

    def close(self, timeout_s: float) -> None:
        """Send what is left, as far as the time allows, and stop."""
        if self._pid == os.getpid() and not self._closed:
            deadline = time.monotonic() + timeout_s
            self.flush(timeout_s)
            self._closed = True
            self._call(self._loop.stop)
            self._thread.join(max(0.2, deadline - time.monotonic()))

    # What runs on the loop.

    def _begin(self) -> None:
        # Here, as it takes longer to import than all the rest; in no other thread, as a fork would find half of it.
        import httpx  # noqa: F401

        self._pid = os.getpid()
        self._loop = asyncio.new_event_loop()
        self._asked: set[Future[Any]] = set()
        self._jobs: set[asyncio.Task[None]] = set()
        self._finishing = Finishing(self._tell)
        self._turns = asyncio.Semaphore(_AT_ONCE)
        ready = threading.Event()
        self._thread = threading.Thread(
            target=self._run, args=(ready,), name="switchgear-control", daemon=True
        )
        # The thread outlives the task in which the first call happened to be made.
        run_in(None, self._thread.start)
        ready.wait(5.0)

    def _run(self, ready: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._client = self._connection()
        except Exception as error:  # noqa: BLE001 - whatever it is: nobody may wait for answers that cannot come
            # Not its text, which may hold the key.
            _log.warning("there is no line to the policy engine, a fault: %s", type(error).__name__)
            self._closed = True
        else:
            for job in (self.following.run(self._client), self._finishing.run(), self._sweep()):
                self._jobs.add(self._loop.create_task(job))
            self._loop.call_soon(ready.set)
            self._loop.run_forever()
            self._end()
        self._loop.close()
        ready.set()
        for asked in list(self._asked):
            # It came too late to be begun.
            asked.cancel()

    def _end(self) -> None:
        """Cancel what was begun from here, and wait for all else: whoever began that ends it. A connect that the client
        has just begun, cancelled before its first step, would leave a coroutine that was never awaited.
        """
        while under_way := asyncio.all_tasks(self._loop):
            for job in self._jobs:
                job.cancel()
            for asked in list(self._asked):
                asked.cancel()
            self._loop.run_until_complete(asyncio.gather(*under_way, return_exceptions=True))
        self._loop.run_until_complete(self._client.aclose())

    def _connection(self) -> httpx.AsyncClient:
        import httpx

        headers = {"authorization": f"Bearer {self._settings.api_key}"} if self._settings.api_key else {}
        return httpx.AsyncClient(
            base_url=self._settings.policies,
            headers=headers,
            timeout=_ANSWERS_WITHIN_S,
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=64, keepalive_expiry=_IDLE_S),
            verify=ssl.create_default_context(),
            trust_env=False,
        )

    async def _ask(self, body: Mapping[str, Any], wait_s: float) -> Granted | None:
        if wait_s:
            # In the engine's queue, for as long as that takes.
            return await self._granted(body, wait_s)
        async with self._turns:
            if self.away.skips(time.monotonic()):
                # Those before it have found out.
                return None
            return await self._granted(body, wait_s)

    async def _granted(self, body: Mapping[str, Any], wait_s: float) -> Granted | None:
        try:
            asking = self._client.build_request(
                "POST", "/v1/grants", json={**body, "wait": wait_s}, timeout=wait_s + _ANSWERS_WITHIN_S
            )
        except ValueError as error:
            # Half of a surrogate pair, which JSON can hold and no text: it was never sent.
            _log.warning("the policy engine cannot be asked about a request: %s", type(error).__name__)
            return None
        try:
            reply = await self._client.send(asking)
            if reply.status_code in _OF_THIS_REQUEST:
                # It is there for others: what it does not take of one must not let all of them go unheld.
                _log.warning("the policy engine refused a request: %s", _reason(reply))
                # A budget that it cannot use (another currency) must not lift everybody's ceilings.
                if reply.status_code == 422 and body.get("budgets"):
                    return await self._granted({**body, "budgets": []}, wait_s)
                return None
            reply.raise_for_status()
            off = ahead(reply.headers.get("date"), datetime.now(UTC))
            granted = read_granted(reply.json(), off)
        except asyncio.CancelledError:
            # The caller gave up; the engine may have granted meanwhile.
            self.finish(body["id"], "release", {})
            raise
        except Exception as error:  # noqa: BLE001 - no fault of the engine's or the line's reaches an agent
            kind = self._missed(error, 1.0)
            _log.warning("the policy engine at %s cannot be reached: %r", self._settings.policies, error)
            if kind not in ("ConnectError", "ConnectTimeout"):
                # It may have granted, and only its answer was lost.
                self.finish(body["id"], "release", {})
            return None
        self.away.heard(time.monotonic())
        return granted

    async def _throttled(self, lease: str, said: Mapping[str, Any]) -> Retry | None:
        try:
            reply = await self._client.post(_path(lease, "release"), json=said)
            reply.raise_for_status()
            return read_retry(reply.json())
        except asyncio.CancelledError:
            self.finish(lease, "release", said)
            raise
        except Exception as error:  # noqa: BLE001 - as above
            self._missed(error)
            _log.warning("the policy engine did not say when to try again: %r", error)
            self.finish(lease, "release", said)
            return None

    async def _extend(self, lease: str, output_tokens: int) -> bool:
        try:
            reply = await self._client.post(_path(lease, "extend"), json={"max_output_tokens": output_tokens})
            reply.raise_for_status()
            return reply.json()["held"] is True
        except Exception as error:  # noqa: BLE001 - as above
            self._missed(error)
            _log.warning("the policy engine did not extend a hold: %r", error)
            return True

    def _missed(self, error: Exception, least_s: float = 0.0) -> str:
        """An answer did not come, or was none: do not ask for a while. Returns what went wrong by its name."""
        kind = type(error).__name__
        # One that takes calls and is silent would cost each of them the whole time-out.
        self.away.failed(least_s, time.monotonic(), silent=kind.endswith("Timeout"))
        return kind

    async def _tell(self, batch: Sequence[Finished]) -> None:
        reply = await self._client.post(
            "/v1/grants:finish", json={"finished": [each.to_wire() for each in batch]}, timeout=5.0
        )
        if reply.status_code in _NOT_TO_BE_SENT_AGAIN:
            # The holds end by themselves, or are replaced when the calls' spans are booked.
            _log.warning(
                "the policy engine does not take what %d calls took: %s", len(batch), reply.text[:200]
            )
            return
        if reply.status_code >= _FAULT and reply.status_code not in _NOT_THERE:
            raise EngineFaultError(f"answered {reply.status_code}")
        reply.raise_for_status()
        self.away.heard(time.monotonic())

    async def _drained(self) -> bool:
        await self._finishing.drained()
        return True

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP_S)
            self.on_sweep(time.monotonic())

    def _ensure_running(self) -> None:
        if self._pid != os.getpid():
            with self._lock:
                if self._pid != os.getpid():
                    self._begin()

    def _submit(self, job: Coroutine[Any, Any, T], otherwise: T) -> Future[T]:
        """What comes of it on the loop, for its asker to cancel; `otherwise` where the line ends before that."""
        try:
            asked = asyncio.run_coroutine_threadsafe(job, self._loop)
        except RuntimeError:  # it has ended already
            job.close()
            return _answered(otherwise)
        answer: Future[T] = Future()

        def told(done: Future[T]) -> None:
            fails = done.cancelled() or done.exception() is not None
            with suppress(InvalidStateError):  # nobody waits any more
                answer.set_result(otherwise if fails else done.result())

        self._asked.add(asked)
        asked.add_done_callback(self._asked.discard)
        asked.add_done_callback(told)
        answer.add_done_callback(lambda answer: answer.cancelled() and asked.cancel())
        if self._loop.is_closed():
            asked.cancel()
        return answer

    def _call(self, function: Any, *args: Any) -> None:
        with suppress(RuntimeError):  # the loop has ended with the process
            self._loop.call_soon_threadsafe(function, *args)


def _answered(answer: T) -> Future[T]:
    future: Future[T] = Future()
    future.set_result(answer)
    return future


def _path(lease: str, verb: str) -> str:
    return f"/v1/grants/{lease}:{verb}"


def _reason(reply: httpx.Response) -> str:
    """Why it refused, in its own words as far as it has any."""
    with suppress(ValueError, AttributeError):
        return str(reply.json().get("detail"))[:_LONGEST_REASON]
    return reply.text[:_LONGEST_REASON]
