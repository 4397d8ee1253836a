"""Who may ask the collector what: every route needs a scope, and no key reaches beyond its tenants and owners."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from otlp_samples import PROTOBUF, Served, llm_span, request
from serving import PLAIN

from analytics import registry, reports
from collector.guard import RULES
from collector.keys.keyring import FILE_NAME, Keyring
from collector.keys.rules import ANY_KEY
from collector.queries.visible import VIEWS

ROOT = "the root key"
OTHER = "globex"
WEEK = "2026-W48"
RANGE = {"from": "2026-11-01T00:00:00Z", "to": "2026-12-01T00:00:00Z"}
REGISTRY = {
    "workloads": [
        {"tenant": "acme", "workload": "w", "owner": "ann", "cost_centre": "CC-1"},
        {"tenant": OTHER, "workload": f"{OTHER}-agent", "owner": "bob", "cost_centre": f"CC-{OTHER}"},
    ],
    "plans": [
        {"cost_centre": centre, "month": "2026-11", "amount": "1200", "currency": "USD"}
        for centre in ("CC-1", f"CC-{OTHER}")
    ],
}
EVERY_ROW = " UNION ALL ".join(f"SELECT '{view}', to_json(row)::VARCHAR FROM {view} AS row" for view in VIEWS)
Client = Callable[..., httpx.Client]


def transition(tenant: str) -> dict[str, Any]:
    return {
        "id": f"t-{tenant}",
        "at": "2026-11-24T06:00:00Z",
        "policy": f"{tenant}-hour",
        "scope": {"tenant": tenant},
        "from": "closed",
        "to": "open",
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("two tenants")


@pytest.fixture(scope="module")
def served(folder: Path) -> Iterator[Served]:
    """A collector with a call, a transition, a workload and a plan of each of two tenants."""
    with Served(folder, api_key=ROOT, reports=reports.REPORTS, registry=registry) as running:
        running.http.headers["Authorization"] = f"Bearer {ROOT}"
        fill(running)
        yield running


def fill(served: Served) -> None:
    spans = [
        llm_span(1, {"switchgear.tenant": "acme", "switchgear.workload": "w"}),
        llm_span(
            2,
            {
                "switchgear.tenant": OTHER,
                "switchgear.workload": f"{OTHER}-agent",
                "switchgear.task.id": f"{OTHER}-task",
                "switchgear.task.root_id": f"{OTHER}-task",
            },
        ),
    ]
    assert served.send(request(spans)).json() == {}
    # What is kept aside is of a tenant too: a conflict, and a span that cannot be.
    named = {"switchgear.tenant": OTHER, "switchgear.workload": f"{OTHER}-agent"}
    odd = [
        llm_span(2, {**named, "gen_ai.usage.output_tokens": 51}),
        llm_span(3, {**named, "gen_ai.usage.output_tokens": -1}),
    ]
    assert served.send(request(odd)).json()["partialSuccess"]["rejectedSpans"] == "1"
    audit = {"transitions": [transition("acme"), transition(OTHER)]}
    assert served.http.post("/v1/audit", json=audit).status_code == 200
    assert served.http.put("/v1/registry", json=REGISTRY).status_code == 200


@pytest.fixture
def as_key(served: Served, folder: Path) -> Iterator[Client]:
    """A client with a key of these tenants and scopes."""
    keyring = Keyring(folder / FILE_NAME)
    clients: list[httpx.Client] = []

    def client(tenants: str, *scopes: str) -> httpx.Client:
        _, secret = keyring.create(tenants.split(), scopes, now=datetime.now(UTC))
        clients.append(served.client(headers={"Authorization": f"Bearer {secret}"}))
        served.app.access.refresh()
        return clients[-1]

    yield client
    for each in clients:
        each.close()


def _routes(client: httpx.Client) -> list[tuple[str, str]]:
    paths = client.get("/openapi.json").json()["paths"]
    return [(method.upper(), path) for path, methods in paths.items() for method in methods]


def test_every_route_stands_in_the_table_and_needs_one_of_its_scopes(served: Served, as_key: Client) -> None:
    found = _routes(served.http)
    beside = {"GET /openapi.json", "POST /v1/metrics", "POST /v1/logs"}
    assert {f"{method} {path}" for method, path in found} | beside == set(RULES.table)
    stranger, nobody = as_key("*", "decide"), as_key("*", "decide")
    del nobody.headers["Authorization"]
    for method, path in found:
        needs = RULES.table[f"{method} {path}"]
        assert "decide" not in needs
        url = path.replace("{name}", "spend")
        statuses = [
            nobody.request(method, url).status_code,
            nobody.request(method, f"{url}?api_key={ROOT}&key={ROOT}").status_code,
            stranger.request(method, url).status_code,
        ]
        told = [200] * 3 if not needs else [401, 401, 200 if needs == ANY_KEY else 403]
        assert statuses == told, f"{method} {path}"


def _answers(client: httpx.Client) -> dict[str, str]:
    """What the client is told over every route, each asked in all the ways that could say something."""
    told = {}
    for method, path in _routes(client):
        body = {"json": {"nothing": 1}} if method in ("POST", "PUT") else {}
        told[f"{method} {path}"] = client.request(method, path, **body).text
    for name in reports.REPORTS:
        for params in (
            {"week": WEEK},
            RANGE,
            {**RANGE, "by": "tenant,workload,owner"},
            {**RANGE, "by": "owner"},
            {**RANGE, "tenant": OTHER, "task": f"{OTHER}-task"},
        ):
            answer = client.get(f"/v1/reports/{name}", params=params)
            told[f"report {name} {params}"] = answer.text
    answer = client.post("/v1/query", json={"sql": EVERY_ROW})
    assert answer.status_code == 200, answer.text
    for view, row in answer.json()["rows"]:
        told[f"query {view}"] = told.get(f"query {view}", "") + row
    told["feed"] = client.get("/v1/feed").text
    return told


@pytest.mark.parametrize("scopes", [("admin",), ("read",)], ids=" ".join)
def test_a_key_of_one_tenant_is_told_0_bytes_of_another(as_key: Client, scopes: tuple[str, ...]) -> None:
    told = _answers(as_key("acme", *scopes))
    assert {question: text for question, text in told.items() if OTHER in text} == {}
    assert '"tenant":"acme"' in told["feed"]


def test_a_key_of_every_tenant_is_told_of_both(as_key: Client) -> None:
    told = _answers(as_key("*", "read", "finance"))
    for question in (
        "feed",
        "GET /v1/registry",
        *(f"query {view}" for view in ("calls", "transitions", "plans")),
    ):
        assert OTHER in told[question], question
    shown = {
        question.split()[1] for question, text in told.items() if question[:6] == "report" and OTHER in text
    }
    # Nobody is named by the first; of the others nothing is missing, unowned or odd, and nothing came out of a cache.
    silent = {
        "answer_cache",
        "coverage",
        "incomplete",
        "unowned",
        "audit_anomalies",
        "audit_herds",
        "audit_loops",
        "task_outliers",
    }
    assert shown == reports.REPORTS.keys() - silent


@pytest.mark.parametrize(
    ("tenants", "scope", "seen"),
    [
        ("", "owner:ann", {"of ann"}),
        ("", "owner:bob", {"m of bob"}),
        ("acme", "read", {"openai of acme"}),
        ("*", "read", {"of ann", "m of bob", "m", "openai of acme"}),
    ],
    ids=["ann", "bob", "acme", "everybody"],
)
def test_a_breaker_for_an_owner_is_told_to_that_owner_and_one_for_a_model_to_nobody_beside_who_sees_all(
    served: Served, as_key: Client, tenants: str, scope: str, seen: set[str]
) -> None:
    scopes = {
        "of ann": {"owner": "ann"},
        "m of bob": {"owner": "bob", "model": "m"},
        "m": {"model": "m"},
        "openai of acme": {"tenant": "acme", "provider": "openai"},
    }
    moved = [transition("acme") | {"id": name, "policy": name, "scope": of} for name, of in scopes.items()]
    served.http.post("/v1/audit", json={"transitions": moved}).raise_for_status()
    told = as_key(tenants, scope).post("/v1/query", json={"sql": "SELECT policy FROM transitions"}).json()
    assert {policy for (policy,) in told["rows"]} & scopes.keys() == seen


def test_an_owner_sees_their_workloads_in_whichever_tenant_and_nothing_else(as_key: Client) -> None:
    bob = as_key("", "owner:bob")
    assert bob.post("/v1/query", json={"sql": "SELECT tenant FROM calls"}).json()["rows"] == [[OTHER]]
    assert [line["owner"] for line in bob.get("/v1/registry").json()["workloads"]] == ["bob"]
    assert bob.get("/v1/feed").status_code == 403
    assert "acme" not in "".join(_answers(bob).values())


def test_what_cannot_be_cut_to_a_tenant_needs_a_key_for_all(as_key: Client) -> None:
    one, every = as_key("acme", "admin"), as_key("*", "admin")
    asked = (
        ("GET", "/metrics", None),
        ("PUT", "/v1/registry", REGISTRY),
        ("POST", "/v1/audit", {"transitions": []}),
    )
    statuses = [
        [key.request(m, path, json=body).status_code for key in (one, every)] for m, path, body in asked
    ]
    assert statuses == [[403, 200]] * 3


def test_the_policies_need_internal_and_the_dashboard_read(as_key: Client) -> None:
    asked: tuple[tuple[str, str, Any], ...] = (
        ("GET", "/v1/feed", None),
        ("POST", "/v1/audit", {"transitions": [transition("acme")]}),
        ("PUT", "/v1/registry", REGISTRY),
        ("GET", "/v1/registry", None),
        ("GET", "/v1/reports/spend", None),
        ("POST", "/v1/query", {"sql": "SELECT 1"}),
    )
    internal, read = (
        [key.request(method, path, params=RANGE, json=body).status_code for method, path, body in asked]
        for key in (as_key("*", "internal"), as_key("*", "read"))
    )
    assert internal == [200, 200, 200, 403, 403, 403]
    assert read == [200, 403, 403, 200, 200, 200]


def test_a_span_of_another_tenant_is_refused_and_leaves_no_row(
    serve: Callable[..., Served], tmp_path: Path
) -> None:
    served = serve(tmp_path, api_key=ROOT)
    served.http.headers["Authorization"] = f"Bearer {ROOT}"
    _, secret = Keyring(tmp_path / FILE_NAME).create(["acme"], ["ingest"], now=datetime.now(UTC))
    served.app.access.refresh()
    foreign, nameless = {"switchgear.tenant": OTHER}, {"switchgear.tenant": None}
    with served.client(headers={"Authorization": f"Bearer {secret}"}) as agent:
        answer = agent.post("/v1/traces", json=request([llm_span(4, foreign), llm_span(5, nameless)]))
    assert answer.json()["partialSuccess"]["rejectedSpans"] == "1"
    # The second of them names no tenant; the key, which speaks for one, supplies it.
    assert served.rows("SELECT tenant, count(*) FROM calls GROUP BY 1") == [["acme", 1]]
    metrics = served.http.get("/metrics").text
    assert 'rejected_spans_total{reason="wrong_tenant"} 1' in metrics


@pytest.mark.parametrize(
    ("scope", "status", "code"), [("read", 403, 7), (None, 401, 16)], ids=["scope", "key"]
)
def test_an_exporter_without_the_right_is_told_in_its_own_encoding(
    served: Served, as_key: Client, scope: str | None, status: int, code: int
) -> None:
    headers = {"Content-Type": PROTOBUF}
    if scope is None:
        answer = httpx.post(f"{served.url}/v1/traces", headers=headers, trust_env=False, verify=PLAIN)
    else:
        answer = as_key("acme", scope).post("/v1/traces", headers=headers)
    assert (answer.status_code, Status.FromString(answer.content).code) == (status, code)


def test_a_registry_that_is_sent_again_under_its_key_is_stored_once(serve: Callable[..., Served]) -> None:
    served = serve(registry=registry)
    headers = {"Idempotency-Key": "r1"}
    first = served.http.put("/v1/registry", json=REGISTRY, headers=headers)
    served.http.put("/v1/registry", json={"workloads": [], "plans": []})
    again = served.http.put("/v1/registry", json=REGISTRY, headers=headers)
    assert (again.json(), again.headers["idempotency-replayed"]) == (first.json(), "true")
    assert served.http.get("/v1/registry").json()["workloads"] == []
    assert served.http.put("/v1/registry", json={}, headers=headers).status_code == 422
