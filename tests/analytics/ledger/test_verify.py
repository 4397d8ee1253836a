"""Verify finds any changed value, a missing, swapped or added entry, a cut tail, and a changed file, and names it."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import duckdb
import orjson
import pyarrow as pa
import pytest
from ledgers import Kept, at, spent

from analytics.ledger.anchors import parsed
from analytics.ledger.chain import COLUMNS, ENTRIES, GENESIS, chained
from analytics.ledger.entries import Head
from analytics.ledger.errors import BrokenLedgerError, LedgerError
from analytics.ledger.verify import Finding, verify
from collector.facts.store import FILE_NAME

DAYS = range(1, 11)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with October, closed with ten entries, and an eleventh in November, a correction."""
    data = tmp_path_factory.mktemp("whole") / "data"
    with Kept(data) as kept:
        kept.own()
        kept.book(*(spent(10 * day, at(day)) for day in DAYS))
        kept.close()
        kept.book(spent(7, at(20)))
        kept.keeper.correct(write=True)
    return data


@pytest.fixture
def data(whole: Path, tmp_path: Path) -> Path:
    """A copy of it, to change."""
    return Path(shutil.copytree(whole, tmp_path / "data"))


def changed(data: Path, *statements: str) -> None:
    with duckdb.connect(str(data / FILE_NAME)) as con:
        for each in statements:
            con.execute(each)


def findings(data: Path, *noted: Head) -> list[Finding]:
    with duckdb.connect(str(data / FILE_NAME), read_only=True) as con:
        con.execute("SET TimeZone = 'UTC'")
        con.begin()
        return list(verify(con, data, noted).findings)


def texts(data: Path) -> str:
    return "\n".join(each.text for each in findings(data))


def test_a_ledger_that_nobody_changed_has_no_findings(data: Path) -> None:
    assert findings(data) == []


def other(column: str) -> str:
    """SQL for another value of a column than it has."""
    kind = ENTRIES.field(column).type
    if column == "posted_at":
        return "posted_at + INTERVAL 1 MICROSECOND"
    if kind == pa.date32():
        return "day + 1"
    return (
        f"coalesce({column}, '') || 'x'" if kind == pa.string() else f"coalesce({column}, 0) + 0.000000000001"
    )


@pytest.mark.parametrize("column", [name for name in COLUMNS if name != "seq"])
def test_a_changed_value_of_any_column_is_found_and_named(data: Path, column: str) -> None:
    seq = Random(column).choice(DAYS)
    value = "calls + 1" if ENTRIES.field(column).type == pa.int64() else other(column)
    if ENTRIES.field(column).type == pa.int64():
        value = f"{column} + 1"
    changed(data, f"UPDATE ledger_entries SET {column} = {value} WHERE seq = {seq}")
    first = findings(data)[0]
    assert (first.what, first.seq) == ("chain", seq)
    # Of a changed period the file is that of another one.
    assert f"{column} is " in first.text or column == "period"


@pytest.mark.parametrize("column", ["hash", "prev_hash"])
def test_a_changed_hash_is_found(data: Path, column: str) -> None:
    changed(data, f"UPDATE ledger_entries SET {column} = repeat('0', 64) WHERE seq = 4")
    assert findings(data)[0].seq == 4


def test_a_value_that_is_no_longer_known_is_found(data: Path) -> None:
    changed(data, "UPDATE ledger_entries SET amount = NULL WHERE seq = 3")
    assert "entry 3 of 2026-10 was changed: amount is NULL and was 0.000030000000" in texts(data)


def test_an_entry_that_no_file_has_is_found_all_the_same(data: Path) -> None:
    changed(data, "UPDATE ledger_entries SET amount = amount * 2 WHERE seq = 11")
    (first, *_) = findings(data)
    assert first.text.startswith("entry 11 of 2026-11 was changed: which of its values cannot be told")


