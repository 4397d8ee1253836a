"""The report on a cache of answers: what it saved less wrong answers; however it is grouped the sums are the same."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from math import comb
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stores import book, call

from analytics.caching.bounds import MILLION, needed, upper
from analytics.reports import REPORTS
from collector.call import Call, Kind
from collector.facts.store import Store
from collector.pricing import Quote
from collector.reporting import ReportError
from switchgear.usage import Usage

NOW = datetime(2026, 11, 24, 12, 30, tzinfo=UTC)
DAY = {"from": "2026-11-24T00:00:00Z", "to": "2026-11-25T00:00:00Z"}
COUNTS = (
    *("requests", "bypassed", "missed", "exact", "semantic", "audits", "audit_same", "audit_different"),
    *("shadows", "shadow_exact", "shadow_same", "shadow_different", "unknown"),
)
AMOUNTS = (
    *("saved", "saved_exact", "saved_semantic", "wrong", "wrong_at_most", "unjudged", "net", "audit_cost"),
    *("shadow_saved", "shadow_wrong", "shadow_unjudged", "shadow_net"),
)
DIMENSIONS = ("tenant", "workload", "tier", "owner", "cost_centre", "provider", "model", "day")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store(tmp_path)) as opened:
        yield opened


def price(provider: str | None, model: str | None, usage: Usage, at: datetime, *_: object) -> Quote:
    """A millionth of a millionth a token of output, which no rounding may lose; "odd" has no price."""
    if model == "odd":
        return Quote(None, None, "by hand")
    return Quote(Decimal(usage.output) / 1_000_000_000_000, "EUR" if model == "euro" else "USD", "by hand")


def units(amount: int) -> Decimal:
    return Decimal(amount) / 1_000_000_000_000


def told(number: int, outcome: str, tokens: int = 1, at: datetime = NOW, **fields: Any) -> Call:
    """What became of one request: served where the outcome says so, else a call."""
    kind = Kind.SERVED if outcome in ("exact", "semantic") else Kind.LLM
    named = {"workload": "w", "usage": Usage(10, output=tokens), "cache": outcome, "kind": kind}
    return call(number, at, **{**named, **fields})


def ask(store: Store, **params: str) -> list[dict[str, Any]]:
    with closing(store.cursor()) as con:
        return REPORTS["answer_cache"](con, {**DAY, **params}).to_pylist()


def test_what_was_served_is_worth_what_it_would_have_cost_less_the_part_that_audits_found_wrong(
    store: Store,
) -> None:
    outcomes = ["exact", "semantic", "semantic", "miss", "bypass", "audit"]
    outcomes += ["audit_different"] + ["audit_same"] * 3
    book(store, [told(n, each, tokens=1000) for n, each in enumerate(outcomes, 1)], price, NOW)
    (row,) = ask(store, by="workload")
    assert {name: row[name] for name in COUNTS} == {
        **dict.fromkeys(COUNTS, 0),
        "requests": 10,
        "bypassed": 1,
        "missed": 1,
        "exact": 1,
        "semantic": 2,
        "audits": 5,
        "audit_same": 3,
        "audit_different": 1,
    }
    assert (row["saved"], row["saved_exact"], row["saved_semantic"]) == (
        units(3000),
        units(1000),
        units(2000),
    )
    # 1 of 4 judged was wrong: a fourth of what semantic answers saved.
    assert (row["wrong_rate"], row["wrong"], row["net"]) == (Decimal("0.25"), units(500), units(2500))
    # Of 4 with 1: with 90 % confidence at most 0.679539 (1 - p)^4 + 4 p (1 - p)^3 = 0.1.
    assert row["wrong_rate_at_most"] == Decimal("0.679540")
    assert row["wrong_at_most"] == units(1360)
    assert (row["unjudged"], row["audit_cost"], row["currency"]) == (None, units(5000), "USD")


def test_where_no_audit_was_judged_it_is_not_known_what_semantic_answers_are_worth(store: Store) -> None:
    book(store, [told(1, "exact", 7), told(2, "semantic", 5), told(3, "audit", 9)], price, NOW)
    (row,) = ask(store, by="workload")
    assert (row["saved"], row["net"], row["unjudged"]) == (units(12), units(7), units(5))
    assert (row["wrong"], row["wrong_at_most"], row["wrong_rate"], row["wrong_rate_at_most"]) == (None,) * 4
    (alone,) = ask(store, by="workload", model="m", tenant="acme") and ask(store)
    assert alone["net"] == units(7)


def test_semantic_answers_alone_that_nobody_judged_have_no_net_worth_at_all(store: Store) -> None:
    book(store, [told(2, "semantic", 5)], price, NOW)
    (row,) = ask(store)
    assert (row["saved"], row["net"], row["unjudged"]) == (units(5), None, units(5))


def test_an_answer_without_a_price_is_counted_and_worth_nothing_that_is_known(store: Store) -> None:
    book(store, [told(1, "exact", model="odd"), told(2, "exact", 3)], price, NOW)
    by_model = {row["model"]: (row["exact"], row["unknown"], row["saved"]) for row in ask(store, by="model")}
    assert by_model == {"odd": (1, 1, None), "m": (1, 0, units(3))}


def test_the_audits_of_another_workload_or_tenant_say_nothing(store: Store) -> None:
    sent = [
        told(1, "semantic", 8),
        told(2, "audit_different", workload="x"),
        told(3, "audit_different", tenant="globex"),
        told(4, "audit_same"),
    ]
    book(store, sent, price, NOW)
    (row,) = ask(store, tenant="acme", workload="w")
    assert (row["wrong"], row["net"]) == (units(0), units(8))


def test_a_filter_does_not_change_by_which_audits_a_workload_is_judged(store: Store) -> None:
    sent = [told(1, "semantic", 8), told(2, "audit_different", model="n"), told(3, "audit_same", model="n")]
    book(store, sent, price, NOW)
    (row,) = ask(store, model="m")
    assert (row["audits"], row["wrong"], row["net"]) == (0, units(4), units(4))


def test_in_shadow_what_would_have_been_saved_stands_apart_and_nothing_is(store: Store) -> None:
    outcomes = ["shadow_exact", "shadow_same", "shadow_different", "shadow", "miss"]
    book(store, [told(n, each, tokens=10**n) for n, each in enumerate(outcomes)], price, NOW)
    (row,) = ask(store)
    assert (row["saved"], row["net"], row["requests"], row["shadows"]) == (None, None, 5, 4)
    assert (row["shadow_saved"], row["shadow_net"]) == (units(1111), units(11))
    assert (row["shadow_wrong"], row["shadow_unjudged"]) == (units(100), units(1000))


def test_calls_of_workloads_without_a_cache_are_in_no_row(store: Store) -> None:
    book(store, [told(1, "exact", cache=None, kind=Kind.LLM)], price, NOW)
    assert ask(store, by="workload") == ask(store) == []


def test_an_answer_that_was_paid_for_all_the_same_saves_nothing(store: Store) -> None:
    book(store, [told(1, "exact", 5, kind=Kind.LLM, lease_id="g:1")], price, NOW)
    (row,) = ask(store)
    assert (row["requests"], row["exact"], row["saved"]) == (1, 0, None)


def test_two_currencies_are_never_one_sum(store: Store) -> None:
    book(store, [told(1, "exact", 5), told(2, "exact", 7, model="euro")], price, NOW)
    with pytest.raises(ReportError, match="EUR, USD"):
        ask(store)
    assert [row["saved"] for row in ask(store, currency="EUR")] == [units(7)]


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"by": "task"}, "by: 'task' is unknown"),
        ({"by": "day,day"}, "twice"),
        ({"top": "3"}, "top: unknown parameter"),
        ({"to": "2026-11-23T00:00:00Z"}, "is before"),
    ],
    ids=str,
)
def test_what_is_asked_wrongly_is_refused(store: Store, params: dict[str, str], said: str) -> None:
    with pytest.raises(ReportError, match=said):
        ask(store, **params)


outcomes = st.sampled_from(
    [
        *("exact", "semantic", "semantic", "miss", "bypass", "audit", "audit_same", "audit_different"),
        *("shadow", "shadow_exact", "shadow_same", "shadow_different"),
    ]
)


@st.composite
def worlds(draw: st.DrawFn) -> list[Call]:
    sizes = draw(st.lists(st.integers(0, 10**6), min_size=1, max_size=25))
    return [
        told(
            number,
            draw(outcomes),
            tokens,
            at=NOW + timedelta(minutes=draw(st.sampled_from([-700, -20, 0, 40, 680]))),
            tenant=draw(st.sampled_from(["acme", "globex"])),
            workload=draw(st.sampled_from(["w", "x", None])),
            model=draw(st.sampled_from(["m", "n", "odd"])),
            tier=draw(st.sampled_from(["batch", None])),
        )
        for number, tokens in enumerate(sizes, 1)
    ]


@settings(max_examples=12, deadline=None)
@given(
    world=worlds(),
    by=st.lists(st.sampled_from(DIMENSIONS), max_size=3, unique=True),
    fold=st.sampled_from(["folded", "not folded"]),
)
def test_by_whatever_it_is_grouped_it_adds_up_to_the_total_and_parts_to_their_whole(
    world: list[Call], by: list[str], fold: str
) -> None:
    with TemporaryDirectory() as folder, closing(Store(Path(folder))) as store:
        book(store, world, price, NOW)
        if fold == "folded":
            store.fold()
        (total,) = ask(store)
        for names in (by, ["workload"], ["tenant", "day"]):
            rows = ask(store, by=",".join(names))
            for name in COUNTS:
                assert sum(row[name] for row in rows) == total[name]
            for name in AMOUNTS:
                known = [row[name] for row in rows if row[name] is not None]
                assert (sum(known) if known else None) == total[name]
            for row in rows:
                parts = [row[name] for name in ("net", "wrong", "unjudged") if row[name] is not None]
                assert (sum(parts) if parts else None) == row["saved"]
                assert (row["wrong"] or 0) <= (row["wrong_at_most"] or 0)
        kept = [each for each in world if each.kind is Kind.SERVED and each.model != "odd"]
        gross = sum(each.usage.output for each in kept if each.usage)
        assert total["saved"] == (units(gross) if kept else None)


@pytest.mark.parametrize(
    ("seen", "of", "expected"),
    # With none seen it is 1 - 0.1^(1/n); the others are from tables of the interval.
    [
        (0, 1, 900_000),
        (0, 10, 205_672),
        (0, 114, 19_996),
        (1, 10, 336_848),
        (10, 10, MILLION),
    ],
)
def test_the_upper_bound_is_clopper_and_pearson_s(seen: int, of: int, expected: int) -> None:
    assert abs(upper(seen, of) - expected) <= 1


@given(st.integers(1, 60).flatmap(lambda of: st.tuples(st.integers(0, of - 1), st.just(of))))
def test_at_the_upper_bound_so_few_have_a_probability_of_a_tenth(counts: tuple[int, int]) -> None:
    seen, of = counts
    share = Fraction(upper(seen, of), MILLION)
    few = sum(comb(of, k) * share**k * (1 - share) ** (of - k) for k in range(seen + 1))
    # Rounded up to a millionth: a little less than a tenth, never more.
    assert Fraction(99, 1000) < few <= Fraction(1, 10) + Fraction(1, 10**9)


def test_a_bound_of_many_thousands_is_found_quickly_and_without_overflow() -> None:
    assert 20_000 < upper(20_000, 1_000_000) < 20_300


@pytest.mark.parametrize(("share", "labels"), [(0.02, 114), (0.01, 230), (0.05, 45)])
def test_so_many_labels_without_one_wrong_are_needed_to_be_sure(share: float, labels: int) -> None:
    assert needed(share) == labels
    assert upper(0, labels) <= share * MILLION + 1 < upper(0, labels - 1) + 1
