"""`switchgear keys`, and the whole loop with keys: agents, readers and the services among themselves."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx
import pytest
from commands import Run, Start, agent_ran, until_up, up_on
from otlp_samples import llm_span, request
from serving import PLAIN, free_ports
from waiting import until

from collector.keys.keyring import FILE_NAME, Keyring

ROOT = Path(__file__).parents[2]
POLICY = """\
version: 1
tenants: {acme: {}, globex: {}}
ceilings:
  - {name: acme-hour, scope: {tenant: acme}, limit: 5 USD, window: 1h}
  - {name: globex-hour, scope: {tenant: globex}, limit: 5 USD, window: 1h}
"""


def id_of(secret: str) -> str:
    return secret[: len("sg_") + 12]


def create(keyring: Keyring, tenant: str, *scopes: str) -> str:
    """The secret of a new key."""
    return keyring.create([tenant], scopes, now=datetime.now(UTC))[1]


def made(answer: subprocess.CompletedProcess[str]) -> str:
    """The secret that was printed, alone on stdout."""
    assert answer.returncode == 0, answer.stderr
    (secret,) = answer.stdout.splitlines()
    return secret


def test_a_key_is_made_listed_rotated_and_revoked(run: Run, tmp_path: Path) -> None:
    tenants = ("--tenant", "acme", "--tenant", "globex-*")
    created = run("keys", "create", *tenants, "--scope", "ingest", "--expires", "90d")
    secret = made(created)
    key_id = id_of(secret)
    says, first = created.stderr.splitlines()
    assert says.startswith(f"switchgear: {key_id}: scopes ingest; tenants acme, globex-*; until ")
    assert "it is the first key: from now on every request needs one" in first
    rotated = run("keys", "rotate", key_id, "--overlap", "1h", "--json")
    new = json.loads(rotated.stdout)
    assert (new["replaces"], new["tenants"], new["state"]) == (key_id, ["acme", "globex-*"], "live")
    revoked = run("keys", "revoke", key_id)
    assert (revoked.returncode, revoked.stdout.partition(" was revoked")[0]) == (0, key_id)
    listed = json.loads(run("keys", "list", "--json").stdout)
    assert [(key["id"], key["state"]) for key in listed] == [(key_id, "revoked"), (new["id"], "live")]
    table = run("keys", "list").stdout
    assert "globex-*" in table
    assert not any(each in table for each in (secret, new["secret"]))


@pytest.mark.parametrize(
    ("command", "code", "says"),
    [
        ("create --tenant acme --scope ingst", 2, "scope 'ingst' is unknown; did you mean ingest?"),
        ("create --tenant acme", 2, "an agent's has ingest and decide"),
        ("create --scope read", 2, "name each, a pattern such as 'acme-*', or '*' for all"),
        ("create --tenant acme --scope read --expires soon", 2, 'write "30m", "24h" or "90d"'),
        ("revoke sg_nobody", 2, "no keys in data/keys.sqlite; make one with: switchgear keys create"),
        ("rotate sg_nobody", 2, "no keys in data/keys.sqlite; make one with: switchgear keys create"),
        ("list --data bad", 1, "cannot use the key file bad/keys.sqlite"),
        ("create --tenant acme --scope read --data file", 1, "cannot write the key file file/keys.sqlite"),
    ],
)
def test_what_cannot_be_done_is_one_line_with_what_to_do(
    run: Run, tmp_path: Path, command: str, code: int, says: str
) -> None:
    (tmp_path / "file").write_text("no folder")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "keys.sqlite").write_text("no database, and longer than its header would be" * 40)
    answer = run("keys", *command.split())
    (line,) = answer.stderr.splitlines()
    assert (answer.returncode, answer.stdout) == (code, "")
    assert says in line
    assert not (tmp_path / "data").exists()


def test_no_keys_are_no_finding(run: Run) -> None:
    answer = run("keys", "list")
    assert (answer.returncode, answer.stderr) == (0, "")
    assert "switchgear keys create" in answer.stdout


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    """The key file of the folder that commands run in."""
    return Keyring(tmp_path / "data" / FILE_NAME)


@pytest.fixture
def up(start: Start, tmp_path: Path) -> Callable[[], dict[str, str]]:
    """Start all three services; the addresses of collector and policies as an environment."""

    def begin() -> dict[str, str]:
        (tmp_path / "policies.yaml").write_text(POLICY)
        ports = free_ports(4)
        until_up(start(*up_on(ports)))
        return {
            "SWITCHGEAR_COLLECTOR": f"http://127.0.0.1:{ports[0]}",
            "SWITCHGEAR_POLICIES": f"http://127.0.0.1:{ports[1]}",
        }

    return begin


def _get(url: str, secret: str | None = None) -> httpx.Response:
    headers = {"Authorization": f"Bearer {secret}"} if secret else {}
    return httpx.get(url, headers=headers, trust_env=False, verify=PLAIN, timeout=20)


def _until_closed(url: str, secret: str | None) -> None:
    until(lambda: _get(url, secret).status_code == HTTPStatus.UNAUTHORIZED, f"{url} is closed")


def _send(urls: Mapping[str, str], secret: str, tenant: str, number: int) -> dict[str, Any]:
    now = str(time.time_ns())
    span = llm_span(number, {"switchgear.tenant": tenant}, startTimeUnixNano=now, endTimeUnixNano=now)
    answer = httpx.post(
        f"{urls['SWITCHGEAR_COLLECTOR']}/v1/traces",
        json=request([span]),
        headers={"Authorization": f"Bearer {secret}"},
        trust_env=False,
        timeout=20,
    )
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


def _spent(urls: Mapping[str, str], secret: str) -> dict[str, Decimal]:
    """What each ceiling that the key sees has spent."""
    answer = _get(f"{urls['SWITCHGEAR_POLICIES']}/v1/budgets", secret)
    return {each["ceiling"]: Decimal(each["spent"]) for each in answer.json()["budgets"]}


def _until_counted(urls: Mapping[str, str], secret: str, ceiling: str) -> None:
    """Wait until the policies have read from the collector's feed what was spent under a ceiling."""
    until(lambda: _spent(urls, secret)[ceiling], f"{ceiling} counts what the feed tells")


