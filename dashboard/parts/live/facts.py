"""Facts: questions that a page asks again and again, none of which may hold up the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from dataclasses import dataclass, field

from ...services import Answer, Services

__all__ = ["Facts"]


@dataclass(slots=True)
class Facts:
    """The newest answers of one viewer's services to the questions about `topic`. A collector that books a flood
    answers after a second or so; until then what it said last stands."""

    topic: str
    both: Services
    _known: dict[str, Answer] = field(default_factory=dict)
    _asked: dict[str, Future[Answer]] = field(default_factory=dict)

    def is_about(self, topic: str, both: Services) -> bool:
        """Whether it is still this that is looked at, by the same viewer: with others, others have signed in."""
        return self.topic == topic and self.both is both

    def read(self, questions: Mapping[str, Callable[[], Answer]], within_s: float) -> dict[str, Answer]:
        """Ask what is not under way, and give the newest answers after `within_s`; the first time, all of them."""
        for name, ask in questions.items():
            if name not in self._asked:
                self._asked[name] = self.both.ask(ask)
        wait(self._asked.values(), timeout=within_s if self._known else None)
        for name in [name for name, asked in self._asked.items() if asked.done()]:
            self._known[name] = self._asked.pop(name).result()
        return dict(self._known)
