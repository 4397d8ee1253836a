"""Rows of any lines: they add up to them, to the last place, and are the same however the lines come."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from laws import examples

from analytics.focus.cost_and_usage import Account, write
from analytics.focus.parties import developer, seller
from analytics.focus.prepared import POSTED, guarded
from analytics.focus.rules import check
from analytics.ledger.calendar import Calendar
from analytics.ledger.line import AMOUNTS, COUNTS, METERS, Kind

UNIT = Decimal("0.000000000001")
ACCOUNT = Account("a", "A", "USD", Calendar())
NAMES = st.one_of(
    st.none(),
    st.sampled_from(
        [
            "acme",
            "=cmd|' /C calc'!A0",
            "+1",
            "-x",
            "@y",
            'a"b',
            "a,b",
            "a\nb",
            "\r\n",
            "\tt",
            "'",
            "\u202eevil",
            "é" * 300,
            "{}",
            "null",
        ]
    ),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=12),
)
TOKENS = st.integers(-(10**12), 10**12)
MONEY = st.one_of(
    st.integers(-(10**7), 10**7),
    st.integers(-(10**19), 10**19),
    st.integers(-(10**22), 10**22),
).map(lambda units: units * UNIT)


@st.composite
def lines(draw: st.DrawFn) -> dict[str, Any]:
    """A line of any kind, booked on its own day's month or a later one."""
    kind = draw(st.sampled_from(list(Kind)))
    month = draw(st.sampled_from([9, 10]))
    line: dict[str, Any] = dict.fromkeys(POSTED.names)
    line |= {name: draw(TOKENS) if kind is Kind.USAGE else 0 for name in COUNTS}
    line |= {name: draw(NAMES) for name in ("tenant", "workload", "tier", "owner", "cost_centre", "provider")}
    line |= {name: draw(NAMES) for name in ("model", "service_tier", "item", "contract", "price_version")}
    known = draw(st.booleans()) if kind is Kind.USAGE else True
    parts = {name: draw(st.one_of(st.just(Decimal(0)), MONEY)) for name in AMOUNTS}
    if kind is not Kind.USAGE:
        parts |= dict.fromkeys(AMOUNTS[:-1], Decimal(0))
    if known:
        line |= parts | {"amount": sum(parts.values()), "currency": "USD"}
        line["list_amount"] = draw(st.one_of(st.none(), st.just(line["amount"]), MONEY))
    return line | {
        "period": "2026-10",
        "entry": draw(st.one_of(st.none(), st.integers(1, 10**6))),
        "day": date(2026, month, draw(st.integers(1, 30))),
        "kind": kind.value,
        "rule": draw(NAMES) if kind is Kind.SHARED else None,
    }


def made(found: list[dict[str, Any]], folder: Path, size: int = 1000, name: str = "rows.csv") -> Path:
    table = pa.Table.from_pylist(found, POSTED)
    path = folder / name
    write(table.to_batches(max_chunksize=size), path, ACCOUNT)
    return path


def rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_bytes().decode(), newline="")))


def total(values: Iterable[str | Decimal | None]) -> Decimal:
    return sum((Decimal(value) for value in values if value), Decimal(0))


