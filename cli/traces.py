"""Traces: a file of OTLP traces as request bodies. OTLP/JSON, JSON lines of it, or protobuf; any of them gzipped."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

import orjson

from collector.call import Call, NotBilled
from collector.errors import DecodeError
from collector.ingest.body import bill_body
from collector.otlp import JSON, PROTOBUF

__all__ = ["Part", "billed", "parts"]

_BOM = b"\xef\xbb\xbf"
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class Part:
    """One request that a file holds."""

    where: str
    """Its place in the file, in front of a message: "line 7: ", or nothing where it is all of the file."""
    content_type: str
    body: bytes


def parts(file: Path) -> Iterator[Part]:
    """The requests in `file`, one at a time where each line is one.

    Raises OSError, and DecodeError for a damaged gzip. Whether a body is OTLP is found by whoever decodes it.
    """
    try:
        with _opened(file) as stream:
            blank, first = _first_line(stream)
            if _is_document(first):
                yield from _lines(first, stream, len(blank.splitlines()) + 1)
            else:
                yield _whole(blank + first + stream.read())
    except (gzip.BadGzipFile, EOFError, zlib.error) as problem:
        raise DecodeError(f"it is no whole gzip: {problem}") from problem


def billed(part: Part, piece: bytes | None = None) -> list[Call | NotBilled]:
    """Each span of `part`, or of a `piece` of it, as the call that it tells of or the reason why it is none.

    Raises DecodeError that names the place in the file.
    """
    try:
        return bill_body(part.body if piece is None else piece, part.content_type)
    except DecodeError as problem:
        raise DecodeError(f"{part.where}{problem}") from problem


def _opened(file: Path) -> BinaryIO:
    with file.open("rb") as stream:
        zipped = stream.read(2) == _GZIP
    return cast("BinaryIO", gzip.open(file)) if zipped else file.open("rb")


def _first_line(stream: BinaryIO) -> tuple[bytes, bytes]:
    """The blank lines at the beginning, and the line after them."""
    blank, line = b"", stream.readline().removeprefix(_BOM)
    while line and not line.strip():
        blank, line = blank + line, stream.readline()
    return blank, line


def _lines(first: bytes, rest: BinaryIO, number: int) -> Iterator[Part]:
    yield Part(f"line {number}: ", JSON, first)
    for place, line in enumerate(rest, number + 1):
        if line.strip():
            yield Part(f"line {place}: ", JSON, line)


def _whole(data: bytes) -> Part:
    # A protobuf request begins with a newline byte and a length, and 123 is the code of "{".
    is_json = data.lstrip().startswith(b"{") and (not data.startswith(b"\n") or _is_document(data))
    return Part("", JSON if is_json else PROTOBUF, data)


def _is_document(text: bytes) -> bool:
    try:
        return isinstance(orjson.loads(text), dict)
    except orjson.JSONDecodeError:
        return False
