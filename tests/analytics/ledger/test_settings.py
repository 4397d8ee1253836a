"""Settings: what chargeback.yaml may say, and how what it may not is told."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from analytics.ledger.calendar import Calendar
from analytics.ledger.settings import Chargeback, DocumentError, load, parse
from analytics.live import Followed
from switchgear.money import Money

EXAMPLE = Path(__file__).parents[3] / "examples" / "chargeback.yaml"


def test_the_example_says_what_its_comments_say() -> None:
    found = load(EXAMPLE)
    assert found.calendar == Calendar("Europe/Berlin", 7)
    assert found.calendar.fiscal(found.calendar.period("2026-10")) == "FY2027 P04"
    assert found.close.wait == timedelta(days=2)
    assert (found.close.tolerance, found.close.tolerance_share) == (
        Money(Decimal("1.00"), "USD"),
        Decimal("0.005"),
    )
    assert (found.close.unpriced, found.close.unowned) == (Decimal(0), Decimal("0.05"))
    assert found.tenant_of("openai", "proj_globex") == "globex"
    assert found.tenant_of("anthropic", "proj_globex") is None
    assert found.tenant_of("openai", None) is None
    accounts = found.accounts
    assert [accounts.debit_of(centre) for centre in ("CC-101", "CC-999", None)] == ["6210", "6200", "1990"]
    assert (accounts.credit, accounts.accrued) == ("2100", "2150")
    assert [rule.in_words() for rule in found.rules] == [
        "platform agents (platform): by tokens over cost centres",
        "idle capacity (idle, shortfall): evenly over cost centres",
    ]


def test_without_a_file_the_zone_is_utc_and_nothing_may_be_unpriced_or_unowned() -> None:
    found = load(None)
    assert found == Chargeback() == parse("version: 1", name="chargeback.yaml")
    assert found.calendar == Calendar("UTC", 1)
    assert (found.close.unpriced, found.close.unowned) == (Decimal(0), Decimal(0))
    assert found.accounts.debit_of("CC-101") is None


def test_a_file_is_followed_and_one_that_cannot_be_used_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "chargeback.yaml"
    file.write_text("version: 1\nzone: Europe/Berlin\n", encoding="utf-8")
    followed = Followed("chargeback", file, load)
    file.write_text("version: 1\nzone: Asia/Kolkata\n# another length\n", encoding="utf-8")
    followed.look()
    assert followed.value.calendar.zone == "Asia/Kolkata"
    file.write_text("version: 1\nzone: Nowhere\n", encoding="utf-8")
    followed.look()
    assert followed.value.calendar.zone == "Asia/Kolkata"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param("zone: Berlin", '2:7: zone: "Berlin" is no time zone; write a name', id="zone"),
        pytest.param(
            "fiscal_year_starts: 13", "2:21: fiscal_year_starts: Input should be less than", id="month"
        ),
        pytest.param("currency: dollars", "2:11: currency: String should match pattern", id="currency"),
        pytest.param(
            "close: {wait: soon}",
            '2:15: close.wait: "soon" is no length of time; write hours or days',
            id="wait",
        ),
        pytest.param("close: {unpriced: 5}", 'close.unpriced: 5 is no share; write "0.5%"', id="share"),
        pytest.param(
            "close: {tolerance: {amount: 1 EUR}}",
            '2:29: close.tolerance.amount: "1 EUR" is not in the currency of the file, USD',
            id="foreign tolerance",
        ),
        pytest.param(
            "accounts: {debit: 6200}",
            "2:19: accounts.debit: 6200 is no text; write one, in quotes",
            id="number",
        ),
        pytest.param(
            "close: {wiat: 2d}", '2:9: close.wiat: no such setting here; did you mean "wait"?', id="misspelt"
        ),
        pytest.param("reconcile: {projects: {openai: acme}}", "reconcile.projects.openai:", id="no mapping"),
    ],
)
def test_what_is_unfit_is_told_with_its_place_and_what_to_write(text: str, problem: str) -> None:
    with pytest.raises(DocumentError) as told:
        parse(f"version: 1\n{text}\n", name="chargeback.yaml")
    assert problem in str(told.value)
    assert str(told.value).startswith("chargeback.yaml:2:")
