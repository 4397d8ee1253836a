"""Channel: messages over a pair of pipes: a small JSON header, and bytes, which may hold Arrow batches or schemas."""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

__all__ = ["Channel", "packed", "packed_schemas", "unpacked", "unpacked_schemas"]

_SIZES = struct.Struct("<IQ")
_MAX_HEADER_BYTES = 1024**2
_MAX_BODY_BYTES = 128 * 1024**2


class Channel:
    """One end. The ends speak in turn, so that neither waits for the other to read while that one waits too."""

    def __init__(self, reading: int, writing: int) -> None:
        """Over two file descriptors, which stay open for whoever opened them to close."""
        self._reading = io.FileIO(reading, "rb", closefd=False)
        self._writing = io.FileIO(writing, "wb", closefd=False)

    def send(self, header: Mapping[str, Any], body: pa.Buffer | bytes = b"") -> None:
        """Send a message. Raises OSError where nobody reads any more."""
        text = json.dumps(header).encode()
        content = memoryview(body)
        self._write(memoryview(_SIZES.pack(len(text), content.nbytes) + text))
        self._write(content)

    def receive(self) -> tuple[dict[str, Any], memoryview]:
        """The next message. Raises EOFError where none comes any more, ValueError for one that is too large."""
        text_size, size = _SIZES.unpack(self._read(_SIZES.size))
        if text_size > _MAX_HEADER_BYTES or size > _MAX_BODY_BYTES:
            raise ValueError(f"a message of {text_size} and {size} bytes")
        header: dict[str, Any] = json.loads(bytes(self._read(text_size)))
        return header, self._read(size)

    def _write(self, rest: memoryview) -> None:
        while rest:
            rest = rest[self._writing.write(rest) :]

    def _read(self, size: int) -> memoryview:
        whole = memoryview(bytearray(size))
        rest = whole
        while rest:
            count = self._reading.readinto(rest)
            if not count:
                raise EOFError("the other end is gone")
            rest = rest[count:]
        return whole


def packed(batches: Sequence[pa.RecordBatch]) -> pa.Buffer:
    """One or more batches as an Arrow stream of their own, with whatever dictionaries they need."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batches[0].schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return sink.getvalue()


def unpacked(body: memoryview) -> pa.Table:
    """The rows that `packed` made this of; their columns lie in `body`."""
    with pa.ipc.open_stream(pa.py_buffer(body)) as stream:
        return stream.read_all()


def packed_schemas(schemas: Mapping[str, pa.Schema]) -> pa.Buffer:
    """Several schemas by name."""
    return pa.schema([(name, pa.struct(list(schema))) for name, schema in schemas.items()]).serialize()


def unpacked_schemas(body: memoryview) -> dict[str, pa.Schema]:
    """The schemas that `packed_schemas` made this of."""
    return {field.name: pa.schema(list(field.type)) for field in pa.ipc.read_schema(pa.py_buffer(body))}
