"""Bodies: spans as requests of OTLP."""

from __future__ import annotations

from collections.abc import Sequence

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan

from .facts import kept

__all__ = ["encoded"]


def encoded(spans: Sequence[ReadableSpan]) -> bytes:
    """A request body of the spans; of one that cannot be encoded whole, what billing needs of it.

    Its text may hold halves of surrogate pairs, say.
    """
    try:
        body: bytes = encode_spans(spans).SerializeToString()
    except Exception:  # noqa: BLE001 - one span must not cost the others
        if len(spans) > 1:
            # A message of repeated fields is the sum of its parts.
            return b"".join(encoded([span]) for span in spans)
        facts = kept(spans[0]) if spans[0].name else None
        return encoded([facts]) if facts is not None else b""
    return body
