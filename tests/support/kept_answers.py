"""Kept answers: a cache in memory, as simple as its Protocol allows, which tells what it was asked and told."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count

from switchgear.cache import Answer, Look, Mode, Namespace, Outcome, Question, Terms

__all__ = ["Remembering"]


@dataclass
class Remembering:
    """Serves the very same requests of one namespace. `looks_by_thread`: says nothing at once.

    `meaning` is an outcome and an answer for what is not the very same.
    """

    looks_by_thread: bool = False
    finds: Callable[[Question], Look | None] = lambda _question: None
    """What else there is for a question."""
    asked: list[tuple[Namespace, Question, Terms]] = field(default_factory=list)
    learned: list[Answer | None] = field(default_factory=list)
    threads: set[str] = field(default_factory=set)
    """The names of those in which it was asked and told what may take its time."""
    closed: bool = False
    _kept: dict[tuple[Namespace, bytes], tuple[Answer, datetime]] = field(default_factory=dict)
    _open: dict[str, tuple[Namespace, Question, Outcome]] = field(default_factory=dict)
    _numbers: count[int] = field(default_factory=count)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def quick(self, where: Namespace, question: Question, terms: Terms, now: datetime) -> Look | None:
        return None if self.looks_by_thread else self._look(where, question, terms)

    def look(self, where: Namespace, question: Question, terms: Terms, now: datetime) -> Look:
        self.threads.add(threading.current_thread().name)
        return self._look(where, question, terms)

    def learn(self, ticket: str, answer: Answer | None, now: datetime) -> Outcome:
        self.threads.add(threading.current_thread().name)
        with self._lock:
            where, question, outcome = self._open.pop(ticket)
            self.learned.append(answer)
            before = self._kept.get((where, question.exact))
            if answer is not None:
                self._kept[where, question.exact] = answer, now
        if outcome is Outcome.SHADOW_EXACT and before is not None and answer is not None:
            return Outcome.SHADOW_SAME if before[0].text == answer.text else Outcome.SHADOW_DIFFERENT
        return outcome

    def close(self) -> None:
        self.closed = True

    @property
    def waiting(self) -> int:
        """How many tickets nobody came back with."""
        return len(self._open)

    def _look(self, where: Namespace, question: Question, terms: Terms) -> Look:
        with self._lock:
            self.asked.append((where, question, terms))
            kept = self._kept.get((where, question.exact))
            if kept is not None and terms.mode.rank >= Mode.EXACT.rank:
                return Look(Outcome.EXACT, kept[0], kept_at=kept[1])
            found = self.finds(question)
            if found is not None and found.served is not None:
                return found
            outcome = Outcome.MISS if kept is None else Outcome.SHADOW_EXACT
            ticket = f"t{next(self._numbers)}"
            self._open[ticket] = where, question, outcome
            return Look(found.outcome if found is not None else outcome, ticket=ticket)
