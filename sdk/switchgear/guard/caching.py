"""Caching: the answer cache of one process, as its guarded calls use it.

No fault of the cache reaches an agent: what cannot be looked up is a miss, and what takes too long is one, too.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Generator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from opentelemetry import trace

from .. import attributes
from ..cache.model import Answer, Cache, Look, Namespace, Outcome, Question, Terms
from .gate import Gate
from .steps import Ask, Step
from .workers import Workers

__all__ = ["Cached", "Caching", "Policy"]

_log = logging.getLogger("switchgear")

_WITHIN_S = 1.0
"""How long a call waits for the cache."""
_LEFT_ALONE_S = 5.0
"""For how long nothing is looked up after something that took longer."""
_FORKS_WITHIN_S = 1.0
"""How long a fork waits until nothing of the cache is in use."""
_WARN_EVERY_S = 60.0
_MOST_POLICIES = 4096
# Kept as long as the process lives: to close what another process has open could harm it there.
_inherited: list[Cache] = []

Policy = Mapping[str, Any] | None
"""What a decision says of the cache; None: nothing."""


class Caching:
    """Looks up and learns for the calls of one process. Safe in many threads.

    `opened` makes the cache again, in a child process; None: it was made elsewhere, is not closed here, and a child has
    none. What lies in a folder is `closed_by_forks`, and opened again in both processes: SQLite knows by process which
    locks it has, so that a child of one that has the file open takes none, and others undo what it writes.
    """

    def __init__(
        self, cache: Cache, opened: Callable[[], Cache] | None, *, closed_by_forks: bool = False
    ) -> None:
        self._cache: Cache | None = cache
        self._opened = opened
        self._closed_by_forks = closed_by_forks
        self._to_open = False
        self._opening: Future[Any] | None = None
        self._one = threading.Lock()
        self._gate = Gate()
        self._workers = Workers("switchgear-cache")
        self._policies: dict[tuple[str, str], Policy] = {}
        self._waited_for: set[tuple[str, str]] = set()
        self._alone_until = 0.0
        self._warned_at: dict[str, float] = {}

    # -- what policies say

    def hear(self, workload: tuple[str, str], policy: Policy) -> None:
        """What was last decided for a task of a workload, by (tenant, workload)."""
        if workload not in self._policies and len(self._policies) >= _MOST_POLICIES:
            self._policies.clear()
            self._waited_for.clear()
        self._policies[workload] = policy

    def heard(self, workload: tuple[str, str]) -> bool:
        """Whether anything was: of a new task nothing is at first, but its workload's policy is the same."""
        return workload in self._policies

    def first(self, workload: tuple[str, str]) -> bool:
        """Whether nothing was heard yet, and nobody has waited for it."""
        if workload in self._policies or workload in self._waited_for:
            return False
        self._waited_for.add(workload)
        return True

    def policy(self, workload: tuple[str, str]) -> Policy:
        """What was last heard for a workload."""
        return self._policies.get(workload)

    # -- around a call

    def looking(
        self, where: Namespace, question: Question, terms: Terms
    ) -> Generator[Step, Any, Look | None]:
        """Look a question up: here what needs no comparing, else in a thread. None where it cannot be looked up."""
        self._workers.begin()
        if self._to_open and (opening := self._open()) is not None:
            yield Ask(opening, _WITHIN_S)
        if time.monotonic() < self._alone_until:
            return None
        now = datetime.now(UTC)
        found: Look | None
        answered, found = self._used("look up", lambda cache: cache.quick(where, question, terms, now))
        if not answered or found is not None:
            return found
        look = self._workers.submit(
            lambda: self._used("look up", lambda cache: cache.look(where, question, terms, now))[1]
        )
        if look is None:
            return None
        try:
            found = yield Ask(look, _WITHIN_S)
        except BaseException:
            # Nobody will ask the model, nor tell what it answered.
            look.add_done_callback(self._forget)
            raise
        if found is None and not look.done():
            look.add_done_callback(self._forget)
            self.slow()
        return found

    def learn(
        self, ticket: str, answer: Callable[[], Answer | None], then: Callable[[Outcome | None], object]
    ) -> Future[Outcome | None] | None:
        """Tell the cache in a thread what the model answered, and `then` what became of it (None: it did not say).

        None, and nothing is done, where that cannot be. From a finalizer, too.
        """

        def learned() -> Outcome | None:
            outcome: Outcome | None
            _, outcome = self._used("learn", lambda cache: cache.learn(ticket, answer(), datetime.now(UTC)))
            then(outcome)
            return outcome

        return self._workers.submit(learned)

    def slow(self) -> None:
        """Something took too long: nothing is looked up for a while."""
        self._alone_until = time.monotonic() + _LEFT_ALONE_S
        self._warn("slow", f"the cache says nothing within {_WITHIN_S:g} s: calls are made without it")

    def fault(self, what: str, error: Exception) -> None:
        """Something failed. Its text is not told, as parts of a request may stand in it."""
        self._warn("fault", f"the cache could not {what}: {type(error).__name__}; calls are made without it")

    # -- its life

    def drain(self, timeout_s: float) -> bool:
        """Wait for what is being learned; False where that takes longer."""
        return self._workers.drain(timeout_s)

    def close(self) -> None:
        """Nothing is looked up any more."""
        self._to_open = False
        self._workers.close()
        self._close()

    def forking(self) -> None:
        """This process is about to fork, and waits for this."""
        if self._closed_by_forks and self._gate.shut(_FORKS_WITHIN_S):
            self._to_open = self._to_open or self._cache is not None
            self._close()

    def went_on(self) -> None:
        """This process has forked, and goes on."""
        if self._closed_by_forks:
            self._gate.open()

    def forked(self) -> None:
        """This is a child of the process whose cache it was."""
        self._workers.forked()
        self._gate, self._one, self._opening = Gate(), threading.Lock(), None
        if self._cache is None:
            return
        _inherited.append(self._cache)
        self._cache = None
        self._to_open = self._opened is not None and not self._closed_by_forks
        if not self._to_open:
            self._warn("fork", "a child process has no cache: it was in use, or given to its parent")

    def _open(self) -> Future[Any] | None:
        """Open it again, in a thread; what several callers may wait for."""
        with self._one:
            if self._to_open and (self._opening is None or self._opening.done()):
                self._opening = self._workers.submit(self._opened_again)
            return self._opening

    def _opened_again(self) -> None:
        with self._gate:
            try:
                self._cache = self._opened() if self._opened is not None else None
            except Exception as error:  # noqa: BLE001 - none of the cache's reaches an agent
                self.fault("be opened again", error)
            self._to_open = False

    def _close(self) -> None:
        cache, self._cache = self._cache, None
        if cache is not None and self._opened is not None:
            try:
                cache.close()
            except Exception as error:  # noqa: BLE001 - as above
                self.fault("be closed", error)

    def _forget(self, look: Future[Any]) -> None:
        found = look.result()
        if found is not None and found.ticket is not None:
            self.learn(found.ticket, lambda: None, lambda _: None)

    def _used(self, what: str, function: Callable[[Cache], Any]) -> tuple[bool, Any]:
        """Whether the cache said anything, and what."""
        try:
            with self._gate:
                cache = self._cache
                return (False, None) if cache is None else (True, function(cache))
        except Exception as error:  # noqa: BLE001 - as above
            self.fault(what, error)
            return False, None

    def _warn(self, topic: str, message: str) -> None:
        """Say it, once a minute."""
        now = time.monotonic()
        if now - self._warned_at.get(topic, -_WARN_EVERY_S) >= _WARN_EVERY_S:
            self._warned_at[topic] = now
            _log.warning(message)


