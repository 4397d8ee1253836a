"""The Review page against the real services: a week read, published, decided on and signed; who sees what of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

import dashboard
from dashboard.parts.review import weeks

APP = Path(dashboard.__file__).with_name("app.py")
PAGE = Path(dashboard.__file__).with_name("views") / "review.py"


@pytest.fixture
def app(asking_full: None) -> AppTest:
    return AppTest.from_file(str(PAGE), default_timeout=60)


def opened(app: AppTest, **query: str) -> str:
    """The page's HTML."""
    app.query_params.clear()
    for name, value in query.items():
        app.query_params[name] = value
    app.run()
    return html_of(app)


def html_of(app: AppTest) -> str:
    assert not app.exception
    return " ".join(str(element.proto.body) for element in app.get("html"))


def test_a_week_that_runs_is_read_with_its_owners_and_its_names_are_inert(app: AppTest) -> None:
    running = weeks.week_of(datetime.now(UTC).date())
    page = opened(app, week=running)
    assert "not over yet" in page
    assert "data-platform" in page
    assert "UNOWNED" in page
    assert "<img" not in page
    assert not [button for button in app.button if button.label in ("Sign", "Publish for signing")]
    findings = opened(app, week=running, tab="findings")
    assert "&lt;img" in findings
    assert "<img" not in findings


def test_while_a_week_is_made_its_beginning_is_shown_and_then_all_of_it_in_its_place(
    app: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dashboard.parts.review import weekly

    shown: list[str] = []
    glance = weekly.glance
    monkeypatch.setattr(
        weekly, "glance", lambda review: (shown.append(review.owners[0].next_action), glance(review))
    )
    page = opened(app, week=weeks.week_of(datetime.now(UTC).date()))
    # Once of the beginning, which knows no audit, and once with all of it; each figure stands on the page once.
    assert len(shown) == 2
    assert page.count('class="sg sg-lead"') == 1
    assert "Who owns what" in page
    opened(app, week=weeks.week_of(datetime.now(UTC).date()))
    assert len(shown) == 3


def in_dialog(which: str) -> None:
    """A page that opens a dialog on the last week. AppTest runs no part of a page alone, so a click cannot open it."""
    import streamlit as st

    from dashboard import session
    from dashboard.parts.review import reading, signing_off, weeks

    collector, viewer, now = session.services().collector, session.viewer(), session.now()
    listed = collector.document(reading.REVIEWS).value["reviews"]
    standing = next(each for each in weeks.offered(now, listed) if each.week == weeks.last_over(now))
    assert viewer is not None
    found, _ = reading.read(collector, standing, viewer)
    assert found is not None
    if which == "publish":
        signing_off.publish(found)
    elif owners := signing_off.may_sign(found, viewer):
        signing_off.sign(found, viewer, owners)
    st.html(st.session_state.get("review-said", "-"))


def test_a_week_is_published_and_signed_and_then_sealed(app: AppTest, full: Any) -> None:
    page = opened(app)
    assert "not published" in page
    assert [button.label for button in app.button if button.key == "publish"] == ["Publish for signing"]

    publishing = AppTest.from_function(in_dialog, kwargs={"which": "publish"}, default_timeout=60).run()
    publishing.button(key="publish-now").click().run()
    with full.client() as client:
        (kept,) = client.get("/v1/reviews").json()["reviews"]
    assert (kept["week"], kept["state"]) == (weeks.last_over(datetime.now(UTC)), "published")
    assert kept["hash"] in html_of(publishing)
    assert "published" in opened(app)
    assert app.button(key="sign").label == "Sign"

    signing = AppTest.from_function(in_dialog, kwargs={"which": "sign"}, default_timeout=60).run()
    for whose in signing.selectbox:
        whose.set_value("").run()
    assert signing.button(key="sign-now").disabled
    signing.text_input[0].set_value("Fin Ance, finance partner").run()
    signing.checkbox[0].check().run()
    signing.button(key="sign-now").click().run()
    assert "the week is sealed" in html_of(signing)
    with full.client() as client:
        (sealed,) = client.get("/v1/reviews").json()["reviews"]
    (signature,) = sealed["signatures"]
    assert (sealed["state"], signature["name"], signature["hash"]) == (
        "sealed",
        "Fin Ance, finance partner",
        kept["hash"],
    )
    assert "Fin Ance, finance partner" in opened(app, tab="sign-off")
    assert not [button for button in app.button if button.key in ("publish", "sign", "publish-again")]


@pytest.fixture
def signed_in(monkeypatch: pytest.MonkeyPatch, guarded: Any) -> Iterator[Callable[..., AppTest]]:
    """The dashboard as somebody with a key of these scopes and tenants sees it."""
    from dashboard import session

    monkeypatch.setenv("SWITCHGEAR_COLLECTOR", guarded.collector)
    monkeypatch.setenv("SWITCHGEAR_POLICIES", guarded.policies)
    session.services_of.clear()

    secrets: list[str] = []

    def start(*scopes: str, tenant: str = "*") -> AppTest:
        _, secret = guarded.key(scopes, [tenant])
        secrets.append(secret)
        monkeypatch.setattr(session, "_credential", lambda: secret)
        return AppTest.from_file(str(APP), default_timeout=60).switch_page("views/review.py")

    yield start
    for secret in secrets:
        session.services_of(secret).close()
    session.services_of.clear()


def test_an_owner_sees_their_own_week_alone(signed_in: Callable[..., AppTest]) -> None:
    running = weeks.week_of(datetime.now(UTC).date())
    app = signed_in("owner:customer-care")
    for tab in ("week", "findings", "sign-off"):
        page = opened(app, week=running, tab=tab)
        for foreign in ("data-platform", "legal-ops", "northwind", "halden-legal", "&lt;img"):
            assert foreign not in page, (tab, foreign)
    assert "customer-care" in opened(app, week=running)


def test_finance_of_one_tenant_is_told_what_it_takes_and_shown_nothing(
    signed_in: Callable[..., AppTest],
) -> None:
    app = signed_in("finance", "read", tenant="northwind")
    page = opened(app)
    assert "Your key may not see it" in page
    assert "not answering" not in page
    assert not app.selectbox
