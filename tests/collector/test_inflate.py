"""Bodies behind a Content-Encoding: all of them, or a refusal, and never more than fits."""

from __future__ import annotations

import gzip

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from memory import peak

from collector.errors import DecodeError
from collector.ingest.inflate import MAX_BODY_BYTES, inflate

MIB = 1024 * 1024


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
    bomb = gzip.compress(bytes(256 * MIB))
    assert len(bomb) < 300_000
    with peak() as taken, pytest.raises(DecodeError) as refused:
        inflate(bomb, "gzip")
    assert refused.value.status == 413
    assert taken() < 16 * MIB


def test_a_bomb_of_many_members_is_refused_all_the_same() -> None:
    with peak() as taken, pytest.raises(DecodeError) as refused:
        inflate(gzip.compress(bytes(MIB)) * 65, "gzip")
    assert refused.value.status == 413
    assert taken() < 16 * MIB


def test_a_large_body_that_fits_is_inflated_whole() -> None:
    plain = b"".join(number.to_bytes(4, "big") for number in range(2 * MIB))
    halves = gzip.compress(plain[: 3 * MIB], 1) + gzip.compress(plain[3 * MIB :], 1)
    assert inflate(halves, "gzip") == plain


@given(st.lists(st.binary(max_size=400), min_size=1, max_size=4), st.integers(1, 64), st.integers(1, 64))
def test_however_the_pieces_fall_the_body_is_what_was_compressed(
    members: list[bytes], into: int, out_of: int
) -> None:
    # What begins like gzip is taken for gzip within gzip, and refused.
    assume(not b"".join(each * 50 for each in members).startswith(b"\x1f\x8b"))
    body = b"".join(gzip.compress(each * 50) for each in members)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("collector.ingest.inflate._INPUT_BYTES", into)
        patch.setattr("collector.ingest.inflate._PIECE_BYTES", out_of)
        assert inflate(body, "gzip") == b"".join(each * 50 for each in members)
        with pytest.raises(DecodeError):
            inflate(body[:-1], "gzip")


def test_a_body_at_the_limit_passes_and_one_byte_more_does_not() -> None:
    assert len(inflate(gzip.compress(b"x" * 100), "gzip", limit=100)) == 100
    for body, encoding in ((gzip.compress(b"x" * 101), "gzip"), (b"x" * 101, "")):
        with pytest.raises(DecodeError) as refused:
            inflate(body, encoding, limit=100)
        assert refused.value.status == 413
    assert MAX_BODY_BYTES == 64 * 1024 * 1024
