"""Kept answers: what is found, by whom, how long; and what is not."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from storing import ACME, DAY, NOW, PARTITION, Kept, answer, every_byte, question, sql, toward

from switchgear.cache import Answer, Namespace, Question
from switchgear.cache.entries import MOST_OF_ONE

GROUP = "acme-and-beta"
ACME_SHARED, BETA_SHARED = Namespace("acme", "nightly", GROUP), Namespace("beta", "nightly", GROUP)
OTHERS = [
    pytest.param(Namespace("beta", "nightly"), id="another tenant"),
    pytest.param(Namespace("acme", "daily"), id="another workload"),
    pytest.param(ACME_SHARED, id="the same tenant, by a group"),
    pytest.param(Namespace("beta", "nightly", "acme"), id="a group of the tenant's name"),
    pytest.param(Namespace("", "nightlyacme"), id="names that make the same letters"),
]


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    made = Kept(tmp_path / "kept")
    yield made
    made.entries.close()


def test_the_very_same_request_finds_its_answer_whole(kept: Kept) -> None:
    number = kept.put("sum", angle=0)
    found = kept.entries.exact(ACME, question("sum"), NOW + DAY / 2)
    assert found is not None
    assert (found.id, found.tenant, found.wording) == (number, "acme", "wording of sum")
    assert (found.answer, found.kept_at) == (answer("sum"), NOW)


@pytest.mark.parametrize(
    "kept_answer",
    [
        pytest.param(Answer("text/event-stream", bytes(range(256)), "", None), id="bytes of no text"),
        pytest.param(Answer("", b"", "\x00 🙂", ""), id="empty, but not nothing"),
    ],
)
def test_an_answer_comes_back_byte_for_byte(kept: Kept, kept_answer: Answer) -> None:
    wordless = Question(b"", b"", None, None)
    kept.entries.put(ACME, wordless, None, None, kept_answer, (), NOW, NOW + DAY)
    found = kept.entries.exact(ACME, wordless, NOW)
    assert found is not None
    assert (found.answer, found.wording) == (kept_answer, None)


def test_another_request_is_a_miss(kept: Kept) -> None:
    kept.put("sum")
    assert kept.exact("sums") is None


def test_the_nearest_come_first_with_their_cosines(kept: Kept) -> None:
    for name, angle in (("far", 1.2), ("near", 0.1), ("nearer", 0.05)):
        kept.put(name, angle=angle)
    found = kept.entries.near(ACME, PARTITION, toward(0), 2, NOW)
    assert [entry.wording for _, entry in found] == ["wording of nearer", "wording of near"]
    assert [near for near, _ in found] == pytest.approx([np.cos(0.05), np.cos(0.1)], abs=5e-4)


def test_what_was_kept_without_a_vector_is_near_to_nothing(kept: Kept) -> None:
    kept.put("sum")
    assert kept.near(0) == []


def test_only_what_is_in_the_same_partition_is_near(kept: Kept) -> None:
    kept.put("sum", angle=0)
    assert kept.near(0, partition=PARTITION + b"2") == []


@pytest.mark.parametrize("where", OTHERS)
def test_nothing_is_found_in_another_namespace(kept: Kept, where: Namespace) -> None:
    kept.put("sum", angle=0)
    assert kept.exact("sum", where) is None
    assert kept.near(0, where) == []


def test_a_group_shares_what_its_tenants_kept_by_its_name(kept: Kept) -> None:
    kept.put("sum", ACME_SHARED, angle=0)
    found = kept.entries.exact(BETA_SHARED, question("sum"), NOW)
    assert found is not None
    assert (found.tenant, kept.near(0, BETA_SHARED)) == ("acme", ["sum"])


@pytest.mark.parametrize(
    "where",
    [
        pytest.param(Namespace("acme", "nightly"), id="who kept it, without the group"),
        pytest.param(Namespace("beta", "nightly"), id="another of the group, without its name"),
        pytest.param(Namespace("beta", "nightly", "another"), id="by the name of another group"),
        pytest.param(Namespace("beta", "daily", GROUP), id="of the group, for another workload"),
    ],
)
def test_a_groups_answers_are_for_those_alone_who_name_it(kept: Kept, where: Namespace) -> None:
    kept.put("sum", ACME_SHARED, angle=0)
    assert (kept.exact("sum", where), kept.near(0, where)) == (None, [])


@pytest.mark.parametrize(
    ("at", "found"),
    [
        pytest.param(NOW + DAY - timedelta(microseconds=1), "sum", id="just before its end"),
        pytest.param(NOW + DAY, None, id="at its end"),
        pytest.param(NOW + 2 * DAY, None, id="after it"),
    ],
)
def test_an_answer_is_found_until_its_end(kept: Kept, at: datetime, found: str | None) -> None:
    kept.put("sum", angle=0)
    assert kept.exact("sum", at=at) == found
    assert kept.near(0, at=at) == ([] if found is None else [found])


def test_a_new_answer_to_the_same_request_takes_the_place_of_the_old(kept: Kept) -> None:
    kept.put("sum", angle=0, said="old")
    kept.put("sum", angle=0, said="new")
    assert (kept.exact("sum"), kept.near(0), kept.entries.size[0]) == ("new", ["new"], 1)


def test_a_tenant_is_forgotten_wholly_and_others_are_not(kept: Kept) -> None:
    beta = Namespace("beta", "nightly")
    for where in (ACME, replace(ACME, workload="daily"), ACME_SHARED, beta, BETA_SHARED):
        kept.put(f"of {where.tenant}", where, angle=0)
    assert kept.entries.forget_tenant("acme") == 3
    assert [kept.exact("of acme", where) for where in (ACME, ACME_SHARED, BETA_SHARED)] == [None] * 3
    assert (kept.near(0), kept.near(0, BETA_SHARED), kept.near(0, beta)) == ([], ["of beta"], ["of beta"])


def test_a_tenants_answer_that_others_are_served_is_forgotten_with_the_tenant(kept: Kept) -> None:
    kept.put("sum", ACME_SHARED)
    assert kept.exact("sum", BETA_SHARED) == "sum"
    kept.entries.forget_tenant("acme")
    assert (kept.exact("sum", BETA_SHARED), kept.entries.size) == (None, (0, 0))


def test_a_forgotten_tenant_may_come_back(kept: Kept) -> None:
    kept.put("sum")
    kept.entries.forget_tenant("acme")
    kept.put("sum", said="anew")
    assert (kept.exact("sum"), kept.again().exact("sum")) == ("anew", "anew")


@pytest.mark.parametrize(
    ("tenant", "count", "left"),
    [
        pytest.param("acme", 1, [None, "sum", "sum"], id="of a tenant"),
        pytest.param(None, 2, [None, "sum", None], id="of all"),
        pytest.param("nobody", 0, ["sum", "sum", "sum"], id="of nobody"),
    ],
)
def test_a_workload_is_forgotten(kept: Kept, tenant: str | None, count: int, left: list[str | None]) -> None:
    places = (ACME, Namespace("acme", "daily"), Namespace("beta", "nightly"))
    for where in places:
        kept.put("sum", where)
    assert kept.entries.forget_workload(tenant, "nightly") == count
    assert [kept.exact("sum", where) for where in places] == left


@pytest.mark.parametrize(
    ("tenant", "count", "left"),
    [
        pytest.param("acme", 1, [None, "other", "sum"], id="of a tenant"),
        pytest.param(None, 2, [None, "other", None], id="of all"),
    ],
)
def test_a_tag_is_forgotten(kept: Kept, tenant: str | None, count: int, left: list[str | None]) -> None:
    beta = Namespace("beta", "nightly")
    kept.put("sum", tags=("prices", "prices", "stock"))
    kept.put("other", tags=("stock",))
    kept.put("sum", beta, tags=("prices",))
    assert kept.entries.forget_tag(tenant, "prices") == count
    assert [kept.exact("sum"), kept.exact("other"), kept.exact("sum", beta)] == left


def test_one_entry_is_forgotten(kept: Kept) -> None:
    number = kept.put("sum", angle=0)
    kept.put("other", angle=0.1)
    assert (kept.entries.forget_entry(number), kept.entries.forget_entry(number)) == (True, False)
    assert (kept.exact("sum"), kept.near(0)) == (None, ["other"])


def test_what_is_over_is_swept_away(kept: Kept) -> None:
    for number in range(3):
        kept.put(f"short {number}", keep=timedelta(hours=1))
    kept.put("long")
    assert kept.entries.sweep(NOW + timedelta(hours=1)) == 3
    assert (kept.entries.size[0], kept.exact("long")) == (1, "long")


def test_what_is_larger_than_a_mebibyte_is_not_kept(kept: Kept) -> None:
    for body, there in ((MOST_OF_ONE + 1, False), (MOST_OF_ONE - 1000, True)):
        large = Answer("application/json", os.urandom(body), "", None)
        number = kept.entries.put(ACME, question(str(body)), None, None, large, (), NOW, NOW + DAY)
        found = kept.entries.exact(ACME, question(str(body)), NOW)
        assert (number is not None, found is not None) == (there, there)


def test_what_is_over_already_is_not_kept(kept: Kept) -> None:
    assert kept.entries.put(ACME, question("sum"), None, None, answer("sum"), (), NOW, NOW) is None


def test_a_full_folder_loses_what_is_over_soonest(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    kept = Kept(tmp_path / "kept", limits={"most_entries": 3})
    for hours in (5, 1, 4, 2, 3):
        kept.put(f"{hours} h", keep=timedelta(hours=hours))
    assert [kept.exact(f"{hours} h") for hours in (1, 2, 3, 4, 5)] == [None, None, "3 h", "4 h", "5 h"]
    assert kept.entries.crowded_out == 2
    assert [record.getMessage() for record in caplog.records if "is full (" in record.getMessage()] == [
        f"{tmp_path}/kept/cache.db: is full (more than 3 entries or 1073741824 bytes): what is over soonest goes"
    ]
    kept.entries.close()


def test_bytes_are_limited_too(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "kept", limits={"most_bytes": 100_000})
    body = os.urandom(30_000)  # not to be made smaller: three fit, with 400 bytes a row beside them
    for number in range(5):
        large = Answer("application/json", body, "", None)
        kept.entries.put(
            ACME, question(str(number)), None, None, large, (), NOW, NOW + DAY + timedelta(hours=number)
        )
    count, size = kept.entries.size
    assert count == 3
    assert 3 * 30_000 < size <= 100_000
    kept.entries.close()


def test_what_was_kept_is_there_after_a_restart(kept: Kept) -> None:
    kept.put("sum", angle=0)
    again = kept.again()
    assert (again.exact("sum"), again.near(0)) == ("sum", ["sum"])
    again.entries.close()


def test_two_that_open_one_folder_see_what_the_other_does(kept: Kept) -> None:
    other = Kept(kept.folder)
    kept.put("sum", angle=0)
    assert (other.exact("sum"), other.near(0)) == ("sum", ["sum"])
    other.entries.forget_tenant("acme")
    assert (kept.exact("sum"), kept.near(0)) == (None, [])
    # Its key was destroyed by the other: it makes a new one.
    kept.put("sum", said="anew")
    assert (other.exact("sum"), other.again().exact("sum")) == ("anew", "anew")


def test_many_threads_put_and_find(kept: Kept) -> None:
    def turn(number: int) -> str | None:
        kept.put(f"r{number}", angle=number / 100)
        kept.near(0)
        return kept.exact(f"r{number}")

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(turn, range(100))) == [f"r{number}" for number in range(100)]
    assert (kept.entries.size[0], kept.entries.damaged) == (100, 0)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc/self/fd")
def test_threads_that_are_over_leave_nothing_open(kept: Kept) -> None:
    kept.put("sum")
    for _ in range(30):
        thread = threading.Thread(target=kept.exact, args=("sum",))
        thread.start()
        thread.join()
    files = [os.path.realpath(file) for file in Path("/proc/self/fd").iterdir()]
    # Of this thread and of the last one that is over, and what SQLite keeps for the next to open.
    assert 1 <= files.count(str(kept.folder / "cache.db")) <= 4


def test_a_child_of_a_fork_puts_and_finds(kept: Kept) -> None:
    kept.put("of the parent", angle=0)
    child = os.fork()
    if child == 0:
        try:
            found = (kept.exact("of the parent"), kept.near(0))
            kept.put("of the child")
            kept.entries.close()
            os._exit(0 if found == ("of the parent", ["of the parent"]) else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert (kept.exact("of the child"), kept.exact("of the parent")) == ("of the child", "of the parent")


def test_folder_file_and_key_are_for_their_owner_alone(kept: Kept) -> None:
    kept.put("sum")
    key = kept.folder.with_name("kept.key")
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (kept.folder, key, *kept.folder.iterdir())]
    assert modes == [0o700, *([0o600] * (1 + len(list(kept.folder.iterdir()))))]


PLAIN = (
    b"Transfer 4,711 EUR",
    b"Ms Roe",
    b"account-0815",
    b"It is done, Ms Roe",
    b"acme",
    b"nightly",
    b"bank",
)


def test_nothing_of_what_is_kept_is_in_the_files(kept: Kept) -> None:
    asked = Question(b"Transfer 4,711 EUR to Ms Roe", b"account-0815", "Transfer 4,711 EUR", None)
    told = Answer("application/json", b"It is done, Ms Roe", "It is done, Ms Roe", None)
    vector = toward(0.7)
    for _ in range(2):  # the second time over the first
        kept.entries.put(ACME, asked, b"account-0815", vector, told, ("bank",), NOW, NOW + DAY)
    written = every_byte(kept.folder)
    assert len(written) > 10_000
    assert [plain for plain in PLAIN if plain in written] == []
    assert vector.astype("<f2").tobytes()[:4] + b"\0\0" not in written


def test_what_was_forgotten_is_not_in_the_files_even_sealed(kept: Kept) -> None:

    kept.put("sum", angle=0)
    rows = sql(kept.folder, "SELECT sealed FROM entries UNION ALL SELECT sealed FROM vectors")
    rows += sql(kept.folder, "SELECT wrapped FROM keys")
    assert [row for (row,) in rows if row not in every_byte(kept.folder)] == []
    kept.entries.forget_tenant("acme")
    assert [row for (row,) in rows if row in every_byte(kept.folder)] == []


def test_a_vector_without_a_direction_is_refused(kept: Kept) -> None:
    with pytest.raises(ValueError, match="direction"):
        kept.entries.put(
            ACME, question("sum"), PARTITION, np.zeros(8, np.float32), answer("sum"), (), NOW, NOW + DAY
        )


def test_vectors_of_another_length_are_left_out(kept: Kept) -> None:
    kept.put("of 8", angle=0)
    kept.entries.put(ACME, question("of 4"), PARTITION, toward(0, 4), answer("of 4"), (), NOW, NOW + DAY)
    found = kept.entries.near(ACME, PARTITION, toward(0, 4), 5, NOW)
    assert [entry.wording for _, entry in found] == ["wording of of 4"]
    assert (kept.near(0), kept.entries.damaged) == (["of 8"], 0)
