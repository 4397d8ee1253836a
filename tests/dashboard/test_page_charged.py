"""The tabs on what is charged, on bursts and on the ledger, against the real services: what a viewer is told there."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import httpx
import pytest
from streamlit.testing.v1 import AppTest

from dashboard import look
from dashboard.services import Answer, Service

SCRIPT = """
import streamlit as st
from dashboard import frame
from dashboard.parts.chargeback import bursts_retries, charged, ledger_state
from dashboard.view import View
tabs = {"charged": charged.charged, "causes": bursts_retries.causes, "ledger": ledger_state.ledger}
view = View.from_query(st.query_params.to_dict())
tabs[view.more["tab"]](view)
"""


@pytest.fixture
def tab(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Opens a tab of a house, for whoever comes with this key, and says what is on it."""
    from dashboard import session

    keys: list[str | None] = []

    def forget() -> None:
        while keys:
            session.services_of(keys.pop()).close()
        session.services_of.clear()

    def opened(house: Any, name: str, key: str | None = None, **query: str) -> AppTest:
        monkeypatch.setenv("SWITCHGEAR_COLLECTOR", house.collector)
        monkeypatch.setenv("SWITCHGEAR_POLICIES", house.policies)
        monkeypatch.setattr(session, "_credential", lambda: key)
        forget()
        keys.append(key)
        app = AppTest.from_string(SCRIPT, default_timeout=60)
        app.query_params.update({"tab": name, **query})
        app.run()
        assert not app.exception
        return app

    yield opened
    forget()


def html_of(app: AppTest) -> str:
    return " ".join(str(element.proto.body) for element in app.get("html"))


def grid_with(app: AppTest, *columns: str) -> Any:
    """The one table that has these columns."""
    (found,) = [each.value for each in app.dataframe if set(columns) <= set(each.value.columns)]
    return found


def test_a_months_headline_its_table_and_a_statement_agree_with_the_ledger(tab: Any, full: Any) -> None:
    app = tab(full, "charged", by="tenant", of="northwind")
    month = app.selectbox(key=next(each.key for each in app.selectbox if each.label == "Month")).value
    asked = {"period": month}
    report = httpx.get(f"{full.collector}/v1/reports/plan", params=asked).json()
    costs = [dict(zip(report["columns"], row, strict=True))["cost"] for row in report["rows"]]
    total = sum((Decimal(cost) for cost in costs if cost is not None), Decimal(0))
    page = html_of(app)
    assert f'<div class="v">{look.money(total)}</div>' in page
    assert "estimated" in page
    shown = grid_with(app, "cost_centre", "plan", "forecast")
    assert sum(shown["cost"].dropna()) == pytest.approx(float(total))
    lines = grid_with(app, "section", "meter")
    assert "lines add up to it" in page
    # What an answer cache saved stands behind the total, and is no part of it.
    sections = lines["section"].tolist()
    end = sections.index("Total, USD")
    assert set(sections[end + 1 :]) == {"Saved by the cache, not billed"}
    assert lines["cost"].iloc[:end].sum() == pytest.approx(lines["cost"].iloc[end])


def test_names_that_tenants_chose_are_text_in_a_statement(tab: Any, full: Any, hostile: str) -> None:
    app = tab(full, "charged", by="tenant", of=hostile)
    page = html_of(app)
    assert "<img" not in page
    assert "cost is not known" in page


def test_bursts_without_a_rate_say_how_one_is_told_and_what_is_declared_is_one(tab: Any, full: Any) -> None:
    page = html_of(tab(full, "causes", range="24h"))
    # The policy file declares what openai takes: 900,000 tokens a minute.
    assert "Bursts above a committed rate" in page
    assert '<div class="v">900,000</div>' in page
    assert "No call was retried." in page


def test_the_ledger_says_what_stands_against_a_close_and_that_nothing_was_changed(
    tab: Any, full: Any
) -> None:
    app = tab(full, "ledger")
    page = html_of(app)
    assert "What stands against closing" in page
    assert "The month has not ended" in page
    assert "To do: it can be closed when it is over" in page
    app.button(key="verify").click().run()
    assert not app.exception
    assert "Nothing was changed" in html_of(app)


def test_where_nothing_is_booked_it_is_said_how_a_month_comes(tab: Any, bare: Any) -> None:
    page = html_of(tab(bare, "charged"))
    assert "Nothing is charged in" in page


def test_a_key_for_one_tenant_is_told_its_own_and_kindly_what_it_may_not_see(tab: Any, guarded: Any) -> None:
    _, key = guarded.key(["read"], ["bluebird-retail"], "Bluebird")
    charged = html_of(tab(guarded, "charged", key))
    assert "Revenue is shown to keys with the scope <b>finance</b>" in charged
    ledger = html_of(tab(guarded, "ledger", key))
    assert "shown to keys with the scope <b>finance</b> for every tenant" in ledger
    causes = html_of(tab(guarded, "causes", key, range="24h"))
    assert "shown to keys that see <b>every tenant</b>" in causes
    for page in (charged, ledger, causes):
        assert "northwind" not in page
        assert "nightly-ingest" not in page
        assert "sg-banner" not in page


def test_an_audit_that_takes_too_long_leaves_the_rest_of_the_tab(
    tab: Any, full: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = Service.report

    def report(self: Service, name: str, *args: Any, **options: Any) -> Answer:
        if name == "audit_anomalies":
            return Answer(None, None, "it did not finish in time; ask for less", 422)
        return asked(self, name, *args, **options)

    monkeypatch.setattr(Service, "report", report)
    page = html_of(tab(full, "causes", range="1h"))
    assert "the audit did not finish in time. Choose a shorter range" in page
    assert "refused a question" not in page
