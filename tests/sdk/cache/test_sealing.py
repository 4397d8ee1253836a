"""Seals and keys: what opens, what does not, and what a hand in the file achieves."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from storing import ACME, DAY, NOW, Kept, answer, question, sql, toward

from switchgear.cache import Namespace
from switchgear.cache.entries import Entries
from switchgear.cache.rows import Hashes
from switchgear.cache.sealing import Damaged, Seal, Secrets, master_key
from switchgear.errors import ConfigError

MASTER, OTHER = bytes(range(32)), bytes(range(1, 33))
BETA = Namespace("beta", "nightly")


@given(plain=st.binary(max_size=200), context=st.binary(max_size=40))
def test_what_is_sealed_opens_in_its_context(plain: bytes, context: bytes) -> None:
    seal = Seal(MASTER)
    assert seal.open(seal.seal(plain, context), context) == plain


@given(data=st.data(), plain=st.binary(max_size=60))
def test_a_changed_or_cut_seal_does_not_open(data: st.DataObject, plain: bytes) -> None:
    sealed = bytearray(Seal(MASTER).seal(plain, b"here"))
    place = data.draw(st.integers(0, len(sealed) - 1))
    if data.draw(st.booleans()):
        sealed[place] ^= data.draw(st.integers(1, 255))
    else:
        del sealed[place:]
    with pytest.raises(Damaged):
        Seal(MASTER).open(bytes(sealed), b"here")


@pytest.mark.parametrize(
    ("key", "context"),
    [pytest.param(OTHER, b"here", id="another key"), pytest.param(MASTER, b"there", id="another context")],
)
def test_a_seal_opens_nowhere_else(key: bytes, context: bytes) -> None:
    with pytest.raises(Damaged):
        Seal(key).open(Seal(MASTER).seal(b"plain", b"here"), context)


def test_the_same_is_never_sealed_alike() -> None:
    seal = Seal(MASTER)
    assert len({seal.seal(b"plain", b"here")[:12] for _ in range(1000)}) == 1000


def test_a_tenants_key_is_unwrapped_for_that_tenant_alone() -> None:
    secrets = Secrets(MASTER)
    wrapped = secrets.new_key(b"acme")
    sealed = secrets.unwrapped(b"acme", wrapped).seal(b"plain", b"")
    assert Secrets(MASTER).unwrapped(b"acme", wrapped).open(sealed, b"") == b"plain"
    for who, master in ((b"beta", MASTER), (b"acme", OTHER)):
        with pytest.raises(Damaged):
            Secrets(master).unwrapped(who, wrapped)


@given(
    first=st.lists(st.none() | st.binary(max_size=4), max_size=4),
    second=st.lists(st.none() | st.binary(max_size=4), max_size=4),
)
def test_two_hashes_are_equal_where_all_parts_are(
    first: list[bytes | None], second: list[bytes | None]
) -> None:
    secrets = Secrets(MASTER)
    assert (secrets.hashed(b"k", *first) == secrets.hashed(b"k", *second)) == (first == second)


def test_hashes_of_another_kind_or_key_differ() -> None:
    hashes = {Secrets(key).hashed(kind, b"acme") for key in (MASTER, OTHER) for kind in (b"tenant", b"tag")}
    assert len(hashes) == 4


@pytest.mark.parametrize("key", [b"", b"x" * 31])
def test_a_short_master_key_is_refused(key: bytes) -> None:
    with pytest.raises(ConfigError, match=rf"has {len(key)} bytes; give 32 random ones or more"):
        Secrets(key)


# The key's file


def test_a_key_is_made_once_for_all_who_ask(tmp_path: Path) -> None:
    path = tmp_path / "kept.key"
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: master_key(path, new=True), range(40)))
    assert keys == {path.read_bytes()}
    assert (len(path.read_bytes()), [file.name for file in tmp_path.iterdir()]) == (32, ["kept.key"])


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_key_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "kept.key"
    path.write_bytes(MASTER)
    path.chmod(mode)
    with pytest.raises(
        ConfigError, match=rf"kept\.key: others may read .* \(mode {mode:04o}\); chmod 600 it"
    ):
        master_key(path, new=True)


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_key_of_another_length_is_refused(tmp_path: Path, size: int) -> None:
    path = tmp_path / "kept.key"
    path.write_bytes(b"x" * size)
    path.chmod(0o600)
    with pytest.raises(
        ConfigError, match=rf"kept\.key: a key of the cache has 32 bytes, this file has {size}"
    ):
        master_key(path, new=True)


def test_a_lost_key_is_told_and_not_replaced(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "kept")
    kept.put("sum")
    kept.entries.close()
    key = tmp_path / "kept.key"
    secret = key.read_bytes()
    key.unlink()
    with pytest.raises(ConfigError, match=r"kept\.key: the key .* is missing; put it back"):
        Entries(tmp_path / "kept")
    key.write_bytes(secret)
    key.chmod(0o600)
    again = Kept(tmp_path / "kept")
    assert again.exact("sum") == "sum"
    again.entries.close()


def test_another_master_key_is_refused_and_nothing_is_lost(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "kept", MASTER)
    kept.put("sum")
    kept.entries.close()
    with pytest.raises(ConfigError, match=r"cache\.db: was made with another master key"):
        Entries(tmp_path / "kept", master=OTHER)
    again = Kept(tmp_path / "kept", MASTER)
    assert again.exact("sum") == "sum"
    again.entries.close()
    assert not (tmp_path / "kept.key").exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(b"no database " * 100, "cannot be opened as the cache's file", id="something else"),
        pytest.param(
            None, "is of version 9, this release reads version 2; remove the folder", id="of a later release"
        ),
    ],
)
def test_a_file_that_cannot_be_read_is_told(tmp_path: Path, content: bytes | None, said: str) -> None:
    folder = tmp_path / "kept"
    Entries(folder, master=MASTER).close()
    if content is None:
        sql(folder, "PRAGMA user_version=9")
    else:
        (folder / "cache.db").write_bytes(content)
    with pytest.raises(ConfigError, match=rf"cache\.db: .*{said}"):
        Entries(folder, master=MASTER)


# A hand in the file


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    """Two tenants' answers, and a third of another wording."""
    made = Kept(tmp_path / "kept", MASTER)
    made.put("sum", angle=0)
    made.put("other", angle=0.5)
    made.put("sum", BETA, angle=0, said="of beta")
    yield made
    made.entries.close()


