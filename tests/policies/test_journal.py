"""The journal of grants: what was written is read again, whatever a crash, a full disk or a bad disk left of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from engines import HOUR, engine

from policies.journal import Journal, JournalError
from policies.keeping import Keeper
from policies.records import Learned, Record, Released

RECORDS = [Released(float(number), f"g{number}", None) for number in range(6)]
FIRST = "grants.00000001"


def written(folder: Path, records: Iterable[Record] = RECORDS, *, segment_bytes: int = 1 << 20) -> Journal:
    """A journal with these records, each in a segment of its own where a segment holds one byte."""
    journal = Journal(folder, segment_bytes=segment_bytes)
    assert list(journal.read()) == []
    for record in records:
        journal.write([record])
        journal.turn()
    journal.close()
    return journal


def read(folder: Path) -> list[Record]:
    return list(Journal(folder).read())


def test_what_a_crash_left_of_the_last_record_is_cut_off_wherever_it_came(tmp_path: Path) -> None:
    written(tmp_path)
    path = tmp_path / FIRST
    whole = path.read_bytes()
    each = len(whole) // len(RECORDS)
    for length in range(len(whole) - each, len(whole)):
        path.write_bytes(whole[:length])
        journal = Journal(tmp_path)
        assert list(journal.read()) == RECORDS[:-1]
        journal.write([RECORDS[-1]])
        journal.close()
        assert read(tmp_path) == RECORDS


@pytest.mark.parametrize("bit", [0, 7])
def test_a_damaged_byte_before_the_last_record_is_refused_with_its_place(tmp_path: Path, bit: int) -> None:
    written(tmp_path)
    path = tmp_path / FIRST
    whole = path.read_bytes()
    each = len(whole) // len(RECORDS)
    for at in range(len(whole) - each):
        damaged = bytearray(whole)
        damaged[at] ^= 1 << bit
        path.write_bytes(damaged)
        with pytest.raises(JournalError) as refused:
            read(tmp_path)
        assert str(refused.value) == (
            f"{path}: the record at byte {at // each * each} is damaged; move the file away to start without it"
        )


def test_an_end_that_was_never_written_is_no_damage(tmp_path: Path) -> None:
    written(tmp_path)
    with (tmp_path / FIRST).open("ab") as file:
        file.write(bytes(4096))
    assert read(tmp_path) == RECORDS


def test_a_full_disk_loses_no_record_that_was_written_before_or_is_written_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(tmp_path)
    list(journal.read())
    journal.write(RECORDS[:2])
    write = os.write

    def half(file: int, content: bytes) -> int:
        monkeypatch.setattr(os, "write", full)
        return write(file, content[: len(content) // 2])

    def full(file: int, content: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", half)
    with pytest.raises(OSError, match="No space"):
        journal.write(RECORDS[2:4])
    monkeypatch.setattr(os, "write", write)
    journal.write(RECORDS[4:])
    journal.close()
    assert read(tmp_path) == RECORDS[:2] + RECORDS[4:]


def every_second(record: Record) -> bool:
    return isinstance(record, Released) and int(record.at) % 2 == 0


def test_a_fold_keeps_what_matters_in_its_order_and_what_was_learned_before_it(tmp_path: Path) -> None:
    journal = written(tmp_path, segment_bytes=1)
    learned = Learned(9.0, {"sizes": {"a": 1}})
    journal.fold(every_second, [learned])
    assert read(tmp_path) == [learned, *RECORDS[::2]]
    assert [path.name for path in tmp_path.iterdir()] == ["grants.base"]


@pytest.mark.parametrize("step", range(10))
def test_a_fold_that_is_killed_at_any_step_loses_nothing_that_matters_and_reads_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    journal = written(tmp_path, segment_bytes=1)
    left = iter(range(step))

    def until_killed(do: Callable[..., object]) -> Callable[..., object]:
        def step_or_die(*args: object, **named: object) -> object:
            if next(left, None) is None:
                raise KeyboardInterrupt
            return do(*args, **named)

        return step_or_die

    with monkeypatch.context() as patched:
        for owner, name in ((os, "fsync"), (Path, "replace"), (Path, "unlink")):
            patched.setattr(owner, name, until_killed(getattr(owner, name)))
        # A file to write, to put in place, a folder to make durable, six segments to drop: nine steps.
        if step < 9:
            with pytest.raises(KeyboardInterrupt):
                journal.fold(every_second)
        else:
            journal.fold(every_second)
    replaced = step > 1
    assert read(tmp_path) == (RECORDS[::2] if replaced else RECORDS)
    again = Journal(tmp_path, segment_bytes=1)
    list(again.read())
    again.write([RECORDS[0]])
    again.close()
    assert read(tmp_path)[-1] == RECORDS[0]


def test_while_the_disk_is_full_an_engine_tries_a_little_now_and_then_and_writes_all_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, now, tries = engine(HOUR), 0.0, 0
    keeper = Keeper(one, Journal(tmp_path), lambda: now)

    def full(file: int, content: bytes) -> int:
        nonlocal tries
        tries += 1
        raise OSError(28, "No space left on device")

    records = [Released(float(number), f"g{number}", None) for number in range(2500)]
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        for record in records:
            one.records.append(record)
            keeper.write()
        assert (tries, keeper.error) == (1, "[Errno 28] No space left on device")
    now = 1.0
    keeper.write()
    assert (one.records, keeper.error) == ([], None)
    keeper.close()
    assert read(tmp_path) == records
