"""What is learned of wordings: nobody reads in its file whose it is, and nobody who writes there certifies anything."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from switchgear.cache.bound import Certificate, JudgeError
from switchgear.cache.learned import Learned
from switchgear.cache.sealing import Secrets

SECRETS = Secrets(b"m" * 32)
NAME, OTHER = '["acme-secret", "support"]', '["globex-secret", "support"]'
METHOD, JUDGE = "words/none/judge/0.02/0.90/familiar", "judge"


def fresh() -> Certificate:
    return Certificate(0.02, 0.9)


def certified(certificate: Certificate) -> None:
    certificate.region = 0


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """What two tenants taught: one has a certificate, and its judge two labels."""
    file = tmp_path / "learned.db"
    learned = Learned(file, SECRETS)
    for name in (NAME, OTHER):
        learned.count(name, "miss", served=False)
        learned.label(name, [(b"one", b"other", "", "", b"", True)])
    learned.change(NAME, METHOD, fresh(), certified)
    for said_same in (True, False):
        learned.judge_said(NAME, JUDGE, JudgeError(), same=False, said_same=said_same)
    learned.close()
    return file


def test_all_is_there_again_after_a_restart(file: Path) -> None:
    learned = Learned(file, SECRETS)
    assert learned.workloads() == [NAME, OTHER]
    assert learned.outcomes() == {NAME: {"miss": 1}, OTHER: {"miss": 1}}
    assert learned.certificate(NAME, METHOD, fresh()).serves_from == 0.9999
    assert [(name, method) for name, method, _ in learned.certificates()] == [(NAME, METHOD)]
    assert learned.judge(NAME, JUDGE, JudgeError()) == JudgeError(different=2, missed=1)
    assert learned.seen(NAME, b"one", [(b"other", "", b"")])[0].same == 1
    learned.close()


@pytest.mark.parametrize(
    ("served", "before"),
    [pytest.param(False, 49, id="asked of the model"), pytest.param(True, 999, id="served")],
)
def test_outcomes_are_written_some_at_once(file: Path, *, served: bool, before: int) -> None:
    learned, other = Learned(file, SECRETS), Learned(file, SECRETS)
    for _ in range(before):
        learned.count(NAME, "exact", served=served)
    assert "exact" not in other.outcomes()[NAME]
    learned.count(NAME, "exact", served=served)
    assert other.outcomes()[NAME]["exact"] == before + 1
    learned.close()
    other.close()


def test_what_is_served_is_counted_while_a_certificate_is_changed(file: Path) -> None:
    learned, counted = Learned(file, SECRETS), []

    def meanwhile(_: Certificate) -> None:
        thread = threading.Thread(target=learned.count, args=(NAME, "exact"), kwargs={"served": True})
        thread.start()
        thread.join(10)
        counted.append(not thread.is_alive())

    learned.change(NAME, METHOD, fresh(), meanwhile)
    assert counted == [True]
    assert learned.outcomes()[NAME]["exact"] == 1
    learned.close()


def test_no_name_of_a_tenant_or_workload_shows(file: Path) -> None:
    content = b"".join(each.read_bytes() for each in file.parent.iterdir())
    assert [word for word in (b"acme", b"globex", b"support", b"looks") if word in content] == []


def test_under_another_key_nothing_is_known_and_nothing_fails(file: Path) -> None:
    learned = Learned(file, Secrets(b"n" * 32))
    assert (learned.workloads(), learned.outcomes(), learned.certificates()) == ([], {}, [])
    assert learned.certificate(NAME, METHOD, fresh()).serves_from is None
    learned.close()


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param("UPDATE certificates SET document = zeroblob(400)", id="nothing"),
        pytest.param(
            """UPDATE certificates SET document = CAST('{"region": 0}' AS BLOB)""", id="in the clear"
        ),
        pytest.param(
            # What is sealed is random: the byte may be 0 already.
            "UPDATE certificates SET document = CAST(substr(document, 1, 40)"
            " || iif(substr(document, 41, 1) = x'00', x'01', x'00') || substr(document, 42) AS BLOB)",
            id="a byte",
        ),
        pytest.param(
            "UPDATE certificates SET document = (SELECT document FROM judges)", id="the judge's document"
        ),
        pytest.param(
            "UPDATE certificates SET method = 'words/none/judge/0.01/0.90/new'", id="another method"
        ),
    ],
)
def test_a_certificate_that_another_hand_wrote_is_none(file: Path, statement: str) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(statement)
    learned = Learned(file, SECRETS)
    for method in (METHOD, "words/none/judge/0.01/0.90/new"):
        assert learned.certificate(NAME, method, fresh()).serves_from is None
    # It is measured anew, in its place.
    learned.change(NAME, METHOD, fresh(), certified)
    assert learned.certificate(NAME, METHOD, fresh()).serves_from == 0.9999
    learned.close()


def test_one_tenants_certificate_is_worth_nothing_to_another(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        ((other,),) = connection.execute(
            "SELECT workload FROM workloads WHERE workload NOT IN (SELECT workload FROM certificates)"
        )
        connection.execute("UPDATE certificates SET workload = ?", (other,))
    learned = Learned(file, SECRETS)
    assert learned.certificate(OTHER, METHOD, fresh()).serves_from is None
    assert learned.certificates() == []
    learned.close()


def test_a_judges_record_that_another_hand_wrote_is_none(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE judges SET document = CAST('{\"different\": 9000}' AS BLOB)")
    learned = Learned(file, SECRETS)
    assert learned.judge(NAME, JUDGE, JudgeError()) == JudgeError()
    learned.close()


@pytest.mark.parametrize(
    "learn",
    [
        pytest.param(lambda it: it.count(OTHER, "miss", served=False), id="a request"),
        pytest.param(
            lambda it: it.judge_said(OTHER, JUDGE, JudgeError(), same=True, said_same=True), id="a label"
        ),
        pytest.param(lambda it: it.change(OTHER, METHOD, fresh(), certified), id="a certificate"),
    ],
)
def test_a_workload_that_is_forgotten_is_gone_from_the_disk_and_can_come_again(
    file: Path, learn: Callable[[Learned], object]
) -> None:
    learned = Learned(file, SECRETS)
    learned.forget(NAME)
    assert learned.workloads() == [OTHER]
    learned.forget(OTHER)
    assert learned.workloads() == []
    with closing(sqlite3.connect(file)) as connection:
        tables = [
            name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        ]
        left = {name: connection.execute(f"SELECT count(*) FROM {name}").fetchone() for name in tables}
    assert set(left.values()) == {(0,)}
    learn(learned)
    assert learned.workloads() == [OTHER]
    learned.close()
