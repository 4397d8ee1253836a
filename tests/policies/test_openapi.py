"""The engine's OpenAPI document: an example of each request that a service takes, and of the answer that it gives."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator

from collector.pricing import Quote
from policies.access import RULES
from policies.examples import EXAMPLES
from policies.service import create_app
from switchgear.usage import Usage

NOW = datetime(2026, 12, 1, 10, tzinfo=UTC).timestamp()
POLICY = """\
version: 1
tenants:
  acme:
    workloads:
      summarize-sales: {owner: sales-data, cost_centre: CC-100, tier: interactive}
capacity:
  - {provider: openai, requests_per_minute: 600, tokens_per_minute: 2000000}
ceilings:
  - {name: acme-hour, scope: {tenant: acme}, limit: 5 USD, window: 1h}
"""
OPERATIONS = [route for route in RULES.table if route != "GET /openapi.json"]


def price(provider: str | None, model: str | None, usage: Usage, at: datetime, *_: object) -> Quote:
    cost = (usage.input_uncached * Decimal("2.50") + usage.output * Decimal("10.00")) / 1_000_000
    return Quote(cost, "USD", "a test's rates")


@pytest.fixture
async def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an engine whose clock stands still."""
    monkeypatch.setattr("policies.service.steady_clock", lambda: lambda: NOW)
    file = tmp_path / "policies.yaml"
    file.write_text(POLICY)
    app = create_app(policy_file=file, data=tmp_path, price=price, collector=None)
    transport = httpx.ASGITransport(app)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://engine") as client:
        yield client


@pytest.fixture
async def document(client: httpx.AsyncClient) -> dict[str, Any]:
    document: dict[str, Any] = (await client.get("/openapi.json")).json()
    return document


def operation(document: dict[str, Any], route: str) -> dict[str, Any]:
    method, _, path = route.partition(" ")
    found: dict[str, Any] = document["paths"][path][method.lower()]
    return found


def documented(document: dict[str, Any], route: str) -> tuple[int, dict[str, Any]]:
    """The status of a route's success, and its content with schema and example."""
    ((status, response),) = (
        (status, response)
        for status, response in operation(document, route)["responses"].items()
        if status in ("200", "201")
    )
    (content,) = response["content"].values()
    return int(status), content


def check(document: dict[str, Any], schema: dict[str, Any], value: Any) -> None:
    Draft202012Validator({**schema, "components": document["components"]}).validate(value)


def form(value: Any) -> Any:
    """What kind of value stands where; of a list, each."""
    if isinstance(value, dict):
        return {name: form(each) for name, each in value.items()}
    if isinstance(value, list):
        return [form(each) for each in value]
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value)


async def test_each_example_is_taken_and_answered_as_the_document_says(
    client: httpx.AsyncClient, document: dict[str, Any]
) -> None:
    made = ""
    for route, example in EXAMPLES.items():
        if route == "POST /v1/grants/{id}:release":
            another = {**(EXAMPLES["POST /v1/grants"].body or {}), "id": example.parameters["id"]}
            await client.post("/v1/grants", json=another)
        method, _, path = route.partition(" ")
        parameters = dict(example.parameters)
        if "{id}" in path:
            shown = str(parameters.pop("id"))
            path = path.replace("{id}", made if "overrides" in path else shown)
        reply = await client.request(method, path, params=parameters, json=example.body)

        status, content = documented(document, route)
        assert reply.status_code == status, f"{route}: {reply.text}"
        if "json" not in reply.headers["content-type"]:
            assert set(example.answer.splitlines()) <= set(reply.text.splitlines())
            continue
        answer = reply.json()
        check(document, content["schema"], answer)
        assert form(answer) == form(example.answer), route
        if route == "POST /v1/overrides":
            made = answer["id"]


@pytest.mark.parametrize("route", OPERATIONS)
async def test_each_route_is_shown_with_a_request_and_an_answer(route: str, document: dict[str, Any]) -> None:
    shown = operation(document, route)
    _, content = documented(document, route)
    assert content["schema"]
    check(document, content["schema"], content["example"])
    for body in shown.get("requestBody", {}).get("content", {}).values():
        check(document, body["schema"], body["example"])
    shown_by = {each["name"]: each for each in shown.get("parameters", ()) if "example" in each}
    for parameter in shown_by.values():
        check(document, parameter["schema"], parameter["example"])
    needed = {each["name"] for each in shown.get("parameters", ()) if each["required"]}
    assert needed | set(re.findall(r"{(\w+)}", route)) <= set(shown_by)
    assert set(shown_by) == set(EXAMPLES[route].parameters)


async def test_each_parameter_of_a_decision_says_what_it_is(document: dict[str, Any]) -> None:
    parameters = operation(document, "GET /v1/decisions")["parameters"]
    names = ["tenant", "workload", "tier", "task", "provider", "model", "wait", "if-none-match"]
    assert [each["name"] for each in parameters] == names
    assert [each["name"] for each in parameters if each["required"]] == ["tenant", "workload"]
    assert all(each["description"] for each in parameters)


async def test_writes_that_take_an_idempotency_key_say_so(document: dict[str, Any]) -> None:
    saying = [
        route
        for route in OPERATIONS
        if any(each["name"] == "idempotency-key" for each in operation(document, route).get("parameters", ()))
    ]
    assert saying == ["POST /v1/breakers", "POST /v1/overrides"]
