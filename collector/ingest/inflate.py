"""Inflate: a request body behind its Content-Encoding, never larger than a limit."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from io import BytesIO

from ..errors import DecodeError

__all__ = ["MAX_BODY_BYTES", "inflate"]

MAX_BODY_BYTES = 64 * 1024 * 1024
_GZIP_MAGIC = b"\x1f\x8b"
_GZIP = 16 + zlib.MAX_WBITS
# Bodies are inflated in pieces. What is in them is kept up to this size; beyond it they are measured first, and
# inflated once more if they fit: a bomb then takes no memory, and only large bodies take time twice.
_KEPT_BYTES = 4 * 1024 * 1024
_PIECE_BYTES = 64 * 1024
_INPUT_BYTES = 16 * 1024


def inflate(body: bytes, encoding: str, *, limit: int = MAX_BODY_BYTES) -> bytes:
    """The body as it was before `encoding` ("", "identity" or "gzip"; all members of a multi-member gzip).

    Raises DecodeError: 413 over `limit`, 400 for a damaged or cut stream, 415 for any other encoding or
    several of them.
    """
    name = encoding.strip().lower()
    if name in ("", "identity"):
        if len(body) > limit:
            raise DecodeError(f"the body holds {len(body)} bytes; at most {limit} are taken", 413)
        return body
    if name not in ("gzip", "x-gzip"):
        raise DecodeError(f"Content-Encoding {encoding[:64]!r} is not taken; send gzip or none", 415)
    size = 0
    kept = BytesIO()
    for piece in _pieces(body):
        size += len(piece)
        if size > limit:
            raise DecodeError(f"the body inflates to more than the {limit} bytes that are taken", 413)
        if size <= _KEPT_BYTES:
            kept.write(piece)
    if size > _KEPT_BYTES:
        kept.seek(0)
        for piece in _pieces(body):
            kept.write(piece)
    inflated = kept.getvalue()
    if inflated.startswith(_GZIP_MAGIC):
        raise DecodeError("the body is gzip within gzip; send it gzipped once", 415)
    return inflated


def _pieces(body: bytes) -> Iterator[bytes]:
    """What all gzip members of `body` hold. Raises DecodeError where it is damaged or cut off."""
    inflater = zlib.decompressobj(_GZIP)
    begun = False
    try:
        for place in range(0, len(body), _INPUT_BYTES):
            data = body[place : place + _INPUT_BYTES]
            while data:
                begun = True
                if piece := inflater.decompress(data, _PIECE_BYTES):
                    yield piece
                data = inflater.unconsumed_tail
                if inflater.eof:
                    data, inflater, begun = inflater.unused_data, zlib.decompressobj(_GZIP), False
    except zlib.error as problem:
        raise DecodeError(f"the body is not the gzip that its header says: {problem}") from problem
    if begun:
        raise DecodeError("the gzip body is cut off: its end is missing")
