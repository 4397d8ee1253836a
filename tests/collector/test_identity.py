"""What a key is told of itself: the same words in front of both services."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from collector.errors import DeniedError
from collector.guard import RULES as COLLECTOR
from collector.keys import identity
from collector.keys.access import Access
from collector.keys.keyring import FILE_NAME, Keyring
from collector.keys.rules import ANY_KEY
from policies.access import RULES as POLICIES

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
NOBODY: dict[str, Any] = {
    "owners": [],
    "options": [],
    "name": "",
    "expires_at": None,
    "keyless": False,
    "root": False,
}
EVERYTHING = {**NOBODY, "tenants": ["*"], "scopes": ["admin"], "options": ["cost_spans"]}


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    return Keyring(tmp_path / FILE_NAME)


def access(keyring: Keyring, root: str | None = None) -> Access:
    return Access(COLLECTOR, keyring, root=root, clock=NOW.timestamp)


def told(door: Access, secret: str = "") -> object:
    """What the route answers to whoever comes with this secret."""
    app = FastAPI()
    identity.routes(app, door)
    headers = {"Authorization": f"Bearer {secret}"} if secret else {}
    return TestClient(app).get("/v1/identity", headers=headers).json()


def test_a_key_is_told_its_name_its_rights_and_its_end(keyring: Keyring) -> None:
    ends = NOW + timedelta(days=1)
    record, secret = keyring.create(
        ["globex", "acme"], ["read", "owner:ann"], now=NOW, name="for Ann", expires_at=ends
    )
    assert told(access(keyring), secret) == {
        **NOBODY,
        "id": record.key.id,
        "name": "for Ann",
        "tenants": ["acme", "globex"],
        "scopes": ["owner:ann", "read"],
        "owners": ["ann"],
        "expires_at": "2026-11-25T12:00:00Z",
    }


def test_whoever_needs_no_key_and_the_root_key_are_told_so(keyring: Keyring) -> None:
    assert told(access(keyring)) == {**EVERYTHING, "id": "keyless", "keyless": True}
    assert told(access(keyring, root="r"), "r") == {**EVERYTHING, "id": "root", "root": True}


def test_nobody_is_told_anything(keyring: Keyring) -> None:
    record, secret = keyring.create(["acme"], ["read"], now=NOW)
    keyring.revoke(record.key.id, now=NOW)
    door = access(keyring)
    for authorization in ("", f"Bearer {secret}"):
        with pytest.raises(DeniedError) as denied:
            door.admit("GET", "/v1/identity", authorization)
        assert denied.value.status == 401


@pytest.mark.parametrize("rules", [COLLECTOR, POLICIES], ids=["collector", "policies"])
@pytest.mark.parametrize("scopes", [["ingest"], ["decide"], ["owner:ann"], ["finance"]], ids=str)
def test_both_services_tell_any_key_that_is_good(keyring: Keyring, rules: object, scopes: list[str]) -> None:
    assert rules.table["GET /v1/identity"] == ANY_KEY  # type: ignore[attr-defined]
    record, secret = keyring.create(["acme"], scopes, now=NOW)
    door = Access(rules, keyring, clock=NOW.timestamp)  # type: ignore[arg-type]
    assert door.admit("GET", "/v1/identity", f"Bearer {secret}") == record.key
