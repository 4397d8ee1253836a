"""Dialect: how one family of instrumentations names things, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .document import Inside

__all__ = ["Apart", "Dialect", "Estimate", "Kind"]


@dataclass(frozen=True, slots=True)
class Kind:
    """An attribute that says what a span is. Values are compared in lower case.

    A value in `bills`, or with one of `endings`, makes the span a call; any other makes it none, unless
    `passes` is set: then only the values in `never` do, and the next kind is asked.
    """

    attribute: str
    bills: frozenset[str] = frozenset()
    never: frozenset[str] = frozenset()
    passes: bool = False
    endings: tuple[str, ...] = ()
    given: tuple[str, str] | None = None
    """(attribute, value): the kind is asked only of spans on which that attribute has that value."""


@dataclass(frozen=True, slots=True)
class Apart:
    """When an input count leaves the cached tokens out. Every condition that is set has to hold."""

    scope: str = ""
    """The instrumentation scope."""
    before: tuple[int, ...] = ()
    """A version of that scope: only lower ones count so. A scope without a version is not lower."""
    providers: frozenset[str] = frozenset()
    """Parts of the provider's name, which may be dotted: "anthropic" is a part of "anthropic.messages"."""
    counted: frozenset[str] = frozenset()
    """The input count was read from one of these."""
    named: frozenset[str] = frozenset()
    """One of these is there."""
    lacks: frozenset[str] = frozenset()
    """None of these is there."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """When counts are the instrumentation's own guess: a stream, and nothing shows what the provider said."""

    streams: tuple[tuple[str, str], ...]
    """(attribute, value in lower case) pairs of which any one shows a stream."""
    proofs: tuple[str, ...]
    """What is there only when the provider itself counted."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """One dialect. Every tuple of names is in order of preference: the first that is there counts.

    A name is an attribute, or a place `Inside` the document that an attribute holds as text.
    """

    name: str
    trust: int
    """Between two spans of one call, the counts of the higher one win."""
    scopes: tuple[str, ...]
    """Instrumentation scopes that speak it: a name, or a prefix that ends in a dot."""
    marks: frozenset[str]
    """Attributes of which any one shows that a span speaks it."""
    kinds: tuple[Kind, ...]
    provider: tuple[str, ...]
    request_model: tuple[str, ...]
    response_model: tuple[str, ...]
    response_id: tuple[str, ...]
    input: tuple[str, ...]
    output: tuple[str, ...]
    cache_read: tuple[str, ...]
    cache_write: tuple[str, ...]
    reasoning: tuple[str, ...]
    total: tuple[str, ...] = ()
    """Input and output together: never billed, but it shows where the counts contradict each other."""
    service_tier: tuple[str, ...] = ()
    """What the provider calls the tier that it served, before what was asked for."""
    cache_write_5m: tuple[str, ...] = ()
    cache_write_1h: tuple[str, ...] = ()
    bills_unnamed: bool = False
    """Whether a span of no stated kind is a call when it carries both a model and usage."""
    apart: tuple[Apart, ...] = ()
    """Where the input leaves the cached tokens out; elsewhere they are a part of it."""
    reasoning_apart: frozenset[str] = frozenset()
    """Names of reasoning counts that stand beside the output; the others are a part of it."""
    input_beside: tuple[str, ...] = ()
    output_beside: tuple[str, ...] = ()
    """Tokens that the input or the output leaves out, and that are billed as all others of it."""
    parts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """What is billed apart, by its name in `APART`; what is named for the input is of all of it, cached or not."""
    parts_beside: frozenset[str] = frozenset()
    """Names of parts that stand beside the input or the output; the others are within it."""
    estimate: Estimate | None = None
    failures: tuple[tuple[str, str], ...] = ()
    """(attribute, value in lower case) pairs that show a failed request, beside the span's own status."""
    canonical: bool = False
    """Whether its counts are those of `Usage`, one by one: they are taken as they are, zeros too."""
    own_ids: tuple[str, ...] = ()
    """Attributes with ids of the instrumentation's own making: a response id equal to one is no id."""
    parted: frozenset[str] = field(init=False, repr=False)
    """The attributes of which one is there on a span with parts, or with tokens beside: few have any."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "parted", frozenset(map(_attribute, self._part_names())))

    @property
    def attributes(self) -> frozenset[str]:
        """Every attribute that it reads."""
        return frozenset(map(_attribute, self._names()))

    @property
    def documents(self) -> frozenset[str]:
        """The attributes that it opens as documents."""
        return frozenset(name.attribute for name in self._names() if isinstance(name, Inside))

    def _names(self) -> set[str]:
        names = {
            *(*self.provider, *self.request_model, *self.response_model, *self.response_id, *self.input),
            *(*self.output, *self.cache_read, *self.cache_write, *self.reasoning, *self.total),
            *(*self.cache_write_5m, *self.cache_write_1h, *self.marks, *self.own_ids, *self.service_tier),
            *(attribute for attribute, _ in self.failures),
            *self._part_names(),
        }
        for kind in self.kinds:
            names |= {kind.attribute, *((kind.given[0],) if kind.given else ())}
        for rule in self.apart:
            names |= rule.named | rule.lacks
        if self.estimate is not None:
            names |= {*self.estimate.proofs, *(attribute for attribute, _ in self.estimate.streams)}
        return names

    def _part_names(self) -> set[str]:
        return {
            *self.input_beside,
            *self.output_beside,
            *(name for part in self.parts.values() for name in part),
        }

    def speaks(self, scope: str) -> bool:
        """Whether an instrumentation scope of that name speaks this dialect."""
        return any(scope == name or (name.endswith(".") and scope.startswith(name)) for name in self.scopes)


def _attribute(name: str) -> str:
    return name.attribute if isinstance(name, Inside) else name