@pytest.mark.parametrize(
    ("statements", "seq", "text"),
    [
        (["DELETE FROM ledger_entries WHERE seq = 5"], 5, "entry 5 is missing: the next that is there is 6"),
        (["DELETE FROM ledger_entries WHERE seq IN (1, 2)"], 1, "entries 1 to 2 are missing"),
        (
            [
                "UPDATE ledger_entries SET seq = CASE seq WHEN 3 THEN 4 ELSE 3 END WHERE seq IN (3, 4)",
            ],
            3,
            "entry 3 of 2026-10",
        ),
        (["INSERT INTO ledger_entries FROM ledger_entries WHERE seq = 6"], 6, "entry 6 is there 2 times"),
        (
            ["INSERT INTO ledger_entries SELECT * REPLACE (12 AS seq) FROM ledger_entries WHERE seq = 11"],
            12,
            "entry 12 of 2026-11 does not follow",
        ),
    ],
    ids=["one taken out", "the first two", "two swapped", "one doubled", "one added"],
)
def test_entries_that_are_missing_moved_or_added_are_found(
    data: Path, statements: list[str], seq: int, text: str
) -> None:
    changed(data, *statements)
    first = findings(data)[0]
    assert (first.seq, text in first.text) == (seq, True)


@pytest.mark.parametrize("cut", [1, 4, 11])
def test_a_cut_tail_is_found_by_the_head_on_file(data: Path, cut: int) -> None:
    changed(data, f"DELETE FROM ledger_entries WHERE seq > {11 - cut}")
    assert (
        f"the tail is cut: the ledger ends with entry {11 - cut}, and {data}/ledger/HEAD.json has entry 11"
        in texts(data)
    )


def test_a_cut_tail_with_its_files_is_found_by_a_signed_review_and_by_a_note(data: Path, whole: Path) -> None:
    head = Head(
        **{
            k: v
            for k, v in orjson.loads((whole / "ledger" / "HEAD.json").read_bytes()).items()
            if k in ("seq", "hash")
        }
    )
    document = orjson.dumps({"cover": {"ledger_seq": head.seq, "ledger_hash": head.hash}}).decode()
    changed(
        data,
        f"INSERT INTO reviews VALUES ('2026-W45', now(), '{document}', 'x')",
        "DELETE FROM ledger_entries WHERE seq = 11",
    )
    ten = (
        duckdb.connect(str(data / FILE_NAME))
        .execute("SELECT hash FROM ledger_entries WHERE seq = 10")
        .fetchall()
    )
    (data / "ledger" / "HEAD.json").write_bytes(orjson.dumps({"seq": 10, "hash": ten[0][0]}))
    assert [each.text.split(", and ")[1] for each in findings(data, head)] == [
        "the anchor that was noted has entry 11",
        "the review of 2026-W45 has entry 11",
    ]


def test_a_chain_that_was_made_anew_over_changed_values_is_found(data: Path) -> None:
    with duckdb.connect(str(data / FILE_NAME)) as con:
        con.execute("SET TimeZone = 'UTC'")
        con.execute("UPDATE ledger_entries SET amount = 0.5 WHERE seq = 2")
        rows = con.sql(f"SELECT {', '.join(ENTRIES.names)} FROM ledger_entries ORDER BY seq").to_arrow_table()
        forged = chained(rows.cast(ENTRIES), GENESIS)
        con.register("forged", forged)
        con.execute("DELETE FROM ledger_entries")
        con.execute("INSERT INTO ledger_entries BY NAME FROM forged")
    found = {each.what for each in findings(data)}
    assert found == {"period", "anchor"}


@pytest.mark.parametrize(
    "column", ["totals", "root_hash", "closed_by", "zone", "last_seq", "booked_seq", "terms", "files"]
)
def test_a_changed_close_is_found(data: Path, column: str) -> None:
    value = {"totals": "'[]'", "files": "'{}'", "terms": "replace(terms, 'test', 'x')"}.get(column)
    numbers = ("last_seq", "booked_seq")
    value = value or (f"{column} - 1" if column in numbers else f"{column} || 'x'")
    changed(data, f"UPDATE ledger_periods SET {column} = {value}")
    assert {each.period for each in findings(data)} == {"2026-10"}


