"""An owner sees what counts their workloads alone, in whichever tenant; finance sees what its tenants are held to."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from collector.keys.keyring import FILE_NAME, Keyring
from collector.pricing import Quote
from policies.files import parse
from policies.service import create_app
from switchgear.usage import Usage

POLICY = """\
version: 1
tenants:
  acme:
    workloads:
      mine: {owner: ann, cost_centre: CC-1}
      theirs: {owner: zoe, cost_centre: CC-2}
  globex: {workloads: {also-mine: {owner: ann, cost_centre: CC-3}}}
capacity:
  - {provider: openai, requests_per_minute: 600000}
plans:
  - {cost_centre: CC-1, month: "2026-11", amount: 1 USD}
  - {cost_centre: CC-3, month: "2026-11", amount: 3 USD}
ceilings:
  - {name: acme-hour, scope: {tenant: acme}, limit: 5 USD, window: 1h}
  - {name: each-workload, scope: {tenant: acme}, per: workload, limit: 2 USD, window: 1h}
  - {name: each-owner, per: owner, limit: 6 USD, window: 1h}
  - {name: ann-all, scope: {owner: ann}, limit: 7 USD, window: 1h}
  - {name: zoe-all, scope: {owner: zoe}, limit: 7 USD, window: 1h}
  - {name: theirs-hour, scope: {tenant: acme, workload: theirs}, limit: 4 USD, window: 1h}
  - {name: mine-hour, scope: {tenant: acme, workload: mine}, limit: 4 USD, window: 1h}
  - {name: named-mine, scope: {workload: mine}, limit: 4 USD, window: 1h}
  - {name: acme-task, scope: {tenant: acme}, per: task, limit: 1 USD}
  - {name: together, limit: 100 USD, window: 1h}
overrides:
  - &o {ceiling: each-workload, scope: {workload: mine}, limit: 3 USD, until: 2099-01-01T00:00:00Z, author: k,
     reason: launch}
  - {<<: *o, scope: {workload: theirs}}
