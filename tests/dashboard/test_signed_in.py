"""Who sees what: viewers with keys of their own, in headless Chromium, against services that want keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import BrowserContext
from serving import PLAIN
from visiting import FIRST_LOOK_MS, Visit, browsing

from collector.keys.keyring import FILE_NAME, Keyring
from dashboard.identity import COOKIE

PAGES = {"": "Live", "tasks": "Tasks", "showback": "Showback", "policies": "Policies", "review": "Review"}
# Of SCENE: whose names a viewer of one tenant, or of one owner, may never be told.
OTHERS_OF_TENANT = (
    "northwind",
    "nightly-ingest",
    "contract-review",
    "halden-legal",
    "data-platform",
    "legal-ops",
)
OTHERS_OF_OWNER = (
    "contract-review",
    "support-agent",
    "bluebird",
    "halden-legal",
    "legal-ops",
    "customer-care",
)

SignIn = Callable[[str], Any]


@pytest.fixture(scope="module")
def chrome(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrowserContext]:
    with browsing(chromium, tmp_path_factory.mktemp("profile")) as running:
        yield running


@pytest.fixture(scope="module")
def address(guarded: Any, dashboard_of: Any) -> Iterator[str]:
    with dashboard_of(guarded) as url:
        yield url


@pytest.fixture
def browser(chrome: BrowserContext) -> Iterator[BrowserContext]:
    """A browser in which nobody is signed in."""
    chrome.clear_cookies()
    yield chrome
    chrome.clear_cookies()


def sign_in(visit: Visit, secret: str) -> None:
    visit.page.get_by_label("Your key").fill(secret, timeout=FIRST_LOOK_MS)
    with visit.page.expect_navigation(timeout=FIRST_LOOK_MS):
        visit.page.get_by_role("button", name="Sign in", exact=True).click()


def test_a_viewer_signs_in_where_the_link_led_and_stays_signed_in(
    browser: BrowserContext, address: str, guarded: Any
) -> None:
    _, secret = guarded.key(["read"], ["bluebird-retail"], "Bluebird's finance")
    with Visit(browser, f"{address}/showback?range=1h&compare=1") as visit:
        sign_in(visit, "sg_000000000000not-a-key")
        visit.see("That key is not known, or it has ended.")
        assert not visit.was_told("bluebird")
        sign_in(visit, secret)
        visit.page.get_by_role("heading", name="Showback").wait_for(timeout=FIRST_LOOK_MS)
        assert "range=1h&compare=1" in visit.page.url
        (cookie,) = (one for one in browser.cookies() if one["name"] == COOKIE)
        assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
        assert secret not in cookie["value"]
        visit.page.reload()
        visit.page.get_by_role("heading", name="Showback").wait_for(timeout=FIRST_LOOK_MS)
        visit.page.get_by_role("button", name="Bluebird's finance").click()
        visit.page.get_by_role("button", name="Sign out").click()
        visit.page.get_by_label("Your key").wait_for(timeout=FIRST_LOOK_MS)
        assert not visit.was_told(secret)


@pytest.mark.parametrize(
    ("scopes", "tenants", "own", "others"),
    [
        (["read"], ["bluebird-retail"], "bluebird-retail", OTHERS_OF_TENANT),
        (["owner:data-platform"], [], "nightly-ingest", OTHERS_OF_OWNER),
    ],
    ids=["a tenant", "an owner"],
)
def test_no_page_tells_a_viewer_of_others(
    browser: BrowserContext,
    address: str,
    guarded: Any,
    scopes: list[str],
    tenants: list[str],
    own: str,
    others: tuple[str, ...],
) -> None:
    _, secret = guarded.key(scopes, tenants)
    with Visit(browser, f"{address}/showback?range=1h") as visit:
        sign_in(visit, secret)
        for path, title in PAGES.items():
            visit.page.goto(f"{address}/{path}?range=1h")
            visit.page.get_by_role("heading", name=title, exact=True).wait_for(timeout=FIRST_LOOK_MS)
            visit.settle(charts=False)
        assert visit.was_told(own)
        assert [name for name in others if visit.was_told(name)] == []


VIEWS = (
    *(
        "",
        "tasks?range=1h",
        "tasks?range=1h&tab=runaways",
        "showback?range=1h",
        "showback?range=1h&group=workload",
    ),
    *(
        "showback?tab=units&range=1h",
        "showback?tab=charged",
        "showback?tab=causes",
        "showback?tab=cache",
        "showback?tab=ledger",
    ),
    *("policies", "policies?tab=explain", "policies?tab=shadows", "review"),
)


def test_hostile_names_stay_text_on_every_page_and_reach_nobody(
    browser: BrowserContext, address: str, guarded: Any, hostiles: tuple[str, ...], pictures: Path
) -> None:
    _, secret = guarded.key(["read", "operate", "finance"], ["*"], hostiles[0])
    drilled = [
        f"{page}?{httpx.QueryParams({'range': '1h', 'tenant': name, 'workload': name, 'task': name})}"
        for page, names in (("tasks", hostiles), ("showback", hostiles[:1]), ("policies", hostiles[1:2]))
        for name in names
    ]
    with Visit(browser, f"{address}/showback?range=1h") as visit:
        sign_in(visit, secret)
        for place in (*VIEWS, *drilled):
            visit.page.goto(f"{address}/{place}")
            visit.page.get_by_test_id("stMain").get_by_role("heading").first.wait_for(timeout=FIRST_LOOK_MS)
            visit.rest()
            strange = visit.page.locator("[src*='evil'], [href*='evil'], [onerror], [style*='evil']")
            assert (place, strange.count()) == (place, 0)
        assert [name for name in hostiles[:2] if not visit.was_told(name)] == []
        visit.page.goto(f"{address}/showback?range=1h")
        visit.settle()
        visit.keep(pictures, "hostile")


def test_a_key_that_is_revoked_mid_view_shows_nothing_more(
    browser: BrowserContext, address: str, guarded: Any
) -> None:
    key_id, secret = guarded.key(["read"], ["northwind"])
    with Visit(browser, address) as visit:
        sign_in(visit, secret)
        visit.see("northwind-hour")
        Keyring(guarded.data / FILE_NAME).revoke(key_id, now=datetime.now(UTC))
        visit.page.get_by_label("Your key").wait_for(timeout=FIRST_LOOK_MS)
        visit.page.get_by_text("northwind-hour").first.wait_for(state="detached", timeout=FIRST_LOOK_MS)


def test_a_key_is_taken_from_the_dashboards_own_page_alone(address: str, guarded: Any) -> None:
    _, secret = guarded.key(["read"], ["northwind"])
    with httpx.Client(base_url=address, trust_env=False, verify=PLAIN) as client:
        for origin in ({}, {"Origin": "http://evil.example"}, {"Origin": "http://127.0.0.1:1"}):
            answer = client.post("/signin", data={"key": secret, "next": "/"}, headers=origin)
            assert (answer.status_code, answer.cookies.get(COOKIE)) == (403, None)
        away = client.post(
            "/signin", data={"key": secret, "next": "https://evil.example/x"}, headers={"Origin": address}
        )
        assert (away.status_code, away.headers["location"]) == (303, "/x")


def test_the_dashboard_lends_nobody_the_key_of_its_surroundings(
    browser: BrowserContext, address: str
) -> None:
    with Visit(browser, f"{address}/showback") as visit:
        visit.page.get_by_label("Your key").wait_for(timeout=FIRST_LOOK_MS)
        assert [name for name in OTHERS_OF_TENANT if visit.was_told(name)] == []


def test_a_company_signs_its_people_in_with_the_rights_that_it_gives_them(
    browser: BrowserContext, address: str, guarded: Any
) -> None:
    with Visit(browser, f"{address}/showback?range=1h") as visit:
        visit.page.get_by_role("button", name="Sign in with Example Corp").click(timeout=FIRST_LOOK_MS)
        visit.page.get_by_role("button", name="bea").click(timeout=FIRST_LOOK_MS)
        visit.page.get_by_role("button", name="Bea").wait_for(timeout=FIRST_LOOK_MS)
        visit.page.goto(f"{address}/showback?range=1h")
        visit.page.get_by_role("heading", name="Showback").wait_for(timeout=FIRST_LOOK_MS)
        visit.settle(charts=False)
        assert visit.was_told("bluebird-retail")
        assert [name for name in OTHERS_OF_TENANT if visit.was_told(name)] == []
