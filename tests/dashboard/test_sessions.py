"""Sessions of viewers: how long a key is kept, where a sign-in leads, and from where one is taken."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as some

from dashboard import session
from dashboard.identity import LASTS, SESSIONS, Sessions, Viewer
from dashboard.services import Answer, Service, Services
from dashboard.signing_in import form, is_this_machine, names_this_machine
from dashboard.web import came_from_here, place_after

NOW = datetime(2026, 11, 29, 9, tzinfo=UTC)
MOMENT = timedelta(microseconds=1)


def test_a_session_finds_its_key_until_its_time_is_over() -> None:
    sessions = Sessions()
    secret = sessions.start("sg_one", NOW)
    assert sessions.find(secret, NOW + LASTS - MOMENT) == "sg_one"
    assert sessions.find(secret, NOW + LASTS) is None


def test_who_signs_out_is_forgotten_and_others_are_not() -> None:
    sessions = Sessions()
    first, second = sessions.start("sg_one", NOW), sessions.start("sg_two", NOW)
    sessions.end(first)
    sessions.end("what nobody has")
    assert (sessions.find(first, NOW), sessions.find(second, NOW)) == (None, "sg_two")


@pytest.mark.parametrize("secret", [None, "", "guessed"], ids=["none", "empty", "guessed"])
def test_nobody_finds_a_key_without_its_secret(secret: str | None) -> None:
    sessions = Sessions()
    sessions.start("sg_one", NOW)
    assert sessions.find(secret, NOW) is None


@pytest.mark.parametrize(
    ("where", "place"),
    [
        ("/showback?range=7d&tenant=", "/showback?range=7d&tenant="),
        ("/", "/"),
        ("https://evil.example/x?y=1", "/x?y=1"),
        ("//evil.example/x", "/x"),
        ("/\\evil.example", "/evil.example"),
        ("\\\\evil.example", "/evil.example"),
        ("javascript:alert(1)", "/alert(1)"),
        ("/tasks?sign_in=refused&task=t", "/tasks?task=t"),
        ("http://[", "/"),
    ],
    ids=[
        "page",
        "root",
        "other host",
        "no scheme",
        "backslash",
        "backslashes",
        "script",
        "said before",
        "no URL",
    ],
)
def test_a_sign_in_leads_to_a_page_of_this_dashboard_alone(where: str, place: str) -> None:
    assert place_after(where, None) == place


@given(some.text(max_size=60))
def test_whatever_is_written_after_it_a_sign_in_stays_here(where: str) -> None:
    place = place_after(where, None)
    assert place.startswith("/")
    assert not place.startswith(("//", "/\\"))


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        ("http://127.0.0.1:8501", True),
        ("http://127.0.0.1:8502", False),
        ("http://localhost:8501", False),
        ("null", False),
        ("http://[", False),
        (None, False),
    ],
    ids=["its own", "another port", "another name", "a sandbox", "no URL", "no browser"],
)
def test_a_key_is_taken_from_its_own_pages(*, origin: str | None, expected: bool) -> None:
    assert came_from_here(origin, "127.0.0.1:8501") is expected


@pytest.mark.parametrize(
    ("address", "expected"),
    [("127.0.0.1", True), ("localhost", True), ("::1", True), ("0.0.0.0", False), ("", False), (None, False)],
)
def test_without_keys_only_this_machine_is_shown_anything(*, address: str | None, expected: bool) -> None:
    assert is_this_machine(address) is expected


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1:8501", True),
        ("localhost:8501", True),
        ("[::1]:8501", True),
        ("localhost", True),
        ("rebound.example:8501", False),
        ("127.0.0.1.rebound.example:8501", False),
        ("localhost@rebound.example", False),
        ("[", False),
        ("", False),
        (None, False),
    ],
)
def test_a_page_that_gives_this_machine_its_own_name_is_shown_nothing_without_keys(
    *, host: str | None, expected: bool
) -> None:
    assert names_this_machine(host) is expected


def test_the_form_holds_a_hostile_address_as_text() -> None:
    page = form('/tasks?task="><script>alert(1)</script>', "")
    assert "<script>" not in page
    assert "&quot;&gt;&lt;script&gt;" in page


def test_a_viewer_is_what_the_services_say() -> None:
    told = {"id": "sg_1", "name": "", "tenants": ["acme"], "scopes": ["read"], "owners": [], "keyless": False}
    viewer = Viewer.told(told)
    assert (viewer.name, viewer.all_tenants, viewer.may("read"), viewer.may("operate")) == (
        "sg_1",
        False,
        True,
        False,
    )
    assert Viewer.told({**told, "scopes": ["admin"], "tenants": ["*"]}).may("operate")


VIEWER = Viewer("sg_1", "", ("*",), frozenset({"read"}), (), keyless=False)
ENDED = {"now": Answer(None, None, "your session or your key has ended: sign in again", 401)}


class RunAnewError(Exception):
    """Instead of the page."""


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    def anew() -> None:
        raise RunAnewError

    monkeypatch.setattr("dashboard.session.st.rerun", anew)
    service = Service("policy engine", "http://e", None, httpx.MockTransport(lambda _: httpx.Response(401)))
    yield service
    service.close()


def test_a_page_runs_anew_for_a_viewer_whose_key_has_ended(
    engine: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "viewer", lambda **_: None)
    with pytest.raises(RunAnewError):
        session.away(engine, ENDED, NOW)


def test_a_page_does_not_run_anew_for_ever_where_one_service_has_other_keys(
    engine: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "viewer", lambda **_: VIEWER)
    told = session.away(engine, ENDED, NOW)
    assert "The policy engine refused a question." in told
    assert "it knows no key or token of yours, though the other service does" in told


@pytest.mark.parametrize(
    "answer", [[], {}, {"id": "x", "tenants": None}, "yes"], ids=["list", "empty", "null", "text"]
)
def test_what_is_no_service_of_ours_makes_nobody_a_viewer(
    monkeypatch: pytest.MonkeyPatch, answer: object
) -> None:
    strange = httpx.MockTransport(lambda _: httpx.Response(200, json=answer))
    both = Services(
        Service("collector", "http://c", None, strange), Service("engine", "http://e", None, strange)
    )
    monkeypatch.setattr(session, "services", lambda: both)
    found = session.viewer()
    assert found is not None
    assert (found.id, found.scopes, found.keyless) == ("", frozenset(), False)
    both.close()


def test_a_key_that_was_given_comes_before_a_token_that_may_have_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(session, "_token", lambda: "a.token.of-yesterday")
    monkeypatch.setattr(SESSIONS, "find", lambda *_: "sg_key")
    assert session._credential() == "sg_key"
    monkeypatch.setattr(SESSIONS, "find", lambda *_: None)
    assert session._credential() == "a.token.of-yesterday"


def test_who_has_no_rights_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    said = "ann is signed in, but no rule of this installation gives them any right"
    refusing = httpx.MockTransport(lambda _: httpx.Response(403, json={"detail": said}))
    both = Services(
        Service("collector", "http://c", None, refusing), Service("engine", "http://e", None, refusing)
    )
    monkeypatch.setattr(session, "services", lambda: both)
    assert (session.viewer(), session.without_rights()) == (None, said)
    both.close()
