"""What calls without their usage may have cost: by which calls, and gone when the truth comes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from stores import book
from stores import call as stored_call

from collector.call import Call, Kind, Reported, Stated
from collector.facts.store import Store
from collector.keys.key import Key
from collector.pricing import Quote
from collector.queries.reader import Reader
from switchgear.usage import Usage

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
Read = Callable[..., list[tuple[Any, ...]]]


def price(provider: str | None, model: str | None, usage: Usage, at: datetime, *_: object) -> Quote:
    """A cent for a token in, a dime for one out; of model "e" in euros, of model "free of price" none."""
    if model == "free of price":
        return Quote(None, None, "book")
    cost = Decimal("0.01") * usage.input_total + Decimal("0.10") * usage.output
    return Quote(cost, "EUR" if model == "e" else "USD", "book")


def call(number: int, usage: Usage | None = None, **fields: Any) -> Call:
    named = {"workload": "w", "ended_at": None, "scope": f"s{number}@1", **fields}
    return stored_call(number, NOW, usage=usage, **named)


# What is known. In cents: 110 and 310 of acme's w, 400 of its v, 1,180 of globex: of two, three and four calls.
KNOWN = [
    call(1, Usage(10, output=10)),
    call(2, Usage(10, output=30)),
    call(3, Usage(100, output=30), workload="v"),
    call(4, Usage(180, output=100), tenant="globex"),
]
OF_WORKLOAD = Decimal(110 + 310) / 100 / 2
OF_TENANT = Decimal(110 + 310 + 400) / 100 / 3
OF_MODEL = Decimal(110 + 310 + 400 + 1180) / 100 / 4


@pytest.fixture
def read(store: Store) -> Iterator[Read]:
    reader = Reader(store)

    def rows(sql: str, key: Key | None = None) -> list[tuple[Any, ...]]:
        with reader.cursor_of(key or Key("all", ("*",), frozenset({"read"}))) as cursor:
            found: list[tuple[Any, ...]] = cursor.execute(sql).fetchall()
            return found

    yield rows
    reader.close()


SHOWN = "SELECT estimated_cost, currency, method, based_on FROM estimates ORDER BY span_id"
HALF = "known part, and the rest of the "


@pytest.mark.parametrize(
    ("incomplete", "expected"),
    [
        (call(9), (OF_WORKLOAD, "USD", "mean of tenant, workload and model", 2)),
        (call(9, workload="new"), (OF_TENANT, "USD", "mean of tenant and model", 3)),
        (call(9, workload=None), (OF_TENANT, "USD", "mean of tenant and model", 3)),
        (call(9, tenant="initech"), (OF_MODEL, "USD", "mean of model", 4)),
        (call(9, model="unheard of"), (None, None, None, 0)),
        (call(9, model=None), (None, None, None, 0)),
        # 50 known at a cent; of such calls the output cost (100 + 300) / 2 cents.
        (
            call(9, Usage(50), reported=Reported.INPUT),
            (Decimal("0.50") + 2, "USD", HALF + "mean of tenant, workload and model", 2),
        ),
        # 7 known at a dime; of such calls the input cost (10 + 10) / 2 cents.
        (
            call(9, Usage(output=7), reported=Reported.OUTPUT),
            (Decimal("0.70") + Decimal("0.10"), "USD", HALF + "mean of tenant, workload and model", 2),
        ),
    ],
    ids=[
        "workload",
        "tenant",
        "no workload",
        "model",
        "no such calls",
        "no model",
        "input known",
        "output known",
    ],
)
def test_an_estimate_says_by_which_calls_it_was_made(
    store: Store, read: Read, incomplete: Call, expected: tuple[Any, ...]
) -> None:
    book(store, [*KNOWN, incomplete], price, NOW)
    cost, *others = expected
    ((amount, *said),) = read(SHOWN)
    assert said == others
    assert amount == (None if cost is None else Decimal(cost).quantize(Decimal("1e-12"), "ROUND_DOWN"))


def test_an_estimate_is_no_cost_and_goes_when_the_truth_comes(store: Store, read: Read) -> None:
    unknown = call(9, response_id="r")
    book(store, [*KNOWN, unknown], price, NOW)
    assert read("SELECT state, cost FROM calls ORDER BY span_id DESC LIMIT 1") == [("incomplete", None)]
    assert len(read(SHOWN)) == 1
    book(store, [call(10, Usage(1, output=1), response_id="r")], price, NOW)
    assert read(SHOWN) == []


def test_calls_of_more_than_a_week_before_the_last_are_no_basis(store: Store, read: Read) -> None:
    old = call(5, Usage(1000, output=1000), started_at=NOW - timedelta(days=8))
    book(store, [*KNOWN, old, call(9)], price, NOW)
    assert read(SHOWN) == [(OF_WORKLOAD, "USD", "mean of tenant, workload and model", 2)]


def test_only_calls_to_models_whose_cost_is_known_are_a_basis(store: Store, read: Read) -> None:
    search = call(5, kind=Kind.COST, stated=Stated(Decimal(900), "USD", "search"))
    unpriced = call(6, Usage(1, output=1), model="free of price")
    book(store, [*KNOWN, search, unpriced, call(8, model="free of price"), call(9)], price, NOW)
    assert read(SHOWN) == [
        (None, None, None, 0),
        (OF_WORKLOAD, "USD", "mean of tenant, workload and model", 2),
    ]


def test_amounts_of_two_currencies_are_never_mixed(store: Store, read: Read) -> None:
    euros = [call(n, Usage(100), model="e") for n in (5, 6)]
    book(store, [*KNOWN, *euros, call(8, model="e"), call(9)], price, NOW)
    assert [row[:2] for row in read(SHOWN)] == [(Decimal(1), "EUR"), (OF_WORKLOAD, "USD")]


def test_nobody_s_estimate_tells_of_calls_that_they_may_not_see(store: Store, read: Read) -> None:
    book(store, [*KNOWN, call(8, tenant="initech"), call(9, workload="new")], price, NOW)
    acme = Key("acme", ("acme",), frozenset({"read"}))
    assert read(SHOWN, acme) == [
        (OF_TENANT.quantize(Decimal("1e-12"), "ROUND_DOWN"), "USD", "mean of tenant and model", 3)
    ]
    initech = Key("initech", ("initech",), frozenset({"read"}))
    assert read(SHOWN, initech) == [(None, None, None, 0)]
