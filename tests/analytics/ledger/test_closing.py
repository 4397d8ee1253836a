"""A close: what speaks against it, what it leaves, and that it is whole or was none, whatever cut it off."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest
from ledgers import ANN, BOB, NOVEMBER, Kept, at, contents, spent

from analytics.ledger import files, keeper
from analytics.ledger.calendar import Calendar
from analytics.ledger.closing import Accepted, RefusedError
from analytics.ledger.errors import LedgerError
from analytics.ledger.settings import Chargeback, Close
from switchgear.money import Money

CALLS = (spent(100, at(3)), spent(50, at(4), "globex"), spent(7, at(31, 23)))


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    """October with 157 millionths of a dollar, all of it owned and priced."""
    with Kept(tmp_path / "data") as found:
        found.own()
        found.book(*CALLS)
        yield found


def test_a_close_freezes_entries_totals_root_hash_and_files(kept: Kept) -> None:
    closed = kept.close()
    assert closed.totals == [{"currency": "USD", "amount": "0.000157", "entries": 3, "calls": 3}]
    ((last,),) = kept.sql("SELECT hash FROM ledger_entries WHERE seq = 3")
    assert (closed.first_seq, closed.last_seq, closed.root_hash) == (1, 3, last)
    place = kept.data / "ledger" / "2026-10"
    told = orjson.loads((place / "manifest.json").read_bytes())
    assert {name: files.sha256(place / name) for name in told["files"]} == told["files"]
    assert (told["root_hash"], told["totals"], told["booked_seq"]) == (last, closed.totals, 3)
    assert {path.stat().st_mode & 0o222 for path in place.iterdir()} == {0}
    head = orjson.loads((kept.data / "ledger" / "HEAD.json").read_bytes())
    assert head == {"seq": 3, "hash": last, "period": "2026-10", "closed_at": "2026-11-05T00:00:00Z"}


def test_statements_and_the_parquet_file_add_up_to_the_total(kept: Kept) -> None:
    kept.close()
    place = kept.data / "ledger" / "2026-10"
    parquet = pl.read_parquet(place / "entries.parquet")
    sums = [parquet["amount"].sum()]
    for name in ("cost_centres.csv", "tenants.csv"):
        rows = pl.read_csv(place / name, infer_schema=False)
        sums.append(sum(Decimal(each) for each in rows["amount"]))
    assert sums == [Decimal("0.000157")] * 3


def test_closing_a_closed_period_says_so_and_changes_nothing(kept: Kept) -> None:
    first = kept.close()
    before = contents(kept.data / "ledger")
    kept.book(spent(9, at(5)))
    again, already = kept.keeper.close(kept.keeper.period("2026-10"), BOB, [])
    assert already
    assert again == first
    assert contents(kept.data / "ledger") == before
    assert kept.sql("SELECT count(*) FROM ledger_entries") == [(3,)]


@pytest.mark.parametrize(
    ("code", "hard", "change"),
    [
        ("not_over", True, lambda kept: setattr(kept, "now", datetime(2026, 10, 31, 23, tzinfo=UTC))),
        ("wait", False, lambda kept: setattr(kept, "now", datetime(2026, 11, 2, 23, tzinfo=UTC))),
        ("behind", True, lambda kept: setattr(kept, "behind", 12)),
        ("unpriced", False, lambda kept: kept.book(spent(5, at(6), model="new"))),
        ("incomplete", False, lambda kept: kept.book(spent(5, at(6), usage=None))),
        ("unowned", False, lambda kept: kept.book(spent(5, at(6), "initech"))),
        ("starts_later", False, lambda kept: kept.book(spent(5, at(30, month=9)))),
        (
            "drafts",
            False,
            lambda kept: kept.sql(
                "INSERT INTO ledger_drafts (id, prepared_at, prepared_by, preparer_key, document, state)"
                " VALUES ('d', now(), 'a', 'k', '{}', 'waiting')"
            ),
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_blocker_refuses_the_close_and_only_some_can_be_accepted(
    kept: Kept, *, code: str, hard: bool, change: Any
) -> None:
    change(kept)
    assert set(kept.check()) == {code, "no_invoice"}
    with pytest.raises(RefusedError, match=f"2026-10 stays open: {code}: "):
        kept.close()
    assert kept.sql("SELECT count(*) FROM ledger_entries") == [(0,)]
    if hard:
        with pytest.raises(RefusedError, match=code):
            kept.close("2026-10", code)
    else:
        closed = kept.close("2026-10", code)
        ((accepted),) = closed.terms["accepted"]
        assert (accepted["code"], accepted["reason"]) == (code, "for the test")


def test_blockers_tell_figures_and_what_to_do(kept: Kept) -> None:
    kept.book(spent(5, at(6), model="new"), spent(40, at(7), "initech"))
    found = kept.check()
    assert found["unpriced"].text == (
        "1 of 5 calls, with 6 tokens, have no price: openai/new; add their prices (prices.yaml), then switchgear rerate"
    )
    assert found["unowned"].text.startswith(
        "0.00004 USD have no owner or no cost centre: initech/no workload; "
    )
    assert "0.000197 USD are booked as accrued" in found["no_invoice"].text


def test_a_share_that_chargeback_lets_pass_blocks_nothing(kept: Kept) -> None:
    kept.settings = Chargeback(close=Close(unpriced=Decimal("0.25"), unowned=Decimal("0.3")))
    kept.book(spent(5, at(6), model="new"))
    assert set(kept.check()) == {"no_invoice"}  # 1 of 4 calls
    kept.book(spent(6, at(6), model="new"))
    assert set(kept.check()) == {"unpriced", "no_invoice"}  # 2 of 5


def test_what_does_not_block_cannot_be_accepted(kept: Kept) -> None:
    with pytest.raises(LedgerError, match="'unpriced' is nothing that blocks 2026-10"):
        kept.close("2026-10", "unpriced")
    kept.book(spent(5, at(6), model="new"))
    with pytest.raises(LedgerError, match="say why"):
        kept.keeper.close(kept.keeper.period("2026-10"), ANN, [Accepted("unpriced", " ")])


def test_periods_are_closed_in_their_order(kept: Kept) -> None:
    kept.close()
    kept.now = datetime(2027, 1, 5, tzinfo=UTC)
    assert set(kept.check("2026-12")) == {"earlier_open"}
    assert "close 2026-11 first" in kept.check("2026-12")["earlier_open"].text
    kept.close("2026-11")
    assert kept.close("2026-12").totals == []


def test_a_zone_that_leaves_a_gap_to_the_last_close_is_refused(kept: Kept) -> None:
    kept.close()
    kept.now = datetime(2026, 12, 5, tzinfo=UTC)
    kept.settings = Chargeback(calendar=Calendar("America/New_York"))
    with pytest.raises(RefusedError, match="zone: 2026-10 was closed up to 2026-11-01 00:00 UTC"):
        kept.close("2026-11")
    with pytest.raises(LedgerError, match="was closed in the zone UTC"):
        kept.keeper.correct(write=False)


def test_an_invoice_over_tolerance_blocks_and_one_within_it_does_not(kept: Kept) -> None:
    def invoice(name: str, amount: str) -> None:
        kept.sql(
            "INSERT INTO invoices VALUES ($1, 'openai', NULL, 'csv', $2, 'ann', '2026-10-01', '2026-10-31', 'USD', $3)",
            [name, NOVEMBER + timedelta(seconds=int(name)), amount],
        )
        kept.sql(
            "INSERT INTO invoice_lines (invoice, provider, day, kind, amount, currency)"
            " VALUES ($1, 'openai', '2026-10-03', 'usage', $2, 'USD')",
            [name, amount],
        )

    kept.settings = Chargeback(close=Close(tolerance=Money(Decimal("0.0001"), "USD")))
    invoice("1", "0.000300")
    assert (
        "openai invoiced 0.0003 USD and the ledger has 0.000157: 0.000143 are more"
        in kept.check()["residual"].text
    )
    invoice("2", "0.000200")  # the later import of an account counts: 0.000043 over
    assert kept.check() == {}
    assert kept.close().terms["accrued"] == []


def test_without_an_invoice_the_period_is_closed_as_accrued(kept: Kept) -> None:
    kept.book(spent(30_000, at(5)))
    assert kept.close().terms["accrued"] == ["openai"]
    journal = (kept.data / "ledger" / "2026-10" / "journal.csv").read_text().splitlines()
    assert [line.split(",")[3:9] for line in journal[1:]] == [
        ["EXPENSE", "CC-1", "0.03", "", "USD", "usage of models"],
        ["ACCRUED", "", "", "0.03", "USD", '"openai'],
    ]


@pytest.mark.parametrize("step", ["prepare", "keep", "publish", "write"])
def test_a_close_that_is_cut_off_is_whole_or_none_after_the_next_start(
    kept: Kept, step: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class CutOffError(BaseException):
        """As a process that is gone: nobody handles it."""

    def cut(*_: object, **__: object) -> None:
        raise CutOffError

    places = {"prepare": files, "keep": keeper, "publish": files, "write": keeper.anchors}
    with monkeypatch.context() as patch:
        patch.setattr(places[step], step, cut)
        patch.setattr(files, "withdraw", lambda *_: None)
        with pytest.raises(CutOffError):
            kept.close()
    kept.keeper.recover()
    committed = step in ("publish", "write")
    assert kept.sql("SELECT count(*) FROM ledger_entries") == [(3 if committed else 0,)]
    assert (kept.data / "ledger" / "2026-10").is_dir() is committed
    assert not list((kept.data / "ledger").glob(".2026*"))
    found = kept.verify()
    assert found.findings == []
    assert found.anchors == int(committed)
    kept.close()
    assert kept.verify().findings == []


def test_files_that_are_gone_are_made_again_with_the_same_bytes(kept: Kept) -> None:
    kept.book(spent(3, at(9), "=cmd", workload=None, model="new"))
    kept.close("2026-10", "unpriced", "unowned") if "unowned" in kept.check() else kept.close(
        "2026-10", "unpriced"
    )
    before = contents(kept.data / "ledger")
    shutil.rmtree(kept.data / "ledger" / "2026-10")
    kept.settings = Chargeback(currency="EUR")
    kept.keeper.recover()
    assert contents(kept.data / "ledger") == before


def test_a_folder_in_the_place_of_a_close_is_said_before_anything_is_written(kept: Kept) -> None:
    """Such as one of a newer copy of the database: files of the close would have no place."""
    (kept.data / "ledger" / "2026-10").mkdir(parents=True)
    with pytest.raises(LedgerError, match="is there, and the database knows no close of 2026-10"):
        kept.close()
    assert kept.sql("SELECT count(*) FROM ledger_periods") == [(0,)]
    assert kept.sql("SELECT count(*) FROM ledger_entries") == [(0,)]


def test_one_thing_is_done_at_a_time_and_says_how_far_it_is(kept: Kept) -> None:
    told: list[Any] = []
    compute = kept.keeper._compute

    def slow(con: Any, period: Any) -> Any:
        told.append(kept.keeper.progress)
        with pytest.raises(LedgerError, match="the close of 2026-10 is under way"):
            kept.keeper.correct(write=False)
        return compute(con, period)

    kept.keeper._compute = slow
    kept.close()
    assert told == [{"what": "close of 2026-10", "step": "lines of 2026-10", "done": 0, "of": 2}]
    assert kept.keeper.progress is None


def test_entries_cannot_be_added_to_a_closed_period_nor_after_another_head(kept: Kept) -> None:
    from analytics.ledger.corrections import difference
    from analytics.ledger.entries import START, append, made

    period = kept.keeper.period("2026-10")
    lines = difference(kept.store.cursor(), period, kept.keeper._compute, Calendar())
    entries = made(lines, "2026-10", START, NOVEMBER)
    kept.close()
    with kept.store.transaction() as con, pytest.raises(LedgerError, match="these were made after entry 0"):
        append(con, entries)
    head = kept.verify().head
    with kept.store.transaction() as con, pytest.raises(LedgerError, match="2026-10 is closed"):
        append(con, made(lines, "2026-10", head, NOVEMBER))


def test_the_same_lines_give_the_same_entries_whatever_their_order(kept: Kept) -> None:
    from analytics.ledger.entries import START, made

    lines = kept.keeper._compute(kept.store.cursor(), kept.keeper.period("2026-10"))
    turned = lines.take(list(range(lines.num_rows))[::-1])
    assert made(lines, "2026-10", START, NOVEMBER) == made(turned, "2026-10", START, NOVEMBER)
    assert made(lines, "2026-10", START, NOVEMBER)["day"].to_pylist() == [
        date(2026, 10, each) for each in (3, 4, 31)
    ]