EXPIRES = 4_000_000_000_000_000  # the year 2096, in microseconds
ENTRIES = [
    pytest.param("UPDATE entries SET sealed = zeroblob(length(sealed)) WHERE id = 1", id="overwritten"),
    pytest.param("UPDATE entries SET sealed = substr(sealed, 1, 40) WHERE id = 1", id="cut"),
    pytest.param("UPDATE entries SET sealed = x'' WHERE id = 1", id="emptied"),
    pytest.param(
        "UPDATE entries SET sealed = (SELECT sealed FROM entries WHERE id = 2) WHERE id = 1",
        id="another's content",
    ),
    pytest.param(
        "UPDATE entries SET sealed = o.sealed, tenant = o.tenant FROM entries AS o"
        " WHERE entries.id = 1 AND o.id = 3",
        id="another tenant's content and tenant",
    ),
    pytest.param(f"UPDATE entries SET expires = {EXPIRES} WHERE id = 1", id="made to last"),
    pytest.param("UPDATE entries SET kept = kept + 1 WHERE id = 1", id="made younger"),
    pytest.param("UPDATE entries SET workload = zeroblob(16) WHERE id = 1", id="of another workload"),
    pytest.param("UPDATE keys SET wrapped = zeroblob(60)", id="keys overwritten"),
]


@pytest.mark.parametrize("statement", ENTRIES)
def test_a_changed_row_is_a_miss_and_counted_and_removed(kept: Kept, statement: str) -> None:
    fresh = kept.again()
    sql(kept.folder, statement)
    assert (fresh.exact("sum"), fresh.entries.damaged) == (None, 1)
    assert sql(kept.folder, "SELECT count(*) FROM entries WHERE id = 1") == [(0,)]
    fresh.entries.close()


