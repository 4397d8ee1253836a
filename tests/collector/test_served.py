"""Answers out of a cache: no call, in no sum, feed or bill, whichever span tells of them; and what they save."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import permutations
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import orjson
import pytest
from by_hand import booked as told
from by_hand import span
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from stores import book, call, rows

from collector.billing import bill, priced
from collector.call import SETTLEMENT, Call, Flag, Kind, Reported, State
from collector.dialects import DIALECTS
from collector.erasing.horizon import Horizon
from collector.erasing.retention import Retention, Sweep
from collector.facts import backup, rollups
from collector.facts.feed import page
from collector.facts.rows import numbered, pack, unpacked
from collector.facts.store import FILE_NAME, Store
from collector.merging.merge import Shelf
from collector.pricing import Quote
from switchgear.usage import Usage

NOW = datetime(2026, 11, 24, 12, 30, tzinfo=UTC)
SECOND = timedelta(seconds=1)
RECORD = {"dialect": "switchgear", "scope": "switchgear@1"}
GENAI = {
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": "gpt-5",
    "gen_ai.usage.input_tokens": 900,
    "gen_ai.usage.output_tokens": 40,
}
# A call in the words of each dialect: 900 tokens in, 40 out; and the scope by which it is known, where that is needed.
SPANS: Mapping[str, tuple[dict[str, Any], str]] = {
    "switchgear": (
        {
            "switchgear.record": "call",
            "gen_ai.request.model": "gpt-5",
            "switchgear.usage.input_uncached": 900,
            "switchgear.usage.output": 40,
        },
        "switchgear",
    ),
    "otel-genai": (GENAI, "by-hand"),
    "anthropic-sdk": (GENAI, "com.anthropic.sdk.python"),
    "langsmith": ({**GENAI, "langsmith.span.kind": "llm"}, "langsmith"),
    "langfuse": (
        {
            "langfuse.observation.type": "generation",
            "langfuse.observation.model.name": "gpt-5",
            "langfuse.observation.usage_details": '{"input": 900, "output": 40}',
        },
        "langfuse-sdk",
    ),
    "vercel-ai": (
        {
            "ai.operationId": "ai.generateText.doGenerate",
            "ai.model.id": "gpt-5",
            "ai.usage.inputTokens": 900,
            "ai.usage.outputTokens": 40,
        },
        "ai",
    ),
    "vercel-ai-7": (GENAI, "gen_ai"),
    "litellm": ({**GENAI, "litellm.call_id": "0b5c"}, "litellm"),
    "logfire": (GENAI, "logfire.openai"),
    "logfire-agents": (
        {**GENAI, "usage": '{"input_tokens": 900, "output_tokens": 40}'},
        "logfire.openai_agents",
    ),
    "openinference": (
        {
            "openinference.span.kind": "LLM",
            "llm.model_name": "gpt-5",
            "llm.token_count.prompt": 900,
            "llm.token_count.completion": 40,
        },
        "openinference.instrumentation.openai",
    ),
    "openllmetry": ({**GENAI, "llm.request.type": "chat"}, "opentelemetry.instrumentation.openai"),
}


def price(provider: str | None, model: str | None, usage: Usage, at: datetime, *_: object) -> Quote:
    """A cent a token of output; "odd" has no price."""
    if model == "odd":
        return Quote(None, None, "by hand")
    return Quote(Decimal(usage.output) / 100, "USD", "by hand")


def paid(number: int, **fields: Any) -> Call:
    """A call of `number` cents, over in a second."""
    named = {"workload": "w", "task_id": "t", "ended_at": NOW + SECOND, "usage": Usage(10, output=number)}
    return call(number, NOW, **{**named, **fields})


def served(number: int, outcome: str = "exact", **fields: Any) -> Call:
    """An answer out of a cache, as the SDK's own record tells it: it would have cost `number` cents."""
    return paid(number, kind=Kind.SERVED, cache=outcome, **{**RECORD, **fields})


def instrumented(number: int, **fields: Any) -> Call:
    """The span of an instrumentation that lies round such an answer and knows nothing of the cache."""
    began = NOW + timedelta(seconds=60) - timedelta(milliseconds=3)
    ended = NOW + timedelta(seconds=60, milliseconds=9)
    return paid(number, **{"started_at": began, "ended_at": ended, "response_id": "r", **fields})


