"""Inflate: a request body behind its Content-Encoding, never larger than a limit."""

from __future__ import annotations

import zlib

from .errors import DecodeError

__all__ = ["MAX_BODY_BYTES", "inflate"]

MAX_BODY_BYTES = 64 * 1024 * 1024
_GZIP = 16 + zlib.MAX_WBITS


def inflate(body: bytes, encoding: str, *, limit: int = MAX_BODY_BYTES) -> bytes:
    """The body as it was before `encoding` ("", "identity" or "gzip"; all members of a multi-member gzip).

    Raises DecodeError: 413 over `limit` (found after inflating at most `limit` bytes), 400 for a damaged or
    cut stream, 415 for any other encoding.
    """
    name = encoding.strip().lower()
    if name in ("", "identity"):
        if len(body) > limit:
            raise DecodeError(f"the body holds {len(body)} bytes; at most {limit} are taken", 413)
        return body
    if name not in ("gzip", "x-gzip"):
        raise DecodeError(f"Content-Encoding {encoding[:64]!r} is not taken; send gzip or none", 415)
    parts: list[bytes] = []
    left, rest = limit, body
    while rest:
        member, rest = _member(rest, left, limit)
        left -= len(member)
        parts.append(member)
    return b"".join(parts)


def _member(data: bytes, left: int, limit: int) -> tuple[bytes, bytes]:
    """The first gzip member of `data`, inflated, and what follows it."""
    inflater = zlib.decompressobj(_GZIP)
    try:
        # One byte more than may be left shows that there is too much without inflating all of it.
        found = inflater.decompress(data, left + 1)
    except zlib.error as problem:
        raise DecodeError(f"the body is not the gzip that its header says: {problem}") from problem
    if len(found) > left:
        raise DecodeError(f"the body inflates to more than the {limit} bytes that are taken", 413)
    if not inflater.eof:
        raise DecodeError("the gzip body is cut off: its end is missing")
    return found, inflater.unused_data
