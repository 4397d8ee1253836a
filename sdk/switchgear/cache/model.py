"""What the cache is asked, what it answers, and on which terms."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

__all__ = ["Answer", "Cache", "Look", "Mode", "Namespace", "Outcome", "Question", "Terms"]


class Mode(StrEnum):
    """What the cache does for a workload; each does what the ones before it do, and more."""

    OFF = "off"
    SHADOW = "shadow"
    """Serves nothing: measures what it would have served, and how often that would have been wrong."""
    EXACT = "exact"
    """Serves answers to the very same request."""
    ON = "on"
    """Serves answers to requests of the same meaning, too, once that is certified to be right often enough."""

    @property
    def rank(self) -> int:
        """Of two modes, say the code's and the policy's, the one of lower rank holds."""
        return list(Mode).index(self)


class Outcome(StrEnum):
    """What became of one request: the value of the span attribute `switchgear.cache`."""

    EXACT = "exact"
    """Served: the very same request was answered before."""
    SEMANTIC = "semantic"
    """Served: a request of the same meaning was answered before."""
    MISS = "miss"
    """The model was asked: there was nothing to serve."""
    BYPASS = "bypass"
    """The model was asked, and nothing was looked up or kept: the request is of a kind that is not."""
    AUDIT = "audit"
    """The model was asked at random, though there was something to compare; nobody judged it."""
    AUDIT_SAME = "audit_same"
    """As before, and what would have been served was right."""
    AUDIT_DIFFERENT = "audit_different"
    SHADOW = "shadow"
    """The model was asked, as nothing is served yet; nobody judged what would have been served."""
    SHADOW_EXACT = "shadow_exact"
    """The model was asked, though the very same request had been answered before."""
    SHADOW_SAME = "shadow_same"
    SHADOW_DIFFERENT = "shadow_different"

    @property
    def served(self) -> bool:
        """Whether no model was asked."""
        return self in (Outcome.EXACT, Outcome.SEMANTIC)


@dataclass(frozen=True, slots=True)
class Namespace:
    """Whose answers they are: those of another namespace are never looked at."""

    tenant: str
    workload: str
    group: str | None = None
    """Tenants that all named one group share their answers within a workload; None: with nobody."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How a workload's cache works; a policy's, the code's, or both together."""

    mode: Mode = Mode.OFF
    bound: Decimal = Decimal("0.02")
    """How many of the answers that are served for their meaning may be wrong."""
    confidence: Decimal = Decimal("0.90")
    """How sure that has to be before any is served."""
    keep: timedelta = timedelta(days=1)
    """How long an answer is served."""
    audits: Decimal = Decimal("0.05")
    """Which part of what could be served is asked all the same, to know how often it would have been wrong."""
    allow: frozenset[str] = frozenset()
    """Of `tools`, `temperature` and `volatile`: requests that are left alone unless named here."""
    tags: tuple[str, ...] = ()
    """Put on each answer kept, to be forgotten by."""


@dataclass(frozen=True, slots=True)
class Question:
    """A model call's request, taken apart: what must be equal, and what may be worded otherwise."""

    exact: bytes
    """Canonical bytes of all that may change the answer, and of the form in which it comes."""
    setting: bytes
    """The same without the wording: model, instructions, turns before, tools, parameters, streamed or not."""
    wording: str | None
    """What is compared by its meaning; None: there is nothing that could be."""
    unfit: str | None = None
    """Why it is not looked up: `tools`, `temperature`, `volatile`, or what else it is; None: it is."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A provider's whole and good response, as it is kept and replayed."""

    content_type: str
    body: bytes
    """As it came: JSON, or all the events of a stream."""
    text: str
    """What the model said: what two answers are compared by."""
    model: str | None = None
    """Which version of the model said it."""


@dataclass(frozen=True, slots=True)
class Look:
    """What was found for a question. `served` is None where the model is to be asked."""

    outcome: Outcome
    served: Answer | None = None
    ticket: str | None = None
    """By it `learn` is told what the model then answered; None: that is not wanted."""
    kept_at: datetime | None = None
    """When what is served was said."""


class Cache(Protocol):
    """Answers that were given before; in this process, or behind an endpoint. Safe in many threads."""

    def quick(self, where: Namespace, question: Question, terms: Terms, now: datetime) -> Look | None:
        """What can be said at once, without comparing any meaning; None: it takes a `look`."""
        ...

    def look(self, where: Namespace, question: Question, terms: Terms, now: datetime) -> Look:
        """What is served for a question, if anything. May take some 10 ms: not for an event loop's thread."""
        ...

    def learn(self, ticket: str, answer: Answer | None, now: datetime) -> Outcome:
        """The model was asked and gave this answer, None where it gave none worth keeping; what became of it all."""
        ...

    def close(self) -> None:
        """Nothing is looked up any more."""
        ...