def recorded(number: int, **fields: Any) -> Call:
    began = NOW + timedelta(seconds=60)
    ended = began + timedelta(milliseconds=5)
    return served(number, **{"started_at": began, "ended_at": ended, "response_id": "r", **fields})


CALLS = "SELECT trace_id, cost FROM calls ORDER BY 1"
SERVED = "SELECT trace_id, saved, currency, state, cache FROM served ORDER BY 1"


def trace(number: int) -> str:
    return f"{number:032x}"


def test_every_dialect_has_a_span_here() -> None:
    assert SPANS.keys() == {dialect.name for dialect in DIALECTS}


@pytest.mark.parametrize("name", SPANS)
@pytest.mark.parametrize("outcome", ["exact", "semantic"])
def test_whichever_dialect_s_span_says_it_an_answer_out_of_the_cache_is_no_call(
    name: str, outcome: str
) -> None:
    attributes, scope = SPANS[name]
    found = told({**attributes, "switchgear.cache": outcome}, scope)
    assert (found.dialect, found.kind, found.cache, found.flags) == (name, Kind.SERVED, outcome, ())
    at_price = priced(found, price)
    # 40 tokens out at a cent each.
    assert (at_price.state, at_price.cost, at_price.saved) == (State.COMPLETE, 0, Decimal("0.40"))


@pytest.mark.parametrize("name", SPANS)
@pytest.mark.parametrize("outcome", ["miss", "bypass", "audit", "audit_same", "shadow_exact"])
def test_a_call_that_the_cache_did_not_answer_is_billed_with_what_became_of_it(
    name: str, outcome: str
) -> None:
    attributes, scope = SPANS[name]
    found = priced(told({**attributes, "switchgear.cache": outcome}, scope), price)
    assert (found.kind, found.cache, found.cost, found.saved) == (Kind.LLM, outcome, Decimal("0.40"), None)


@pytest.mark.parametrize("said", ["EXACT", "hit", "", True, 1, "exact "], ids=repr)
def test_what_is_no_outcome_hides_no_cost(said: Any) -> None:
    found = told({**GENAI, "switchgear.cache": said})
    assert (found.kind, found.cache) == (Kind.LLM, None)


def test_an_answer_with_a_hold_was_paid_for_and_is_shown_as_inconsistent() -> None:
    found = told({**GENAI, "switchgear.cache": "exact", "switchgear.lease.id": "g:1"})
    assert (found.kind, found.cache, found.flags) == (Kind.LLM, "exact", (Flag.INCONSISTENT,))


@pytest.mark.parametrize(
    ("fields", "state"),
    [
        ({"usage": None, "reported": Reported.NOTHING}, State.INCOMPLETE),
        ({"model": "odd"}, State.UNPRICED),
    ],
    ids=["no usage", "no price"],
)
def test_what_it_would_have_cost_is_not_known_and_not_zero(
    store: Store, fields: dict[str, Any], state: State
) -> None:
    book(store, [served(4, **fields)], price, NOW)
    assert rows(store, "SELECT saved, state FROM served") == [(None, state.value)]
    assert rows(store, "SELECT calls, saved_calls, saved FROM rollup_cache") == [(1, 0, None)]


def test_an_answer_out_of_the_cache_is_in_no_sum_of_calls_and_not_in_the_feed(store: Store) -> None:
    book(store, [paid(3), served(4), served(5, "semantic"), served(6, model="odd")], price, NOW)
    assert rows(store, CALLS) == [(trace(3), Decimal("0.03"))]
    assert rows(store, "SELECT sum(calls), sum(output), sum(cost) FROM rollup_hours") == [
        (1, 3, Decimal("0.03"))
    ]
    assert rows(store, "SELECT calls, output, cost FROM rollup_tasks") == [(1, 3, Decimal("0.03"))]
    assert rows(store, "SELECT sum(calls), sum(cost) FROM cost_adjusted") == [(1, Decimal("0.03"))]
    assert [entry["key"] for entry in page(store.cursor(), 0, 10)] == [paid(3).key]
    assert rows(store, SERVED) == [
        (trace(4), Decimal("0.04"), "USD", "complete", "exact"),
        (trace(5), Decimal("0.05"), "USD", "complete", "semantic"),
        (trace(6), None, None, "unpriced", "exact"),
    ]
    assert rows(store, "SELECT sum(calls), sum(saved_calls), sum(saved) FROM rollup_cache WHERE served") == [
        (3, 2, Decimal("0.09"))
    ]
    assert rollups.check(store.cursor()) == []
    store.fold()
    assert rollups.check(store.cursor()) == []
    assert rows(store, "SELECT sum(calls) FROM rollup_cache WHERE served") == [(3,)]


