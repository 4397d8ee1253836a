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
from policies.breaker import State
from policies.files import parse
from policies.service import create_app
from policies.trials.world import World
from switchgear.usage import Usage

POLICY = """\
version: 1
tenants: {acme: {}, globex: {}}
ceilings:
  - {name: acme-hour, scope: {tenant: acme}, limit: 5 USD, window: 1h}
  - {name: globex-hour, scope: {tenant: globex}, limit: 5 USD, window: 1h}
  - {name: each-task, scope: {tenant: acme}, per: task, limit: 1 USD, holds: worst_case}
  - {name: quota, per: tenant, limit: 1M tokens, window: 1h, shadow: true}
"""
Verb = Callable[..., Result]
CLIENTS = 500
POLL_S = 25


def price(provider: str | None, model: str | None, usage: Usage, at: datetime, *_: object) -> Quote:
    return Quote(Decimal(usage.total) / 1_000_000, "USD", "a test's rates")


def serving(folder: Path, more: str = "") -> Serving:
    (folder / "policies.yaml").write_text(POLICY + more)
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
        assert disabled.output == "4 ceilings disabled for 1h, by ann: wrong prices\n"
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


def test_what_was_disabled_for_an_hour_acts_again_after_it_by_itself() -> None:
    policies = parse(POLICY, name="policies.yaml")
    world = World(policies, lambda *_: Decimal(1), now=0.0, step_s=1.0)
    names = {ceiling.name for ceiling in policies.ceilings}
    world.engine.by_hand.force(names, State.DISABLED, "ann", "wrong prices", 3600.0, 0.0)
    world.pass_to(3599.0)
    # Of the ceilings that go per task or tenant nobody has asked yet.
    disabled = [("acme-hour", "disabled", "ann"), ("globex-hour", "disabled", "ann")]
    assert [(each.policy, each.after, each.by) for each in world.transitions] == disabled
    world.pass_to(3600.0)
    given_back = {(each.policy, each.after, each.by, each.reason) for each in world.transitions[2:]}
    assert given_back == {
        (name, "closed", "engine", "the time it was forced for is over")
        for name in ("acme-hour", "globex-hour")
    }


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


def ask(engine: Serving, request_id: str, task: str = "t1", cost: str = "0.5") -> dict[str, Any]:
    """Ask for a call that costs so much at most, once the engine takes such calls at their word."""
    call = {"tenant": "acme", "workload": "w", "task": task, "provider": "openai", "model": "m"}
    # 16 tokens are held for whatever a request has beside its content.
    bound = {"input_bytes": 0, "max_output_tokens": int(Decimal(cost) * 1_000_000) - 16, "worst_case": True}
    with engine.client() as client:
        found: dict[str, Any] = client.post("/v1/grants", json={**call, **bound, "id": request_id}).json()
    return found


def learned(engine: Serving) -> None:
    """Let the engine see enough small calls that cost what they may."""
    usage = {"input_uncached": 16, "output": 84}
    with engine.client() as client:
        for number in range(25):
            ask(engine, f"learning-{number}", task="learning", cost="0.0001")
            client.post(f"/v1/grants/learning-{number}:settle", json={"model": "m", "usage": usage})


def test_an_override_lets_one_task_spend_more_until_it_is_revoked(engine: Serving, verb: Verb) -> None:
    learned(engine)
    assert ask(engine, "request-1", cost="1.5")["decision"]["action"] == "deny"
    order = ("each-task", "--limit", "2 USD", "--for", "2h", "--reason", "must be done", "--by", "ann")
    made = json.loads(verb("override", "grant", *order, "--task", "t1", "--json").output)
    assert (made["ceiling"], made["scope"], made["limit"]) == ("each-task", {"task": "t1"}, "2 USD")
    assert ask(engine, "request-2", cost="1.5")["grant"] is not None
    assert ask(engine, "request-3", task="t2", cost="1.5")["decision"]["action"] == "deny"
    assert json.loads(verb("override", "list", "--json").output)["overrides"] == [made]
    assert made["id"] in verb("override", "list").output

    ended = verb("override", "revoke", made["id"], "--reason", "done", "--by", "bob")
    assert ended.output == f"{made['id']} is over: the ceiling's own limit holds\n"
    assert json.loads(verb("override", "list", "--json").output) == {"overrides": []}
    assert ask(engine, "request-4", cost="0.6")["grant"] is None
    told = [(each["scope"]["task"], each["by"]) for each in transitions(engine) if each["to"] == "overridden"]
    assert told == [("t1", "bob"), ("t1", "ann")]
    again = verb("override", "revoke", made["id"], "--reason", "done")
    assert (again.exit_code, f'no override "{made["id"]}" holds' in again.stderr) == (2, True)


def test_an_override_of_the_file_is_listed_beside_those_by_hand(tmp_path: Path) -> None:
    until = "{ceiling: acme-hour, limit: 9 USD, until: 2099-01-01T00:00:00Z, author: kim, reason: a big day}"
    with serving(tmp_path, f"overrides:\n  - {until}\n") as engine:
        (shown,) = json.loads(asked_of(engine)("override", "list", "--json").output)["overrides"]
    assert (shown["id"], shown["limit"], shown["by"]) == (None, "9 USD", "kim")


def test_a_stopped_task_is_refused_and_its_siblings_go_on(engine: Serving, verb: Verb) -> None:
    learned(engine)
    stop = ("task", "stop", "t1", "--tenant", "acme", "--reason", "loops", "--by", "ann")
    assert verb(*stop).output == "t1 of acme is stopped: its calls are refused\n"
    decision = ask(engine, "request-1")["decision"]
    assert (decision["action"], decision["reason"]) == ("deny", "stopped by ann: loops")
    assert ask(engine, "request-2", task="t2")["grant"] is not None
    assert verb(*stop).output == "t1 of acme was stopped before: its calls are refused\n"
    stopped = [each for each in transitions(engine) if each["to"] == "stopped"]
    assert [(each["by"], each["reason"], each["scope"]) for each in stopped] == [
        ("ann", "loops", {"tenant": "acme", "task": "t1"})
    ]


