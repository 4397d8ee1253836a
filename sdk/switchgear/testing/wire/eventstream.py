"""AWS's event streams: messages in binary frames, each with its headers and two checksums.

A frame is its own length, its headers' length and their CRC-32 (the prelude), headers, payload, and the CRC-32 of it
all; numbers are big-endian. docs.aws.amazon.com/AmazonS3/latest/API/RESTSelectObjectAppendix.html
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping

__all__ = ["frame"]

_STRING = 7
_AROUND = 16
"""Bytes of a frame beside headers and payload: three numbers before, one behind."""


def frame(headers: Mapping[str, str], payload: bytes) -> bytes:
    """One message; headers are strings, with names of at most 255 bytes."""
    packed = b"".join(
        struct.pack(">B", len(name)) + name + struct.pack(">BH", _STRING, len(value)) + value
        for name, value in ((each.encode(), of.encode()) for each, of in headers.items())
    )
    prelude = struct.pack(">II", _AROUND + len(packed) + len(payload), len(packed))
    head = prelude + struct.pack(">I", zlib.crc32(prelude))
    message = head + packed + payload
    return message + struct.pack(">I", zlib.crc32(message))