def test_a_close_that_was_taken_out_is_found(data: Path) -> None:
    changed(data, "DELETE FROM ledger_periods")
    assert "is of a close that the database does not have" in texts(data)


def test_a_close_that_was_taken_out_with_its_folder_is_found_by_its_entries(data: Path) -> None:
    """Else the month would be open, and closed anew by whoever wants other terms."""
    changed(data, "DELETE FROM ledger_periods")
    shutil.rmtree(data / "ledger" / "2026-10")
    assert texts(data) == "entry 1 was made by a close of 2026-10, and the database does not have it"


def test_a_close_between_two_that_was_taken_out_is_found(tmp_path: Path) -> None:
    with Kept(tmp_path / "data", now=datetime(2027, 1, 5, tzinfo=UTC)) as kept:
        for period in ("2026-10", "2026-11", "2026-12"):
            kept.close(period)
        kept.sql("DELETE FROM ledger_periods WHERE period = '2026-11'")
        shutil.rmtree(kept.data / "ledger" / "2026-11")
        (found,) = kept.verify().findings
        assert found.text == "2026-10 and 2026-12 are closed, and nothing between them"


@pytest.mark.parametrize(
    "name", ["entries.parquet", "cost_centres.csv", "tenants.csv", "journal.csv", "manifest.json"]
)
def test_a_flipped_byte_and_a_missing_file_are_found(data: Path, name: str) -> None:
    path = data / "ledger" / "2026-10" / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.chmod(0o644)
    path.write_bytes(content)
    assert [each.what for each in findings(data)] == ["file"]
    path.unlink()
    assert texts(data) == f"{path} is missing"


@pytest.mark.parametrize("content", [None, b"{}", b"\x00"], ids=["missing", "empty", "no JSON"])
def test_a_head_on_file_that_says_nothing_is_found(data: Path, content: bytes | None) -> None:
    path = data / "ledger" / "HEAD.json"
    path.unlink() if content is None else path.write_bytes(content)
    assert [each.what for each in findings(data)] == ["anchor"]


def test_nothing_is_added_to_a_ledger_that_was_cut(data: Path) -> None:
    changed(data, "DELETE FROM ledger_entries WHERE seq = 11")
    with Kept(data, now=datetime(2026, 12, 5, tzinfo=UTC)) as kept:
        with pytest.raises(
            BrokenLedgerError, match=r"ends with entry 10, and ledger/HEAD\.json says that entry 11"
        ):
            kept.close("2026-11")
        assert kept.sql("SELECT count(*) FROM ledger_entries") == [(10,)]


def test_nothing_is_appended_while_the_ledger_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else its head on file would be of an entry that is not in the snapshot: a cut tail that is none."""
    with Kept(tmp_path / "data") as kept:
        kept.own()
        kept.book(spent(10, at(1)))
        kept.close()
        kept.book(spent(7, at(20)))
        refused: list[int] = []

        def meanwhile(step: str, *_: object) -> None:
            """What is told first is told with the snapshot taken."""
            with pytest.raises(LedgerError, match="the verification is under way") as problem:
                kept.keeper.correct(write=True)
            refused.append(problem.value.status)

        monkeypatch.setattr(kept.keeper, "_tell", lambda what, step, done, of: meanwhile(step))
        assert kept.verify().findings == []
        assert set(refused) == {409}
        monkeypatch.undo()
        assert kept.keeper.correct(write=True).posted is not None


def test_an_anchor_is_read_as_status_prints_it() -> None:
    assert parsed(f"12:{'AB' * 32}") == Head(12, "ab" * 32)
    for text in ("12", "12:ab", f"-1:{'a' * 64}", ""):
        with pytest.raises(LedgerError, match="is no anchor: write SEQ:HASH"):
            parsed(text)


def test_many_findings_are_told_as_some_and_more(data: Path) -> None:
    changed(data, "UPDATE ledger_entries SET tenant = 'x', hash = 'y'")
    found = findings(data)
    assert found[20].text.startswith("and more: only the first 20")
