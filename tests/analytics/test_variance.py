"""A bridge between two periods: every driver by itself, and the worked example of the document."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from analytics.variance import Bridge, Driver, Mover, Sku, bridge, bridges, movers, skus

GPT = ("openai", "gpt-4o", "")
MINI = ("openai", "gpt-4o-mini", "")
DOCUMENT = (Path(__file__).parents[2] / "docs" / "variance.md").read_text()
USD = Decimal


def _sku(kind: str, quantity: int, amount: str | None, retried: str = "0", product: Any = GPT) -> Sku:
    return Sku(product, kind, quantity, None if amount is None else USD(amount), USD(retried))


def _parts(found: Bridge) -> dict[Driver, Decimal]:
    return {driver: part for driver, part in found.parts.items() if part}


def _line(**said: Any) -> dict[str, Any]:
    """A line of the ledger, with nothing in it but what is said."""
    counts = ("input_uncached", "cache_read", "cache_write_5m", "cache_write_1h", "output")
    amounts = ("input", "cache_read", "cache_write_5m", "cache_write_1h", "output", "other")
    nothing = dict.fromkeys(counts, 0) | {f"amount_{name}": USD(0) for name in amounts}
    named = {
        "kind": "usage",
        "provider": "openai",
        "model": "gpt-4o",
        "service_tier": None,
        "currency": "USD",
    }
    return {**named, **nothing, "amount": USD(0), "retry_amount": USD(0), "workload": "w", **said}


BEFORE = [_sku("input_uncached", 1000, "2"), _sku("output", 500, "5")]

CASES = {
    "no change is no part": (BEFORE, {}),
    "the same tokens at higher prices are price": (
        [_sku("input_uncached", 1000, "3"), _sku("output", 500, "5.50")],
        {Driver.PRICE: USD("1.50")},  # 1 + 0.50
    ),
    "twice as much of everything is volume": (
        [_sku("input_uncached", 2000, "4"), _sku("output", 1000, "10")],
        {Driver.VOLUME: USD(7)},
    ),
    "more output of as many tokens is mix": (
        [_sku("input_uncached", 900, "1.80"), _sku("output", 600, "6")],
        {Driver.MIX: USD("0.80")},  # 100 x (0.010 - 0.002)
    ),
    "the cache that is begun to be used is cache": (
        [_sku("input_uncached", 400, "0.80"), _sku("cache_read", 600, "0.12"), _sku("output", 500, "5")],
        {Driver.CACHE: USD("-1.08")},  # 600 x (0.0002 - 0.002)
    ),
    "the same work in two attempts is retries": (
        [_sku("input_uncached", 2000, "4", "2"), _sku("output", 1000, "10", "5")],
        {Driver.RETRIES: USD(7)},
    ),
    "a model taken up is new": (
        [*BEFORE, _sku("output", 100, "0.06", product=MINI)],
        {Driver.NEW: USD("0.06")},
    ),
    "a model given up is retired": ([], {Driver.RETIRED: USD(-7)}),
    "a credit is a correction": (
        [*BEFORE, replace(_sku("other", 0, "-1.25"), apart=Driver.CORRECTIONS)],
        {Driver.CORRECTIONS: USD("-1.25")},
    ),
    "idle capacity is a charge": (
        [*BEFORE, replace(_sku("other", 0, "40"), apart=Driver.CHARGES)],
        {Driver.CHARGES: USD(40)},
    ),
    "a price that is lost is unknown, and no end of the work": (
        [_sku("input_uncached", 1000, "2"), _sku("output", 500, None)],
        {Driver.UNKNOWN: USD(-5)},
    ),
    "twice the work, half of it without a price, is volume and unknown": (
        [_sku("input_uncached", 2000, "4"), _sku("output", 500, "5"), _sku("output", 500, None)],
        {Driver.VOLUME: USD(7), Driver.UNKNOWN: USD(-5)},
    ),
}


@pytest.mark.parametrize(("now", "expected"), CASES.values(), ids=CASES.keys())
def test_each_driver_is_seen_by_itself(now: list[Sku], expected: dict[Driver, Decimal]) -> None:
    assert _parts(bridge(BEFORE, now)) == expected


def test_what_appears_without_a_price_anywhere_is_counted_and_is_in_no_part() -> None:
    found = bridge(BEFORE, [*BEFORE, _sku("output", 70, None, product=MINI)])
    assert _parts(found) == {}
    assert (found.unvalued_before, found.unvalued_now) == (0, 70)


def test_from_nothing_everything_is_new() -> None:
    assert _parts(bridge([], BEFORE)) == {Driver.NEW: USD(7)}


def test_free_tokens_that_are_retried_move_no_money() -> None:
    free = [_sku("output", 100, "0")]
    assert _parts(bridge(free, [_sku("output", 200, "0")])) == {}


@pytest.mark.parametrize(
    "wrong", [_sku("output", -1, "1"), _sku("output", 1, "0.0000000000001")], ids=["tokens", "places"]
)
def test_what_the_ledger_cannot_hold_is_refused(wrong: Sku) -> None:
    with pytest.raises(ValueError, match="12 places"):
        bridge([wrong], [])


LAST_WEEK = _line(
    input_uncached=4_000_000, output=1_000_000, amount_input=USD(10), amount_output=USD(10), amount=USD(20)
)
THIS_WEEK = _line(
    input_uncached=4_000_000,
    cache_read=2_000_000,
    output=2_000_000,
    amount_input=USD(10),
    amount_cache_read=USD("0.50"),
    amount_output=USD(22),
    amount=USD("32.50"),
    retry_amount=USD("3.25"),
)


def test_the_example_of_the_document_is_what_is_reckoned() -> None:
    found = bridge(skus([LAST_WEEK]), skus([THIS_WEEK]))
    told = dict(
        re.findall(r"^\| \*{0,2}(\w+)\*{0,2} \| \*{0,2}(-?\d+\.\d\d)\*{0,2} \|", DOCUMENT, re.MULTILINE)
    )
    assert USD(told.pop("change")) == found.change == USD("12.50")
    assert {Driver(name): USD(amount) for name, amount in told.items()} == _parts(found)
    assert f'"{Mover("w", found).in_words("USD")}"' in DOCUMENT


def test_every_driver_stands_in_the_document() -> None:
    rows = re.findall(r"^\| ([a-z, ]+) \|", DOCUMENT.partition("## An example")[0], re.MULTILINE)
    assert {name for row in rows for name in row.split(", ")} - {"part"} == {each.value for each in Driver}


def test_an_amount_that_no_kind_of_token_has_is_other() -> None:
    found = list(
        skus(
            [_line(output=10, amount_output=USD(1), amount_other=USD(2), amount=USD(3), retry_amount=USD(1))]
        )
    )
    assert [(each.kind, each.amount) for each in found] == [("output", USD(1)), ("other", USD(2))]
    assert sum(each.retry_amount for each in found) == 1


def test_a_line_without_an_amount_is_unpriced_in_each_of_its_kinds() -> None:
    found = list(skus([_line(input_uncached=5, output=7, amount=None, amount_input=None, retry_amount=None)]))
    assert [(each.kind, each.quantity, each.amount) for each in found] == [
        ("input_uncached", 5, None),
        ("output", 7, None),
    ]


@pytest.mark.parametrize(
    ("kind", "driver"),
    [
        ("charge", Driver.CHARGES),
        ("shared", Driver.CHARGES),
        *((kind, Driver.CORRECTIONS) for kind in ("rerate", "accrual", "true_up", "credit", "adjustment")),
    ],
)
def test_every_kind_of_line_but_usage_stands_apart(kind: str, driver: Driver) -> None:
    line = _line(kind=kind, amount=USD(9))
    assert _parts(bridge(skus([LAST_WEEK]), skus([LAST_WEEK, line]))) == {driver: USD(9)}


def test_lines_without_a_price_are_in_no_currency_and_stand_between_those_that_are() -> None:
    unknown = _line(currency=None, input_uncached=5, amount=None, amount_input=None, retry_amount=None)
    known = _line(input_uncached=7, amount=USD(9), amount_input=USD(9))
    assert [sku.amount for sku in skus([known, unknown, known])] == [9, None, 9]
    with pytest.raises(ValueError, match="in USD and in EUR"):
        list(skus([_line(), unknown, _line(currency="EUR")]))


def test_lines_of_two_currencies_make_no_bridge() -> None:
    with pytest.raises(ValueError, match="in USD and in EUR"):
        list(skus([_line(), _line(currency="EUR")]))


def test_groups_that_changed_most_come_first_with_what_did_it() -> None:
    now = [
        THIS_WEEK,
        _line(workload="begun", output=1000, amount_output=USD(40), amount=USD(40)),
        _line(workload="same", output=1, amount_output=USD(1), amount=USD(1)),
    ]
    before = [LAST_WEEK, now[2], _line(workload="ended", output=5, amount_output=USD(15), amount=USD(15))]
    found = bridges(before, now, by=lambda line: str(line["workload"]))
    assert [(each.group, each.in_words("USD")) for each in movers(found, 3)] == [
        ("begun", "40.00 USD more, by models not used before"),
        ("ended", "15.00 USD less, by models no longer used"),
        ("w", "12.50 USD more, mostly by more tokens (+8.80 USD)"),
    ]
    assert [each.group for each in movers(found, 1)] == ["begun"]
