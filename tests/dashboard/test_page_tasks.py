"""The Tasks page against the real services: found by id, opened as a tree, its calls, and what is said of nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from streamlit.testing.v1 import AppTest

import dashboard

PAGE = Path(dashboard.__file__).with_name("views") / "tasks.py"
EVER = {"from": "2000-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z"}
Opened = Callable[..., tuple[AppTest, str]]


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[Opened]:
    """The page of these services with this query, and its HTML."""
    from dashboard import session

    def run(house: Any, **query: str) -> tuple[AppTest, str]:
        monkeypatch.setenv("SWITCHGEAR_COLLECTOR", house.collector)
        monkeypatch.setenv("SWITCHGEAR_POLICIES", house.policies)
        session.services_of.clear()
        app = AppTest.from_file(str(PAGE), default_timeout=30)
        for name, value in query.items():
            app.query_params[name] = value
        app.run()
        assert not app.exception
        return app, " ".join(str(element.proto.body) for element in app.get("html"))

    yield run
    session.services().close()
    session.services_of.clear()


def report(house: Any, name: str, **params: str) -> list[dict[str, Any]]:
    told = httpx.get(f"{house.collector}/v1/reports/{name}", params={**EVER, **params}).json()
    return [dict(zip(told["columns"], row, strict=True)) for row in told["rows"]]


def test_the_trees_of_the_range_are_listed_under_the_filters(opened: Opened, full: Any) -> None:
    app, page = opened(full, range="1h", tenant="northwind", order="recent")
    shown = app.dataframe[0].value
    assert set(shown["tenant"]) == {"northwind"}
    assert shown["calls"].sum() == 40
    assert shown["cost"].sum() == pytest.approx(1.8)  # 40 x 4,000 x 2.50 + 140,000 x 10 USD a million
    assert "7, the last call first: $1.80" in page


def test_what_is_typed_finds_trees_by_how_an_id_begins(opened: Opened, full: Any) -> None:
    app, _ = opened(full, range="1h")
    (box,) = [each for each in app.text_input if each.label == "Find a task"]
    box.set_value("nightly").run()
    assert app.query_params["task"] in ("nightly", ["nightly"])
    assert set(app.dataframe[0].value["task"]) == {f"nightly-00{place}" for place in range(5)}


def test_an_id_opens_its_tree_and_the_calls_come_to_what_it_cost(opened: Opened, full: Any) -> None:
    app, page = opened(full, task="nightly-000", tenant="northwind")
    assert "$0.2400" in page
    calls = app.dataframe[0].value
    assert (len(calls), calls["cost"].sum()) == (6, pytest.approx(0.24))
    (tree,) = report(full, "task_tree", tenant="northwind", task="nightly-000")
    assert float(tree["cost"]) == pytest.approx(calls["cost"].sum())
    assert "no ceiling counts this task now" in page


def test_a_cost_that_is_not_known_is_no_zero(opened: Opened, full: Any, hostile: str) -> None:
    app, page = opened(full, task=f"{hostile[:7]}-000", of=hostile)
    assert '<div class="l">Cost of the tree</div><div class="v"><span class="sg-warm">—' in page
    assert "5 of 5 calls are not known" in page
    assert app.dataframe[0].value["cost"].isna().all()
    assert "<img" not in page


def test_what_nobody_has_heard_of_is_said(opened: Opened, full: Any) -> None:
    _, page = opened(full, task="<b>nobody</b>")
    assert "No task begins with “&lt;b&gt;nobody&lt;/b&gt;”." in page


def test_runaways_are_looked_for_in_three_ways(opened: Opened, full: Any) -> None:
    app, page = opened(full, range="1h", tab="runaways", tenant="northwind")
    assert "Growing now" in page
    assert "No tree cost 5 times what is usual in the last 1 hour." in page
    growing = app.dataframe[0].value
    assert list(growing["recent_cost"]) == sorted(growing["recent_cost"], reverse=True)
    assert "No task looped in the last 1 hour." in page or "The same call again and again" in page


@pytest.mark.parametrize(
    ("query", "told"),
    [
        pytest.param({}, "No task made a call in the last 24 hours.", id="list"),
        pytest.param({"tab": "runaways"}, "No task made a call in the last 15 minutes.", id="runaways"),
        pytest.param({"task": "run-1", "of": "acme"}, "No call of this task is kept.", id="tree"),
    ],
)
def test_nothing_yet_is_said_kindly(opened: Opened, bare: Any, query: dict[str, str], told: str) -> None:
    _, page = opened(bare, **query)
    assert told in page


class _Away:
    collector = policies = "http://127.0.0.1:1"


@pytest.mark.parametrize(
    "query", [{}, {"tab": "runaways"}, {"task": "run-1", "of": "acme"}], ids=["list", "runaways", "tree"]
)
def test_a_collector_that_is_away_is_a_banner(opened: Opened, query: dict[str, str]) -> None:
    _, page = opened(_Away, **query)
    assert "The collector is not answering." in page
