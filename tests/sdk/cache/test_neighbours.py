"""The nearest of small and of large partitions: exact, or by lists that follow what is kept and forgotten."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from storing import ACME, DAY, NOW, PARTITION, Kept, answer, question, sql

from switchgear.cache import Namespace
from switchgear.cache.lists import Lists, coded
from switchgear.cache.neighbours import SMALL, Neighbours, Read, cosines, from_bytes, to_bytes, unit

DIMENSIONS = 32
KEY = b"k" * 16


def vectors(count: int, seed: int = 7) -> NDArray[np.float32]:
    rows = np.random.default_rng(seed).standard_normal((count, DIMENSIONS)).astype(np.float32)
    return np.stack([unit(row) for row in rows])


class Store:
    """What SQLite is in life: rows by id, which come and go."""

    def __init__(self, rows: NDArray[np.float32]) -> None:
        self.rows = dict(enumerate(rows, 1))
        self.read_up_to: list[int] = []
        self.opened = threading.Event()
        """What a thread in the background reads waits for it."""
        self.opened.set()
        self.fails = False
        """What a thread in the background reads cannot be read."""

    def __call__(self, above: int, most: int) -> Read:
        if threading.current_thread() is not threading.main_thread():
            assert self.opened.wait(10)
            if self.fails:
                raise OSError("the disk is gone")
        ids = np.array(sorted(each for each in self.rows if each > above)[:most], dtype=np.int64)
        self.read_up_to.append(above)
        rows = np.array([self.rows[each] for each in ids.tolist()], dtype=np.float32)
        return Read(ids, rows.reshape(-1, DIMENSIONS), int(ids.max(initial=above)), len(ids) == most)


def at_once() -> None:
    """No pause: nobody else wants anything."""


@pytest.fixture
def neighbours() -> Iterator[Neighbours]:
    made = Neighbours()
    yield made
    made.forget()


@given(st.lists(st.floats(-1, 1, width=32), min_size=2, max_size=40))
def test_two_bytes_a_number_change_a_cosine_by_less_than_a_two_thousandth(numbers: list[float]) -> None:
    vector = np.array([*numbers, 1.0], dtype=np.float32)
    whole, halved = unit(vector), from_bytes([to_bytes(unit(vector))], len(vector))
    other = unit(np.arange(1, len(vector) + 1, dtype=np.float32))
    assert abs(float(whole @ other) - float(cosines(halved, other)[0])) < 5e-4


@given(seed=st.integers(0, 1000), count=st.integers(0, 300))
def test_a_byte_a_number_says_about_how_near(seed: int, count: int) -> None:
    rows, wanted = vectors(count + 1, seed)[1:], vectors(1, seed)[0]
    codes = coded(np.arange(count, dtype=np.int64), rows)
    # Each number is off by half a step at most, and a step is a 127th of the row's largest.
    step = np.abs(rows).max(axis=1, initial=0) / 127
    assert (np.abs(codes.cosines(wanted) - rows @ wanted) <= np.abs(wanted).sum() * step / 2 + 1e-5).all()


@given(seed=st.integers(0, 1000), count=st.integers(1, 300), gone=st.sets(st.integers(0, 299)))
@settings(max_examples=25, deadline=None)
def test_lists_hold_what_they_were_made_of_without_what_is_gone(
    seed: int, count: int, gone: set[int]
) -> None:
    codes = coded(np.arange(count, dtype=np.int64), vectors(count, seed))
    lists = Lists(codes, at_once)
    lists.remove(np.array(sorted(gone), dtype=np.int64))
    left = set(range(count)) - gone
    assert (len(lists), set(lists.codes.ids.tolist())) == (len(left), left)
    found = lists.nearest(vectors(1, seed)[0], count)
    assert set(found) <= left
    assert (0 in found) == (0 in left)


def test_many_vectors_that_are_alike_make_lists_too() -> None:
    rows = np.repeat(vectors(1), 2000, axis=0)
    found = Lists(coded(np.arange(2000, dtype=np.int64), rows), at_once).nearest(rows[0], 5)
    assert list(found.values()) == pytest.approx([1.0] * len(found), abs=0.01)
    assert len(found) >= 5


def test_what_is_not_in_lists_yet_is_found_all(neighbours: Neighbours) -> None:
    rows = vectors(400)
    store, wanted = Store(rows), vectors(1, seed=8)[0]
    best = (np.argsort(-(rows @ wanted))[:5] + 1).tolist()
    assert neighbours.nearest(KEY, wanted, 5, store) == best


def test_a_large_partition_is_found_by_its_lists(neighbours: Neighbours) -> None:
    rows = vectors(3000)
    store = Store(rows)
    neighbours.nearest(KEY, rows[0], 5, store)
    neighbours.settled()
    found = [neighbours.nearest(KEY, rows[number], 5, store)[0] for number in range(0, 3000, 10)]
    assert found == list(range(1, 3001, 10))
    # Read whole once, and from then on what is new.
    assert store.read_up_to == sorted(store.read_up_to)
    assert store.read_up_to[-300:] == [3000] * 300


def test_what_a_look_cannot_read_is_read_in_the_background(neighbours: Neighbours) -> None:
    rows = vectors(3000)
    store = Store(rows)
    store.opened.clear()
    first = [neighbours.nearest(KEY, rows[number], 1, store)[0] for number in (10, 2000, 2999)]
    assert first[0] == 11
    assert max(first) <= 1024  # so many a look reads; no other reads more meanwhile
    assert store.read_up_to == [0]
    store.opened.set()
    neighbours.settled()
    assert [neighbours.nearest(KEY, rows[number], 1, store)[0] for number in (10, 2000, 2999)] == [
        11,
        2001,
        3000,
    ]


def test_what_cannot_be_read_in_the_background_is_left_to_the_next_look(
    neighbours: Neighbours, caplog: pytest.LogCaptureFixture
) -> None:
    rows = vectors(2500)
    store = Store(rows)
    store.fails = True
    neighbours.nearest(KEY, rows[0], 1, store)
    neighbours.settled()
    assert [record.getMessage() for record in caplog.records] == [
        "the answer cache could not make lists of a partition: OSError"
    ]
    store.fails = False
    neighbours.nearest(KEY, rows[0], 1, store)
    neighbours.settled()
    assert neighbours.nearest(KEY, rows[2400], 1, store) == [2401]


def test_what_is_forgotten_is_not_read_on(neighbours: Neighbours) -> None:
    rows = vectors(20_000)
    store = Store(rows)
    neighbours.nearest(KEY, rows[0], 1, store)
    neighbours.forget()
    read = len(store.read_up_to)
    neighbours.settled()
    assert (neighbours.bytes, len(store.read_up_to)) == (0, read)
    assert read < 20_000 // 64


def test_what_comes_later_is_found_at_the_next_look(neighbours: Neighbours) -> None:
    rows, later = vectors(1000), vectors(700, seed=9)
    store = Store(rows)
    neighbours.nearest(KEY, rows[0], 5, store)
    neighbours.settled()
    for number, row in enumerate(later, 1001):
        store.rows[number] = row
        if number % 50 == 0:
            assert neighbours.nearest(KEY, row, 1, store) == [number]
    neighbours.settled()
    assert [neighbours.nearest(KEY, row, 1, store)[0] for row in later[::7]] == list(range(1001, 1701, 7))


@pytest.mark.parametrize("settled", [True, False], ids=["in lists", "not in them yet"])
def test_what_is_said_to_be_gone_is_not_found(neighbours: Neighbours, settled: bool) -> None:  # noqa: FBT001
    rows = vectors(600 if settled else 300)
    store = Store(rows)
    neighbours.nearest(KEY, rows[0], 5, store)
    neighbours.settled()
    first = neighbours.nearest(KEY, rows[0], 3, store)
    neighbours.gone(KEY, first)
    assert not set(first) & set(neighbours.nearest(KEY, rows[0], 50, store))
    neighbours.gone(KEY, [9999])  # never there: nothing to do
    neighbours.gone(b"another", first)


def test_where_much_is_gone_the_partition_is_read_anew(neighbours: Neighbours) -> None:
    rows = vectors(600)
    store = Store(rows)
    neighbours.nearest(KEY, rows[0], 5, store)
    neighbours.settled()
    neighbours.gone(KEY, range(1, 152))  # more than a quarter of 600 - 151, and more than 64
    assert not neighbours.knows(KEY, DIMENSIONS)
    assert neighbours.nearest(KEY, rows[0], 1, store) == [1]


def test_the_partitions_looked_at_longest_ago_leave_the_memory() -> None:
    neighbours = Neighbours(most=1500)
    store = Store(vectors(600))
    for key in (b"a", b"b", b"a", b"c"):
        neighbours.nearest(key, store.rows[1], 1, store)
        neighbours.settled()
    assert [neighbours.knows(key, DIMENSIONS) for key in (b"a", b"b", b"c")] == [True, False, True]
    before = neighbours.bytes
    assert before > 1200 * DIMENSIONS
    neighbours.forget()
    assert neighbours.bytes == 0


def test_a_forked_child_begins_anew(neighbours: Neighbours) -> None:
    rows = vectors(2000)
    store = Store(rows)
    neighbours.nearest(KEY, rows[0], 1, store)
    child = os.fork()
    if child == 0:
        right = not neighbours.knows(KEY, DIMENSIONS) and neighbours.nearest(KEY, rows[5], 1, store) == [6]
        os._exit(0 if right else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_forks_while_lists_are_made_stop_nothing(neighbours: Neighbours) -> None:
    """OpenBLAS would wait for ever for threads that it ended before the fork."""
    rows = vectors(20_000)
    store = Store(rows)
    neighbours.nearest(KEY, rows[0], 1, store)
    for _ in range(20):
        child = os.fork()
        if child == 0:
            os._exit(0 if neighbours.nearest(KEY, rows[5], 1, Store(rows[:600])) == [6] else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    neighbours.settled()
    assert neighbours.nearest(KEY, rows[5], 1, store) == [6]


# With the entries


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    """A partition that is twice too large to be compared one by one."""
    made = Kept(tmp_path_factory.mktemp("large") / "kept")
    for number, row in enumerate(vectors(2 * SMALL)):
        name = f"r{number}"
        made.entries.put(ACME, question(name), PARTITION, row, answer(name), (), NOW, NOW + DAY)
    yield made
    made.entries.close()


def nearest(kept: Kept, vector: NDArray[np.float32], most: int = 3, where: Namespace = ACME) -> list[str]:
    found = kept.entries.near(where, PARTITION, vector, most, NOW)
    assert [near for near, _ in found] == sorted((near for near, _ in found), reverse=True)
    return [entry.answer.text.removeprefix("text of ") for _, entry in found]


def test_a_large_partition_answers_before_and_after_its_lists_are_there(large: Kept) -> None:
    rows = vectors(2 * SMALL)
    for _ in range(2):
        for number in range(0, 2 * SMALL, 100):
            assert nearest(large, rows[number])[0] == f"r{number}"
        large.entries.settled()
    assert large.entries.index_bytes > 0


def test_a_large_partition_is_still_a_namespaces_own(large: Kept) -> None:
    row = vectors(1)[0]
    assert nearest(large, row, where=Namespace("beta", "nightly")) == []
    large.entries.put(
        Namespace("beta", "nightly"), question("b"), PARTITION, row, answer("b"), (), NOW, NOW + DAY
    )
    assert nearest(large, row, where=Namespace("beta", "nightly")) == ["b"]
    assert nearest(large, row)[0] == "r0"


def test_what_another_process_does_to_a_large_partition_shows(large: Kept) -> None:
    row = vectors(1, seed=11)[0]
    nearest(large, row)
    other = Kept(large.folder)
    number = other.entries.put(ACME, question("new"), PARTITION, row, answer("new"), (), NOW, NOW + DAY)
    assert number is not None
    assert nearest(large, row)[0] == "new"
    other.entries.forget_entry(number)
    assert "new" not in nearest(large, row)
    other.entries.close()


def test_expired_neighbours_make_room_for_the_next(large: Kept) -> None:
    row = vectors(1, seed=12)[0]
    for number in range(40):
        near = unit(row + np.float32(0.001 * number) * vectors(1, seed=13)[0])
        large.entries.put(
            ACME, question(f"s{number}"), PARTITION, near, answer(f"s{number}"), (), NOW, NOW + DAY / 2
        )
    large.entries.put(ACME, question("stays"), PARTITION, row, answer("stays"), (), NOW, NOW + DAY)
    large.entries.near(ACME, PARTITION, row, 1, NOW)
    found = large.entries.near(ACME, PARTITION, row, 2, NOW + DAY / 2)
    assert found[0][1].answer.text == "text of stays"
    assert len(found) == 2


def test_a_changed_vector_in_a_large_partition_is_not_used(large: Kept) -> None:
    row = vectors(2 * SMALL)[40]
    large.entries.settled()
    assert nearest(large, row)[0] == "r40"
    sql(large.folder, "UPDATE vectors SET sealed = zeroblob(92) WHERE id = 41")
    assert "r40" not in nearest(large, row)
    assert large.entries.damaged == 1


# Laws

PLACES = [
    Namespace("acme", "nightly"),
    Namespace("beta", "nightly"),
    Namespace("acme", "daily"),
    Namespace("acme", "nightly", "g"),
    Namespace("beta", "nightly", "g"),
]
PUTS = st.lists(
    st.tuples(
        st.integers(0, len(PLACES) - 1),
        st.integers(0, 3),  # which request
        st.sampled_from([None, b"", b"p", b"q"]),
        st.floats(0, 3),
        st.integers(1, 4),  # hours that it is kept
    ),
    max_size=12,
)


def scope(where: Namespace) -> tuple[str, ...]:
    return ("own", where.tenant, where.workload) if where.group is None else (where.group, where.workload)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(puts=PUTS, hours=st.integers(0, 4))
def test_what_was_put_is_found_by_who_may_until_it_is_over_and_by_nobody_else(
    tmp_path_factory: pytest.TempPathFactory,
    puts: list[tuple[int, int, bytes | None, float, int]],
    hours: int,
) -> None:
    kept = Kept(tmp_path_factory.mktemp("law") / "kept")
    held: dict[tuple[tuple[str, ...], int], tuple[bytes | None, str, int]] = {}
    for turn, (place, asked, partition, angle, keep) in enumerate(puts):
        where = PLACES[place]
        kept.put(
            f"r{asked}",
            where,
            angle=None if partition is None else angle,
            partition=partition or b"",
            said=f"{turn}",
            keep=timedelta(hours=keep),
        )
        held[scope(where), asked] = (partition, f"{turn}", keep)
    at = NOW + timedelta(hours=hours)
    for where in PLACES:
        live = {
            asked: each for (owner, asked), each in held.items() if owner == scope(where) and each[2] > hours
        }
        for asked in range(4):
            assert kept.exact(f"r{asked}", where, at) == (live[asked][1] if asked in live else None)
        for partition in (b"", b"p", b"q"):
            found = kept.near(0, where, partition=partition, most=20, at=at)
            assert sorted(map(str, found)) == sorted(
                said for at_, said, _ in live.values() if at_ == partition
            )
    assert kept.entries.damaged == 0
    kept.entries.close()
