"""Rows of the cache as bytes: what is sealed of an entry, and the context that it is sealed in."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from .model import Answer, Namespace, Question

__all__ = ["Kept", "Place", "instant", "micros", "packed", "unpacked", "vector_context"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_LENGTH = struct.Struct(">I")
_NONE = 0xFFFFFFFF


def micros(at: datetime) -> int:
    """Microseconds since 1970. Raises TypeError for a time without a zone."""
    return (at - _EPOCH) // _MICROSECOND


def instant(at: int) -> datetime:
    """The time of so many microseconds since 1970, UTC."""
    return _EPOCH + at * _MICROSECOND


_CONTEXT = struct.Struct(">5sq16s16s16s16s16sqq")
_VECTOR = struct.Struct(">6sq16s16sq")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a row stands: all that is in its columns. What is sealed in one place does not open in another."""

    id: int
    tenant: bytes
    scope: bytes
    workload: bytes
    exact: bytes
    partition: bytes | None
    kept: int
    expires: int

    @property
    def columns(self) -> tuple[int, bytes, bytes, bytes, bytes, bytes | None, int, int]:
        """In the order of the table's."""
        return (
            self.id,
            self.tenant,
            self.scope,
            self.workload,
            self.exact,
            self.partition,
            self.kept,
            self.expires,
        )

    @property
    def context(self) -> bytes:
        """What the row's content is sealed in."""
        return _CONTEXT.pack(
            b"entry",
            self.id,
            self.tenant,
            self.scope,
            self.workload,
            self.exact,
            self.partition or b"",
            self.kept,
            self.expires,
        )


@dataclass(frozen=True, slots=True)
class Kept:
    """What an entry says once it is opened."""

    where: Namespace
    exact: bytes
    wording: str | None
    partition: bytes | None
    answer: Answer

    def is_of(self, where: Namespace) -> bool:
        """Whether that namespace may see it: that of the group, or that of the tenant without one."""
        if (self.where.workload, self.where.group) != (where.workload, where.group):
            return False
        return where.group is not None or self.where.tenant == where.tenant

    def is_in(self, partition: bytes) -> bool:
        """Whether it was kept in that partition."""
        return self.partition == sha256(partition).digest()


def packed(where: Namespace, question: Question, partition: bytes | None, answer: Answer) -> bytes:
    """What `unpacked` takes apart. A partition is long, and only ever compared: its digest does."""
    parts: tuple[str | bytes | None, ...] = (
        where.tenant,
        where.workload,
        where.group,
        question.exact,
        question.wording,
        None if partition is None else sha256(partition).digest(),
        answer.content_type,
        answer.body,
        answer.text,
        answer.model,
    )
    return b"".join(_framed(_bytes(each) if isinstance(each, str) else each) for each in parts)


def _bytes(text: str) -> bytes:
    # JSON can hold half a surrogate pair.
    return text.encode("utf-8", "surrogatepass")


def _framed(part: bytes | None) -> bytes:
    return _LENGTH.pack(_NONE) if part is None else _LENGTH.pack(len(part)) + part


def unpacked(data: bytes) -> Kept:
    """What was packed; `data` is known to be that."""
    tenant, workload, group, exact, wording, partition, content_type, body, text, model = _parts(data)
    answer = Answer(_text(content_type) or "", body or b"", _text(text) or "", _text(model))
    where = Namespace((tenant or b"").decode(), (workload or b"").decode(), _text(group))
    return Kept(where, exact or b"", _text(wording), partition, answer)


def _parts(data: bytes) -> Iterator[bytes | None]:
    at = 0
    while at < len(data):
        (length,) = _LENGTH.unpack_from(data, at)
        at += _LENGTH.size
        if length == _NONE:
            yield None
        else:
            yield data[at : at + length]
            at += length


def _text(part: bytes | None) -> str | None:
    return None if part is None else part.decode("utf-8", "surrogatepass")


def vector_context(number: int, partition: bytes, tenant: bytes, expires: int) -> bytes:
    """What a vector is sealed in: the place of its row."""
    return _VECTOR.pack(b"vector", number, partition, tenant, expires)
