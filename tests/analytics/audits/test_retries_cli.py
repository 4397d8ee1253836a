"""`switchgear audit retries` and `audit fanout` against a running collector: what they print, and to whom."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from types import ModuleType
from typing import Any

import pytest
from otlp_samples import BASE_NS, Served, llm_span, request
from typer.testing import CliRunner

from analytics.reports import REPORTS
from cli.audit import fanout, retries
from cli.audit.reporting import Question
from cli.main import app
from collector.keys.keyring import FILE_NAME, Keyring

ROOT = "root-key-of-the-test"
DAY = datetime.fromtimestamp(BASE_NS / 1e9, UTC).date().isoformat()
Asked = Callable[..., tuple[int, str, str]]


def _span(number: int, at_s: float, **attributes: Any) -> Any:
    begin = BASE_NS + round(at_s * 1e9)
    named = {f"switchgear.{name.replace('_', '.', 1)}": value for name, value in attributes.items()}
    times = {"startTimeUnixNano": str(begin), "endTimeUnixNano": str(begin + 2_000_000_000)}
    return llm_span(number, {"switchgear.workload": "writer", **named}, **times)


# Twelve tasks of two tenants that come again together, and one that asks the same sixty times.
HERD = [
    _span(1 + place, place / 10, tenant=("acme", "globex")[place % 2], task_id=f"herd-{place:02d}", attempt=4)
    for place in range(12)
]
LOOP = [_span(100 + place, 600 + 11 * place, tenant="acme", task_id="loop") for place in range(60)]
OTHERS = [_span(200 + place, 3000 + 60 * place, tenant="globex", task_id=f"t{place}") for place in range(5)]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, Mapping[str, str]]]:
    folder = tmp_path_factory.mktemp("audits")
    # Before the collector is there: of keys that are made later it hears after half a second.
    keyring = Keyring(folder / FILE_NAME)
    keys = {
        tenant: keyring.create([tenant], ["read"], now=datetime.now(UTC))[1]
        for tenant in ("acme", "globex", "initech")
    }
    running = Served(folder, reports=REPORTS, api_key=ROOT)
    running.http.headers["Authorization"] = f"Bearer {ROOT}"
    assert running.send(request([*HERD, *LOOP, *OTHERS])).status_code == 200
    yield running, keys
    running.stop()


@pytest.fixture
def asked(served: tuple[Served, Mapping[str, str]], capsys: pytest.CaptureFixture[str]) -> Asked:
    running, keys = served

    def ask(verb: ModuleType, *, key: str = "", as_json: bool = False, **names: str) -> tuple[int, str, str]:
        question = Question(start=DAY, end="9999-01-01", week=None, names=names, top=20)
        secret = keys.get(key, key) or ROOT
        code = verb.run(question, collector=str(running.http.base_url), api_key=secret, as_json=as_json)
        said = capsys.readouterr()
        return code, said.out, said.err

    return ask


def test_retries_names_the_herd_and_what_to_change(asked: Asked) -> None:
    code, said, _ = asked(retries)
    assert code == 1
    assert "1 herd\n" in said
    assert "12 tasks, 12 retried calls of 12, 48 attempts" in said
    assert "tenants: acme, globex; workloads: writer" in said
    assert "tasks: herd-00, herd-01" in said
    assert "change: let the guard retry: sg.wrap(client)" in said


def test_fanout_names_the_loop_and_how_to_stop_it(asked: Asked) -> None:
    code, said, _ = asked(fanout)
    assert code == 1
    assert "1 task in a loop" in said
    assert "the same call: 60 of the task's 60, input of 1,000 tokens, about every 11.0 s" in said
    assert "switchgear task stop loop --tenant acme --reason loop" in said


def test_json_is_the_rows_of_both_reports(asked: Asked) -> None:
    _, said, _ = asked(retries, as_json=True)
    found = json.loads(said)
    assert [herd["tasks"] for herd in found["herds"]] == [12]
    assert {line["tenant"]: line["synchronous_calls"] for line in found["retries"]} == {
        "acme": 6,
        "globex": 6,
    }
    _, said, _ = asked(fanout, as_json=True)
    found = json.loads(said)
    assert [loop["task_id"] for loop in found["loops"]] == ["loop"]
    assert {tree["tenant"]: tree["tasks"] for tree in found["fanout"]} == {"acme": 7, "globex": 11}


@pytest.mark.parametrize(
    ("key", "herds", "loops"),
    [("acme", [["acme"]], ["loop"]), ("globex", [["globex"]], []), ("initech", [], [])],
)
def test_a_key_of_one_tenant_sees_its_own_alone(
    asked: Asked, key: str, herds: list[list[str]], loops: list[str]
) -> None:
    code, said, refusal = asked(retries, key=key, as_json=True)
    assert (code, refusal) == (int(bool(herds)), "")
    assert [herd["tenants"] for herd in json.loads(said)["herds"]] == herds
    code, said, refusal = asked(fanout, key=key, as_json=True)
    assert (code, refusal) == (int(bool(loops)), "")
    assert [loop["task_id"] for loop in json.loads(said)["loops"]] == loops


@pytest.mark.parametrize(
    ("verb", "nothing", "none"),
    [
        (retries, "No calls in that range", "No herd: tasks that retried did so apart from each other"),
        (fanout, "No calls in that range", "No loop: no task made the same call over and over"),
    ],
    ids=["retries", "fanout"],
)
def test_without_a_finding_it_says_so_and_ends_well(
    asked: Asked, verb: ModuleType, nothing: str, none: str
) -> None:
    code, said, _ = asked(verb, key="initech")
    assert (code, said) == (0, f"{nothing}\n")
    if verb is fanout:
        code, said, _ = asked(verb, key="globex")
        assert code == 0
        assert none in said


@pytest.mark.parametrize("verb", [retries, fanout], ids=["retries", "fanout"])
def test_a_key_that_is_not_taken_is_a_failure(asked: Asked, verb: ModuleType) -> None:
    code, said, problem = asked(verb, key="sg_nobody")
    assert (code, said) == (1, "")
    assert "SWITCHGEAR_API_KEY" in problem


@pytest.mark.parametrize("verb", ["retries", "fanout"])
@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "name the range with --from and --to, or with --week 2026-W47"),
        (["--week", "2026-W47", "--from", "2026-11-16"], "--week is a range of its own"),
        (["--week", "2026-47"], "is no ISO week"),
        (["--from", "2026-11-16", "--to", "2026-11-09"], "is not after --from"),
        (["--from", "monday", "--to", "2026-11-09"], "--from 'monday' is no instant"),
    ],
    ids=["no range", "two ranges", "no week", "backwards", "no instant"],
)
def test_misuse_says_what_to_write(verb: str, options: list[str], said: str) -> None:
    answer = CliRunner().invoke(app, ["audit", verb, *options, "--collector", "http://127.0.0.1:1"])
    assert answer.exit_code == 2
    assert said in answer.stderr


def test_where_no_collector_answers_that_is_said() -> None:
    answer = CliRunner().invoke(
        app, ["audit", "retries", "--week", "2026-W47", "--collector", "http://127.0.0.1:1"]
    )
    assert answer.exit_code == 1
    assert "start one with: switchgear up" in answer.stderr
