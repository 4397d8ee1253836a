"""The dialects that are understood, and which of them a span speaks."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from ..span import Span
from .dialect import Dialect, Kind
from .document import MAX_CHARS
from .genai import ANTHROPIC_SDK, GENAI
from .langfuse import LANGFUSE
from .langsmith import LANGSMITH
from .litellm import LITELLM
from .logfire import LOGFIRE, LOGFIRE_AGENTS
from .openinference import OPENINFERENCE
from .openllmetry import OPENLLMETRY
from .switchgear import SWITCHGEAR
from .vercel import VERCEL, VERCEL_7

__all__ = ["ATTRIBUTES", "DIALECTS", "DOCUMENTS", "TRUST", "Dialect", "Kind", "detect"]

# In order of detection: the most particular first, the one whose names the others borrow last.
DIALECTS = (
    SWITCHGEAR,
    *(ANTHROPIC_SDK, LANGSMITH, LANGFUSE, VERCEL, VERCEL_7, LITELLM, LOGFIRE, LOGFIRE_AGENTS),
    *(OPENINFERENCE, OPENLLMETRY, GENAI),
)

_READS: Mapping[str, frozenset[str]] = {dialect.name: dialect.attributes for dialect in DIALECTS}
ATTRIBUTES: frozenset[str] = frozenset().union(*_READS.values())
DOCUMENTS: Mapping[str, int] = dict.fromkeys(
    frozenset().union(*(dialect.documents for dialect in DIALECTS)), MAX_CHARS
)
"""The attributes that some dialect opens as documents, and the most characters that one may have."""
TRUST: Mapping[str, int] = {dialect.name: dialect.trust for dialect in DIALECTS}
_MARKS: Mapping[str, int] = {
    mark: place for place, dialect in reversed([*enumerate(DIALECTS)]) for mark in dialect.marks
}


def detect(span: Span) -> Dialect | None:
    """The dialect that `span` speaks: by what its scope is known for, else by its attributes."""
    attributes = span.attributes
    known = _of_scope(span.scope_name)
    if known is not None and not _READS[known.name].isdisjoint(attributes):
        return known
    places = [_MARKS[name] for name in attributes if name in _MARKS]
    return DIALECTS[min(places)] if places else None


@lru_cache(maxsize=1024)
def _of_scope(scope: str) -> Dialect | None:
    for dialect in DIALECTS:
        if dialect.speaks(scope):
            return dialect
    return None
