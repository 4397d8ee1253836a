"""What is wrong with a statement is told with file, place, value and what to write; nothing of it is taken."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from analytics.invoices import InvoiceError
from analytics.invoices.reading import invoices_in

DAY = 86400


def _openai(**result: Any) -> str:
    """A costs page with this result, numbers as they are written."""
    given = {
        "object": "organization.costs.result",
        "amount": {"value": 1, "currency": "usd"},
        "line_item": "gpt-4o, input",
    }
    bucket = {"start_time": 1790812800, "end_time": 1790812800 + DAY, "results": [given | result]}
    return json.dumps({"object": "page", "data": [bucket], "has_more": False})


def _anthropic(**result: Any) -> str:
    given = {"amount": "123.45", "currency": "USD", "model": "claude-sonnet-4-20250514"}
    bucket = {
        "starting_at": "2026-10-01T00:00:00Z",
        "ending_at": "2026-10-02T00:00:00Z",
        "results": [given | result],
    }
    return json.dumps({"data": [bucket], "has_more": False})


def _table(row: str) -> str:
    return (
        f"day,model,kind,quantity,amount,currency,provider\n2026-10-01,gpt-4o,input,1,1,USD,openai\n{row}\n"
    )


def _focus(row: str) -> str:
    return f"ChargePeriodStart,BilledCost,BillingCurrency,ProviderName,SkuPriceDetails\n{row}\n"


AT = "data[0].results[0]"
NO_AMOUNT = "is no amount; write a number such as 12.34"
BAD = {
    "OpenAI: NaN": (
        _openai(amount={"value": float("nan"), "currency": "usd"}),
        f"{AT}.amount.value: NaN {NO_AMOUNT}",
    ),
    "OpenAI: infinity": (
        _openai(amount={"value": float("-inf"), "currency": "usd"}),
        f"{AT}.amount.value: -Infinity {NO_AMOUNT}",
    ),
    "OpenAI: no amount": (
        _openai(amount=None),
        f"{AT}.amount: nothing is no amount; it has a value and a currency",
    ),
    "OpenAI: a word": (
        _openai(amount={"value": "free", "currency": "usd"}),
        f'{AT}.amount.value: "free" {NO_AMOUNT}',
    ),
    "OpenAI: true": (
        _openai(amount={"value": True, "currency": "usd"}),
        f"{AT}.amount.value: true {NO_AMOUNT}",
    ),
    "OpenAI: too large": (
        _openai(amount={"value": "1e16", "currency": "usd"}),
        f'{AT}.amount.value: "1e16" does not fit: at most 16 digits before the point and 40 after',
    ),
    "OpenAI: far too large": (
        _openai(amount={"value": "1e9999", "currency": "usd"}),
        f'{AT}.amount.value: "1e9999" does not fit: at most 16 digits before the point and 40 after',
    ),
    "OpenAI: no currency": (
        _openai(amount={"value": 1}),
        f'{AT}.amount.currency: nothing is no currency; write a code of ISO 4217 such as "USD"',
    ),
    "OpenAI: a currency that is none": (
        _openai(amount={"value": 1, "currency": "usx"}),
        f'{AT}.amount.currency: "usx" is no currency; write a code of ISO 4217 such as "USD"',
    ),
    "OpenAI: a model that is no text": (
        _openai(line_item=["gpt-4o"]),
        f"{AT}.line_item: a list is no text; write a name in quotes",
    ),
    "OpenAI: a quantity that is none": (
        _openai(quantity="many", quantity_unit="tokens"),
        f'{AT}.quantity: "many" is no quantity; write a number such as 1200',
    ),
    "OpenAI: another result": (
        _openai(object="organization.usage.images.result"),
        'data: "organization.usage.images.result" is no result that is read; known are: ',
    ),
    "OpenAI: a time that is none": (
        _openai().replace("1790812800,", '"yesterday",'),
        'data[0].start_time: "yesterday" is no time; write it as "2026-10-03T00:00:00Z"',
    ),
    "Anthropic: dollars and a sign": (_anthropic(amount="$1.23"), f'{AT}.amount: "$1.23" {NO_AMOUNT}'),
    "Anthropic: another currency": (
        _anthropic(currency="JPY"),
        f'{AT}.currency: "JPY": cents are known of USD alone; write the amounts as a CSV table',
    ),
    "pages of two shapes": (
        f"[{_openai()},{_anthropic()}]",
        "data: pages of anthropic costs and openai costs in one file; give each a file of its own",
    ),
    "cut off": (_openai()[:-9], "line 1, column "),
    "no page": ("[1]", "[0]: 1 is no page; a page is an object with data"),
    "an error in place of a page": (
        '{"error": {"message": "invalid key"}}',
        "data: nothing is no list of buckets; give the answer of the API as it came",
    ),
    "results that are no list": (
        _openai().replace('"results": [', '"results": 1, "was": ['),
        "file: there is no line in it; check the dates it was asked for, and what the key may read",
    ),
    "no results": (
        '{"object": "page", "data": [{"object": "bucket", "results": []}]}',
        "file: there is no line in it; check the dates it was asked for, and what the key may read",
    ),
    "nested without end": (
        "[" * 100_000,
        "line 1: no JSON that can be read: a number or a nesting is too long; ",
    ),
    "table: NaN": (_table("2026-10-01,gpt-4o,input,1,NaN,USD,openai"), f'line 3, amount: "NaN" {NO_AMOUNT}'),
    "table: a decimal comma": (
        _table('2026-10-01,gpt-4o,input,1,"12,34",USD,openai'),
        f'line 3, amount: "12,34" {NO_AMOUNT}',
    ),
    "table: a currency in the amount": (
        _table("2026-10-01,gpt-4o,input,1,12 USD,USD,openai"),
        f'line 3, amount: "12 USD" {NO_AMOUNT}',
    ),
    "table: a day of another form": (
        _table("01.10.2026,gpt-4o,input,1,1,USD,openai"),
        'line 3, day: "01.10.2026" is no day; write it as 2026-10-03',
    ),
    "table: a day that is none": (
        _table("2026-02-30,gpt-4o,input,1,1,USD,openai"),
        'line 3, day: "2026-02-30" is no day; write it as 2026-10-03',
    ),
    "table: a kind that is none": (
        _table("2026-10-01,gpt-4o,tokens,1,1,USD,openai"),
        'line 3, kind: "tokens" is no kind; there are: input, cache_read, ',
    ),
    "table: neither amount nor quantity": (
        _table("2026-10-01,gpt-4o,input,,,USD,openai"),
        "line 3, amount: nothing, and no quantity either; write an amount such as 12.34",
    ),
    "table: cells missing": (
        _table("2026-10-01,gpt-4o"),
        "line 3: 2 cells under 7 columns; give each column one cell",
    ),
    "table: an open quote": (
        _table('2026-10-01,"gpt'),
        "line 3: no CSV that can be read: unexpected end of data; ",
    ),
    "table: a column that is none": (
        "day,quantiy,amount,currency\n2026-10-01,1,1,USD\n",
        'line 1: "quantiy" is no column of a table; there are: day, model, project, kind, quantity, amount, ',
    ),
    "table: a column twice": (
        "day,amount,Amount,currency\n2026-10-01,1,1,USD\n",
        'line 1: "Amount" stands there twice; name each column once',
    ),
    "table: a column missing": (
        "day,amount\n2026-10-01,1\n",
        "line 1: no column currency; a table needs day, amount, currency",
    ),
    "FOCUS: a cost that is none": (
        _focus("2026-10-01T00:00:00Z,free,USD,OpenAI,"),
        f'line 2, BilledCost: "free" {NO_AMOUNT}',
    ),
    "FOCUS: a period that is none": (
        _focus("October,1,USD,OpenAI,"),
        'line 2, ChargePeriodStart: "October" is no time; write it as "2026-10-03T00:00:00Z"',
    ),
    "FOCUS: no provider": (
        _focus("2026-10-01T00:00:00Z,1,USD,,"),
        "line 2: no ServiceProviderName or ProviderName; name the provider beside the file",
    ),
    "FOCUS: details that are no JSON": (
        _focus("2026-10-01T00:00:00Z,1,USD,OpenAI,gpt-4o"),
        'line 2, SkuPriceDetails: "gpt-4o" is no JSON; write an object such as {"ModelId": "gpt-4o"}',
    ),
    "FOCUS: no currency": (
        "ChargePeriodStart,BilledCost\n2026-10-01,1\n",
        "columns: no BillingCurrency; a FOCUS file has one, write it for each row",
    ),
    "another CSV": ("name,age\nAda,36\n", 'line 1: "name,age" heads no statement; known are: OpenAI\'s '),
    "a text": ("Dear customer", 'line 1: "Dear customer" heads no statement; known are: '),
    "nothing": ("", 'line 1: "" heads no statement; known are: '),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_wrong_is_told_with_its_place_and_value(case: str) -> None:
    text, message = BAD[case]
    with pytest.raises(InvoiceError) as error:
        invoices_in("bill.x", text.encode())
    assert str(error.value).splitlines()[0].startswith(f"bill.x: {message}")
    assert len(str(error.value).splitlines()) == 1


def test_bytes_that_are_no_text_and_no_parquet_are_told() -> None:
    with pytest.raises(InvoiceError, match=r"line 2: no UTF-8 .invalid start byte.; save the file as UTF-8"):
        invoices_in("bill", b"day,amount\n\xff")
    with pytest.raises(InvoiceError, match="bill: file: no Parquet that can be read: "):
        invoices_in("bill", b"PAR1 and nothing more")


def test_every_problem_is_told_up_to_fifty() -> None:
    rows = "\n".join(f"2026-10-01,gpt-4o,input,1,x{row},USD,openai" for row in range(60))
    with pytest.raises(InvoiceError) as error:
        invoices_in("bill", _table(rows).encode())
    told = str(error.value).splitlines()
    assert len(told) == 51
    assert told[49].startswith('bill: line 52, amount: "x49" ')
    assert told[50] == "bill: 10 more; mend these first"


@pytest.mark.parametrize(
    ("cents", "dollars"), [("123.45", "1.2345"), ("0.1", "0.001"), ("-7", "-0.07"), ("1e-9", "1e-11")]
)
def test_cents_are_dollars_exactly(cents: str, dollars: str) -> None:
    (one,) = invoices_in("bill", _anthropic(amount=cents).encode())
    assert one.lines[0].amount == Decimal(dollars)