def _tenants(run: Run, urls: Mapping[str, str], secret: str) -> list[list[str]]:
    asked = run(
        "query",
        "select distinct tenant from calls order by 1",
        "--json",
        env={**urls, "SWITCHGEAR_API_KEY": secret},
    )
    assert asked.returncode == 0, asked.stderr
    rows: list[list[str]] = json.loads(asked.stdout)["rows"]
    return rows


def test_with_keys_each_sees_and_books_its_own_and_the_services_go_on(
    run: Run, up: Callable[[], dict[str, str]], keyring: Keyring, tmp_path: Path
) -> None:
    agent = create(keyring, "acme", "ingest", "decide")
    forwarder = create(keyring, "*", "ingest")
    viewer = create(keyring, "acme", "read")
    operator = create(keyring, "*", "read")
    urls = up()
    collector, policies = urls["SWITCHGEAR_COLLECTOR"], urls["SWITCHGEAR_POLICIES"]

    served = agent_ran(tmp_path, {**urls, "SWITCHGEAR_API_KEY": agent})
    assert _send(urls, forwarder, "globex", 1) == {}
    foreign = _send(urls, agent, "globex", 2)
    assert foreign["partialSuccess"]["rejectedSpans"] == "1"

    assert _tenants(run, urls, viewer) == [["acme"]]
    assert _tenants(run, urls, operator) == [["acme"], ["globex"]]
    assert 'reason="wrong_tenant"' in _get(f"{collector}/metrics", operator).text
    assert _get(f"{collector}/metrics", viewer).status_code == 403

    # The policies follow the feed with a key that `up` made for its services.
    _until_counted(urls, operator, "globex-hour")
    assert _spent(urls, operator).keys() == {"acme-hour", "globex-hour", "task budget"}
    assert _spent(urls, viewer) == {"acme-hour": served.cost, "task budget": served.cost}

    keyring.revoke(id_of(viewer), now=datetime.now(UTC))
    _until_closed(f"{collector}/v1/registry", viewer)
    _until_closed(f"{policies}/v1/budgets", viewer)
    assert _get(f"{policies}/v1/budgets", operator).status_code == 200


def test_the_first_key_closes_running_services_and_keeps_them_together(
    up: Callable[[], dict[str, str]], keyring: Keyring
) -> None:
    urls = up()
    collector, policies = urls["SWITCHGEAR_COLLECTOR"], urls["SWITCHGEAR_POLICIES"]
    assert _get(f"{collector}/v1/registry").status_code == _get(f"{policies}/v1/budgets").status_code == 200
    admin = create(keyring, "*", "admin")
    _until_closed(f"{collector}/v1/registry", None)
    _until_closed(f"{policies}/v1/budgets", None)
    assert _send(urls, admin, "globex", 1) == {}
    _until_counted(urls, admin, "globex-hour")
