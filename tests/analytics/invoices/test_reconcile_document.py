"""The example of docs/reconcile.md is what comes out."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

from analytics.invoices import OurLine, Tolerance, booking, reconcile
from analytics.invoices.reading import invoices_in

DOCUMENT = (Path(__file__).parents[3] / "docs" / "reconcile.md").read_text()
FIRST, LAST = date(2026, 10, 1), date(2026, 10, 31)
LEDGER = (
    # day, model, kind, tokens, amount, late
    (1, "gpt-4o", "input", 4_000_000, "10", False),
    (1, "gpt-4o", "output", 500_000, "5", False),
    (1, "gpt-4o", "output", 50_000, "0.5", True),
    (2, "gpt-4o", "input", 2_000_000, "5", False),
    (2, "o3", "output", 100_000, "0.8", False),
    (2, "gpt-6-astra", "input", 1_000_000, None, False),
    (3, "gpt-4o", "input", 1_300_000, "3.25", False),
    (4, "gpt-4o", "input", 700_000, "1.75", False),
)


def _table(heading: str) -> list[list[str]]:
    """The cells of the first table under a heading, without its two first lines."""
    lines = DOCUMENT.split(f"## {heading}\n", 1)[1].splitlines()
    start = next(place for place, line in enumerate(lines) if line.startswith("|"))
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def test_the_example_is_what_comes_out() -> None:
    ours = [
        OurLine(
            date(2026, 10, day), "openai", model, None, kind, None, Decimal(tokens),
            Decimal(amount) if amount else None, "USD", 100, late, 0 if amount else 100,
        )
        for day, model, kind, tokens, amount, late in LEDGER
    ]  # fmt: skip
    statement = DOCUMENT.split("```csv\n", 1)[1].split("```", 1)[0]
    (invoice,) = invoices_in("openai.csv", statement.encode())
    found = reconcile(ours, invoice.lines, Tolerance(), {}, days=(FIRST, LAST))
    (one,) = found.providers
    plain = [
        [
            str(row.day),
            str(row.model),
            f"{row.ours:f}",
            f"{row.theirs:f}",
            f"{row.difference:f}",
            _said(row.causes),
        ]
        for row in one.rows
    ]
    assert _table("An example") == plain
    assert (one.ours, one.theirs, one.late, one.gap) == tuple(
        map(Decimal, ("25.80", "28.92", "0.50", "2.62"))
    )
    assert (
        "**25.80 here, 28.92 there: 3.12, of which 0.50 is late. Gap 2.62, 9.0595 %, outside.**" in DOCUMENT
    )
    assert (one.gap_percent, one.within) == (Decimal("9.0595"), False)
    assert [[each.cause, f"{each.amount:.2f}"] for each in booking(found)] == _table("Booking it")


def _said(causes: dict[str, Decimal]) -> str:
    return "; ".join(f"{cause} {amount.normalize():f}" for cause, amount in causes.items()) or "-"