LAW = settings(
    max_examples=examples(4), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@LAW
@given(found=st.lists(lines(), max_size=25))
def test_costs_and_tokens_of_the_rows_are_those_of_the_lines(
    found: list[dict[str, Any]], tmp_path: Path
) -> None:
    told = rows(made(found, tmp_path))
    assert total(row["BilledCost"] for row in told) == total(line["amount"] for line in found)
    listed = [line["amount"] if line["list_amount"] is None else line["list_amount"] for line in found]
    assert total(row["ListCost"] for row in told) == total(listed)
    columns = ("input_uncached", "cache_read", "cache_write_5m", "cache_write_1h", "output")
    for meter, column in zip(METERS, columns, strict=False):
        own = [row for row in told if row["x_TokenType"] == meter]
        assert sum(int(row["x_Tokens"]) for row in own) == sum(line[column] for line in found)
        known = [line[f"amount_{meter}"] for line in found if line["kind"] == "usage"]
        assert total(row["BilledCost"] for row in own) == total(known)
    for name in ("calls", "attempts"):
        assert sum(int(row[f"x_{name.title()}"]) for row in told) == sum(line[name] for line in found)


@LAW
@given(found=st.lists(lines(), max_size=25), size=st.integers(1, 4))
def test_the_bytes_are_the_same_however_lines_are_cut_into_batches(
    found: list[dict[str, Any]], size: int, tmp_path: Path
) -> None:
    assert made(found, tmp_path).read_bytes() == made(found, tmp_path, size, "cut.csv").read_bytes()


@LAW
@given(found=st.lists(lines(), min_size=1, max_size=25))
def test_any_lines_become_rows_that_break_no_rule(found: list[dict[str, Any]], tmp_path: Path) -> None:
    assert check(made(found, tmp_path)) == []


@LAW
@given(name=NAMES.filter(lambda name: name is not None))
def test_a_hostile_name_survives_and_no_cell_begins_like_a_formula(name: str, tmp_path: Path) -> None:
    named = ("tenant", "workload", "tier", "owner", "cost_centre", "provider", "model", "rule", "contract")
    line = dict.fromkeys(POSTED.names) | dict.fromkeys(COUNTS, 1) | dict.fromkeys(named, name)
    line |= dict.fromkeys((*AMOUNTS, "amount", "list_amount"), UNIT) | {"amount": 6 * UNIT}
    line |= {"period": "2026-10", "day": date(2026, 10, 1), "kind": "usage", "currency": "USD"}
    (row, *_) = rows(made([line], tmp_path))
    assert row["SubAccountId"].removeprefix("'" if guarded(name) != name else "") == name
    assert json.loads(row["Tags"]) == {
        "tenant": name,
        "workload": name,
        "owner": name,
        "cost_centre": name,
        "tier": name,
    }
    numbers = {"BilledCost", "ContractedCost", "EffectiveCost", "ListCost"}
    assert not [key for key, cell in row.items() if key not in numbers and cell[:1] in tuple("=+-@\t\r\n")]


def usage(**values: Any) -> dict[str, Any]:
    """3 October of one workload, in which nothing was used yet."""
    line = dict.fromkeys(POSTED.names) | dict.fromkeys(COUNTS, 0) | dict.fromkeys(AMOUNTS, Decimal(0))
    line |= {"period": "2026-10", "day": date(2026, 10, 3), "kind": "usage", "currency": "USD"}
    line |= {"provider": "openai", "model": "gpt-4o", "price_version": "p1", "state": "complete"}
    return line | values


def test_a_million_tokens_are_priced_as_in_the_specification(tmp_path: Path) -> None:
    line = usage(input_uncached=8_400_000, amount_input=Decimal(42), amount=Decimal(42))
    (row,) = rows(made([line], tmp_path))
    told = (
        "SkuMeter",
        "ConsumedQuantity",
        "ConsumedUnit",
        "PricingQuantity",
        "PricingUnit",
        "ContractedUnitPrice",
    )
    # 8.4 million at 5 dollars a million.
    assert [row[name] for name in told] == [
        "Input Tokens",
        "8400000",
        "Tokens",
        "8.400000",
        "1000000 Tokens",
        "5.0000000000000000",
    ]


def test_a_contract_shows_in_list_price_and_contracted_price(tmp_path: Path) -> None:
    amounts = {"amount_input": Decimal(2), "amount_output": Decimal(6), "amount": Decimal(8)}
    line = usage(input_uncached=10**6, output=10**6, contract="c 1", list_amount=Decimal(10), **amounts)
    told = [
        (row["ListCost"], row["ListUnitPrice"], row["ContractedUnitPrice"])
        for row in rows(made([line], tmp_path))
    ]
    # 10 at list price, split as the cost is: a quarter and three.
    assert [tuple(map(Decimal, each)) for each in told] == [
        (Decimal("2.5"), Decimal("2.5"), 2),
        (Decimal("7.5"), Decimal("7.5"), 6),
    ]


def test_a_reversal_has_its_quantity_below_0_and_its_price_above(tmp_path: Path) -> None:
    line = usage(
        day=date(2026, 9, 3), input_uncached=-5, amount_input=Decimal("-0.5"), amount=Decimal("-0.5")
    )
    (row,) = rows(made([line], tmp_path))
    assert (row["ChargeClass"], row["PricingQuantity"], row["BilledCost"]) == (
        "Correction",
        "-0.000005",
        "-0.500000000000",
    )
    assert Decimal(row["ListUnitPrice"]) == 100_000


CHARGES = [
    ("shortfall: commitment", "Purchase", "Recurring"),
    ("idle: fast", "Purchase", "Recurring"),
    ("provisioned: fast", "Purchase", "Recurring"),
    ("overage: gpt-*", "Usage", "Usage-Based"),
    ("tier: gpt-*", "Adjustment", "One-Time"),
    ("covered: fast", "Adjustment", "One-Time"),
]


@pytest.mark.parametrize(("item", "category", "frequency"), CHARGES)
def test_what_a_contract_charges_is_of_the_category_that_it_is(
    tmp_path: Path, item: str, category: str, frequency: str
) -> None:
    line = usage(kind="charge", item=item, amount_other=Decimal(1), amount=Decimal(1))
    (row,) = rows(made([line], tmp_path))
    assert (row["ChargeCategory"], row["ChargeFrequency"]) == (category, frequency)


def test_nothing_is_left_of_a_file_that_could_not_be_finished(tmp_path: Path) -> None:
    def broken() -> Iterator[pa.RecordBatch]:
        yield pa.RecordBatch.from_pylist([usage()], POSTED)
        raise ConnectionError("the collector went away")

    with pytest.raises(ConnectionError, match="went away"):
        write(broken(), tmp_path / "rows.csv", ACCOUNT)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("name", "version"), [("rows.xlsx", "1.4"), ("rows.csv", "1.3")])
