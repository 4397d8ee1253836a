"""The Live page against the real services: what it shows, to whom, and what operators do from it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from streamlit.testing.v1 import AppTest

import dashboard
from dashboard import session
from dashboard.identity import Viewer

PAGE = Path(dashboard.__file__).parent / "views" / "live.py"


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch, full: Any) -> Iterator[AppTest]:
    """The page of services that hold something, for whoever needs no key."""
    monkeypatch.setenv("SWITCHGEAR_COLLECTOR", full.collector)
    monkeypatch.setenv("SWITCHGEAR_POLICIES", full.policies)
    monkeypatch.setattr(session, "_credential", lambda: None)
    session.services_of.clear()
    yield AppTest.from_file(str(PAGE), default_timeout=30)
    session.services_of(None).close()
    session.services_of.clear()


def shown(app: AppTest) -> str:
    """The page's HTML."""
    assert not app.exception
    return " ".join(str(element.proto.body) for element in app.get("html"))


def test_live_shows_what_is_cut_what_breakers_did_and_what_is_not_known(app: AppTest) -> None:
    page = shown(app.run())
    assert "northwind-hour" in page
    assert 'class="sg-lane' in page
    assert "5 <small>calls</small>" in page  # of the hostile tenant: their model has no price
    assert "docs/prices.md" in page
    assert [button.label for button in app.button if button.key and button.key.startswith("by-hand")] == [
        *("Force open …", "Disable …", "Restore …", "Change a limit …", "Stop a task …")
    ]


def test_a_filter_leaves_the_ceilings_that_may_count_such_calls(app: AppTest) -> None:
    app.query_params["tenant"] = "bluebird-retail"
    page = shown(app.run())
    assert "bluebird-hour" in page
    assert "everything-hour" in page
    assert "northwind-hour" not in page


def test_a_viewer_who_may_not_operate_sees_none_of_its_controls(
    app: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = Viewer("sg_1", "reader", ("*",), frozenset({"read"}), (), keyless=False)
    monkeypatch.setattr(session, "viewer", lambda: reader)
    page = shown(app.run())
    assert "northwind-hour" in page
    assert "By hand" not in page
    assert [button.key for button in app.button if button.key and button.key.startswith("by-hand")] == []


def test_live_says_that_the_services_are_away_and_goes_on(
    app: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SWITCHGEAR_COLLECTOR", "http://127.0.0.1:1")
    monkeypatch.setenv("SWITCHGEAR_POLICIES", "http://127.0.0.1:1")
    page = shown(app.run())
    assert "The collector is not answering." in page
    assert "The policy engine is not answering." in page
    assert "It has not been seen yet." in page
    assert "nothing is known of what is booked" in page
    assert page.count("Not known now.") == 5
    assert "No ceiling" not in page


def asking(call: str) -> AppTest:
    """One of the dialogs: here each run draws it anew, where a browser runs it alone."""
    script = f"from dashboard.parts import operating\nfrom dashboard.view import View\noperating.{call}"
    return AppTest.from_string(script, default_timeout=30).run()


def submit(app: AppTest, label: str) -> str:
    next(button for button in app.button if button.label == label).click().run()
    return shown(app)


def test_a_breaker_is_forced_with_a_reason_and_what_the_log_says_is_shown(app: AppTest, full: Any) -> None:
    dialog = asking('move("open", View(), "bluebird-hour")')
    page = submit(dialog, "Force open")
    assert "A reason is required" in page
    assert "It is not confirmed." in page
    dialog.text_input(key="operating-reason").input("incident 12")
    dialog.checkbox(key="operating-sure").check()
    page = submit(dialog, "Force open")
    (line,) = httpx.get(f"{full.policies}/v1/breakers", params={"last": 1}).json()["transitions"]
    assert (line["policy"], line["to"], line["by"]) == ("bluebird-hour", "forced_open", "keyless")
    assert f"number {line['id']}, hash {line['hash'][:12]}" in page

    dialog = asking('move("restore", View(), "bluebird-hour")')
    dialog.text_input(key="operating-reason").input("over")
    dialog.checkbox(key="operating-sure").check()
    assert "Done." in submit(dialog, "Restore")
    budgets = httpx.get(f"{full.policies}/v1/budgets").json()["budgets"]
    assert {each["state"] for each in budgets if each["ceiling"] == "bluebird-hour"} == {"closed"}


def test_everything_is_moved_only_by_whoever_types_it(app: AppTest, full: Any) -> None:
    dialog = asking('move("open", View(), "*")')
    dialog.text_input(key="operating-reason").input("all of it")
    dialog.text_input(key="operating-typed").input("yes")
    before = httpx.get(f"{full.policies}/v1/breakers").json()["transitions"]
    assert "It is not confirmed." in submit(dialog, "Force open")
    assert httpx.get(f"{full.policies}/v1/breakers").json()["transitions"] == before


def test_a_limit_is_another_one_for_a_time_and_ended_again(app: AppTest, full: Any) -> None:
    dialog = asking('override(View(), "northwind-hour")')
    dialog.text_input(key="override-limit").input("nothing")
    dialog.text_input(key="operating-reason").input("month-end")
    dialog.checkbox(key="operating-sure").check()
    assert "The limit is no amount." in submit(dialog, "Change the limit")
    dialog.text_input(key="override-limit").input("50")
    assert "The limit is 50 USD until" in submit(dialog, "Change the limit")
    (made,) = httpx.get(f"{full.policies}/v1/overrides").json()["overrides"]
    assert (made["ceiling"], made["limit"], made["reason"]) == ("northwind-hour", "50 USD", "month-end")
    assert "its own limit again" in submit(asking('override(View(), "northwind-hour")'), "End it")
    assert httpx.get(f"{full.policies}/v1/overrides").json()["overrides"] == []


def test_what_the_engine_refuses_is_told_in_its_words(app: AppTest) -> None:
    dialog = asking('move("open", View(), "no-such-ceiling")')
    dialog.text_input(key="operating-reason").input("a slip")
    dialog.checkbox(key="operating-sure").check()
    page = submit(dialog, "Force open")
    assert "The policy engine refused it." in page
    assert "no ceiling &quot;no-such-ceiling&quot;; there are:" in page
    assert "Nothing was done." in page


def test_a_task_is_stopped_and_said_to_have_been_stopped_before(app: AppTest) -> None:
    for told in ("The task is stopped.", "The task was stopped before."):
        dialog = asking('stop("northwind", "nightly-000")')
        dialog.text_input(key="operating-reason").input("loops")
        dialog.checkbox(key="operating-sure").check()
        assert told in submit(dialog, "Stop the task")
