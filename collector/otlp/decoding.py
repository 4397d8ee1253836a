"""Decoding: a body and its content type -> spans, holding only the attributes that are asked for."""

from __future__ import annotations

from collections.abc import Iterator

from ..call import NotBilled
from ..errors import DecodeError
from ..span import Span, Wanted
from . import from_json, from_protobuf

__all__ = ["JSON", "PROTOBUF", "decode"]

PROTOBUF = "application/x-protobuf"
JSON = "application/json"


def decode(body: bytes, content_type: str, wanted: Wanted) -> Iterator[Span | NotBilled]:
    """The spans in `body` one by one, and those that are none with the reason; an empty body holds none.

    A span comes with those of its attributes that are `wanted`.
    Raises DecodeError, here or while the spans are taken, and then all that came before is void too: 400 for a
    malformed body, 413 for one of too many parts (`limits`), 415 for a content type other than the two of OTLP.
    """
    media = content_type.partition(";")[0].strip().lower()
    if media == PROTOBUF:
        return from_protobuf.spans(body, wanted)
    if media == JSON:
        return from_json.spans(body, wanted)
    raise DecodeError(f"Content-Type {content_type[:64]!r} is not taken; send {PROTOBUF} or {JSON}", 415)