def test_what_is_not_written_is_refused(tmp_path: Path, name: str, version: str) -> None:
    with pytest.raises(ValueError, match=r"end the name in|no version of FOCUS"):
        write([], tmp_path / name, ACCOUNT, version=version)


def test_no_lines_are_a_file_with_its_columns(tmp_path: Path) -> None:
    assert write([], tmp_path / "rows.csv", ACCOUNT) == 0
    assert (tmp_path / "rows.csv").read_text().startswith("BilledCost,BillingAccountId,")


PARTIES = [
    ("aws.bedrock", "Amazon Web Services", "Amazon Bedrock", "Amazon Web Services"),
    ("gcp.vertex_ai", "Google Cloud", "Vertex AI", "Google Cloud"),
    ("gcp.gemini", "Google Cloud", "Gemini API", "Google Cloud"),
    ("azure.ai.openai", "Microsoft", "Azure OpenAI", "Microsoft"),
    ("azure.ai.inference", "Microsoft", "Azure AI Foundry", "Microsoft"),
    ("openai.responses", "OpenAI", "OpenAI API", None),
    ("anthropic", "Anthropic", "Anthropic API", None),
    ("our own vLLM", "our own vLLM", "our own vLLM API", None),
]


@pytest.mark.parametrize(("provider", "name", "service", "host"), PARTIES, ids=[each[0] for each in PARTIES])
def test_a_provider_is_who_sells_and_a_cloud_hosts(
    provider: str, name: str, service: str, host: str | None
) -> None:
    found = seller(provider)
    assert (found.name, found.service, found.host) == (name, service, host)


@pytest.mark.parametrize(
    ("model", "maker"),
    [
        ("us.anthropic.claude-sonnet-4-20250514-v1:0", "Anthropic"),
        ("gpt-5-mini", "OpenAI"),
        ("o3", "OpenAI"),
        ("publishers/google/models/gemini-2.5-pro", "Google"),
        ("meta-llama/Llama-3.1-8B", "Meta"),
        ("acme-large", None),
    ],
)
def test_a_model_is_its_developers_whoever_sells_it(model: str, maker: str | None) -> None:
    assert developer(model) == maker


def test_instants_are_of_the_ledgers_zone(tmp_path: Path) -> None:
    account = Account("a", "A", "USD", Calendar("Asia/Kolkata"))
    write([pa.RecordBatch.from_pylist([usage()], POSTED)], tmp_path / "rows.parquet", account)
    (row,) = pq.read_table(tmp_path / "rows.parquet").to_pylist()
    # Midnight there is 18:30 of the day before.
    assert (row["ChargePeriodStart"], row["BillingPeriodEnd"]) == (
        datetime(2026, 10, 2, 18, 30, tzinfo=UTC),
        datetime(2026, 10, 31, 18, 30, tzinfo=UTC),
    )