@pytest.mark.parametrize("statement", ENTRIES)
def test_a_changed_row_is_near_to_nothing(kept: Kept, statement: str) -> None:
    fresh = kept.again()
    sql(kept.folder, statement)
    assert "sum" not in fresh.near(0)
    assert "of beta" not in fresh.near(0)
    assert fresh.entries.damaged > 0
    fresh.entries.close()


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param("UPDATE vectors SET sealed = zeroblob(44) WHERE id = 1", id="overwritten"),
        pytest.param("UPDATE vectors SET sealed = substr(sealed, 1, 20) WHERE id = 1", id="cut"),
        pytest.param(
            "UPDATE vectors SET sealed = (SELECT sealed FROM vectors WHERE id = 2) WHERE id = 1", id="swapped"
        ),
        pytest.param(f"UPDATE vectors SET expires = {EXPIRES} WHERE id = 1", id="made to last"),
        pytest.param("UPDATE vectors SET tenant = zeroblob(16) WHERE id = 1", id="of another tenant"),
    ],
)
def test_a_changed_vector_takes_its_answer_with_it(kept: Kept, statement: str) -> None:
    sql(kept.folder, statement)
    assert (kept.near(0), kept.entries.damaged) == (["other"], 1)
    assert kept.exact("sum") is None


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param(
            "UPDATE {t} SET partition = (SELECT partition FROM vectors WHERE id = 1) WHERE id = 3",
            id="another tenant's",
        ),
        pytest.param("UPDATE {t} SET partition = zeroblob(16) WHERE id = 1", id="out of it"),
    ],
)
def test_a_vector_moved_to_another_partition_is_not_near(kept: Kept, statement: str) -> None:
    for table in ("vectors", "entries"):
        sql(kept.folder, statement.format(t=table))
    assert "of beta" not in kept.near(0)
    assert kept.near(0, BETA) in ([], ["of beta"])


def test_a_row_moved_under_another_request_is_a_miss(kept: Kept) -> None:
    sql(kept.folder, "UPDATE entries SET exact = (SELECT exact FROM entries WHERE id = 2) WHERE id = 1")
    sql(kept.folder, "DELETE FROM entries WHERE id = 2")
    assert (kept.exact("other"), kept.entries.damaged) == (None, 1)


def test_a_row_of_another_folder_of_the_same_key_is_a_miss(kept: Kept, tmp_path: Path) -> None:
    """Its tenant's key is another, as each is random."""
    other = Kept(tmp_path / "other", MASTER)
    other.put("sum", said="poisoned")
    ((sealed,),) = sql(other.folder, "SELECT sealed FROM entries")
    sql(kept.folder, "UPDATE entries SET sealed = ? WHERE id = 1", sealed)
    assert (kept.exact("sum"), kept.entries.damaged) == (None, 1)
    other.entries.close()


def test_a_tenant_whose_key_is_damaged_begins_anew(kept: Kept) -> None:
    fresh = kept.again()
    sql(kept.folder, "UPDATE keys SET wrapped = zeroblob(60)")
    fresh.put("sum", said="anew")
    assert (fresh.exact("sum"), fresh.exact("sum", BETA), fresh.exact("other")) == ("anew", None, None)
    fresh.entries.close()


def test_requests_of_one_hash_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Hashes, "exact", lambda *_: bytes(16))
    kept = Kept(tmp_path / "kept", MASTER)
    kept.put("sum")
    assert (kept.exact("other"), kept.exact("sum", BETA), kept.exact("sum")) == (None, None, "sum")
    assert kept.entries.damaged == 0
    kept.entries.close()


@pytest.mark.parametrize(
    "place",
    [
        pytest.param({"partition": b"another"}, id="of another partition"),
        pytest.param({"where": BETA}, id="of another tenant"),
        pytest.param({"where": Namespace("acme", "nightly", "group")}, id="of a group"),
    ],
)
def test_partitions_of_one_hash_are_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: dict[str, object]
) -> None:
    monkeypatch.setattr(Hashes, "partition", lambda *_: bytes(16))
    kept = Kept(tmp_path / "kept", MASTER)
    kept.put("sum", angle=0)
    near: Callable[..., list[str | None]] = kept.near
    assert (near(0, **place), near(0)) == ([], ["sum"])
    kept.entries.close()


def test_damage_that_cannot_be_removed_now_is_a_miss_all_the_same(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("switchgear.cache.database._WAIT_S", 0.01)
    fresh = kept.again()
    sql(kept.folder, "UPDATE entries SET sealed = x'' WHERE id = 1")
    other = sqlite3.connect(kept.folder / "cache.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert fresh.exact("sum") is None
    other.execute("ROLLBACK")
    other.close()
    assert (fresh.exact("sum"), fresh.entries.damaged) == (None, 2)
    fresh.entries.close()


def test_one_damaged_row_among_many_costs_that_one_alone(kept: Kept) -> None:
    for number in range(20):
        kept.put(f"r{number}", angle=1 + number / 100)
    sql(kept.folder, "UPDATE vectors SET sealed = ? WHERE id = 10", os.urandom(44))
    assert len(kept.entries.near(ACME, b"gpt-4o-mini, one slot: 4711", toward(0), 50, NOW)) == 21
    kept.entries.put(ACME, question("sum"), None, None, answer("sum"), (), NOW, NOW + DAY)
    assert kept.exact("sum") == "sum"
