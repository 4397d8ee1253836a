"""The Showback page against the real services: what its URL says is what it shows, and its figures are the reports'."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from streamlit.testing.v1 import AppTest

import dashboard
from dashboard import look

PAGE = Path(dashboard.__file__).with_name("views") / "showback.py"


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch, full: Any) -> Iterator[AppTest]:
    from dashboard import session

    monkeypatch.setenv("SWITCHGEAR_COLLECTOR", full.collector)
    monkeypatch.setenv("SWITCHGEAR_POLICIES", full.policies)
    monkeypatch.setattr(session, "_credential", lambda: None)
    session.services_of.clear()
    yield AppTest.from_file(str(PAGE), default_timeout=30)
    session.services_of(None).close()
    session.services_of.clear()


def opened(app: AppTest, **query: str) -> AppTest:
    for name, value in {"range": "1h", **query}.items():
        app.query_params[name] = value
    app.run()
    assert not app.exception
    return app


def html_of(app: AppTest) -> str:
    return " ".join(str(element.proto.body) for element in app.get("html"))


def spent(full: Any, **filters: str) -> Decimal:
    """What the collector says that the calls of all time cost."""
    asked = {"from": "2000-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z", **filters}
    found = httpx.get(f"{full.collector}/v1/reports/spend", params=asked).json()
    return Decimal(dict(zip(found["columns"], found["rows"][0], strict=True))["cost"])


def test_the_total_of_the_table_is_the_headline_and_the_report(app: AppTest, full: Any) -> None:
    opened(app, compare="1")
    table = app.dataframe[0].value
    assert table["tenant"].tolist()[0] == "All tenants"
    cost = spent(full)
    assert table["cost"].tolist()[0] == pytest.approx(float(cost))
    assert sum(table["cost"].dropna().tolist()[1:]) == pytest.approx(float(cost))
    assert look.money(cost) in html_of(app)
    assert set(table["change"].tolist()[1:]) == {"new"}


def test_a_level_is_what_the_url_says_with_a_way_back(app: AppTest, full: Any) -> None:
    opened(app, tenant="northwind")
    table = app.dataframe[0].value
    assert sorted(table["workload"].tolist()) == ["All workloads", "contract-review", "nightly-ingest"]
    assert look.money(spent(full, tenant="northwind")) in html_of(app)
    next(button for button in app.button if button.key == "crumb-0").click().run()
    assert "tenant" not in app.query_params
    assert "bluebird-retail" in app.dataframe[0].value["tenant"].tolist()


def test_at_a_task_there_are_its_calls(app: AppTest) -> None:
    opened(app, tenant="northwind", workload="nightly-ingest", task="nightly-000")
    table = app.dataframe[0].value
    assert len(table) == 6
    assert {"trace_id", "span_id", "price_version", "took_s"} <= set(table.columns)


def test_what_has_no_owner_is_a_row_and_a_figure(app: AppTest) -> None:
    opened(app, group="owner", measure="calls")
    table = app.dataframe[0].value
    assert "(unowned)" in table["owner"].tolist()
    assert "Unowned" in html_of(app)


def test_without_a_cache_its_tab_says_how_to_have_one_measured(app: AppTest) -> None:
    opened(app, tab="cache", tier="interactive", owner="legal-ops")
    page = html_of(app)
    assert "No cache in this range." in page
    assert "mode: shadow" in page


def test_what_a_cache_saved_is_told_by_workload_and_is_in_no_cost(app: AppTest, full: Any) -> None:
    before = spent(full, tenant="northwind")
    opened(app, tab="cache", tenant="northwind")
    table = app.dataframe[0].value
    assert dict(zip(table["workload"], table["exact"], strict=True)) == {
        "contract-review": 1,
        "nightly-ingest": 1,
    }
    # Of gpt-4o 10 USD a million out, and 2.50 and half of that for 400 + 600 tokens in.
    saved = 2 * Decimal("0.00175") + (3000 + 5000) * Decimal("0.00001")
    assert sum(table["saved"]) == pytest.approx(float(saved))
    assert look.money(saved) in html_of(app)
    assert spent(full, tenant="northwind") == before


def test_what_a_cache_saved_is_told_of_workloads_and_not_of_a_task(app: AppTest) -> None:
    opened(app, tab="cache", tenant="northwind", workload="nightly-ingest", task="nightly-000")
    assert "Not of one task." in html_of(app)


def test_unit_costs_say_what_a_task_costs_and_what_is_beside_tasks(app: AppTest) -> None:
    opened(app, tab="units", units_by="workload")
    page = html_of(app)
    assert "Cost of a task" in page
    assert "calls outside any task" in page
    assert "nightly-ingest" in app.dataframe[0].value["workload"].tolist()
