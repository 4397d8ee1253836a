"""Limits: how many parts a body may have, since a part of two bytes becomes an object of a hundred.

Each is far above what exporters send (512 spans of some dozens of attributes) and holds what one body takes in memory
while it is read to about its own size, or 100 MB for the largest JSON.
"""

from __future__ import annotations

from ..errors import DecodeError

__all__ = [
    "MAX_ATTRIBUTES",
    "MAX_ENTRIES",
    "MAX_JSON_PARTS",
    "MAX_SCOPE_CHARS",
    "MAX_SPANS",
    "too_many",
]

MAX_SPANS = 100_000
"""Spans in a request."""
MAX_ENTRIES = 200_000
"""Fields of the protobuf messages round the spans: resources, scopes, spans, and fields that nobody knows."""
MAX_ATTRIBUTES = 20_000
"""Attributes of a span. Instrumentations that write one for each part of each message have thousands."""
MAX_JSON_PARTS = 1_000_000
"""Opening braces and brackets in a JSON body, those inside texts too: 25,000 spans of 20 attributes."""
MAX_SCOPE_CHARS = 256
"""Characters that are kept of a scope's name, and of its version."""


def too_many(what: str, limit: int) -> DecodeError:
    """The refusal of a body with more than `limit` of `what`."""
    return DecodeError(f"the request holds more than {limit:,} {what}; send fewer in one request", 413)