def test_a_task_that_was_answered_out_of_the_cache_alone_has_no_calls(store: Store) -> None:
    book(store, [served(4)], price, NOW)
    assert rows(store, "FROM rollup_tasks") == []
    assert rows(store, "SELECT task_id FROM served") == [("t",)]


def test_sent_again_it_is_one_answer(store: Store) -> None:
    for _ in range(2):
        book(store, [served(4), served(4)], price, NOW)
    assert rows(store, "SELECT count(*), sum(saved) FROM served") == [(1, Decimal("0.04"))]


@pytest.mark.parametrize("later", [timedelta(0), SECOND / 2, SECOND * 2, timedelta(hours=2)], ids=str)
@pytest.mark.parametrize("outcome", ["exact", "semantic"])
def test_it_is_never_merged_into_the_call_whose_response_id_it_names(
    store: Store, later: timedelta, outcome: str
) -> None:
    first = paid(3, response_id="r", cache="miss", lease_id="g:1")
    again = [
        served(n, outcome, started_at=NOW + later, ended_at=NOW + later, response_id="r", task_id=f"t-{n}")
        for n in (4, 5)
    ]
    for order in permutations([first, *again]):
        shelf = Shelf()
        for each in order:
            shelf.put(each)
        assert sorted(len(group.members) for group in shelf.groups) == [1, 1, 1]
    book(store, [first, *again], price, NOW)
    assert rows(store, CALLS) == [(trace(3), Decimal("0.03"))]
    assert rows(store, "SELECT count(*), sum(saved) FROM served") == [(2, Decimal("0.09"))]


def test_the_id_of_an_answer_that_is_served_again_and_again_still_joins_the_twins_of_its_call(
    store: Store,
) -> None:
    twins = [paid(3, response_id="r"), paid(3, trace_id=trace(9), response_id="r", scope="other@1")]
    replays = [served(n, started_at=NOW + SECOND * 2, response_id="r") for n in range(10, 14)]
    book(store, [twins[0], *replays, twins[1]], price, NOW)
    assert rows(store, CALLS) == [(trace(3), Decimal("0.03"))]


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (2, 1, 0), (1, 2, 0)], ids=str)
@pytest.mark.parametrize("cut", ["one batch", "one by one"])
def test_a_span_that_does_not_know_it_was_answered_out_of_the_cache_is_not_billed_beside_the_record_that_does(
    store: Store, order: tuple[int, ...], cut: str
) -> None:
    spans = [paid(3, response_id="r"), instrumented(4), recorded(5, usage=Usage(10, output=4))]
    batches = [[spans[n] for n in order]] if cut == "one batch" else [[spans[n]] for n in order]
    for batch in batches:
        book(store, batch, price, NOW)
    assert rows(store, CALLS) == [(trace(3), Decimal("0.03"))]
    assert rows(store, "SELECT saved FROM served") == [(Decimal("0.04"),)]
    held = {entry["key"]: entry["cost"] for entry in page(store.cursor(), 0, 10)}
    # Whoever followed the feed and replaced by key counts the one call that was made.
    assert sum(Decimal(cost) for cost in held.values()) == Decimal("0.03")
    assert rollups.check(store.cursor()) == []


def test_the_record_may_stand_in_a_trace_of_its_own_or_under_the_span(store: Store) -> None:
    outer = instrumented(4)
    inner = recorded(5, trace_id=outer.trace_id, parent_span_id=outer.span_id, response_id=None)
    book(store, [outer, inner], price, NOW)
    assert rows(store, CALLS) == []
    assert rows(store, "SELECT count(*) FROM served") == [(1,)]


@pytest.mark.parametrize(
    "other",
    [
        instrumented(4, started_at=NOW + SECOND * 20),
        instrumented(4, ended_at=NOW + timedelta(seconds=60) - timedelta(milliseconds=1)),
        instrumented(4, cache="miss"),
        instrumented(4, lease_id="g:1"),
        instrumented(4, tenant="globex"),
        instrumented(4, response_id="s"),
        instrumented(4, **RECORD),
    ],
    ids=[
        *("began long before", "over before", "says that it missed", "has a hold", "of another tenant"),
        *("another answer", "of the same instrumentation"),
    ],
)
def test_a_call_that_may_have_been_made_is_not_hidden_by_an_answer_beside_it(
    store: Store, other: Call
) -> None:
    book(store, [other, recorded(5)], price, NOW)
    assert rows(store, "SELECT count(*) FROM calls") == [(1,)]
    assert rows(store, "SELECT count(*) FROM served") == [(1,)]


