"""Grants with spare holds, and their ends by the batch, over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from collector.keys.key import Key
from collector.pricing import Quote
from policies.hot import HotRoutes
from policies.service import create_app
from switchgear.usage import Usage

POLICY = """\
version: 1
tenants: {acme: {}, zenith: {}}
ceilings:
  - {name: hour, limit: 50 USD, window: 1h}
"""
CALL = {
    "tenant": "acme",
    "workload": "w",
    "provider": "openai",
    "model": "m",
    "input_bytes": 0,
    "max_output_tokens": 984,
}
ZERO, RATE = Decimal(0), Decimal("0.00001")
# With 16 tokens of slack, at ten dollars a million.
EACH = (984 + 16) * RATE


def price(provider: str | None, model: str | None, usage: Usage, at: datetime, *_: object) -> Quote:
    return Quote(usage.total * RATE, "USD", "a test's rates")


@pytest.fixture
def app(tmp_path: Path) -> HotRoutes:
    file = tmp_path / "policies.yaml"
    file.write_text(POLICY)
    return create_app(policy_file=file, data=tmp_path, price=price, collector=None, keyless=True)


@pytest.fixture
async def client(app: HotRoutes) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://engine") as client:
        yield client


async def grant(client: httpx.AsyncClient, grant_id: str, **more: Any) -> Any:
    reply = await client.post("/v1/grants", json={**CALL, "id": grant_id, **more})
    assert reply.status_code == 200, reply.text
    return reply.json()["grant"]


async def finish(client: httpx.AsyncClient, *items: dict[str, Any]) -> list[dict[str, Any]]:
    reply = await client.post("/v1/grants:finish", json={"finished": list(items)})
    assert reply.status_code == 200, reply.text
    finished: list[dict[str, Any]] = reply.json()["finished"]
    return finished


async def in_flight(client: httpx.AsyncClient) -> tuple[int, Decimal, Decimal]:
    (hour,) = (await client.get("/v1/budgets")).json()["budgets"]
    return hour["calls_in_flight"], Decimal(hour["held"]), Decimal(hour["spent"])


async def test_a_batch_of_ends_is_answered_in_order_and_counted_as_one_by_one(
    client: httpx.AsyncClient,
) -> None:
    got = await grant(client, "batch-001", spare=7)
    assert (got["calls"], got["lease"]) == (8, "batch-001:1")
    finished = await finish(
        client,
        {"lease": "batch-001:3", "do": "settle", "model": "m", "usage": {"output": 100}},
        {"lease": "batch-001", "do": "settle", "usage": None},
        {"lease": "batch-001:3", "do": "settle", "usage": {"output": 100}},
        {"lease": "nobody-01:1", "do": "release"},
        {"lease": "batch-001", "do": "release", "calls": 4},
        {"lease": "batch-001:2", "do": "release", "calls": 1, "throttled_for_s": 1, "headers": {}},
    )
    assert [(each["lease"], each["held"]) for each in finished] == [
        ("batch-001:3", True),
        ("batch-001", True),
        ("batch-001:3", False),
        ("nobody-01:1", False),
        ("batch-001", True),
        ("batch-001:2", True),
    ]
    assert finished[-1]["retry"]["allowed"]
    # 8 less 2 settled, 4 and 1 given back; one settled at its counts and one at what was held.
    assert await in_flight(client) == (1, EACH, 100 * RATE + EACH)


async def test_one_that_cannot_be_read_is_told_in_its_place_and_does_not_hinder_the_others(
    client: httpx.AsyncClient,
) -> None:
    await grant(client, "batch-001")
    bad: list[Any] = [
        {"lease": "batch-001:1", "do": "settle", "usage": {"output": -1}},
        {"lease": "batch-001:1", "do": "settle", "usage": {"output": 1, "reasoning": 2}},
        {"lease": "a/b", "do": "release"},
        {"lease": "batch-001:1", "do": "extend", "max_output_tokens": 1},
        {"do": "release"},
        7,
    ]
    *told, last = await finish(client, *bad, {"lease": "batch-001:1", "do": "settle", "usage": {"output": 1}})
    assert last == {"lease": "batch-001:1", "held": True}
    fields = [each["error"].partition(":")[0] for each in told]
    assert fields == ["usage.output", "usage", "lease", "do", "lease", "body"]
    assert [each["lease"] for each in told] == [*["batch-001:1"] * 2, "a/b", "batch-001:1", None, None]
    assert not any(each["held"] for each in told)


@pytest.mark.parametrize("body", [{"finished": [{}] * 1001}, {"finished": {}}, {}, {"finished": [], "x": 1}])
async def test_a_batch_that_is_none_is_refused_as_a_whole(
    client: httpx.AsyncClient, body: dict[str, Any]
) -> None:
    assert (await client.post("/v1/grants:finish", json=body)).status_code == 422


async def test_another_tenant_s_grant_is_one_that_never_was(
    app: HotRoutes, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    await grant(client, "batch-001", spare=3)
    stranger = Key("k1", ("zenith",), frozenset({"decide"}))
    monkeypatch.setattr(app.access, "admit", lambda *_: stranger)
    finished = await finish(
        client,
        {"lease": "batch-001:1", "do": "settle", "usage": {"output": 1}},
        {"lease": "batch-001", "do": "release", "throttled_for_s": 3600},
        {"lease": "never-was:1", "do": "settle", "usage": {"output": 1}},
    )
    assert [each["held"] for each in finished] == [False] * 3
    assert {account.meter.holds for account in app.runtime.engine.accounts} == {4}


@pytest.mark.parametrize("grant_id", ["call:0001", "call/0001", "call-001\n", "call-\x00001"])
async def test_an_id_that_no_route_can_name_is_refused(client: httpx.AsyncClient, grant_id: str) -> None:
    reply = await client.post("/v1/grants", json={**CALL, "id": grant_id})
    assert reply.status_code == 422
    assert reply.json()["detail"].startswith("id: ")


async def test_asking_again_gets_the_same_spare_holds(client: httpx.AsyncClient) -> None:
    first = await grant(client, "batch-001", spare=5)
    await finish(client, {"lease": "batch-001", "do": "release", "calls": 2})
    assert await grant(client, "batch-001", spare=5) == first
    assert (await in_flight(client))[0] == 4


async def test_a_call_that_outgrows_its_hold_is_extended_alone(client: httpx.AsyncClient) -> None:
    await grant(client, "batch-001", spare=3)
    reply = await client.post("/v1/grants/batch-001:2:extend", json={"max_output_tokens": 1984})
    assert reply.json() == {"lease": "batch-001:2", "held": True}
    # Of four holds one is a thousand tokens larger.
    assert await in_flight(client) == (4, 4 * EACH + 1000 * RATE, ZERO)
    await finish(client, {"lease": "batch-001", "do": "release", "calls": 3})
    assert await in_flight(client) == (1, EACH + 1000 * RATE, ZERO)
    await finish(client, {"lease": "batch-001:2", "do": "settle", "usage": {"output": 10}})
    assert await in_flight(client) == (0, ZERO, 10 * RATE)
