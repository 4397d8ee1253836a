"""Bodies behind a Content-Encoding: all of them, or a refusal, and never more than fits."""

from __future__ import annotations

import gzip
import time
import tracemalloc

import pytest

from collector.errors import DecodeError
from collector.inflate import MAX_BODY_BYTES, inflate


def test_every_member_of_a_gzip_body_is_read() -> None:
    assert inflate(gzip.compress(b"one ") + gzip.compress(b"two"), "gzip") == b"one two"


@pytest.mark.parametrize(
    ("body", "encoding", "status"),
    [
        (gzip.compress(b"x" * 1000)[:-4], "gzip", 400),
        (gzip.compress(b"x" * 1000)[:-8] + b"\0" * 8, "gzip", 400),
        (b"plain", "gzip", 400),
        (gzip.compress(b"x") + b"rubbish", "gzip", 400),
        (b"x", "deflate", 415),
        (b"x", "gzip, gzip", 415),
        (b"x", "zstd", 415),
        (b"x", "br", 415),
    ],
    ids=["cut", "bad crc", "no gzip", "rubbish after", "deflate", "nested", "zstd", "br"],
)
def test_a_body_that_is_not_what_its_encoding_says(body: bytes, encoding: str, status: int) -> None:
    with pytest.raises(DecodeError) as refused:
        inflate(body, encoding)
    assert refused.value.status == status


def test_a_bomb_is_refused_before_it_is_inflated_whole() -> None:
    bomb = b"".join(gzip.compress(b"\0" * (16 * 1024 * 1024)) for _ in range(16))
    assert len(bomb) < 300_000
    tracemalloc.start()
    began = time.perf_counter()
    with pytest.raises(DecodeError) as refused:
        inflate(bomb, "gzip", limit=1024 * 1024)
    assert refused.value.status == 413
    assert tracemalloc.get_traced_memory()[1] < 4 * 1024 * 1024
    tracemalloc.stop()
    assert time.perf_counter() - began < 1


def test_a_body_at_the_limit_passes_and_one_byte_more_does_not() -> None:
    assert len(inflate(gzip.compress(b"x" * 100), "gzip", limit=100)) == 100
    for body, encoding in ((gzip.compress(b"x" * 101), "gzip"), (b"x" * 101, "")):
        with pytest.raises(DecodeError) as refused:
            inflate(body, encoding, limit=100)
        assert refused.value.status == 413
    assert MAX_BODY_BYTES == 64 * 1024 * 1024
