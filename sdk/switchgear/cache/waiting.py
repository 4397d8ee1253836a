"""Looks whose answer is waited for, and what may still be learned of it: nothing of what was forgotten meanwhile.

What is forgotten is so for whatever was asked before, however late its answer comes: each look has the number of the
last forgetting before it, and each forgetting is remembered with its own.
"""

from __future__ import annotations

import threading
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import NamedTuple

from .embedding import Vectors
from .entries import Entry
from .model import Namespace, Outcome, Question, Terms

__all__ = ["Candidate", "Forgotten", "Pending", "Waiting"]

_PENDING, _PENDING_S = 10_000, 600.0
"""Looks whose answer is waited for at most, and how long."""
_MOST_BYTES = 64 * 1024 * 1024
"""Of requests, and of answers to compare with, that wait at most; but the latest always does."""
_REMEMBERED = 10_000
"""Forgettings; what was asked before more of them than these is over, whosever it is."""


class Forgotten(NamedTuple):
    """What was forgotten: of a tenant or (None) of all, all or that of a workload or with a tag."""

    tenant: str | None
    workload: str | None = None
    tag: str | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """What could be served."""

    entry: Entry
    score: float
    wording: bytes
    """The hash of its wording."""
    placed: tuple[str, str]
    """How its values are placed by the question's, and the question's by its."""
    edit: bytes
    """The hash of the edit between its wording and the question's; b"" where they are one."""
    familiar: bool
    """Whether anything tells of its wording and the question's; certified apart from where nothing does."""


@dataclass(frozen=True, slots=True)
class Pending:
    """A look whose answer is waited for."""

    where: Namespace
    question: Question
    terms: Terms
    begun: int
    """The number of the last forgetting before it."""
    partition: bytes | None = None
    vector: Vectors | None = None
    wording: bytes | None = None
    candidates: tuple[Candidate, ...] = ()
    """The best first."""
    repeated: Entry | None = None
    """What the very same request was answered before."""
    stage: Outcome = Outcome.MISS
    """What it is before anybody judged it."""
    drawn: bool = False
    """Whether it was drawn before the score was seen: only such labels tell about all that could be served."""
    served: bool = False
    """Whether it would have been served, had it not been drawn."""
    since: float = 0.0
    """When it began to wait, in seconds of a steady clock."""

    @property
    def bytes(self) -> int:
        """Of memory, about."""
        answers = [each.entry.answer for each in self.candidates]
        if self.repeated is not None:
            answers.append(self.repeated.answer)
        question = self.question
        asked = len(question.exact) + len(question.setting) + len(question.wording or "")
        return asked + sum(len(each.body) + len(each.text) for each in answers)

    def kinds(self) -> Iterator[Forgotten]:
        """By whatever it could have been forgotten."""
        for tenant in (self.where.tenant, None):
            yield Forgotten(tenant)
            yield Forgotten(tenant, self.where.workload)
            for tag in self.terms.tags:
                yield Forgotten(tenant, tag=tag)


class Waiting:
    """By tickets. For all threads of one process."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._pending: OrderedDict[str, Pending] = OrderedDict()
        self._forgotten: dict[Forgotten, int] = {}
        self._bytes = 0
        self._number = 0
        # Held by whoever learns while that is written down, and by whoever forgets.
        self._writing = threading.Lock()

    @property
    def number(self) -> int:
        """Of the last forgetting."""
        return self._number

    def add(self, pending: Pending) -> str | None:
        """A new ticket; None where it was forgotten since it was begun."""
        ticket, now = uuid.uuid4().hex, self._monotonic()
        with self._lock:
            if self._is_over(pending):
                return None
            self._pending[ticket] = replace(pending, since=now)
            self._bytes += pending.bytes
            while (
                len(self._pending) > _PENDING
                or self._oldest().since < now - _PENDING_S
                or (self._bytes > _MOST_BYTES and len(self._pending) > 1)
            ):
                self._bytes -= self._pending.popitem(last=False)[1].bytes
        return ticket

    def take(self, ticket: str) -> Pending | None:
        """What it stands for, this once; None where it is not known (any more)."""
        with self._lock:
            pending = self._pending.pop(ticket, None)
            if pending is not None:
                self._bytes -= pending.bytes
            return pending

    @contextmanager
    def learning(self, pending: Pending) -> Iterator[bool]:
        """Whether it is still wanted. As long as this is held nothing is forgotten."""
        with self._writing:
            with self._lock:
                over = self._is_over(pending)
            yield not over

    @contextmanager
    def forgetting(self, what: Forgotten) -> Iterator[None]:
        """As long as this is held nothing is learned; and of what was asked before, of these, nothing ever."""
        with self._writing:
            with self._lock:
                self._number += 1
                if len(self._forgotten) >= _REMEMBERED:
                    self._forgotten = {Forgotten(None): self._number}
                self._forgotten[what] = self._number
                self._pending = OrderedDict(
                    (ticket, each) for ticket, each in self._pending.items() if not self._is_over(each)
                )
                self._bytes = sum(each.bytes for each in self._pending.values())
            yield

    def _is_over(self, pending: Pending) -> bool:
        return any(self._forgotten.get(kind, 0) > pending.begun for kind in pending.kinds())

    def _oldest(self) -> Pending:
        return next(iter(self._pending.values()))
