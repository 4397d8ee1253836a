"""Bad inputs 30 to 32, 35 to 37 and 40 of the catalogue: names and keys that are hostile, and questions that are.

The table of where the other numbers are is in test_bad_inputs_spans.py.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from bad_inputs import alive, booked, counted, fresh, refused_alone, rejected, settle, taken
from msgspec.structs import replace
from otlp_samples import EVER, JSON, PROTOBUF, Served, llm_span, request, to_protobuf

from collector.call import Call
from collector.ingest.admission import Admission
from collector.ingest.limits import Limits
from collector.keys.key import EVERYTHING
from collector.keys.keyring import FILE_NAME, Keyring
from collector.overflow import OVERFLOW

TENANT = "switchgear.tenant"
ROOT = "the key of the installation"
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)

Serve = Callable[..., Served]
Keyed = Callable[..., tuple[Served, list[httpx.Client]]]


@pytest.fixture
def keyed(serve: Serve, tmp_path: Path) -> Iterator[Keyed]:
    """Starts a collector that knows keys for `acme` with these scopes: it, for the operator, and a client of each."""
    clients: list[httpx.Client] = []

    def start(*scopes: str) -> tuple[Served, list[httpx.Client]]:
        keyring = Keyring(tmp_path / "data" / FILE_NAME)
        secrets = [keyring.create(["acme"], [scope], now=NOW)[1] for scope in scopes]
        served = serve(api_key=ROOT)
        served.http.headers["Authorization"] = f"Bearer {ROOT}"
        for secret in secrets:
            named = {"Authorization": f"Bearer {secret}"}
            clients.append(httpx.Client(base_url=served.url, headers=named, trust_env=False))
        return served, clients

    yield start
    for client in clients:
        client.close()


HOSTILE = {
    "SQL": "'; DROP TABLE booked; --",
    "path": "../../etc/passwd",
    "right to left": "acme\u202egpj.exe",
    "emoji": "🦖🔥",
    "homoglyph": "\u0430cme",
    "formula": '=HYPERLINK("http://x")',
    "HTML": "<img src=x onerror=alert(1)>",
    "markdown": "![x](http://evil)",
    "new lines": "a\r\nSet-Cookie: x\n\n",
    "escape": "\x1b[2J",
    "128": "x" * 128,
}


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE.keys())
def test_31_a_hostile_tenant_is_a_name_like_any_other(
    served: Served, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "collector")
    names = {TENANT: name, "switchgear.workload": name, "switchgear.task.id": name}
    columns = ("tenant", "workload", "task_id")
    assert taken(served, lambda: llm_span(fresh(), names), *columns) == [name, name, name]
    assert served.rows("SELECT count(*) FROM calls WHERE tenant = ?", [name]) == [[2]]
    assert name not in served.http.get("/metrics").text
    assert name not in caplog.text


def test_31_two_spellings_of_one_name_are_one_tenant(served: Served) -> None:
    composed, spread = "Zo\u00eb", "Zoe\u0308"
    for name in (composed, spread):
        assert taken(served, lambda name=name: llm_span(fresh(), {TENANT: name}), "tenant") == [composed]


@pytest.mark.parametrize("name", ["a\0b", "\0", "x" * 129, "x" * 300], ids=["NUL", "only NUL", "129", "300"])
def test_31_a_name_that_cannot_be_is_rejected_alone(served: Served, name: str) -> None:
    words = refused_alone(served, lambda: llm_span(fresh(), {TENANT: name}), "bad_value")
    assert TENANT in words
    assert "x" * 65 not in words
    assert "\0" not in words


@pytest.mark.parametrize(
    "name",
    ["'", '"; DROP TABLE booked; --', "$..*", "$.a[?(@.b)]", "a" * 10_000, "", "\0", "{}", "__class__"],
)
def test_32_a_hostile_attribute_name_is_no_attribute_of_ours(served: Served, name: str) -> None:
    assert taken(served, lambda: llm_span(fresh(), {name: "x"}), "state") == ["complete"]


def test_35_names_without_end_overflow_and_no_money_is_lost(serve: Serve) -> None:
    served = serve(limits=Limits(tasks=100, workloads=10, past_days=EVER.past_days))
    names = [
        llm_span(fresh(), {"switchgear.task.id": f"task-{number}", "switchgear.workload": f"w-{number % 20}"})
        for number in range(2_000)
    ]
    for first in range(0, 2_000, 500):
        assert rejected(served.send(request(names[first : first + 500]), protobuf=True)) == (0, "")
    # 2,000 x 0.000135, under 100 tasks and one more, and 10 workloads and one more.
    assert served.rows("SELECT sum(cost), count(DISTINCT task_id), count(DISTINCT workload) FROM calls") == [
        ["0.27", 101, 11]
    ]
    assert served.rows("SELECT count(*) FROM calls WHERE task_id = ?", [OVERFLOW]) == [[1_900]]
    assert counted(served.http, "overflowed_calls") == 1_950
    # What was booked as it was named and what overflowed are both the same spans when they come again.
    assert rejected(served.send(request(names[:500]), protobuf=True)) == (0, "")
    assert counted(served.http, "duplicate_spans") == 500
    assert counted(served.http, "conflict_spans") == 0


def test_35_names_in_use_are_known_after_a_restart(serve: Serve, tmp_path: Path) -> None:
    def spans(*names: str) -> dict[str, Any]:
        return request([llm_span(fresh(), {"switchgear.workload": name}) for name in names])

    limits = Limits(workloads=2, past_days=EVER.past_days)
    first = serve(limits=limits, now=lambda: NOW)
    first.send(spans("a", "b"))
    first.stop()
    second = serve(limits=limits, now=lambda: NOW)
    second.send(spans("c", "d", "b", "a"))
    settle(second.http)
    assert second.rows("SELECT workload, count(*) FROM calls GROUP BY ALL ORDER BY ALL") == [
        [OVERFLOW, 2],
        ["a", 2],
        ["b", 2],
    ]


@pytest.mark.parametrize("names", [30_000, pytest.param(1_000_000, marks=pytest.mark.slow)])
def test_35_a_million_names_take_no_more_memory_than_ten_thousand(names: int) -> None:
    admission = Admission(Limits(), lambda _: None)
    call = Call("acme", "1" * 32, "1" * 16, None, NOW, NOW, workload="w", task_id="t")
    kept: Counter[str | None] = Counter()
    for number in range(names):
        admitted = admission.admit(replace(call, task_id=f"t{number}"), EVERYTHING, NOW)
        assert isinstance(admitted, Call)
        kept[admitted.task_id] += 1
    assert len(kept) == 10_001
    assert kept[OVERFLOW] == names - 10_000


SECRET = "sk-proj-4f9aXq"
PROMPT = "the quarterly numbers of Initech"


def test_36_nothing_of_what_was_said_reaches_the_disk_or_the_log(
    serve: Serve, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    said = f"{PROMPT} {SECRET}"
    content = dict.fromkeys(
        (
            *("gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.system_instructions"),
            *("gen_ai.tool.call.arguments", "gen_ai.prompt.0.content", "gen_ai.completion.0.content"),
            *(
                "input.value",
                "output.value",
                "llm.input_messages.0.message.content",
                "traceloop.entity.input",
            ),
            *("ai.prompt", "ai.response.text", "langfuse.observation.input", "request_data", "response_data"),
            *("http.request.header.authorization", "exception.message", "anything.else"),
        ),
        said,
    )
    served = serve()
    fields = {
        "name": said,
        "events": [{"name": said, "attributes": [{"key": said, "value": {"stringValue": said}}]}],
        "status": {"code": 2, "message": said},
    }
    billed, failed = llm_span(fresh(), content, **fields), llm_span(fresh(), content, **fields)
    tool = llm_span(fresh(), {**content, "gen_ai.operation.name": "execute_tool"}, **fields)
    bad = llm_span(fresh(), {**content, "gen_ai.usage.input_tokens": -1}, **fields)
    failed[1]["attributes"] = [each for each in failed[1]["attributes"] if "usage" not in each["key"]]
    body = request([billed, failed, tool, bad])
    body["resourceSpans"][0]["resource"]["attributes"].append(
        {"key": "process.command_args", "value": {"stringValue": said}}
    )
    assert rejected(served.send(body))[0] == 1
    served.http.post(
        "/v1/traces", content=json.dumps(body)[:-1], headers={"Content-Type": "application/json"}
    )
    served.http.post("/v1/traces", content=said.encode(), headers={"Content-Type": "application/x-protobuf"})
    assert len(booked(served, billed)) == 1
    served.stop()
    files = [each for each in (tmp_path / "data").rglob("*") if each.is_file()]
    assert files
    for word in (PROMPT.encode(), SECRET.encode()):
        assert [each.name for each in files if word in each.read_bytes()] == []
        assert word.decode() not in caplog.text


def test_30_a_key_books_nothing_for_a_tenant_of_others(keyed: Keyed) -> None:
    served, [client] = keyed("ingest")
    for content_type in (JSON, PROTOBUF):
        spans = request([llm_span(fresh()), llm_span(fresh(), {TENANT: "victim"})])
        body = to_protobuf(spans) if content_type == PROTOBUF else json.dumps(spans).encode()
        number, words = rejected(
            client.post("/v1/traces", content=body, headers={"Content-Type": content_type})
        )
        assert number == 1
        assert "tenant 'victim' is not among the tenants of key" in words
    assert counted(served.http, "rejected_spans", reason="wrong_tenant") == 2
    assert served.rows("SELECT tenant, count(*) FROM calls GROUP BY ALL") == [["acme", 2]]


def test_37_a_request_without_the_right_key_is_refused(keyed: Keyed) -> None:
    _, [reader, agent] = keyed("read", "ingest")
    secret = agent.headers["Authorization"].removeprefix("Bearer ")
    one = {"json": request([llm_span(fresh())])}
    in_url = f"/v1/traces?key={secret}&api_key={secret}&access_token={secret}"
    for path, authorization in (
        *(("/v1/traces", ""), (in_url, ""), ("/v1/traces", f"Basic {secret}")),
        ("/v1/traces", f"Bearer {secret[:-1]}{'A' if secret[-1] != 'A' else 'B'}"),
    ):
        assert agent.post(path, headers={"Authorization": authorization}, **one).status_code == 401
    assert reader.post("/v1/traces", **one).status_code == 403
    assert agent.post("/v1/query", json={"sql": "SELECT 1"}).status_code == 403
    assert agent.post("/v1/traces", **one).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        *("/v1/feed?limit=-1", "/v1/feed?limit=0", "/v1/feed?limit=1000000000", "/v1/feed?after=-1"),
        *("/v1/feed?after=1e9", "/v1/feed?after=99999999999999999999"),
        *("/v1/feed?wait=1e9", "/v1/feed?wait=nan"),
    ],
)
def test_40_a_limit_that_cannot_be_is_422(served: Served, path: str) -> None:
    answer = served.http.get(path)
    assert (answer.status_code, answer.headers["Content-Type"]) == (422, "application/problem+json")
    assert alive(served.http)
