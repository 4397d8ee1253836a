"""Statements are read exactly, whichever shape they have, and recognised by what they hold."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from analytics.invoices import Invoice, InvoiceError, InvoiceLine, combined
from analytics.invoices.line import KINDS
from analytics.invoices.reading import invoices_in, read, read_all
from analytics.ledger.line import METERS

DATA = Path(__file__).parents[2] / "data" / "invoices"
FIRST, SECOND, THIRD = (date(2026, 10, day) for day in (1, 2, 3))


def _told(line: InvoiceLine) -> tuple[object, ...]:
    amount = None if line.amount is None else str(line.amount)
    quantity = None if line.quantity is None else str(line.quantity)
    return (line.day.day, line.model, line.project, line.kind, line.service_tier, quantity, amount)


def _lines(name: str) -> list[tuple[object, ...]]:
    return [_told(line) for invoice in read(DATA / name) for line in invoice.lines]


GPT, SOL, CLAUDE = "gpt-4o-2024-08-06", "gpt-5.6-sol", "claude-sonnet-4-20250514"
SHAPES = {
    "openai-costs-1.json": [
        # A float's own digits, a text, and 2e-1; 50 x 1000 tokens.
        (1, GPT, "proj_acme", "input", None, "120000", "0.30000000000000004"),
        (1, GPT, "proj_acme", "cache_read", None, "50000", "0.0625000000000000"),
        (1, GPT, "proj_acme", "output", None, "20000", "0.2"),
    ],
    "openai-costs-2.json": [
        (3, SOL, "proj_globex", "output", "priority", None, "0.15"),
        (3, None, "proj_globex", "other", None, None, "0.02"),
    ],
    "openai-usage.json": [
        # 170000 of which 50000 were cached
        (1, GPT, "proj_acme", "input", "default", "120000", None),
        (1, GPT, "proj_acme", "cache_read", "default", "50000", None),
        (1, GPT, "proj_acme", "output", "default", "20000", None),
        # 9000 - 4000 - 3000
        (1, SOL, "proj_acme", "input", "batch", "2000", None),
        (1, SOL, "proj_acme", "cache_read", "batch", "4000", None),
        (1, SOL, "proj_acme", "cache_write_5m", "batch", "3000", None),
        (1, SOL, "proj_acme", "output", "batch", "300", None),
    ],
    "anthropic-costs.json": [
        # Cents: "123.45" is $1.2345.
        (1, CLAUDE, "wrkspc_acme", "input", "standard", None, "1.2345"),
        (1, CLAUDE, "wrkspc_acme", "cache_write_1h", "standard", None, "0.0078912"),
        (1, None, None, "other", None, None, "0.10"),
    ],
    "anthropic-usage.json": [
        (1, CLAUDE, "wrkspc_acme", "input", "standard", "411500", None),
        (1, CLAUDE, "wrkspc_acme", "cache_read", "standard", "200", None),
        (1, CLAUDE, "wrkspc_acme", "cache_write_5m", "standard", "500", None),
        (1, CLAUDE, "wrkspc_acme", "cache_write_1h", "standard", "1315", None),
        (1, CLAUDE, "wrkspc_acme", "output", "standard", "500", None),
        (1, CLAUDE, "wrkspc_acme", "input", "priority", "1000", None),
        (1, CLAUDE, "wrkspc_acme", "output", "priority", "700", None),
    ],
    "table-semicolon.csv": [
        (1, "mistral-large", "acme", "input", None, "120000", "0.24"),
        (1, "mistral-large", "acme", "output", None, "20000", "0.12"),
        (2, "mistral;large", None, "other", None, None, "-0.05"),
    ],
    "focus-1.4.csv": [
        (1, GPT, "proj_acme", "input", None, "8400000", "42.00"),
        # 0.40 x 1000000 tokens
        (1, GPT, "proj_acme", "cache_read", None, "400000.00", "1.00"),
        (3, None, None, "other", None, None, "-2.50"),
    ],
    "focus-1.0.csv": [
        (1, f"us.anthropic.{CLAUDE}-v1:0", "acme", "input", None, "250000", "0.75"),
        (1, "bedrock-guardrails", "acme", "other", None, None, "0.25"),
    ],
}


@pytest.mark.parametrize("name", SHAPES)
def test_each_shape_is_read_exactly(name: str) -> None:
    assert _lines(name) == SHAPES[name]


def test_a_table_that_names_no_provider_is_whose_it_is_said_to_be() -> None:
    (usage, costs) = read(DATA / "table.csv", provider="OpenAI")
    assert {line.provider for line in (*usage.lines, *costs.lines)} == {"openai"}
    assert [_told(line) for line in costs.lines] == [
        (1, "gpt-4o", "proj_acme", "input", None, "120000", "0.30"),
        (1, "gpt-4o", "proj_acme", "output", None, "20000", "0.20"),
    ]
    assert [_told(line) for line in usage.lines] == [(2, "gpt-4o", "proj_acme", "output", None, "1000", None)]
    with pytest.raises(
        InvoiceError, match="line 2: nothing says which provider bills this; add a column provider"
    ):
        read(DATA / "table.csv")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("openai-costs-1.json", ("openai", "USD", (FIRST, SECOND), "openai costs", False, 0)),
        ("openai-costs-2.json", ("openai", "USD", (THIRD, THIRD), "openai costs", True, 0)),
        ("openai-usage.json", ("openai", "", (FIRST, FIRST), "openai usage", True, 0)),
        ("anthropic-costs.json", ("anthropic", "USD", (FIRST, SECOND), "anthropic costs", True, 0)),
        ("table-semicolon.csv", ("mistral", "EUR", (FIRST, SECOND), "table", True, 0)),
        ("focus-1.4.csv", ("openai", "USD", (FIRST, THIRD), "focus", True, 1)),
        ("focus-1.0.csv", ("aws.bedrock", "USD", (FIRST, FIRST), "focus", True, 0)),
    ],
)
def test_a_file_is_known_by_what_it_holds(tmp_path: Path, name: str, said: tuple[object, ...]) -> None:
    other = tmp_path / "download"
    other.write_bytes((DATA / name).read_bytes())
    (one,) = read(other)
    assert (one.provider, one.currency, one.days, one.shape, one.complete, one.left_out) == said
    assert (one.source, one.zone, len(one.sha256)) == (str(other), "UTC", 64)


def test_pages_in_one_file_are_as_pages_in_several() -> None:
    one, two = ((DATA / f"openai-costs-{page}.json").read_bytes() for page in (1, 2))
    apart = (*invoices_in("1", one), *invoices_in("2", two))
    lines = combined(apart).lines
    assert len(lines) == 5
    for together in (b"[" + one + b"," + two + b"]", one + b"\n" + two):
        statement = combined(invoices_in("all", together))
        assert statement.lines == lines
        assert statement.covered == {"openai": (FIRST, THIRD)}


def test_focus_as_parquet_is_as_csv(tmp_path: Path) -> None:
    columns = {
        "BilledCost": pa.array([Decimal("42.000000000001"), Decimal("0.1")], pa.decimal128(38, 12)),
        "BillingCurrency": ["USD", "USD"],
        "ChargePeriodStart": pa.array(
            [datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 10, 2, 23, tzinfo=UTC)],
            pa.timestamp("us", "UTC"),
        ),
        "ServiceProviderName": ["OpenAI", "OpenAI"],
        "SkuMeter": ["Input Tokens", "Cache Write Input Tokens"],
        "x_TokenType": ["input", "cache_write_1h"],
        "ConsumedQuantity": pa.array([8.4e6, 1.0], pa.float64()),
        "ConsumedUnit": ["Tokens", "Tokens"],
        "SkuPriceDetails": pa.array(
            [[("ModelId", "gpt-4o")], [("ModelId", "gpt-4o")]], pa.map_(pa.string(), pa.string())
        ),
    }
    pq.write_table(pa.table(columns), tmp_path / "focus.parquet")
    (one,) = read(tmp_path / "focus.parquet")
    assert [_told(line) for line in one.lines] == [
        (1, "gpt-4o", None, "input", None, "8400000.0", "42.000000000001"),
        (2, "gpt-4o", None, "cache_write_1h", None, "1.0", "0.100000000000"),
    ]


def test_a_file_of_two_providers_is_an_invoice_of_each() -> None:
    text = "day,amount,currency,provider\n2026-10-01,1,USD,OpenAI\n2026-10-01,2,EUR,openai\n2026-10-02,3,USD,Mistral\n"
    found = invoices_in("bill", text.encode())
    assert [(one.provider, one.currency, len(one.lines)) for one in found] == [
        ("mistral", "USD", 1),
        ("openai", "EUR", 1),
        ("openai", "USD", 1),
    ]


def _openai(day: int, amount: str = "0.5", *, more: bool = False, source: str = "a") -> tuple[Invoice, ...]:
    start = 1790812800 + 86400 * (day - 1)
    return invoices_in(
        source,
        f"""{{"object": "page", "has_more": {str(more).lower()}, "data": [{{"object": "bucket",
        "start_time": {start}, "end_time": {start + 86400}, "results": [{{"object": "organization.costs.result",
        "amount": {{"value": {amount}, "currency": "usd"}}, "line_item": "gpt-4o, input"}}]}}]}}""".encode(),
    )


def _table(row: str) -> tuple[Invoice, ...]:
    return invoices_in("t", f"day,model,kind,amount,currency,provider,service_tier\n{row}\n".encode())


REFUSED = {
    "costs, and a table of the same": (
        (*_openai(1), *_table("2026-10-01,gpt-4o-2024-08-06,,1,USD,openai,")),
        "t: 2026-10-01: gpt-4o-2024-08-06 is billed in a too; give one statement of a provider",
    ),
    "the same days twice": (
        (*_openai(1, source="a"), *_openai(1, source="b")),
        "b: 2026-10-01: this day's lines stand in a too, 1 of them; give each day once",
    ),
    "the last page missing": (
        _openai(1, more=True),
        "a: has_more: true; the page after the last is missing, fetch it too",
    ),
    "days missing between": (
        (*_openai(1, source="a"), *_openai(4, source="b")),
        "b: 2026-10-02: no page has the days up to 2026-10-04; fetch them",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_files_that_are_no_whole_statement_are_refused(case: str) -> None:
    invoices, message = REFUSED[case]
    with pytest.raises(InvoiceError) as error:
        combined(invoices)
    assert str(error.value) == message


@pytest.mark.parametrize("row", ["2026-10-01,gpt-4o,,1,USD,openai,priority", "2026-10-01,,,1,USD,openai,"])
def test_a_table_may_add_what_costs_leave_out(row: str) -> None:
    assert len(combined((*_openai(1), *_table(row))).lines) == 2


def test_a_line_that_stands_twice_in_one_file_is_two_lines() -> None:
    """Costs that were fetched by key as well have the same line for each key."""
    text = "day,amount,currency,provider\n2026-10-01,1,USD,openai\n2026-10-01,1,USD,openai\n"
    assert len(combined(invoices_in("a", text.encode())).lines) == 2


def test_all_problems_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("day,amount,currency\n1,x,y\n")
    with pytest.raises(InvoiceError) as error:
        read_all([tmp_path / "a.csv", DATA / "focus-1.0.csv", tmp_path / "b.csv", tmp_path / "none"])
    told = str(error.value).splitlines()
    assert [line.split(": ")[0] for line in told] == [
        *[str(tmp_path / "a.csv")] * 4,
        *[str(tmp_path / "b.csv")] * 4,
        str(tmp_path / "none"),
    ]
    assert told[-1].endswith("cannot be read: No such file or directory")


def test_kinds_are_the_ledgers_meters() -> None:
    assert KINDS == METERS