def test_a_replay_whose_span_says_nothing_of_the_cache_falls_to_the_response_id_of_its_call(
    store: Store,
) -> None:
    first = paid(4, response_id="r", scope="a@1")
    again = paid(
        4, trace_id=trace(9), response_id="r", started_at=NOW + SECOND * 5, ended_at=NOW + SECOND * 5
    )
    for batch in ([first], [again]):
        book(store, batch, price, NOW)
    assert rows(store, CALLS) == [(trace(4), Decimal("0.04"))]


def test_where_that_id_shows_nothing_and_no_record_came_such_a_replay_is_a_call_like_any_other(
    store: Store,
) -> None:
    """Hours later, or by the instrumentation of the first: an id that comes again is one that small servers repeat."""
    book(store, [paid(4, response_id="r"), instrumented(5, trace_id=trace(9))], price, NOW)
    assert rows(store, "SELECT sum(cost) FROM calls") == [(Decimal("0.09"),)]


@pytest.mark.parametrize("first", ["span", "settlement", "together"])
def test_a_call_that_was_settled_was_paid_for_whatever_its_span_says_of_the_cache(
    store: Store, first: str
) -> None:
    lie = told(
        {**GENAI, "switchgear.tenant": "acme", "switchgear.cache": "exact", "switchgear.lease.id": "g:1"}
    )
    settled = paid(5, usage=Usage(900, output=40), dialect=SETTLEMENT, scope="switchgear", lease_id="g:1")
    steps = {"span": [[lie], [settled]], "settlement": [[settled], [lie]], "together": [[lie, settled]]}
    for batch in steps[first]:
        book(store, batch, price, NOW)
    assert rows(store, "SELECT cost, flags FROM calls") == [(Decimal("0.40"), "inconsistent")]
    assert rows(store, "FROM served") == []


def test_of_two_spans_of_one_answer_the_hold_of_the_one_wins_over_the_cache_of_the_other(
    store: Store,
) -> None:
    outer = instrumented(4, lease_id="g:1")
    inner = recorded(5, trace_id=outer.trace_id, parent_span_id=outer.span_id)
    for batch in ([inner], [outer]):
        book(store, batch, price, NOW)
    assert rows(store, "SELECT cost, flags, lease_id FROM calls") == [
        (Decimal("0.05"), "inconsistent", "g:1")
    ]
    assert rows(store, "FROM served") == []
    assert rollups.check(store.cursor()) == []


@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_whatever_is_served_no_sum_of_calls_changes(data: st.DataObject) -> None:
    some = st.dictionaries(st.integers(1, 30), st.sampled_from(["m", "odd"]), max_size=12)
    bought = [
        paid(n, model=model, response_id=f"r{n % 3}", cache=data.draw(OUTCOMES))
        for n, model in data.draw(some).items()
    ]
    free = [
        served(n, model=model, response_id=f"r{n % 3}", trace_id=trace(100 + n), started_at=NOW + SECOND * 2)
        for n, model in data.draw(some).items()
    ]
    sent = data.draw(st.permutations([*bought, *free]))
    cut = data.draw(st.integers(0, len(sent)))
    with (
        TemporaryDirectory() as a,
        TemporaryDirectory() as b,
        closing(Store(Path(a))) as with_them,
        closing(Store(Path(b))) as without,
    ):
        for batch in (sent[:cut], sent[cut:]):
            if batch:
                book(with_them, batch, price, NOW)
        if bought:
            book(without, [each for each in sent if each.kind is Kind.LLM], price, NOW)
        for sql in SUMS:
            assert rows(with_them, sql) == rows(without, sql)
        known = [Decimal(int(each.span_id, 16)) / 100 for each in free if each.model == "m"]
        found = rows(with_them, "SELECT count(*), sum(saved) FROM served")
        assert found == [(len(free), sum(known) if known else None)]
        assert rollups.check(with_them.cursor()) == []


