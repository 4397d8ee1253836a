"""The Policies page against the real services: its tabs, what the URL asks, and a file that cannot be used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from streamlit.testing.v1 import AppTest

import dashboard
from dashboard.replays.jobs import Jobs
from dashboard.services import Reply, Service

PAGE = Path(dashboard.__file__).with_name("views") / "policies.py"
EXPLAINED = {"tab": "explain", "tenant": "northwind", "workload": "nightly-ingest", "model": "gpt-4o"}


@pytest.fixture
def app(asking_full: None) -> AppTest:
    return AppTest.from_file(str(PAGE), default_timeout=30)


def opened(app: AppTest, **query: str) -> str:
    """The page's HTML."""
    app.query_params.clear()
    for name, value in query.items():
        app.query_params[name] = value
    app.run()
    assert not app.exception
    return " ".join(str(element.proto.body) for element in app.get("html"))


def test_what_is_in_force_is_told_in_words_with_how_it_stands(app: AppTest) -> None:
    page = opened(app)
    for words in ("northwind-hour", "in any 1 h", "<b>75 %</b> throttle", "everything together", "shadow"):
        assert words in page
    assert "No override is in force." in page
    workloads = app.dataframe[0].value
    assert set(workloads["workload"]) == {"nightly-ingest", "contract-review", "support-agent"}


def test_a_filter_leaves_the_rules_that_may_count_such_calls(app: AppTest) -> None:
    page = opened(app, tenant="bluebird-retail")
    assert "bluebird-hour" in page
    assert "northwind-hour" not in page
    assert "1 that cannot count such calls are left out" in page


def test_an_explanation_is_asked_by_the_url_and_marks_the_ceiling_that_counts(app: AppTest) -> None:
    page = opened(app, **EXPLAINED)
    assert page.count("this one counts") == 1
    assert "everything-hour" in page
    assert app.text_input(key="explain-task").value == ""
    assert app.expander[0].label == "1 other ceiling does not count such calls"


@pytest.mark.parametrize(
    ("query", "says"),
    [
        pytest.param({}, "Choose a tenant and a workload above", id="nothing asked"),
        pytest.param(
            {"decision": "d9-9"}, "no decision &quot;d9-9&quot; is remembered", id="unknown decision"
        ),
    ],
)
def test_what_cannot_be_explained_says_what_to_do(app: AppTest, query: dict[str, str], says: str) -> None:
    assert says in opened(app, tab="explain", **query)


def test_what_the_collector_refuses_with_is_text(app: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    said = "no <img src=http://evil.example/i.png>"
    monkeypatch.setattr(Service, "query", lambda *_, **__: Reply(422, None, said))
    page = opened(app, tab="shadows")
    assert "<img" not in page
    assert "no &lt;img src=http://evil.example/i.png&gt;" in page


def test_a_shadow_shows_what_it_recorded_before_anything_is_replayed(app: AppTest) -> None:
    page = opened(app, tab="shadows")
    assert "everything-hour" in page
    assert "times opened" in page
    assert [button.label for button in app.button] == ["Replay the last 7 days with it enforced"]


def test_a_pasted_file_with_errors_is_told_line_by_line_and_not_replayed(app: AppTest) -> None:
    opened(app, tab="backtest")
    app.text_area[0].set_value("version: 1\nceilings:\n  - {name: hour, limit: 4, window: 1h}\n").run()
    page = " ".join(str(element.proto.body) for element in app.get("html"))
    assert "line 3, column 25" in page
    assert "4 has no currency" in page
    assert [button.label for button in app.button] == ["Begin with today's file"]


def test_todays_file_is_where_a_change_begins_and_is_replayed_for_its_viewer(
    app: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = []
    monkeypatch.setattr(Jobs, "begin", lambda self, job, viewer, ask: begun.append((job, viewer)))
    opened(app, tab="backtest")
    app.button[0].click().run()
    text = str(app.text_area[0].value)
    assert "name: northwind-hour" in text
    app.text_area[0].set_value(text.replace("limit: 1.50 USD", "limit: 9 USD")).run()
    app.button[1].click().run()
    assert not app.exception
    ((job, viewer),) = begun
    assert [name for name, _ in job.question.files] == ["today", "pasted"]
    assert (job.question.files[0][1], viewer) == (text, "keyless")
    assert (job.stop - job.start).days == 7


def test_an_override_given_by_hand_leads_operators_to_its_end(app: AppTest, full: Any) -> None:
    given = {"ceiling": "bluebird-hour", "limit": "5 USD", "for_s": 600, "by": "kim", "reason": "launch week"}
    made = httpx.post(f"{full.policies}/v1/overrides", json=given).json()
    page = opened(app)
    assert "launch week" in page
    assert "kim, by hand" in page
    app.button(key=f"overridden-{made['id']}").click().run()
    assert not app.exception
    assert app.text_input(key="override-limit")
    ended = {"by": "kim", "reason": "over"}
    assert httpx.delete(f"{full.policies}/v1/overrides/{made['id']}", params=ended).is_success
