"""The frame where calls were paid in several currencies: one is chosen, and all that had calls can be filtered by."""

from __future__ import annotations

import io
from collections.abc import Iterator
from decimal import Decimal

import httpx
import pyarrow as pa
import pytest

from analytics import reports
from collector.reporting import ReportError
from dashboard import frame, session
from dashboard.parts.showback import levels
from dashboard.services import Answer, Service, Services
from dashboard.session import now
from dashboard.view import View

NAMES = ("tenant", "owner", "workload", "tier", "model")
SEVERAL = "the range holds calls in EUR, USD: choose with currency="


def stream(tenants: list[str], calls: int) -> bytes:
    rows = [
        {**dict.fromkeys(NAMES, tenant), "calls": calls, "cost": Decimal(1), "currency": None}
        for tenant in tenants
    ]
    kinds = {"calls": pa.int64(), "cost": pa.decimal128(38, 12)}
    names = (*NAMES, "calls", "cost", "currency")
    table = pa.Table.from_pylist(rows, pa.schema([(name, kinds.get(name, pa.string())) for name in names]))
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


TOLD = {"EUR": stream(["acme"], 2), "USD": stream(["acme", "globex"], 5)}


def several(request: httpx.Request) -> httpx.Response:
    chosen = request.url.params.get("currency")
    if chosen is None:
        return httpx.Response(422, json={"detail": SEVERAL})
    return httpx.Response(200, content=TOLD[chosen])


@pytest.fixture
def both(monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    wire = httpx.MockTransport(several)
    services = Services(
        Service("collector", "http://c", None, wire), Service("engine", "http://e", None, wire)
    )
    monkeypatch.setattr(session, "services", lambda: services)
    yield services
    services.close()


def test_the_currency_with_most_calls_comes_first_and_every_name_is_offered(both: Services) -> None:
    offered, currencies = frame._options(View())
    assert currencies == ["USD", "EUR"]
    assert set(offered.value["tenant"].to_pylist()) == {"acme", "globex"}


@pytest.mark.parametrize(
    ("answer", "named"),
    [
        (Answer(None, None, SEVERAL, 422), ["EUR", "USD"]),
        (Answer(None, None, "top: 0 is no number from 1 to 1000", 422), []),
        (Answer(None, None, SEVERAL, 500), []),
        (Answer("a table", None, None, 200), []),
    ],
    ids=["several", "refused for something else", "a fault", "one"],
)
def test_currencies_are_those_that_the_collector_names(answer: Answer, named: list[str]) -> None:
    assert frame.currencies_of(answer) == named


def test_the_collector_names_them_in_these_words(monkeypatch: pytest.MonkeyPatch) -> None:
    found = pa.table({"currency": ["EUR", "GBP", "USD"]})
    monkeypatch.setattr(reports, "_table", lambda *_, **__: found)
    asked = {"from": "2026-11-01T00:00:00Z", "to": "2026-11-02T00:00:00Z"}
    with pytest.raises(ReportError) as refused:
        reports.spend(None, asked)  # type: ignore[arg-type]
    assert frame.currencies_of(Answer(None, None, str(refused.value), 422)) == ["EUR", "GBP", "USD"]


def test_a_currency_is_in_the_link_and_in_what_reports_are_asked_but_is_no_filter() -> None:
    view = View.from_query({"range": "1h", "currency": "EUR"})
    assert view.query() == {"range": "1h", "currency": "EUR"}
    assert levels.params(view, now())["currency"] == "EUR"
    assert "currency" not in view.params(now())
    assert levels.topic(view) != levels.topic(view.but(currency="USD"))