OUTCOMES = st.sampled_from([None, "miss", "audit_same", "shadow_exact"])
SUMS = [
    "SELECT count(*), sum(cost), sum(output), sum(attempts) FROM calls",
    'SELECT "hour", tenant, workload, model, state, sum(calls), sum(output), sum(cost) FROM rollup_hours'
    " GROUP BY ALL ORDER BY ALL",
    "SELECT tenant, workload, task_id, calls, cost, unpriced_calls, first_at, last_at FROM rollup_tasks ORDER BY ALL",
    "SELECT sum(cost), sum(calls) FROM cost_adjusted",
    "SELECT count(*), sum(estimated_cost) FROM estimates",
]


def test_what_an_older_journal_holds_says_nothing_of_a_cache() -> None:
    columns = orjson.loads(pack([priced(paid(3), price)]).payload)
    del columns["cache"], columns["saved"]
    facts = unpacked(orjson.dumps(columns))
    assert facts["cache"].to_pylist() == facts["saved"].to_pylist() == [None]


def test_a_served_answer_goes_through_the_journal_as_it_is(store: Store) -> None:
    facts = unpacked(pack([priced(served(4, "semantic"), price)]).payload)
    store.book(numbered([(facts, 1, 0)]), price)
    assert rows(store, "SELECT cache, saved FROM served") == [("semantic", Decimal("0.04"))]


def test_a_file_of_version_5_keeps_its_calls_and_sums_and_takes_answers_out_of_a_cache(
    tmp_path: Path,
) -> None:
    with duckdb.connect(str(tmp_path / FILE_NAME)) as con:
        con.execute(Path(__file__).with_name("schema_5.sql").read_text(encoding="utf-8"))
    with closing(Store(tmp_path)) as store:
        assert rollups.check(store.cursor()) == []
        assert rows(store, CALLS) == [(trace(1), Decimal("0.02")), (trace(3), Decimal("0.04"))]
        assert rows(store, "FROM rollup_cache") == []
        # A third span of the call of two, and an answer out of the cache: both are merged and written as ever.
        third = call(9, NOW - timedelta(minutes=30), workload="w", response_id="r", scope="z@1")
        book(store, [third, served(4, "semantic")], price, NOW)
        store.fold()
        assert rollups.check(store.cursor()) == []
        assert rows(store, "SELECT count(*) FROM calls") == [(2,)]
        assert rows(store, "SELECT cache, calls, saved FROM rollup_cache") == [
            ("semantic", 1, Decimal("0.04"))
        ]
    with closing(Store(tmp_path)) as again:
        assert rows(again, "SELECT count(*) FROM served") == [(1,)]


def test_its_sums_outlive_its_details(store: Store) -> None:
    old = NOW - timedelta(days=50)
    book(store, [served(4, started_at=old, ended_at=old), paid(3, started_at=old, cache="miss")], price, NOW)
    before = rows(store, "SELECT served, cache, calls, saved, cost FROM rollup_cache ORDER BY 1")
    sweep = Sweep(store, Retention(details=40), Horizon(store), now=lambda: NOW)
    sweep()
    assert rows(store, "FROM served") == rows(store, "FROM calls") == []
    assert rows(store, "SELECT served, cache, calls, saved, cost FROM rollup_cache ORDER BY 1") == before
    ((amounts,),) = rows(store, "SELECT amounts FROM deletions")
    assert amounts == {"USD": Decimal("0.03")}


def test_a_backup_is_taken_of_a_store_with_answers_of_which_no_price_is_known(
    store: Store, tmp_path: Path
) -> None:
    unknown = {"usage": None, "reported": Reported.NOTHING}
    book(store, [paid(3), served(4, **unknown), served(5, model="odd")], price, NOW)
    manifest = backup.take(store, tmp_path, tmp_path / "copy", NOW)
    assert {name: Decimal(amount) for name, amount in manifest.cost.items()} == {"USD": Decimal("0.03")}


def test_a_span_of_a_task_or_a_tool_takes_no_notice_of_the_cache() -> None:
    stated = {"switchgear.cost.amount": "0.5", "switchgear.cost.currency": "USD", "switchgear.cache": "exact"}
    found = bill(span(stated))
    assert isinstance(found, Call)
    assert (found.kind, found.cache) == (Kind.COST, None)


def test_two_answers_that_say_different_things_are_two() -> None:
    assert served(4) != replace(served(4), cache="semantic")
