"""The index finds what was put in, however it grew, and the one that a start makes is the one that booking made."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from stores import book

from analytics.prices import PriceBook
from collector.call import Call, Reported
from collector.errors import StoreError
from collector.facts import candidates, index
from collector.facts.index import Hashes, Index
from collector.facts.store import Store
from switchgear.usage import Usage

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
PRICE = PriceBook().quote


def call(number: int) -> Call:
    """Each with a parent; every other one with a response id, every third with a hold."""
    return Call(
        tenant="acme",
        trace_id=f"{number:032x}",
        span_id=f"{number:016x}",
        parent_span_id=f"{number + 1_000_000:016x}",
        started_at=NOW + timedelta(minutes=number),
        ended_at=NOW + timedelta(minutes=number, seconds=1),
        provider="openai",
        model="gpt-4o-mini",
        response_id=f"resp-{number}" if number % 2 else None,
        lease_id=f"grant:{number}" if number % 3 == 0 else None,
        usage=Usage(number, output=1),
        reported=Reported.INPUT | Reported.OUTPUT,
        dialect="otel-genai",
        scope="x@1",
    )


def entries(of: Index) -> list[int]:
    """All words, in order."""
    return np.sort(np.concatenate([np.empty(0, np.uint64), *of._runs])).tolist()


@pytest.mark.parametrize("at_once", [1, 3, 131_072], ids=["a word at once", "three", "all"])
@settings(max_examples=50, deadline=None)
@given(batches=st.lists(st.lists(st.integers(0, 2**64 - 1), max_size=40), max_size=12))
def test_runs_are_merged_in_place_without_loss_and_stay_in_order(
    at_once: int, batches: Sequence[Sequence[int]]
) -> None:
    grown = Index()
    with patch.object(index, "_MERGED_WORDS", at_once):
        for batch in batches:
            grown.add(np.array(batch, dtype=np.uint64))
            assert all((run[1:] >= run[:-1]).all() for run in grown._runs)
    assert entries(grown) == sorted(word for batch in batches for word in batch)
    lengths = [len(run) for run in grown._runs]
    assert all(longer >= 8 * shorter for longer, shorter in pairwise(lengths))


@given(batches=st.lists(st.lists(st.integers(0, 2**64 - 1), max_size=40), max_size=12))
def test_an_index_made_at_once_holds_what_one_that_grew_does(batches: Sequence[Sequence[int]]) -> None:
    arrays: list[Hashes] = [np.array(batch, dtype=np.uint64) for batch in batches]
    grown = Index()
    for each in arrays:
        grown.add(each)
    assert entries(Index(iter(arrays))) == entries(grown)


@pytest.mark.parametrize("rows", [2, 7, 131_072])
def test_a_start_makes_the_index_that_booking_had_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    monkeypatch.setattr(candidates, "_ROWS_AT_ONCE", rows)
    store = Store(tmp_path)
    book(store, [call(number) for number in range(1, 21)], PRICE, NOW)
    # A twin of call 7, which makes the two of them members of one call.
    twin = replace(call(7), span_id=f"{70:016x}", scope="y@1")
    book(store, [twin, *(call(number) for number in range(21, 31))], PRICE, NOW)
    before = entries(store._index)
    store.close()
    store = Store(tmp_path)
    try:
        assert set(entries(store._index)) == set(before)
        # 31 spans; of the 30 calls their parents, 15 response ids and 10 holds, which the twin shares.
        assert len(set(before)) == 31 + 30 + 15 + 10
    finally:
        store.close()


def test_an_index_without_memory_is_made_anew_and_no_call_is_booked_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path)

    def full(_: Index, words: Hashes) -> None:
        raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr(Index, "add", full)
        with pytest.raises(StoreError, match="no memory for the index"):
            book(store, [call(1)], PRICE, NOW)
    store.reopen()
    try:
        assert store.last_seq == 1
        book(store, [call(1), call(2)], PRICE, NOW)
        assert store.cursor().execute("SELECT count(*) FROM calls").fetchall() == [(2,)]
    finally:
        store.close()
