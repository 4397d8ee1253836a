"""Reviews over HTTP: who sees what, who signs for what, and that what is signed stays as it is."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from ledgers import OWNED
from reviewed import WEEK, Reviewing, of

from analytics.reviews.document import Review, decoded, hash_of
from collector.keys.keyring import FILE_NAME as KEYS
from collector.keys.keyring import Keyring

TUESDAY = datetime(2026, 11, 17, 9, tzinfo=UTC)
NOW = datetime(2026, 11, 24, 6, tzinfo=UTC)
CALLS = [
    of("acme", "writer", 1, TUESDAY),
    of("acme", "writer", 2, TUESDAY - timedelta(days=7)),
    of("globex", "bot", 3, TUESDAY),
    of("globex", "bot", 4, TUESDAY, model="never-heard-of"),
    of("acme", "nobody-knows", 5, TUESDAY),
]
PUBLISH, SIGN = f"/v1/reviews/{WEEK}/publish", f"/v1/reviews/{WEEK}/signatures"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reviewing]:
    """Two owners with calls in the week, and one call of nobody's; the root key is the client's."""
    with Reviewing(tmp_path_factory.mktemp("reviews") / "data", NOW, api_key="root-key") as running:
        running.http.headers["Authorization"] = "Bearer root-key"
        assert running.http.put("/v1/registry", json=OWNED).status_code == 200
        running.book(*CALLS)
        yield running


@pytest.fixture
def served(running: Reviewing) -> Reviewing:
    """The same with nothing published and nothing decided."""
    for table in ("reviews", "review_signatures", "review_actions"):
        running.sql(f"DELETE FROM {table}")
    running.now = NOW
    return running


@pytest.fixture(scope="module")
def clients(running: Reviewing) -> Iterator[dict[str, httpx.Client]]:
    """Clients by what their keys are for."""
    ring = Keyring(running.data / KEYS)
    made = {
        "finance": (["*"], ["finance"]),
        "tenant": (["acme"], ["finance", "read"]),
        "reader": (["*"], ["read"]),
        "ann": (["*"], ["owner:ann"]),
        "bob": (["*"], ["owner:bob"]),
    }
    secrets = {name: ring.create(*given, now=NOW)[1] for name, given in made.items()}
    running.app.access.refresh()
    clients = {
        name: running.client(headers={"Authorization": f"Bearer {secret}"})
        for name, secret in secrets.items()
    }
    for each in clients.values():
        each.timeout = httpx.Timeout(120)
    yield clients
    for each in clients.values():
        each.close()


@pytest.fixture
def keys(served: Reviewing, clients: dict[str, httpx.Client]) -> dict[str, httpx.Client]:
    """The clients of the collector in which nothing is published."""
    return clients


def published(client: httpx.Client) -> dict[str, Any]:
    answer = client.post(PUBLISH)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def signed(
    client: httpx.Client, hash_: str, owner: str = "", name: str = "Fin", **more: str
) -> httpx.Response:
    return client.post(SIGN, json={"owner": owner, "name": name, "hash": hash_, **more})


def document(client: httpx.Client, week: str = WEEK, **params: str) -> Review:
    answer = client.get(f"/v1/reviews/{week}", params=params)
    assert answer.status_code == 200, answer.text
    return decoded(answer.json()["document"])


def problem(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["detail"]


ROUTES = [
    ("GET", "/v1/reviews", None),
    ("GET", "/v1/reviews/progress", None),
    ("GET", f"/v1/reviews/{WEEK}", None),
    ("POST", PUBLISH, None),
    ("POST", SIGN, {"owner": "", "name": "x", "hash": "0" * 12}),
    ("GET", f"/v1/reviews/{WEEK}/actions", None),
    ("POST", f"/v1/reviews/{WEEK}/actions", {"owner": "ann", "text": "t", "due": "2026-11-30"}),
    ("PATCH", "/v1/reviews/actions/none", {"state": "done"}),
]


def test_every_route_refuses_keys_of_a_tenant_and_of_readers_and_publishing_refuses_owners(
    keys: dict[str, httpx.Client],
) -> None:
    for method, path, body in ROUTES:
        for name in ("tenant", "reader"):
            assert keys[name].request(method, path, json=body).status_code == 403, (name, path)
    assert keys["ann"].post(PUBLISH).status_code == 403


def test_an_owner_sees_of_the_published_reviews_whether_it_has_signed_and_nothing_of_others(
    keys: dict[str, httpx.Client],
) -> None:
    hash_ = published(keys["finance"])["hash"]
    (listed,) = keys["ann"].get("/v1/reviews").json()["reviews"]
    assert (listed["week"], listed["hash"], listed["unsigned"]) == (WEEK, hash_, ["ann"])
    signed(keys["finance"], hash_, "bob", "Bob").raise_for_status()
    signed(keys["ann"], hash_, "ann", "Ann").raise_for_status()
    (listed,) = keys["ann"].get("/v1/reviews").json()["reviews"]
    assert ([each["name"] for each in listed["signatures"]], listed["unsigned"]) == (["Ann"], [])
    (whole,) = keys["finance"].get("/v1/reviews").json()["reviews"]
    assert [each["name"] for each in whole["signatures"]] == ["Ann", "Bob"]
    assert keys["ann"].get("/v1/reviews/progress").json() == {"under_way": None}


def test_the_review_is_what_was_spent_and_its_total_is_the_costs_report(
    served: Reviewing, keys: dict[str, httpx.Client]
) -> None:
    made = document(keys["finance"])
    ((spent, calls),) = served.rows(
        "SELECT sum(cost)::VARCHAR, count(*) FROM calls WHERE started_at >= '2026-11-16'"
    )
    assert (made.total.actual, made.total.calls) == (Decimal(spent), calls)
    answer = keys["finance"].get("/v1/reports/costs", params={"from": "2026-11-16", "to": "2026-11-22"})
    table = answer.json()
    amounts = [Decimal(row[table["columns"].index("cost")] or 0) for row in table["rows"]]
    assert sum(amounts) == made.total.actual
    assert [line.owner for line in made.owners] == ["ann", "bob", None]
    assert (made.total.unpriced_calls, made.cover.unowned_calls) == (1, 1)
    assert sum(step.amount for step in made.bridge.steps) == made.bridge.end - made.bridge.start
    assert served.http.get("/v1/reviews/progress").json() == {"under_way": None}


def test_a_brief_review_has_the_costs_of_the_whole_one_and_nothing_that_could_be_signed(
    keys: dict[str, httpx.Client],
) -> None:
    for whose in ("finance", "ann"):
        answer = keys[whose].get(f"/v1/reviews/{WEEK}", params={"brief": "true"})
        assert answer.json().keys() == {"week", "state", "document"}
        brief, whole = decoded(answer.json()["document"]), document(keys[whose])
        for told in ("days", "bridge", "total", "shares", "moved"):
            assert getattr(brief, told) == getattr(whole, told), (whose, told)
        for told in ("actual", "plan", "previous", "tasks", "units", "forecast"):
            assert getattr(brief.headline, told) == getattr(whole.headline, told), (whose, told)
        assert [(each.owner, each.actual) for each in brief.owners] == [
            (each.owner, each.actual) for each in whole.owners
        ]
        assert (brief.gaps, brief.late, brief.anomalies, brief.savings) == ((), (), (), ())
        assert "globex" not in answer.text or whose == "finance"


def test_of_a_published_week_the_brief_review_is_the_published_one(keys: dict[str, httpx.Client]) -> None:
    kept = published(keys["finance"])
    found = keys["finance"].get(f"/v1/reviews/{WEEK}", params={"brief": "true"}).json()
    assert (found["document"], found["hash"]) == (kept["document"], kept["hash"])


def test_an_owner_sees_its_own_week_and_nothing_of_others_or_of_invoices(
    keys: dict[str, httpx.Client],
) -> None:
    published(keys["finance"])
    whole, own = document(keys["finance"]), document(keys["ann"])
    assert [line.owner for line in own.owners] == ["ann", None]
    assert own.total.actual == whole.owners[0].actual
    assert (own.owners[1].calls, own.gaps, own.late, own.actions) == (0, (), (), ())
    assert {each.tenant for each in own.workloads} == {"acme"}
    assert whole.gaps
    text = keys["ann"].get(f"/v1/reviews/{WEEK}").text
    assert "bob" not in text
    assert "globex" not in text
    assert "nobody-knows" not in text


def test_an_owner_signs_for_itself_alone_and_the_hash_says_what(keys: dict[str, httpx.Client]) -> None:
    hash_ = published(keys["finance"])["hash"]
    assert problem(signed(keys["ann"], hash_, "bob"))[0] == 403
    assert problem(signed(keys["ann"], hash_))[0] == 403
    status, said = problem(signed(keys["ann"], "f" * 64, "ann", "Ann"))
    assert (status, said.endswith("read it again")) == (409, True)
    found = signed(keys["ann"], hash_[:12], "ann", "Ann", note="as planned").json()
    assert [(each["owner"], each["name"], each["hash"]) for each in found["signatures"]] == [
        ("ann", "Ann", hash_)
    ]
    assert (found["state"], found["unsigned"]) == ("published", [])
    assert keys["finance"].get(f"/v1/reviews/{WEEK}").json()["unsigned"] == ["bob"]


def test_the_same_signature_again_changes_nothing_and_another_name_is_refused(
    served: Reviewing, keys: dict[str, httpx.Client]
) -> None:
    hash_ = published(keys["finance"])["hash"]
    first = signed(keys["ann"], hash_, "ann", "Ann").json()
    served.now += timedelta(hours=1)
    assert signed(keys["ann"], hash_, "ann", "Ann").json() == first
    status, said = problem(signed(keys["finance"], hash_, "ann", "Somebody"))
    assert (status, "signed for the cost of ann by Ann" in said) == (409, True)
    assert served.sql("SELECT count(*) FROM review_signatures") == [(1,)]


def test_a_sealed_week_is_neither_signed_nor_published_again(keys: dict[str, httpx.Client]) -> None:
    hash_ = published(keys["finance"])["hash"]
    sealed = signed(keys["finance"], hash_).json()
    assert sealed["state"] == "sealed"
    assert signed(keys["finance"], hash_).json() == sealed
    assert problem(signed(keys["ann"], hash_, "ann", "Ann")) == (
        409,
        f"the week {WEEK} is sealed: all of it is signed",
    )
    assert problem(keys["finance"].post(PUBLISH))[0] == 409
    (listed,) = keys["finance"].get("/v1/reviews").json()["reviews"]
    assert (listed["state"], listed["hash"]) == ("sealed", hash_)


def test_what_is_published_stays_until_it_is_published_again(
    served: Reviewing, keys: dict[str, httpx.Client]
) -> None:
    first = published(keys["finance"])
    served.book(of("acme", "writer", 9, TUESDAY))
    served.now += timedelta(days=1)
    assert keys["finance"].get(f"/v1/reviews/{WEEK}").json()["document"] == first["document"]
    assert document(keys["finance"], fresh="true").total.calls == document(keys["finance"]).total.calls + 1
    assert published(keys["finance"])["hash"] != first["hash"]


def test_what_comes_for_a_published_week_stands_as_late_in_the_next_review(
    served: Reviewing, keys: dict[str, httpx.Client]
) -> None:
    before = "2026-W46"
    served.now += timedelta(hours=1)
    keys["finance"].post(f"/v1/reviews/{before}/publish").raise_for_status()
    served.now += timedelta(hours=1)
    assert document(keys["finance"]).late == ()
    served.book(of("acme", "writer", 11, TUESDAY - timedelta(days=7)))
    (late,) = document(keys["finance"]).late
    assert (str(late.day), late.kind, late.workload) == ("2026-11-10", "late", "writer")
    assert (late.why, late.amount > 0) == ("1 calls came late", True)


def test_a_week_that_is_not_over_or_not_published_or_none_is_refused(keys: dict[str, httpx.Client]) -> None:
    status, said = problem(keys["finance"].post("/v1/reviews/2026-W48/publish"))
    assert (status, "it is published when it is over" in said) == (409, True)
    status, said = problem(signed(keys["finance"], "0" * 12))
    assert (status, said) == (404, f"{WEEK} is not published: switchgear review --week {WEEK} --publish")
    assert problem(keys["finance"].get("/v1/reviews/2026-W54"))[0] == 422
    hash_ = published(keys["finance"])["hash"]
    status, said = problem(signed(keys["finance"], hash_, "eve"))
    assert (status, said) == (422, f"{WEEK} has no owner 'eve'; there are: ann, bob")


def test_a_document_that_was_changed_in_the_database_is_refused(
    served: Reviewing, keys: dict[str, httpx.Client]
) -> None:
    hash_ = published(keys["finance"])["hash"]
    served.sql("""UPDATE reviews SET document = replace(document, '"calls":1', '"calls":2')""")
    finance = keys["finance"]
    for answer in (finance.get(f"/v1/reviews/{WEEK}"), signed(finance, hash_), finance.post(PUBLISH)):
        status, said = problem(answer)
        assert (status, "was changed in the database" in said) == (500, True)


def test_of_two_who_publish_at_once_one_document_stands_and_is_the_one_that_is_answered(
    keys: dict[str, httpx.Client],
) -> None:
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(published, [keys["finance"]] * 2)
    stands = keys["finance"].get(f"/v1/reviews/{WEEK}").json()
    assert stands["hash"] in (first["hash"], second["hash"])
    assert hash_of(stands["document"].encode()) == stands["hash"]
    assert len(keys["finance"].get("/v1/reviews").json()["reviews"]) == 1


def test_actions_are_carried_from_week_to_week_with_their_state(
    served: Reviewing, keys: dict[str, httpx.Client]
) -> None:
    path, asked = (
        f"/v1/reviews/{WEEK}/actions",
        {"text": "Cap the writer", "due": "2026-11-26", "saving": "12.5"},
    )
    assert problem(keys["ann"].post(path, json={**asked, "owner": "bob"}))[0] == 403
    once = {"Idempotency-Key": "k"}
    (name,) = {
        keys["ann"].post(path, json={**asked, "owner": "ann"}, headers=once).json()["id"] for _ in "12"
    }
    of_bob = keys["finance"].post(path, json={**asked, "owner": "bob"}).json()["id"]
    assert [each["owner"] for each in keys["ann"].get(path).json()["actions"]] == ["ann"]
    made = document(keys["finance"])
    assert [(each.owner, each.state, each.saving) for each in made.actions] == [
        ("ann", "open", Decimal("12.5")),
        ("bob", "open", Decimal("12.5")),
    ]
    assert [line.next_action for line in made.owners[:2]] == ["Cap the writer"] * 2
    change = f"/v1/reviews/actions/{of_bob}"
    assert problem(keys["ann"].patch(change, json={"state": "done"}))[0] == 404
    assert keys["bob"].patch(change, json={"state": "done", "note": "at 2.00"}).json()["state"] == "done"
    served.now = datetime(2026, 12, 1, tzinfo=UTC)
    found = document(keys["finance"], "2026-W48").last_actions
    assert {each.id: (each.state, each.note) for each in found} == {
        name: ("overdue", None),
        of_bob: ("done", "at 2.00"),
    }


def test_an_action_is_put_off_and_handed_over_by_who_may_speak_for_both_owners(
    served: Reviewing, keys: dict[str, httpx.Client]
) -> None:
    asked = {"owner": "ann", "text": "Cap the writer", "due": "2026-11-23", "saving": "12.5"}
    name = keys["ann"].post(f"/v1/reviews/{WEEK}/actions", json=asked).json()["id"]
    change = f"/v1/reviews/actions/{name}"
    put_off = keys["ann"].patch(change, json={"due": "2026-12-04", "note": "waits for legal"}).json()
    assert put_off == {
        **asked,
        "id": name,
        "week": WEEK,
        "due": "2026-12-04",
        "state": "open",
        "note": "waits for legal",
    }
    assert problem(keys["ann"].patch(change, json={"owner": "bob"})) == (
        403,
        "the key may not speak for the cost of bob",
    )
    assert keys["finance"].patch(change, json={"owner": "bob"}).json() == {**put_off, "owner": "bob"}
    assert problem(keys["ann"].patch(change, json={"state": "done"}))[0] == 404
    assert keys["bob"].patch(change, json={}).status_code == 422


def test_a_gap_to_an_invoice_is_named_and_its_causes_add_up_to_it(
    served: Reviewing, keys: dict[str, httpx.Client]
) -> None:
    line = {"day": "2026-11-17", "model": "gpt-4o-mini", "kind": "other", "amount": "1.25"}
    statement = {
        "provider": "openai",
        "source": "by hand",
        "sha256": "0" * 64,
        "currency": "USD",
        "shape": "table",
        "first_day": "2026-11-01",
        "last_day": "2026-11-30",
        "lines": [line],
    }
    assert keys["finance"].put("/v1/invoices", json={"invoices": [statement]}).status_code == 200
    made = document(keys["finance"])
    (gap,) = (each for each in made.gaps if each.month == "2026-11")
    assert (gap.theirs, gap.within) == (Decimal("1.25"), False)
    assert gap.gap == Decimal("1.25") - gap.ours
    assert gap.causes
    assert sum(cause.amount for cause in gap.causes) == gap.gap
    assert made.headline.sentences[-1].startswith("openai billed $1.25 for 2026-11, ")
