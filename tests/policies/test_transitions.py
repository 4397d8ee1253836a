"""The transition log: chained, durable, and honest about damage."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from policies.transitions import BrokenChainError, Transition, TransitionLog


def transition(reason: str) -> Transition:
    return Transition(
        0.0, "c", {"tenant": "acme"}, "closed", "open", "engine", reason,
        Decimal("1.0"), Decimal("0.5"), Decimal("2.25"), Decimal(2), "USD",
    )  # fmt: skip


@pytest.fixture
def path(tmp_path: Path) -> Path:
    log = TransitionLog(tmp_path / "t.jsonl")
    for reason in ("first", "second", "third"):
        log.append(transition(reason))
    return tmp_path / "t.jsonl"


def test_a_log_opened_again_goes_on_with_the_chain(path: Path) -> None:
    TransitionLog(path).append(transition("fourth"))

    lines = list(TransitionLog(path).read(after=0))
    assert [line["id"] for line in lines] == [1, 2, 3, 4]
    assert [line["prev_hash"] for line in lines[1:]] == [line["hash"] for line in lines[:-1]]
    assert lines[0]["projected"] == "2.25"


def test_reading_starts_after_what_is_known(path: Path) -> None:
    assert [line["reason"] for line in TransitionLog(path).read(after=2)] == ["third"]


@pytest.mark.parametrize(
    ("damage", "at"),
    [
        (lambda lines: [lines[0], lines[1].replace(b"second", b"harmless"), lines[2]], 2),
        (lambda lines: [lines[0], lines[2]], 2),
        (lambda lines: [lines[1], lines[0], lines[2]], 1),
        (lambda lines: [lines[0], b"\x00\x00", lines[2]], 2),
    ],
    ids=["changed", "removed", "swapped", "overwritten"],
)
def test_a_log_that_was_changed_is_refused_with_its_line(path: Path, damage: object, at: int) -> None:
    path.write_bytes(b"\n".join(damage(path.read_bytes().splitlines())) + b"\n")  # type: ignore[operator]
    with pytest.raises(BrokenChainError, match=rf"t\.jsonl:{at}:"):
        TransitionLog(path)


def test_an_append_that_a_crash_cut_short_is_dropped(path: Path) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"id": 4, "at"')

    log = TransitionLog(path)
    assert log.length == 3
    assert path.read_bytes() == whole


def test_many_transitions_are_one_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writes: list[int] = []
    monkeypatch.setattr("os.fsync", writes.append)
    path = tmp_path / "t.jsonl"
    TransitionLog(path).append(*(transition(str(number)) for number in range(500)))
    assert len(writes) == 1
    assert [line["reason"] for line in TransitionLog(path).read(after=498)] == ["498", "499"]


@pytest.mark.parametrize("after", [0, 1, 2, 3, 4])
def test_the_latest_lines_come_from_memory_and_earlier_ones_from_the_file(tmp_path: Path, after: int) -> None:
    log = TransitionLog(tmp_path / "t.jsonl", keep=2)
    log.append(*(transition(reason) for reason in ("one", "two", "three", "four")))
    assert log.since(after) == list(log.read(after))


def test_everyone_who_follows_gets_each_append_once_it_is_durable(path: Path) -> None:
    log = TransitionLog(path)
    told: list[list[str]] = []
    for _ in range(2):
        log.followers.append(lambda lines: told.append([line["reason"] for line in lines]))
    log.followers.append(lambda lines: told.append([line["reason"] for line in TransitionLog(path).since(3)]))

    log.append(transition("fourth"), transition("fifth"))
    assert told == [["fourth", "fifth"]] * 3
