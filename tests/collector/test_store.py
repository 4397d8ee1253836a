"""The file: each call once whatever is sent, in any order and any batches; and one clear line when it is unfit."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from laws import examples
from msgspec.structs import replace
from stores import book, rows
from stores import call as stored_call

from analytics import registry
from collector.call import Call, Reported
from collector.errors import StoreError
from collector.facts.feed import page
from collector.facts.rows import numbered, pack
from collector.facts.store import FILE_NAME, SCHEMA_VERSION, Store
from collector.merging.merge import Outcome
from collector.pricing import Quote
from switchgear.usage import Usage

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
call = partial(stored_call, at=NOW)


def cent_a_token(provider: str | None, model: str | None, usage: Usage, at: datetime, *_: object) -> Quote:
    if model is None:
        return Quote(None, None, "book 1")
    return Quote(Decimal("0.01") * usage.total, "USD", "book 1")


def by_contract(*given: object) -> Quote:
    return Quote(Decimal(8), "USD", "book 1", list_cost=Decimal(10), contract="enterprise 1a2b")


def replayed(store: Store, size: int = 3) -> dict[str, dict[str, object]]:
    """What a consumer of the feed holds that replaces by key and reads page by page."""
    held: dict[str, dict[str, object]] = {}
    after = 0
    while entries := page(store.cursor(), after, size):
        for entry in entries:
            held[str(entry["key"])] = entry
        after = entries[-1]["seq"]
    return held


def test_what_a_killed_process_spilled_is_gone_after_a_start(tmp_path: Path) -> None:
    spilled = tmp_path / f"{FILE_NAME}.tmp" / "duckdb_temp_block-1.block"
    spilled.parent.mkdir()
    spilled.write_bytes(b"facts")
    Store(tmp_path).close()
    assert not spilled.exists()


def test_what_a_contract_made_of_a_call_and_what_is_priced_apart_are_kept(store: Store) -> None:
    sound = call(
        1, usage=Usage(9, output=1, apart=(("input_audio", 4), ("web_searches", 2))), service_tier="flex"
    )
    for _ in range(2):
        # The second time a twin brings nothing that prices it: it keeps the price that it has.
        book(
            store,
            [sound, replace(sound, trace_id=f"{2:032x}", span_id=f"{2:016x}", scope="y@1")],
            by_contract,
            NOW,
        )
    columns = "cost, list_cost, contract, service_tier, apart"
    found = store.cursor().execute(f"SELECT {columns} FROM calls WHERE span_id = '{1:016x}'").fetchall()
    assert found == [(Decimal(8), Decimal(10), "enterprise 1a2b", "flex", "input_audio=4,web_searches=2")]


def test_a_call_is_booked_with_what_it_costs(store: Store) -> None:
    book(store, [call(3, workload="w", lease_id="g:1")], cent_a_token, NOW)
    assert rows(store, "SELECT tenant, workload, cost, currency, state, lease_id, seq FROM calls") == [
        ("acme", "w", Decimal("0.04"), "USD", "complete", "g:1", 1)
    ]


def test_a_call_sent_again_after_a_restart_is_the_same_call(tmp_path: Path) -> None:
    first = Store(tmp_path)
    book(first, [call(1)], cent_a_token, NOW)
    first.close()
    again = Store(tmp_path)
    booked = book(again, [call(1), call(2)], cent_a_token, NOW)
    assert booked.outcomes == {Outcome.DUPLICATE: 1, Outcome.NEW: 1}
    assert rows(again, "SELECT seq, span_id FROM calls ORDER BY seq") == [
        (1, f"{1:016x}"),
        (3, f"{2:016x}"),
    ]
    again.close()


def test_the_same_ids_of_two_tenants_are_two_calls(store: Store) -> None:
    book(store, [call(1), call(1, tenant="globex")], cent_a_token, NOW)
    assert rows(store, "SELECT count(*) FROM calls") == [(2,)]


def test_other_content_under_the_same_ids_is_counted_and_the_first_kept(store: Store) -> None:
    book(store, [call(1)], cent_a_token, NOW)
    booked = book(store, [call(1, usage=Usage(99, output=1))], cent_a_token, NOW)
    assert booked.outcomes == {Outcome.CONFLICT: 1}
    assert rows(store, "SELECT input_uncached FROM calls") == [(1,)]


def test_a_twin_that_comes_later_makes_the_row_richer_under_its_key(store: Store) -> None:
    blind = call(1, response_id="r", usage=None, reported=Reported.NOTHING)
    book(store, [blind], cent_a_token, NOW)
    assert replayed(store)[blind.key]["cost"] is None
    book(store, [call(2, response_id="r", lease_id="g:1", scope="y@1")], cent_a_token, NOW)
    held = replayed(store)
    assert list(held) == [blind.key]
    assert held[blind.key]["cost"] == "0.03"
    assert held[blind.key]["lease_id"] == "g:1"
    assert rows(store, "SELECT count(*), max(seq) FROM calls") == [(1, 2)]


def test_the_span_of_a_merged_twin_sent_again_is_a_duplicate(store: Store) -> None:
    twins = [call(1, response_id="r"), call(2, response_id="r", scope="y@1")]
    for twin in twins:
        book(store, [twin], cent_a_token, NOW)
    booked = book(store, twins, cent_a_token, NOW)
    assert booked.outcomes == {Outcome.DUPLICATE: 2}
    assert booked.states == {}


def test_two_booked_calls_that_turn_out_to_be_one_leave_one(store: Store) -> None:
    framework = call(1, response_id="r")
    wrapper = call(2)
    client = call(3, response_id="r", scope="y@1", trace_id=wrapper.trace_id, parent_span_id=wrapper.span_id)
    book(store, [framework, wrapper], cent_a_token, NOW)
    book(store, [client], cent_a_token, NOW)
    assert rows(store, "SELECT count(*) FROM calls") == [(1,)]
    held = replayed(store)
    assert held[wrapper.key]["merged_into"] == framework.key
    assert held[wrapper.key]["cost"] == "0"
    assert book(store, [framework, wrapper, client], cent_a_token, NOW).outcomes == {Outcome.DUPLICATE: 3}


def test_unpriced_and_incomplete_calls_have_no_cost(store: Store) -> None:
    book(store, [call(1, model=None), call(2, usage=None, reported=Reported.NOTHING)], cent_a_token, NOW)
    assert rows(store, "SELECT state, cost FROM calls ORDER BY seq") == [
        ("unpriced", None),
        ("incomplete", None),
    ]


def test_owners_are_joined_when_calls_are_read(store: Store) -> None:
    book(store, [call(1, workload="w")], cent_a_token, NOW)
    assert rows(store, "SELECT owner, cost_centre FROM calls") == [(None, None)]
    with store.transaction() as con:
        line = {"tenant": "acme", "workload": "w", "owner": "data", "cost_centre": "CC-1"}
        registry.replace(con, {"workloads": [line]})
    assert rows(store, "SELECT owner, cost_centre FROM calls") == [("data", "CC-1")]


# Spans of six calls: some have a twin in another trace, some a wrapper; some come from two tenants.
SPANS = [
    *(call(n, response_id=f"r{n}" if n % 2 else None) for n in range(1, 5)),
    *(call(10 + n, response_id=f"r{n}", scope="y@1", usage=Usage(n, output=1)) for n in (1, 3)),
    call(22, trace_id=f"{2:032x}", parent_span_id=f"{2:016x}", usage=Usage(2, output=1)),
    call(5, tenant="globex", response_id="r1"),
    call(6, usage=None, reported=Reported.NOTHING),
]
# Tokens: 1+1, 2+1, 3+1, 4+1 of acme, 5+1 of globex, and one call whose usage is not known.
TOTAL = (6, Decimal("0.01") * (2 + 3 + 4 + 5 + 6))


@settings(max_examples=examples(5), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_no_order_splitting_or_repetition_of_batches_changes_a_total(data: st.DataObject) -> None:
    order: Sequence[Call] = data.draw(st.permutations([*SPANS, *data.draw(st.permutations(SPANS))]))
    cuts = sorted(data.draw(st.sets(st.integers(1, len(order) - 1), max_size=6)))
    with TemporaryDirectory() as folder:
        store = Store(Path(folder))
        for begin, end in zip([0, *cuts], [*cuts, len(order)], strict=True):
            book(store, order[begin:end], cent_a_token, NOW)
        assert rows(store, "SELECT count(*), sum(cost) FROM calls") == [TOTAL]
        held = replayed(store)
        assert sum(Decimal(str(entry["cost"])) for entry in held.values() if entry["cost"]) == TOTAL[1]
        store.close()


def test_a_failed_batch_leaves_nothing_behind(store: Store) -> None:
    def broken(*_: object, **__: object) -> Quote:
        raise ArithmeticError("no price today")

    # Merging the second into the first makes a usage that has no price yet.
    wrapper = call(1, usage=None, reported=Reported.NOTHING, dialect="langsmith")
    calls = [
        wrapper,
        call(2, trace_id=wrapper.trace_id, parent_span_id=wrapper.span_id, usage=Usage(3, output=1)),
    ]
    facts = numbered([(pack(calls).facts, 1, 0)])
    with pytest.raises(ArithmeticError):
        store.book(facts, broken)
    assert rows(store, "SELECT count(*) FROM calls") == [(0,)]
    assert store.last_seq == 0
    store.book(facts, cent_a_token)
    assert rows(store, "SELECT cost FROM calls") == [(Decimal("0.04"),)]
    assert store.last_seq == 2


def test_a_file_in_use_is_refused_in_one_line_that_names_it(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys; from pathlib import Path; from collector.facts.store import Store\n"
            "s = Store(Path(sys.argv[1])); print('open', flush=True); sys.stdin.read()",
            str(tmp_path),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        with pytest.raises(StoreError) as refused:
            Store(tmp_path)
    finally:
        holder.communicate("")
    assert "is in use by another process" in str(refused.value)
    assert str(tmp_path / FILE_NAME) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_folder_that_cannot_be_made_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError) as refused:
        Store(tmp_path / "file" / "data")
    assert str(tmp_path / "file" / "data") in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_folder_that_cannot_be_written_is_refused_in_one_line(tmp_path: Path) -> None:
    # A folder in the file's place: no user, root included, can write there.
    (tmp_path / FILE_NAME).mkdir()
    with pytest.raises(StoreError) as refused:
        Store(tmp_path)
    assert FILE_NAME in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_file_of_a_newer_schema_is_refused(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with store.transaction() as con:
        con.execute("UPDATE store SET schema_version = schema_version + 1")
    store.close()
    with pytest.raises(StoreError, match=f"has schema {SCHEMA_VERSION + 1}"):
        Store(tmp_path)


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / FILE_NAME)) as other:
        other.execute("CREATE TABLE theirs (a INTEGER)")
    with pytest.raises(StoreError, match="none of switchgear's"):
        Store(tmp_path)
    (tmp_path / FILE_NAME).write_text("not a database at all" * 1000)
    with pytest.raises(StoreError, match="cannot open"):
        Store(tmp_path)


def test_what_a_reader_runs_reaches_no_file(store: Store) -> None:
    with pytest.raises(duckdb.PermissionException):
        store.cursor().execute("SELECT * FROM read_text('/etc/hostname')")
