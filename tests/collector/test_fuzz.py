"""A short run of what `make fuzz` does for ten minutes: mutated requests, the same in every run."""

from __future__ import annotations

import random

import pytest
from fuzzing import check, seeds

RUNS = 2_000


def mutated(seed: bytes, chance: random.Random) -> bytes:
    """The bytes with some of them changed, cut out, repeated, or replaced by numbers that lie at an edge."""
    data = bytearray(seed)
    for _ in range(chance.randrange(1, 6)):
        place = chance.randrange(1, len(data) + 1)
        piece = bytes(data[place : place + chance.randrange(1, 32)])
        match chance.randrange(5):
            case 0:
                data[place : place + 1] = chance.randbytes(1)
            case 1:
                del data[place : place + len(piece)]
            case 2:
                data[place:place] = piece * chance.randrange(1, 4)
            case 3:
                data[place : place + 1] = chance.choice(
                    (b"\0", b"\x7f", b"\x80", b"\xff" * 9, b'"', b"{", b"[")
                )
            case 4:
                data = data[: place + 1]
    return bytes(data)


@pytest.mark.parametrize("number", range(len(seeds())))
def test_no_request_whatever_its_bytes_meets_a_fault_of_ours(number: int) -> None:
    chance = random.Random(number)
    seed = seeds()[number]
    check(seed)
    for _ in range(RUNS):
        check(mutated(seed, chance))
