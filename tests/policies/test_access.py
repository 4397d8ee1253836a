"""Who may ask the engine what: every route needs a scope, and no key reaches beyond its tenants."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from collector.keys.keyring import FILE_NAME, ID_LENGTH, Keyring
from collector.keys.rules import ANY_KEY
from collector.pricing import Quote
from policies.access import RULES
from policies.service import create_app
from switchgear.usage import Usage

POLICY = """\
version: 1
tenants:
  acme: {workloads: {w: {owner: ann, cost_centre: CC-1}}}
  globex: {workloads: {secret-agent: {owner: bob, cost_centre: CC-2}}}
capacity:
  - {provider: openai, requests_per_minute: 600}
ceilings:
  - {name: acme-hour, scope: {tenant: acme}, limit: 1 USD, window: 1h}
  - {name: globex-hour, scope: {tenant: globex}, limit: 0.0015 USD, window: 1h}
  - {name: globex-task, scope: {tenant: globex}, limit: 1 USD, per: task}
  - {name: together, limit: 100 USD, window: 1h}
"""
GRANT = {"provider": "openai", "model": "m", "input_bytes": 0, "max_output_tokens": 1000}
SCOPE = {"tenant": "globex", "workload": "secret-agent"}
FORCE = {"do": "open", "by": "ann", "reason": "a test"}


def price(provider: str | None, model: str | None, usage: Usage, at: datetime, *_: object) -> Quote:
    return Quote(Decimal(usage.total) / 1_000_000, "USD", "a test's rates")


def ask(tenant: str, id_: str, **more: Any) -> dict[str, Any]:
    workload = "w" if tenant == "acme" else "secret-agent"
    return {
        **GRANT,
        "tenant": tenant,
        "workload": workload,
        "task": f"{tenant}-task",
        "id": f"{tenant}-grant-{id_}",
        **more,
    }


class Engine:
    """One engine, and clients that ask it with keys of their own."""

    def __init__(self, folder: Path) -> None:
        (folder / "policies.yaml").write_text(POLICY)
        self._keyring = Keyring(folder / FILE_NAME)
        self.app = create_app(policy_file=folder / "policies.yaml", data=folder, price=price, collector=None)
        self.clients: list[httpx.AsyncClient] = []

    def __call__(self, tenants: str = "", *scopes: str) -> httpx.AsyncClient:
        """A client with a key of these tenants and scopes; without any, one without a key."""
        headers = {}
        if scopes:
            _, secret = self._keyring.create(tenants.split(), scopes, now=datetime.now(UTC))
            headers["authorization"] = f"Bearer {secret}"
            self.app.access.refresh()
        transport = httpx.ASGITransport(self.app)  # type: ignore[arg-type]
        client = httpx.AsyncClient(transport=transport, base_url="http://engine", headers=headers)
        self.clients.append(client)
        return client

    def revoke(self, client: httpx.AsyncClient) -> None:
        """End the key of a client, and let the engine see it."""
        key_id = client.headers["authorization"][len("Bearer ") :][:ID_LENGTH]
        self._keyring.revoke(key_id, now=datetime.now(UTC))
        self.app.access.refresh()


@pytest.fixture
async def as_key(tmp_path: Path) -> AsyncIterator[Engine]:
    engine = Engine(tmp_path)
    yield engine
    for client in engine.clients:
        await client.aclose()


async def _routes(client: httpx.AsyncClient) -> list[tuple[str, str]]:
    paths = (await client.get("/openapi.json")).json()["paths"]
    return [
        (m.upper(), path)
        for path, methods in paths.items()
        for m in methods
        if m in ("get", "post", "delete")
    ]


async def _queued(everyone: httpx.AsyncClient, requests: int) -> None:
    """Wait until so many requests wait for a grant."""
    async with asyncio.timeout(5):
        while f"switchgear_queue_length {requests}\n" not in (await everyone.get("/metrics")).text:  # noqa: ASYNC110
            await asyncio.sleep(0)


async def test_every_route_stands_in_the_table_and_needs_one_of_its_scopes(as_key: Engine) -> None:
    none, stranger = as_key(), as_key("*", "ingest")
    found = await _routes(none)
    assert {f"{method} {path}" for method, path in found} | {"GET /openapi.json"} == set(RULES.table)
    for method, path in found:
        needs = RULES.table[f"{method} {path}"]
        assert "ingest" not in needs
        statuses = [
            (await each.request(method, path.replace("{id}", "g1"))).status_code for each in (none, stranger)
        ]
        told = [200, 200] if not needs else [401, 200 if needs == ANY_KEY else 403]
        assert statuses == told, f"{method} {path}"


async def test_a_key_decides_for_its_tenants_only(as_key: Engine) -> None:
    agent = as_key("acme", "decide")
    foreign, unheard_of = {"tenant": "globex", "workload": "w"}, {"tenant": "nobody", "workload": "w"}
    answers = [
        answer
        for who in (foreign, unheard_of)
        for answer in (
            await agent.get("/v1/decisions", params=who),
            await agent.post("/v1/decisions:batch", json={"scopes": [{**who, "tenant": "acme"}, who]}),
            await agent.post("/v1/grants", json={**GRANT, **who, "id": "request-1"}),
        )
    ]
    assert [answer.status_code for answer in answers] == [403] * 6
    told = {answer.json()["detail"].replace("globex", "T").replace("nobody", "T") for answer in answers}
    assert len(told) == 1
    assert (await agent.post("/v1/grants", json=ask("acme", "1"))).json()["grant"] is not None
    own = {"tenant": "acme", "workload": "w"}
    assert (await agent.get("/v1/decisions", params=own)).status_code == 200


@pytest.mark.parametrize("verb", ["settle", "release"])
async def test_another_tenants_grant_is_answered_as_one_that_never_was(as_key: Engine, verb: str) -> None:
    agent, other = as_key("globex", "decide"), as_key("acme", "decide")
    assert (await agent.post("/v1/grants", json=ask("globex", "1"))).json()["grant"] is not None
    tried = await other.post(f"/v1/grants/globex-grant-1:{verb}", json={})
    never = await other.post(f"/v1/grants/globex-grant-0:{verb}", json={})
    assert (tried.status_code, never.status_code) == (200, 200)
    assert tried.json() == {**never.json(), "lease": "globex-grant-1:1"}
    ended = await agent.post(f"/v1/grants/globex-grant-1:{verb}", json={})
    assert ended.json() == {"lease": "globex-grant-1:1", "held": True}


async def test_a_key_that_ends_while_its_request_waits_is_told_nothing(as_key: Engine) -> None:
    agent, everyone = as_key("globex", "decide"), as_key("*", "admin")
    first = (await everyone.post("/v1/grants", json=ask("globex", "1"))).json()
    tag = (await agent.post("/v1/decisions:batch", json={"scopes": [SCOPE]})).json()["etag"]
    waiting = [
        asyncio.create_task(agent.post("/v1/grants", json=ask("globex", "2", wait=20))),
        asyncio.create_task(
            agent.post("/v1/decisions:batch", json={"scopes": [SCOPE], "etag": tag, "wait": 20})
        ),
    ]
    await _queued(everyone, 1)
    as_key.revoke(agent)
    await everyone.post(f"/v1/grants/{first['grant']['id']}:release", json={})
    await everyone.post("/v1/breakers", json={"ceiling": "globex-hour", **FORCE})
    assert [answer.status_code for answer in await asyncio.gather(*waiting)] == [401, 401]
    budgets = (await everyone.get("/v1/budgets")).json()["budgets"]
    assert {each["ceiling"]: each["calls_in_flight"] for each in budgets}["globex-hour"] == 0


async def test_an_id_that_comes_again_with_another_body_is_refused(as_key: Engine) -> None:
    agent, other = as_key("acme", "decide"), as_key("globex", "decide")
    first = await agent.post("/v1/grants", json=ask("acme", "1"))
    assert (await agent.post("/v1/grants", json=ask("acme", "1"))).json() == first.json()
    changed = await agent.post("/v1/grants", json=ask("acme", "1", model="another"))
    foreign = await other.post("/v1/grants", json={**ask("globex", "1"), "id": "acme-grant-1"})
    assert (changed.status_code, foreign.status_code) == (422, 422)
    assert "asked with another body before" in changed.json()["detail"]


@pytest.mark.parametrize(
    ("tenants", "scopes"),
    [
        ("acme", ["admin"]),
        ("acme", ["read"]),
        ("acme", ["finance"]),
        ("", ["owner:ann"]),
    ],
    ids=str,
)
async def test_a_reader_sees_0_bytes_of_another_tenant_over_every_route(
    as_key: Engine, tenants: str, scopes: list[str]
) -> None:
    everyone, acme = as_key("*", "admin"), as_key(tenants, *scopes)
    for body in (ask("acme", "1"), {**ask("globex", "1"), "id": "grant-01"}):
        assert (await everyone.post("/v1/grants", json=body)).json()["grant"] is not None
    waiting = asyncio.create_task(everyone.post("/v1/grants", json=ask("globex", "2", wait=20)))
    await _queued(everyone, 1)
    await everyone.post("/v1/breakers", json={"ceiling": "globex-task", **FORCE, "do": "disable"})
    seen = {}
    for method, path in await _routes(acme):
        url = path.replace("{id}", "grant-01")
        answer = await acme.request(method, url, json={} if method == "POST" else None)
        seen[f"{method} {path}"] = answer.text
    own = {"tenant": "acme", "workload": "w"}
    seen["a decision"] = (await acme.get("/v1/decisions", params=own)).text
    for ceiling in ("*", "globex-hour", "nothing"):
        answer = await acme.post("/v1/breakers", json={"ceiling": ceiling, **FORCE, "do": "restore"})
        seen[f"force {ceiling}"] = answer.text.replace('no ceiling \\"globex-hour\\"', "")
    assert {name: text for name, text in seen.items() if "globex" in text or "together" in text} == {}
    everything = " ".join(
        [(await everyone.get(f"/v1/{name}")).text for name in ("breakers", "shares", "policies")]
    )
    assert all(name in everything for name in ("globex-hour", "globex-task", "together", '"globex":1'))
    await everyone.post("/v1/grants/grant-01:release", json={})
    await waiting


async def test_an_explanation_names_what_restrains_and_shows_no_sum_of_several_tenants(
    as_key: Engine,
) -> None:
    everyone, acme = as_key("*", "read"), as_key("acme", "read")
    scope = {"tenant": "acme", "workload": "w"}
    told = [(await each.get("/v1/explain", params=scope)).json()["ceilings"] for each in (everyone, acme)]
    shown = [{each["ceiling"]: "spent" in each for each in ceilings} for ceilings in told]
    assert shown == [{"acme-hour": True, "together": True}, {"acme-hour": True, "together": False}]
    foreign = await acme.get("/v1/explain", params={**scope, "tenant": "globex"})
    assert foreign.status_code == 403


async def test_another_tenants_decision_is_explained_as_one_that_never_was(as_key: Engine) -> None:
    agent, acme = as_key("globex", "decide"), as_key("acme", "read")
    decision = (await agent.get("/v1/decisions", params=SCOPE)).json()["id"]
    answers = [await acme.get("/v1/explain", params={"decision": each}) for each in (decision, "d0-0")]
    assert [each.status_code for each in answers] == [404, 404]
    assert answers[0].text.replace(decision, "d0-0") == answers[1].text


async def test_a_breaker_is_moved_by_whoever_operates_its_tenant(as_key: Engine) -> None:
    acme, everyone = as_key("acme", "operate"), as_key("*", "operate")
    foreign = await acme.post("/v1/breakers", json={"ceiling": "globex-hour", **FORCE})
    none = await acme.post("/v1/breakers", json={"ceiling": "nothing", **FORCE})
    assert (foreign.status_code, none.status_code) == (404, 404)
    assert foreign.json()["detail"] == 'no ceiling "globex-hour"; there are: acme-hour'
    assert (await acme.post("/v1/breakers", json={"ceiling": "*", **FORCE})).json() == {"ceilings": 1}
    states = {b["ceiling"]: b["state"] for b in (await everyone.get("/v1/budgets")).json()["budgets"]}
    assert states == {"acme-hour": "forced_open", "globex-hour": "closed", "together": "closed"}
    assert (await everyone.post("/v1/breakers", json={"ceiling": "*", **FORCE})).json() == {"ceilings": 4}


async def test_how_much_of_a_capacity_is_used_is_for_keys_of_every_tenant(as_key: Engine) -> None:
    everyone, acme = as_key("*", "read", "decide"), as_key("acme", "read")
    await everyone.post("/v1/grants", json=ask("globex", "1"))
    shares = [(await each.get("/v1/shares")).json()["providers"][0] for each in (everyone, acme)]
    assert [(each["requests_per_minute"], each["used_requests"]) for each in shares] == [
        (600, 1),
        (600, None),
    ]


async def test_a_refused_policy_file_is_explained_to_keys_of_every_tenant(
    as_key: Engine, tmp_path: Path
) -> None:
    everyone, acme = as_key("*", "read"), as_key("acme", "read")
    (tmp_path / "policies.yaml").write_text(POLICY.replace("0.0015 USD", "globex-money"))
    await as_key.app.runtime.reload()
    assert "globex-money" in (await everyone.get("/v1/policies")).json()["error"]
    assert (await acme.get("/v1/policies")).json()["error"] == "the last change was refused"


async def test_a_repeated_write_by_hand_has_one_effect(as_key: Engine) -> None:
    ann, bob = as_key("*", "operate"), as_key("*", "operate")
    force, headers = {"ceiling": "acme-hour", **FORCE}, {"idempotency-key": "incident-12"}
    first = await ann.post("/v1/breakers", json=force, headers=headers)
    again = await ann.post("/v1/breakers", json=force, headers=headers)
    assert (again.json(), again.headers["idempotency-replayed"]) == (first.json(), "true")
    other = await ann.post("/v1/breakers", json={**force, "do": "disable"}, headers=headers)
    assert other.status_code == 422
    assert len((await ann.get("/v1/breakers")).json()["transitions"]) == 1
    assert (await bob.post("/v1/breakers", json=force, headers=headers)).status_code == 200
    assert len((await ann.get("/v1/breakers")).json()["transitions"]) == 2


async def test_open_holds_are_told_by_workload_to_keys_of_their_tenant(as_key: Engine) -> None:
    everyone, acme = as_key("*", "read", "decide"), as_key("acme", "read")
    await everyone.post("/v1/grants", json=ask("globex", "1"))
    await everyone.post("/v1/grants", json=ask("acme", "1", calls=2))
    await everyone.post("/v1/grants/acme-grant-1:settle", json={"usage": {"output": 5}})
    seen = [(await each.get("/v1/grants")).json() for each in (everyone, acme)]
    told = [[(h["tenant"], h["owner"], h["tier"], h["calls"]) for h in each["grants"]] for each in seen]
    assert sorted(told[0]) == [("acme", "ann", "batch", 1), ("globex", "bob", "batch", 1)]
    assert told[1] == [("acme", "ann", "batch", 1)]
    held = {h["tenant"]: Decimal(h["held"]) for h in seen[0]["grants"]}
    budgets = (await everyone.get("/v1/budgets")).json()["budgets"]
    assert held == {
        b["scope"]["tenant"]: Decimal(b["held"])
        for b in budgets
        if b["ceiling"] in ("acme-hour", "globex-hour")
    }


async def test_429s_are_counted_for_keys_of_every_tenant(as_key: Engine) -> None:
    everyone, acme = as_key("*", "read", "decide"), as_key("acme", "read")
    await everyone.post("/v1/grants", json=ask("globex", "1"))
    await everyone.post("/v1/grants/globex-grant-1:release", json={"throttled_for_s": 2})
    lanes = [(await each.get("/v1/shares")).json()["providers"][0] for each in (everyone, acme)]
    assert [(each["throttled"], each["throttled_until"] is not None) for each in lanes] == [
        (1, True),
        (None, True),
    ]


async def test_so_many_transitions_are_told_as_are_asked_for_the_last_first(as_key: Engine) -> None:
    everyone = as_key("*", "operate")
    for do in ("open", "restore", "disable"):
        await everyone.post("/v1/breakers", json={**FORCE, "ceiling": "acme-hour", "do": do})
    told = (await everyone.get("/v1/breakers", params={"last": 2})).json()["transitions"]
    assert [(line["id"], line["to"]) for line in told] == [(3, "disabled"), (2, "closed")]
    assert len((await everyone.get("/v1/breakers")).json()["transitions"]) == 3
    assert (await everyone.get("/v1/breakers", params={"last": 201})).status_code == 422
