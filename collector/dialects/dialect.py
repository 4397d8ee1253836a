"""Dialect: how one family of instrumentations names things, as data."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Dialect", "Kind"]


@dataclass(frozen=True, slots=True)
class Kind:
    """An attribute that says what a span is. Values are compared in lower case.

    A value in `bills` makes the span a call; any other makes it none, unless `passes` is set: then only the
    values in `never` do, and the next kind is asked.
    """

    attribute: str
    bills: frozenset[str] = frozenset()
    never: frozenset[str] = frozenset()
    passes: bool = False


@dataclass(frozen=True, slots=True)
class Dialect:
    """One dialect. Every tuple of attribute names is in order of preference: the first that is there counts."""

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
    cache_write_5m: tuple[str, ...] = ()
    cache_write_1h: tuple[str, ...] = ()
    bills_unnamed: bool = False
    """Whether a span of no stated kind is a call when it carries both a model and usage."""
    answer: str | None = None
    """An attribute with the provider's answer as JSON: read for its id at once, and dropped."""
    exclusive_scopes: frozenset[str] = frozenset()
    """Scopes whose input count leaves the cached tokens out, whatever the convention says."""

    @property
    def attributes(self) -> frozenset[str]:
        """Every attribute that it reads."""
        named = (
            *(self.provider, self.request_model, self.response_model, self.response_id, self.input),
            *(self.output, self.cache_read, self.cache_write, self.reasoning),
            *(self.cache_write_5m, self.cache_write_1h),
        )
        kinds = {kind.attribute for kind in self.kinds}
        answer = {self.answer} if self.answer else set()
        return self.marks | kinds | answer | {name for names in named for name in names}

    def speaks(self, scope: str) -> bool:
        """Whether an instrumentation scope of that name speaks this dialect."""
        return any(scope == name or (name.endswith(".") and scope.startswith(name)) for name in self.scopes)
