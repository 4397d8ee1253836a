"""The journal: what was acknowledged is read back, torn ends are skipped, damage and gaps are refused."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.errors import StoreError
from collector.facts.journal import FOLDER, Journal


def segments(data: Path) -> list[Path]:
    return sorted((data / FOLDER).iterdir())


def facts(journal: Journal, after: int = 0) -> list[tuple[int, int, bytes]]:
    return [(entry.first, entry.count, entry.payload) for entry in journal.entries(after)]


def written(data: Path, *payloads: bytes) -> Journal:
    """A journal that holds one fact for each payload, closed."""
    journal = Journal(data)
    for payload in payloads:
        journal.append([(payload, 1)], 7)
    journal.close()
    return journal


def test_what_was_appended_is_numbered_and_read_back_after_a_restart(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    made = journal.append([(b"one", 3), (b"two", 2)], 7)
    assert [(entry.first, entry.last) for entry in made] == [(1, 3), (4, 5)]
    journal.close()
    again = Journal(tmp_path)
    assert again.last == 5
    assert [entry.first for entry in again.append([(b"three", 1)], 8)] == [6]
    assert facts(again) == [(1, 3, b"one"), (4, 2, b"two"), (6, 1, b"three")]
    assert facts(again, after=3) == [(4, 2, b"two"), (6, 1, b"three")]
    assert facts(again, after=4) == [(4, 2, b"two"), (6, 1, b"three")], (
        "an entry that is booked in part comes whole"
    )
    again.close()


def test_the_numbers_go_on_where_a_new_segment_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("collector.facts.journal.SEGMENT_BYTES", 100)
    written(tmp_path, b"a", b"b", b"c", b"d")
    assert len(segments(tmp_path)) > 1
    assert [first for first, _, _ in facts(Journal(tmp_path))] == [1, 2, 3, 4]


@pytest.mark.parametrize("cut", range(1, 80, 7))
def test_a_write_that_was_interrupted_at_any_byte_is_skipped(tmp_path: Path, cut: int) -> None:
    written(tmp_path, b"kept", os.urandom(64))
    file = segments(tmp_path)[0]
    os.truncate(file, file.stat().st_size - cut)
    again = Journal(tmp_path)
    assert facts(again) == [(1, 1, b"kept")]
    assert again.torn_bytes > 0
    again.append([(b"next", 1)], 8)
    again.close()
    assert [payload for _, _, payload in facts(Journal(tmp_path))] == [b"kept", b"next"]


def test_a_segment_whose_only_record_was_interrupted_is_no_gap(tmp_path: Path) -> None:
    written(tmp_path, b"first")
    os.truncate(segments(tmp_path)[0], 10)
    written(tmp_path, b"second")
    assert [payload for _, _, payload in facts(Journal(tmp_path))] == [b"second"]


@settings(max_examples=60, deadline=None)
@given(place=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_a_flipped_bit_is_never_a_shorter_history(place: int, bit: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        written(data, *(os.urandom(40) for _ in range(5)))
        file = segments(data)[0]
        content = bytearray(file.read_bytes())
        content[place % len(content)] ^= 1 << bit
        file.write_bytes(content)
        with pytest.raises(StoreError, match="damaged at byte"):
            facts(Journal(data))


def test_a_missing_segment_is_named_with_the_facts_that_it_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("collector.facts.journal.SEGMENT_BYTES", 1)
    written(tmp_path, b"a", b"b", b"c")
    segments(tmp_path)[1].unlink()
    with pytest.raises(StoreError, match="facts 2 to 2 are missing"):
        facts(Journal(tmp_path))
    assert [payload for _, _, payload in facts(Journal(tmp_path), after=2)] == [b"c"], (
        "what is booked may be gone"
    )


def test_only_segments_that_are_booked_and_beyond_what_is_kept_are_let_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("collector.facts.journal.SEGMENT_BYTES", 1)
    journal = written(tmp_path, b"a", b"b", b"c", b"d")
    size = segments(tmp_path)[0].stat().st_size
    journal.prune(3, keep_bytes=2 * size)
    assert [first for first, _, _ in facts(Journal(tmp_path), after=1)] == [2, 3, 4]
    journal.prune(2, keep_bytes=0)
    assert [first for first, _, _ in facts(Journal(tmp_path), after=2)] == [3, 4]


def test_what_the_database_had_confirmed_is_known_after_a_restart(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.append([(b"a", 5)], 7)
    journal.booked = 5
    journal.append([(b"b", 1)], 8)
    journal.close()
    assert Journal(tmp_path).booked == 5


def test_after_a_failed_write_nothing_is_lost_and_its_numbers_are_not_given_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(tmp_path)
    journal.append([(b"a", 1)], 7)
    fdatasync = os.fdatasync
    with monkeypatch.context() as broken:

        def fail(_: int) -> None:
            raise OSError(5, "Input/output error")

        broken.setattr("os.fdatasync", fail)
        with pytest.raises(StoreError, match="Input/output error"):
            journal.append([(b"lost", 2)], 8)
    assert os.fdatasync is fdatasync
    assert [entry.first for entry in journal.append([(b"b", 1)], 9)] == [4]
    journal.close()
    assert facts(Journal(tmp_path)) == [(1, 1, b"a"), (4, 1, b"b")]
