"""What is no request to a model but costs money: it is booked as its span states, and never for a model."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from by_hand import booked, refused

from collector.billing import priced
from collector.call import Kind, State, Stated
from collector.pricing import Quote
from switchgear.usage import Usage

COST = {
    "switchgear.cost.amount": "0.0125",
    "switchgear.cost.currency": "USD",
    "switchgear.cost.sku": "web-search",
    "switchgear.tenant": "acme",
    "switchgear.task.id": "t1",
}
TOOL = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "search", "gen_ai.system": "x"}
CHAT = {
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": "gpt-4o-mini",
    "gen_ai.usage.input_tokens": 1000,
    "gen_ai.usage.output_tokens": 50,
}


def no_price(provider: str | None, model: str | None, usage: Usage, at: Any, *_: object) -> Quote:
    raise AssertionError("what a span states needs no price book")


@pytest.mark.parametrize(
    ("around", "dialect"),
    [
        ({}, ""),
        ({"db.system.name": "pinecone"}, ""),
        (TOOL, "otel-genai"),
        ({"openinference.span.kind": "RETRIEVER"}, "openinference"),
        ({"traceloop.span.kind": "tool"}, "openllmetry"),
    ],
    ids=["by hand", "vector store", "tool", "retriever", "traceloop"],
)
def test_a_tool_a_search_or_a_store_costs_what_its_span_states(around: dict[str, Any], dialect: str) -> None:
    found = priced(booked({**around, **COST}), no_price)
    assert (found.kind, found.dialect, found.tenant, found.task_id) == (Kind.COST, dialect, "acme", "t1")
    assert found.stated == Stated(Decimal("0.0125"), "USD", "web-search")
    assert (found.cost, found.currency, found.state) == (Decimal("0.0125"), "USD", State.COMPLETE)
    assert (found.price_version, found.usage, found.model) == ("stated", None, None)


def test_what_a_request_to_a_model_cost_is_never_taken_from_its_sender() -> None:
    found = priced(booked({**CHAT, **COST}), lambda *_: Quote(Decimal(2), "USD", "book 1"))
    assert (found.kind, found.stated, found.cost, found.price_version) == (Kind.LLM, None, 2, "book 1")


def test_a_request_to_a_model_that_failed_does_not_cost_what_it_states() -> None:
    failed = refused(
        {**CHAT, **COST, "gen_ai.usage.input_tokens": None, "gen_ai.usage.output_tokens": None}, error=True
    )
    assert failed.code == "failed"


@pytest.mark.parametrize(
    ("amount", "read"),
    [
        ("0", Decimal(0)),
        ("12", Decimal(12)),
        ("0.1", Decimal("0.1")),
        (3, Decimal(3)),
        (0.1, Decimal("0.1")),
        (1e-7, Decimal("0.0000001")),
        ("999999.999999999999", Decimal("999999.999999999999")),
        ("0.0000000000015", Decimal("0.000000000002")),
    ],
    ids=repr,
)
def test_an_amount_is_read_as_it_is_written_to_twelve_decimals(amount: Any, read: Decimal) -> None:
    stated = booked({**COST, "switchgear.cost.amount": amount}).stated
    assert stated is not None
    assert stated.amount == read


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(
            ("amount", value)
            for value in (
                "-1",
                -0.5,
                "1e3",
                "1_000",
                "NaN",
                "Infinity",
                "",
                "٣",
                "1,5",
                "0x1",
                "1000000",
                10**6,
            )
        ),
        *(
            ("amount", value)
            for value in (float("nan"), float("inf"), 1e300, True, (), "999999.9999999999999")
        ),
        *(("currency", value) for value in (None, "", "US", "EURO", "€€€", 840, ())),
        *(("sku", value) for value in (7, ())),
    ],
    ids=repr,
)
def test_a_cost_that_is_none_is_refused_and_says_which(name: str, value: Any) -> None:
    found = refused({**COST, f"switchgear.cost.{name}": value})
    assert (found.code, found.rejected) == ("bad_value", True)
    assert f"switchgear.cost.{name}" in found.reason


def test_a_currency_is_kept_in_capitals_and_what_was_bought_need_not_be_named() -> None:
    stated = booked({**COST, "switchgear.cost.currency": "eur", "switchgear.cost.sku": None}).stated
    assert stated == Stated(Decimal("0.0125"), "EUR", None)


def test_a_currency_without_an_amount_states_nothing() -> None:
    found = refused({**COST, "switchgear.cost.amount": None})
    assert found.code == "no_dialect"
