"""The incident verbs against a running engine: what they reach, how soon, and what stands in the log."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import Result
from serving import Serving
from typer.testing import CliRunner

from cli.main import app
from collector.keys.keyring import FILE_NAME, Keyring
from collector.pricing import Quote
from policies.service import create_app
from switchgear.usage import Usage

POLICY = """\
version: 1
tenants: {acme: {}, globex: {}}
ceilings:
  - {name: acme-hour, scope: {tenant: acme}, limit: 5 USD, window: 1h}
  - {name: globex-hour, scope: {tenant: globex}, limit: 5 USD, window: 1h}
"""
Verb = Callable[..., Result]
CLIENTS = 500
POLL_S = 25


def price(provider: str | None, model: str | None, usage: Usage, at: datetime, *_: object) -> Quote:
    return Quote(Decimal(usage.total) / 1_000_000, "USD", "a test's rates")


def serving(folder: Path) -> Serving:
    (folder / "policies.yaml").write_text(POLICY)
    return Serving(
        create_app(
            policy_file=folder / "policies.yaml", data=folder, price=price, collector=None, keyless=True
        )
    )


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Serving]:
    with serving(tmp_path) as engine:
        yield engine


@pytest.fixture
def verb(engine: Serving) -> Verb:
    return asked_of(engine)


def asked_of(engine: Serving, key: str | None = None) -> Verb:
    """What runs a verb against the engine, with this key."""

    def run(*arguments: str) -> Result:
        env = {"SWITCHGEAR_API_KEY": key, "COLUMNS": "200"}
        return CliRunner().invoke(app, [*arguments, "--policies", engine.url], env=env)

    return run


def transitions(engine: Serving) -> list[dict[str, Any]]:
    with engine.client() as client:
        found: list[dict[str, Any]] = client.get("/v1/breakers").json()["transitions"]
    return found


def test_disabling_everything_reaches_500_polling_clients_within_2_seconds(
    engine: Serving, verb: Verb
) -> None:
    """Half of them are kept from working, which ends; the others may go on, which nothing changes."""
    assert verb("breakers", "open", "acme-hour", "--reason", "a leaked key").exit_code == 0

    async def poll(told: list[float], ready: asyncio.Semaphore) -> None:
        who = {"tenant": "acme", "workload": "w"}
        first = await _asked(engine.port, {"scopes": [who]})
        ready.release()
        answer = await _asked(engine.port, {"scopes": [who], "etag": first["etag"], "wait": POLL_S})
        told.append(time.time())
        assert (first["decisions"][0]["action"], answer["decisions"][0]["action"]) == ("deny", "allow")

    async def scene() -> tuple[float, list[float]]:
        told: list[float] = []
        ready = asyncio.Semaphore(0)
        polling = [asyncio.create_task(poll(told, ready)) for _ in range(CLIENTS)]
        for _ in range(CLIENTS):
            await ready.acquire()
        disabled = await asyncio.to_thread(
            verb, "breakers", "disable", "--all", "--for", "1h", "--reason", "wrong prices", "--by", "ann"
        )
        assert disabled.output == "2 ceilings disabled for 1h, by ann: wrong prices\n"
        await asyncio.gather(*polling)
        return max(told), told

    last, told = asyncio.run(scene())
    newest = transitions(engine)[0]
    assert len(told) == CLIENTS
    assert last - datetime.fromisoformat(newest["at"]).timestamp() <= 2.0
    assert (newest["to"], newest["by"], newest["reason"]) == ("disabled", "ann", "wrong prices")


async def _asked(port: int, body: dict[str, Any]) -> dict[str, Any]:
    """One question on a connection of its own: 500 clients of a library would be most of what is measured."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    content = orjson.dumps(body)
    head = (
        f"POST /v1/decisions:batch HTTP/1.1\r\nhost: e\r\nconnection: close\r\ncontent-length: {len(content)}"
    )
    writer.write(head.encode() + b"\r\n\r\n" + content)
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    found: dict[str, Any] = orjson.loads(answer.partition(b"\r\n\r\n")[2])
    return found


def test_what_is_done_by_hand_is_shown_and_given_back(engine: Serving, verb: Verb) -> None:
    opened = verb(
        "breakers", "open", "acme-hour", "--reason", "leak", "--by", "ann", "--for", "30m", "--json"
    )
    assert json.loads(opened.output) == {
        "ceilings": 1, "do": "open", "by": "ann", "reason": "leak", "for_s": 1800.0,
    }  # fmt: skip
    shown = json.loads(verb("breakers", "list", "acme-hour", "--json").output)
    (breaker,) = shown["breakers"]
    assert (breaker["state"], breaker["reason"]) == ("forced_open", "leak")
    left = datetime.fromisoformat(breaker["until"]) - datetime.now(UTC)
    assert 1700 < left.total_seconds() <= 1800

    assert verb("breakers", "close", "--all", "--reason", "rotated", "--by", "bob").exit_code == 0
    listed = verb("breakers", "list").output
    assert "forced_open" in listed
    assert "bob" in listed
    assert [each["to"] for each in transitions(engine)[:2]] == ["closed", "closed"]


def test_without_a_name_the_author_is_the_user(
    engine: Serving, verb: Verb, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", "carol")
    assert verb("breakers", "disable", "acme-hour", "--reason", "r").exit_code == 0
    assert transitions(engine)[0]["by"] == "carol"


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ("breakers open --reason r", 2, "name the ceilings, or say --all"),
        ("breakers open acme-hour --all --reason r", 2, "name the ceilings, or say --all"),
        (
            "breakers open acme-hour --reason r --for soon",
            2,
            "--for: 'soon' is no length of time; write \"30m\"",
        ),
        ("breakers open acme-hour --reason r --for 31d", 2, "for_s"),
        (
            "breakers open acme-huor --reason r",
            2,
            'no ceiling "acme-huor"; there are: acme-hour, globex-hour',
        ),
    ],
)
def test_what_cannot_be_done_says_why(verb: Verb, arguments: str, code: int, says: str) -> None:
    result = verb(*arguments.split())
    assert (result.exit_code, says in result.stderr) == (code, True)


def test_a_key_moves_what_it_reaches_and_no_more(tmp_path: Path) -> None:
    keyring = Keyring(tmp_path / FILE_NAME)
    operator = keyring.create(["acme"], ["operate"], now=datetime.now(UTC))[1]
    reader = keyring.create(["acme"], ["read"], now=datetime.now(UTC))[1]
    order = ("breakers", "disable", "--all", "--reason", "r", "--by", "ann")
    with serving(tmp_path) as engine:
        assert asked_of(engine, operator)(*order).output == "1 ceiling disabled for 1h, by ann: r\n"
        refused = asked_of(engine, reader)(*order)
        unknown = asked_of(engine)(*order)
    assert (refused.exit_code, "operate" in refused.stderr) == (2, True)
    assert (unknown.exit_code, "the policy engine wants a key" in unknown.stderr) == (1, True)


def test_where_no_engine_answers_one_line_says_so() -> None:
    result = CliRunner().invoke(app, ["breakers", "list", "--policies", "http://127.0.0.1:9"])
    (line,) = result.stderr.splitlines()
    assert (result.exit_code, "no policy engine answers at http://127.0.0.1:9" in line) == (1, True)
