"""What is in force is told to each key as far as it concerns its tenants, and reads back as a policy file."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from collector.keys.key import Key
from collector.keys.keyring import FILE_NAME, Keyring
from collector.pricing import Quote
from policies.files import parse
from policies.inforce import concerning
from policies.service import create_app
from switchgear.usage import Usage

POLICY = """\
version: 1
tenants:
  acme: {workloads: {w: {owner: ann, cost_centre: CC-1}}}
  globex: {workloads: {secret-agent: {owner: bob, cost_centre: CC-2}}}
capacity:
  - {provider: openai, requests_per_minute: 600}
plans:
  - {cost_centre: CC-1, month: "2026-11", amount: 1 USD}
  - {cost_centre: CC-2, month: "2026-11", amount: 2 USD}
ceilings:
  - {name: acme-hour, scope: {tenant: acme}, limit: 1 USD, window: 1h}
  - {name: globex-hour, scope: {tenant: globex}, limit: 2 USD, window: 1h}
  - {name: each, per: tenant, limit: 3 USD, window: 1h}
  - {name: together, limit: 100 USD, window: 1h}
  - {name: ann, scope: {owner: ann}, limit: 4 USD, window: 1h}
  - {name: each-of-ann, scope: {owner: ann}, per: [tenant, model], limit: 4 USD, window: 1h}
  - {name: each-of-bob, scope: {owner: bob}, per: tenant, limit: 4 USD, window: 1h}
overrides:
  - &o {ceiling: each, scope: {tenant: acme}, limit: 9 USD, until: 2099-01-01T00:00:00Z, author: kim, reason: launch}
  - {<<: *o, scope: {tenant: globex}}
  - {<<: *o, ceiling: together, scope: {}}
"""
EVERYTHING = ["acme-hour", "globex-hour", "each", "together", "ann", "each-of-ann", "each-of-bob"]


def key(tenants: str, *scopes: str) -> Key:
    return Key("k", tuple(tenants.split()), frozenset(scopes))


@pytest.mark.parametrize(
    ("who", "tenants", "ceilings", "overrides", "plans"),
    [
        pytest.param(key("*", "read"), ["acme", "globex"], EVERYTHING, 3, ["CC-1", "CC-2"], id="key for all"),
        pytest.param(key("acme", "read"), ["acme"], ["acme-hour", "each", "each-of-ann"], 1, [], id="tenant"),
        pytest.param(
            key("glo*", "operate", "finance"),
            ["globex"],
            ["globex-hour", "each", "each-of-bob"],
            1,
            ["CC-2"],
            id="finance of a pattern of tenants",
        ),
        pytest.param(key("zenith", "read"), [], ["each"], 0, [], id="undeclared tenant"),
        pytest.param(key("", "owner:ann"), ["acme"], ["ann", "each-of-ann"], 0, [], id="owner"),
        pytest.param(
            key("acme", "decide", "owner:bob"),
            ["globex"],
            ["each-of-bob"],
            0,
            [],
            id="owner who decides for a tenant",
        ),
    ],
)
def test_a_key_sees_what_concerns_its_tenants(
    who: Key, tenants: list[str], ceilings: list[str], overrides: int, plans: list[str]
) -> None:
    seen = concerning(parse(POLICY, name="f"), who)
    assert [tenant.name for tenant in seen.tenants] == tenants
    assert [ceiling.name for ceiling in seen.ceilings] == ceilings
    assert len(seen.overrides) == overrides
    assert [plan.cost_centre for plan in seen.plans] == plans


def price(
    provider: str | None,
    model: str | None,
    usage: Usage,
    at: datetime,
    service_tier: str | None = None,
    tenant: str | None = None,
) -> Quote:
    return Quote(Decimal(usage.total) / 1_000_000, "USD", "a test's rates")


def client(app: Any, secret: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app),
        base_url="http://engine",
        headers={"authorization": f"Bearer {secret}"},
    )


async def test_a_tenants_key_is_told_a_file_of_its_own_that_can_be_read(tmp_path: Path) -> None:
    file = tmp_path / "policies.yaml"
    file.write_text(POLICY)
    keyring = Keyring(tmp_path / FILE_NAME)
    now = datetime.now(UTC)
    secrets = [keyring.create([tenant], ["read"], now=now)[1] for tenant in ("*", "acme")]
    app: Any = create_app(policy_file=file, data=tmp_path, price=price, collector=None)
    app.access.refresh()
    async with client(app, secrets[0]) as everyone, client(app, secrets[1]) as acme:
        whole, own = [(await each.get("/v1/policies")).json() for each in (everyone, acme)]
        assert (whole["text"], own["text"]) == (POLICY, None)
        assert not [
            word for word in ("globex", "secret", "bob", "CC-2", "together") if word in json.dumps(own)
        ]
        mine = parse(json.dumps(own["document"]), name="f")
        assert mine.ceilings == concerning(parse(POLICY, name="f"), key("acme", "read")).ceilings

        file.write_text("version: 2")
        await app.runtime.reload()
        refused = (await everyone.get("/v1/policies")).json()
        # What was in force before still is, and its text is on no disk any more.
        assert (refused["version"], refused["text"]) == (whole["version"], None)
        assert refused["document"] == whole["document"]
        assert datetime.fromisoformat(refused["refused_at"]) > datetime.fromisoformat(whole["loaded_at"])