"""
CALLS = (("acme", "mine"), ("acme", "theirs"), ("globex", "also-mine"))


def price(
    provider: str | None,
    model: str | None,
    usage: Usage,
    at: datetime,
    service_tier: str | None = None,
    tenant: str | None = None,
) -> Quote:
    return Quote(Decimal(usage.total) / 1_000_000, "USD", "a test's rates")


class Engine:
    """One engine, with a call of each workload under way, and who asks it."""

    def __init__(self, folder: Path) -> None:
        (folder / "policies.yaml").write_text(POLICY)
        self._keyring = Keyring(folder / FILE_NAME)
        self.app: Any = create_app(
            policy_file=folder / "policies.yaml", data=folder, price=price, collector=None
        )
        self._client = httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://engine")

    async def start(self) -> None:
        agent = self.key("*", "decide")
        for tenant, workload in CALLS:
            call = {
                "provider": "openai",
                "model": "m",
                "input_bytes": 0,
                "max_output_tokens": 1000,
                "tenant": tenant,
                "workload": workload,
                "task": f"{workload}-task",
                "id": f"{workload}-grant",
            }
            answer = await self._client.post("/v1/grants", json=call, headers=agent)
            assert answer.json()["grant"] is not None, answer.text
        await self.force("disable", "*")

    async def force(self, do: str, ceiling: str) -> None:
        body = {"ceiling": ceiling, "do": do, "by": "kim", "reason": "a test"}
        answer = await self._client.post("/v1/breakers", json=body, headers=self.key("*", "operate"))
        assert answer.status_code == 200

    def key(self, tenants: str, *scopes: str) -> dict[str, str]:
        _, secret = self._keyring.create(tenants.split(), scopes, now=datetime.now(UTC))
        self.app.access.refresh()
        return {"authorization": f"Bearer {secret}"}

    async def get(self, key: dict[str, str], path: str, status: int = 200, **params: str) -> dict[str, Any]:
        answer = await self._client.get(f"/v1/{path}", params=params, headers=key)
        assert answer.status_code == status, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def stop(self) -> None:
        await self._client.aclose()


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    running = Engine(tmp_path)
    await running.start()
    yield running
    await running.stop()


def _scopes(found: list[dict[str, Any]]) -> set[str]:
    return {" ".join([each.get("policy") or each["ceiling"], *each["scope"].values()]) for each in found}


MINE = {"each-workload acme mine", "each-owner ann", "ann-all ann", "mine-hour acme mine"}


async def test_an_owner_sees_what_counts_their_workloads_alone(engine: Engine) -> None:
    ann = engine.key("", "owner:ann")
    assert _scopes((await engine.get(ann, "budgets"))["budgets"]) == MINE
    breakers = await engine.get(ann, "breakers")
    assert _scopes(breakers["breakers"]) == MINE
    assert _scopes(breakers["transitions"]) == MINE
    holds = {(each["tenant"], each["workload"]) for each in (await engine.get(ann, "grants"))["grants"]}
    assert holds == {("acme", "mine"), ("globex", "also-mine")}
    assert [each["scope"] for each in (await engine.get(ann, "overrides"))["overrides"]] == [
        {"workload": "mine"}
    ]
    (lane,) = (await engine.get(ann, "shares"))["providers"]
    assert (lane["requests_per_minute"], lane["used_requests"], lane["throttled"]) == (600_000, None, None)
    assert (lane["shares"], lane["queued_by_tenant"]) == ([], {})


async def test_an_owner_is_told_a_policy_file_of_their_own_that_can_be_read(engine: Engine) -> None:
    told = await engine.get(engine.key("", "owner:ann"), "policies")
    assert told["text"] is None
    seen = parse(json.dumps(told["document"]), name="f")
    assert {tenant.name: [w.name for w in tenant.workloads] for tenant in seen.tenants} == {
        "acme": ["mine"],
        "globex": ["also-mine"],
    }
    assert [c.name for c in seen.ceilings] == ["each-workload", "each-owner", "ann-all", "mine-hour"]
    assert (len(seen.overrides), seen.plans) == (1, ())
    assert not [word for word in ("theirs", "zoe", "together", "acme-task") if word in json.dumps(told)]


async def test_an_owner_is_told_what_restrains_them_and_no_amount_of_others(engine: Engine) -> None:
    ann = engine.key("", "owner:ann")
    told = await engine.get(ann, "explain", tenant="acme", workload="mine", task="mine-task")
    with_amounts = {each["ceiling"]: "spent" in each for each in told["ceilings"]}
    assert {name for name, shown in with_amounts.items() if shown} == {name.split()[0] for name in MINE}
    assert {"acme-hour", "together", "named-mine", "acme-task"} <= with_amounts.keys()
    silent = {each["reason"] for each in told["ceilings"] if "spent" not in each}
    assert silent == {"it counts the calls of others too"}


async def test_what_is_left_of_a_ceiling_is_told_to_whoever_sees_all_that_it_counts(engine: Engine) -> None:
    await engine.force("open", "acme-hour")
    keys = engine.key("", "owner:ann"), engine.key("acme", "finance")
    ann, finance = [
        (await engine.get(each, "explain", tenant="acme", workload="mine"))["decision"] for each in keys
    ]
    assert (ann["policy"], ann["action"], ann["ceiling"]) == ("acme-hour", "deny", "5")
    assert (ann["remaining"], ann["projected"]) == (None, None)
    assert ann["reason"] == "acme-hour: it counts the calls of others too"
    assert Decimal(finance["remaining"]) < 5
    assert "a test" in finance["reason"]


async def test_nobody_elses_workload_is_explained_to_an_owner(engine: Engine) -> None:
    ann, agent = engine.key("", "owner:ann"), engine.key("acme", "decide")
    for workload in ("theirs", "nothing"):
        await engine.get(ann, "explain", 403, tenant="acme", workload=workload)
    made = [
        (await engine.get(agent, "decisions", tenant="acme", workload=workload))["id"]
        for workload in ("mine", "theirs")
    ]
    assert (await engine.get(ann, "explain", decision=made[0]))["who"]["workload"] == "mine"
    await engine.get(ann, "explain", 404, decision=made[1])


async def test_an_owner_moves_nothing_by_hand(engine: Engine) -> None:
    ann = engine.key("", "owner:ann")
    for method, path in (
        ("POST", "breakers"),
        ("POST", "overrides"),
        ("DELETE", "overrides/o1"),
        ("POST", "tasks/t:stop"),
    ):
        answer = await engine._client.request(method, f"/v1/{path}", json={}, headers=ann)
        assert answer.status_code == 403, path


async def test_an_owner_with_a_tenant_sees_of_it_what_their_other_scopes_are_for(engine: Engine) -> None:
    agent = engine.key("acme", "decide", "owner:ann")
    assert _scopes((await engine.get(agent, "budgets"))["budgets"]) == MINE
    reader = engine.key("acme", "read", "owner:ann")
    seen = _scopes((await engine.get(reader, "budgets"))["budgets"])
    assert MINE | {"acme-hour acme", "theirs-hour acme theirs"} <= seen
    assert not seen & {"together", "zoe-all zoe"}


async def test_finance_sees_what_its_tenants_are_held_to(engine: Engine) -> None:
    finance, reader = engine.key("acme", "finance"), engine.key("acme", "read")
    for path in ("budgets", "breakers", "overrides", "shares", "grants"):
        told = [await engine.get(each, path) for each in (finance, reader)]
        assert [told[0].pop("at", None) is None, told[1].pop("at", None) is None] in ([True] * 2, [False] * 2)
        assert _still(told[0]) == _still(told[1]), path
    plans = [(await engine.get(each, "policies"))["document"].get("plans", []) for each in (finance, reader)]
    assert [[plan["cost_centre"] for plan in each] for each in plans] == [["CC-1"], []]
    await engine.get(finance, "explain", tenant="acme", workload="theirs")
    await engine.get(finance, "explain", 403, tenant="globex", workload="also-mine")


def _still(told: dict[str, Any]) -> str:
    """What is told, without what moves from moment to moment."""
    moving = ("retry_after_s", "horizon_s", "rate_per_s", "projected", "band", "expected", "kept", "arriving")
    text: str = json.dumps(told, sort_keys=True)
    found = json.loads(text)
    for each in found.get("budgets", found.get("breakers", [])):
        for name in moving:
            each.pop(name, None)
    return json.dumps(found, sort_keys=True)