def test_what_every_ceiling_says_is_explained_and_whose_word_counts(engine: Serving, verb: Verb) -> None:
    assert verb("breakers", "open", "acme-hour", "--reason", "leak").exit_code == 0
    decision = ask(engine, "request-1")["decision"]
    now = ("policies", "explain", "--tenant", "acme", "--workload", "w", "--task", "t1")
    for asked in (now, ("policies", "explain", "--decision", decision["id"])):
        found = json.loads(verb(*asked, "--json").output)
        assert found["who"] | {"tenant": "acme", "workload": "w", "task": "t1"} == found["who"]
        told = {each["ceiling"]: (each["action"], each["restricts"]) for each in found["ceilings"]}
        assert told == {
            "acme-hour": ("deny", True), "each-task": ("allow", False), "quota": ("allow", False)
        }  # fmt: skip
    assert found["decision"]["id"] == decision["id"]
    shown = verb(*now).output
    assert "=>  acme-hour" in shown
    assert "quota is in shadow" in shown


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("override grant acme-hour --for 1h --reason r --limit 20", 'has no currency; write "20 USD"'),
        (
            "override grant acme-hour --for 1h --reason r --limit 20_EUR",
            '"20 EUR" is in EUR, and "acme-hour" counts',
        ),
        (
            "override grant quota --for 1h --reason r --limit 20_USD",
            '"20 USD" is in USD, and "quota" counts tokens',
        ),
        (
            "override grant acme-hour --for 1h --reason r --limit 2_USD --task t",
            "is one for all that it counts",
        ),
        ("override grant each-task --for 1h --reason r --limit 2_USD --model m", '"each-task" goes per task'),
        (
            "override grant nothing --for 1h --reason r --limit 2_USD",
            'no ceiling "nothing"; there are: acme-hour',
        ),
        ("override grant acme-hour --for 31d --reason r --limit 2_USD", "for_s"),
        ("policies explain --tenant acme", "--tenant and --workload"),
        ("policies explain --tenant acme --decision d1-1", "a decision has its scope"),
        ("policies explain --decision d1-99999", 'no decision "d1-99999" is remembered'),
    ],
)
def test_what_makes_no_sense_says_what_to_write(verb: Verb, arguments: str, says: str) -> None:
    result = verb(*(part.replace("_", " ") for part in arguments.split()))
    assert (result.exit_code, says in result.stderr) == (2, True), result.output


def test_a_key_moves_what_it_reaches_and_no_more(tmp_path: Path) -> None:
    keyring = Keyring(tmp_path / FILE_NAME)
    operator = keyring.create(["acme"], ["operate"], now=datetime.now(UTC))[1]
    reader = keyring.create(["acme"], ["read"], now=datetime.now(UTC))[1]
    order = ("breakers", "disable", "--all", "--reason", "r", "--by", "ann")
    with serving(tmp_path) as engine:
        assert asked_of(engine, operator)(*order).output == "2 ceilings disabled for 1h, by ann: r\n"
        refused = asked_of(engine, reader)(*order)
        unknown = asked_of(engine)(*order)
    assert (refused.exit_code, "operate" in refused.stderr) == (2, True)
    assert (unknown.exit_code, "the policy engine wants a key" in unknown.stderr) == (1, True)


def test_a_key_overrides_stops_and_sees_what_is_of_its_tenants(tmp_path: Path) -> None:
    keyring = Keyring(tmp_path / FILE_NAME)
    secret = keyring.create(["acme"], ["operate"], now=datetime.now(UTC))[1]
    everyone = keyring.create(["*"], ["operate"], now=datetime.now(UTC))[1]
    order = ("--limit", "9 USD", "--for", "1h", "--reason", "r", "--by", "ann")
    with serving(tmp_path) as engine:
        acme, all_ = asked_of(engine, secret), asked_of(engine, everyone)
        foreign = acme("override", "grant", "globex-hour", *order)
        made = json.loads(all_("override", "grant", "globex-hour", *order, "--json").output)
        assert acme("override", "grant", "acme-hour", *order).exit_code == 0
        (seen,) = json.loads(acme("override", "list", "--json").output)["overrides"]
        ended = acme("override", "revoke", made["id"], "--reason", "r")
        stopped = acme("task", "stop", "t", "--tenant", "globex", "--reason", "r")
        asked = acme("policies", "explain", "--tenant", "globex", "--workload", "w")
        whole = json.loads(
            acme("policies", "explain", "--tenant", "acme", "--workload", "w", "--json").output
        )
    assert 'no ceiling "globex-hour"; there are: acme-hour, each-task' in foreign.stderr
    # Of whose key it was the log tells beside what they call themselves.
    assert (seen["ceiling"], seen["by"]) == ("acme-hour", f"ann ({secret[:15]})")
    assert 'no override "' in ended.stderr
    assert [each.exit_code for each in (foreign, ended, stopped, asked)] == [2] * 4
    assert {each["ceiling"]: "spent" in each for each in whole["ceilings"]} == {
        "acme-hour": True,
        "quota": True,
    }


def test_where_no_engine_answers_one_line_says_so() -> None:
    result = CliRunner().invoke(app, ["breakers", "list", "--policies", "http://127.0.0.1:9"])
    (line,) = result.stderr.splitlines()
    assert (result.exit_code, "no policy engine answers at http://127.0.0.1:9" in line) == (1, True)