@dataclass(slots=True)
class Cached:
    """What the cache says of one call, and is still to be told of it."""

    caching: Caching
    span: trace.Span
    """That of the call."""
    outcome: Outcome
    ticket: str | None = None
    late: bool = False
    """Whether the outcome is another than the span says, which was over when that came out."""

    def __post_init__(self) -> None:
        self.span.set_attribute(attributes.CACHE, self.outcome.value)

    def became(self, outcome: Outcome | None) -> None:
        """It came out as this; None: as it was."""
        if outcome is None or outcome is self.outcome:
            return
        self.outcome = outcome
        if self.span.is_recording():
            self.span.set_attribute(attributes.CACHE, outcome.value)
        else:
            self.late = True

    def learning(self, answer: Callable[[], Answer | None]) -> Generator[Step, Any, None]:
        """Tell what the model answered, and wait until it came out what became of that."""
        learned = self._learn(answer, self.became)
        if learned is None:
            return
        yield Ask(learned, _WITHIN_S)
        if not learned.done():
            self.caching.slow()

    def learn(self, answer: Callable[[], Answer | None], then: Callable[[], object]) -> bool:
        """Tell it in the background, and then do what follows; False where nothing of this will be done.

        From a finalizer, too.
        """

        def learned(outcome: Outcome | None) -> None:
            self.became(outcome)
            then()

        return self._learn(answer, learned) is not None

    def give_up(self) -> None:
        """The model gave no answer to this question."""
        self._learn(lambda: None, lambda _: None)

    def _learn(
        self, answer: Callable[[], Answer | None], then: Callable[[Outcome | None], object]
    ) -> Future[Outcome | None] | None:
        ticket, self.ticket = self.ticket, None
        return None if ticket is None else self.caching.learn(ticket, answer, then)
