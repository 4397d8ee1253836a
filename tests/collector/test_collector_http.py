"""The whole collector over a real socket."""

from __future__ import annotations

import errno
import json
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import duckdb
import httpx
import pyarrow as pa
import pytest
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from otlp_samples import Served, llm_span, request

from collector.facts.store import Store
from collector.reporting import ReportError

Serve = Callable[..., Served]


def test_an_unknown_model_is_unpriced_and_never_free(served: Served) -> None:
    model = {"gen_ai.request.model": "llm-9000", "gen_ai.response.model": "llm-9000"}
    assert served.send(request([llm_span(1, {"switchgear.tenant": "unpriced", **model})])).status_code == 200
    assert served.rows("SELECT state, cost FROM calls WHERE tenant = 'unpriced'") == [["unpriced", None]]


def test_the_feed_wakes_at_the_commit(serve: Serve) -> None:
    served = serve()
    got: list[httpx.Response] = []

    def wait() -> None:
        got.append(httpx.get(f"{served.url}/v1/feed?after=0&wait=30", timeout=40, trust_env=False))

    waiting = threading.Thread(target=wait)
    waiting.start()
    began = time.monotonic()
    served.send(request([llm_span(1, {"switchgear.lease.id": "g:1"})]))
    waiting.join(20)
    assert time.monotonic() - began < 10
    body = got[0].json()
    [call] = body["calls"]
    assert (call["seq"], call["key"], call["lease_id"]) == (1, f"acme/{1:032x}:{1:016x}", "g:1")
    # 400 x 0.15 + 600 x 0.075 + 50 x 0.60 per million.
    assert call["cost"] == "0.000135"
    assert call["usage"]["cache_read"] == 600
    assert body["next"] == 1
    assert body["watermark"].endswith("Z")


def test_the_feed_is_read_page_by_page_to_its_end(serve: Serve) -> None:
    served = serve()
    served.send(request([llm_span(n) for n in range(1, 6)]))
    after, seen = 0, []
    while True:
        body = served.http.get(
            "/v1/feed", params={"after": after, "limit": 2, "wait": int(after < 5) * 5}
        ).json()
        if not body["calls"]:
            break
        seen += [call["seq"] for call in body["calls"]]
        after = body["next"]
    assert seen == [1, 2, 3, 4, 5]
    assert served.http.get("/v1/feed?after=99").json()["next"] == 5


def test_a_query_answers_in_json_and_in_arrow(served: Served) -> None:
    served.send(request([llm_span(2), llm_span(3, {"switchgear.tenant": "globex"})]))
    sql = "SELECT tenant, cost, started_at, input_uncached FROM calls WHERE tenant = $1"
    answer = served.http.post("/v1/query", json={"sql": sql, "params": ["acme"]}).json()
    assert answer["columns"] == ["tenant", "cost", "started_at", "input_uncached"]
    assert answer["rows"] == [["acme", "0.000135", "2026-11-24T06:00:00Z", 400]]
    assert answer["watermark"]
    arrow = served.http.post("/v1/query", json={"sql": sql, "params": ["acme"], "format": "arrow"})
    table = pa.ipc.open_stream(arrow.content).read_all()
    assert table.column("tenant").to_pylist() == ["acme"]
    assert str(table.schema.field("cost").type) == "decimal128(18, 12)"


@pytest.mark.parametrize(
    "body",
    [
        {"sql": "DELETE FROM booked"},
        {"sql": "SELECT * FROM booked"},
        {"sql": "SELECT nonsense FROM calls"},
        {"sql": ""},
        {"sql": "SELECT 1", "format": "xml"},
        {"sql": "SELECT 1", "extra": 1},
        {},
        [],
    ],
    ids=str,
)
def test_a_query_that_may_not_run_is_a_problem_document(served: Served, body: Any) -> None:
    answer = served.http.post("/v1/query", json=body)
    assert answer.status_code == 422
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["status"] == 422
    assert answer.json()["detail"]


@pytest.mark.parametrize(
    "value", ["DATE '12000-01-01'", "TIMESTAMP 'infinity'", "TIMESTAMPTZ '12000-01-01'"], ids=str
)
def test_a_time_that_json_cannot_hold_is_a_problem_document(served: Served, value: str) -> None:
    answer = served.http.post("/v1/query", json={"sql": f"SELECT {value} AS late"})
    assert answer.status_code == 422
    assert "late: " in answer.json()["detail"]


def test_a_map_of_any_key_is_an_object(served: Served) -> None:
    answer = served.http.post("/v1/query", json={"sql": "SELECT MAP {1: 2}, MAP {DATE '2026-01-01': 3}"})
    assert answer.json()["rows"] == [[{"1": 2}, {"2026-01-01": 3}]]


def test_an_answer_of_too_many_rows_is_refused(served: Served) -> None:
    answer = served.http.post("/v1/query", json={"sql": "SELECT * FROM range(200000)"})
    assert "more than 100000 rows" in answer.json()["detail"]


def test_reports_and_the_registry_are_what_was_passed_in(serve: Serve) -> None:
    def spend(con: duckdb.DuckDBPyConnection, params: Mapping[str, str]) -> pa.Table:
        if "by" not in params:
            raise ReportError("by: missing; write by=tenant")
        return con.sql("SELECT tenant, sum(cost) AS cost FROM calls GROUP BY tenant").to_arrow_table()

    from analytics import registry

    served = serve(reports={"spend": spend}, registry=registry)
    served.send(request([llm_span(1, {"switchgear.workload": "nightly"})]))
    assert served.http.get("/v1/reports").json() == {"reports": ["spend"]}
    assert served.http.get("/v1/reports/spend?by=tenant").json()["rows"] == [["acme", "0.000135"]]
    assert "by: missing" in served.http.get("/v1/reports/spend").json()["detail"]
    assert served.http.get("/v1/reports/none").status_code == 404

    line = {"tenant": "acme", "workload": "nightly", "owner": "data", "cost_centre": "CC-1"}
    plan = {"cost_centre": "CC-1", "month": "2026-11", "amount": "1200", "currency": "USD"}
    document = {"workloads": [line], "plans": [plan]}
    stored = {"source": "policies", "zone": "UTC", **document}
    assert served.http.put("/v1/registry", json=document).json() == stored
    assert served.http.get("/v1/registry?source=policies").json() == stored
    assert served.rows("SELECT owner, cost_centre FROM calls") == [["data", "CC-1"]]
    refused = served.http.put("/v1/registry", json={"workloads": [{"tenant": ""}]})
    assert refused.status_code == 422
    assert served.http.get("/v1/registry?source=policies").json() == stored


def test_transitions_are_kept_once_by_their_id(served: Served) -> None:
    transition = {
        "id": "t1",
        "at": "2026-11-24T06:00:00Z",
        "policy": "acme-minute",
        "scope": {"tenant": "acme"},
        "from": "closed",
        "to": "open",
        "by": "engine",
        "reason": "over",
        "spent": "1.50",
        "held": "0.10",
        "projected": "1.75",
        "ceiling": "1.50",
        "currency": "USD",
        "prev_hash": "",
        "hash": "abc",
    }
    batch = {"transitions": [transition, transition]}
    assert served.http.post("/v1/audit", json=batch).json() == {"received": 2, "kept": 1}
    assert served.http.post("/v1/audit", json=batch).json() == {"received": 2, "kept": 0}
    assert served.rows('SELECT id, "to", spent, scope.tenant FROM transitions') == [
        ["t1", "open", "1.5", "acme"]
    ]
    assert served.http.post("/v1/audit", json={"transitions": [{"id": "x"}]}).status_code == 422


def test_a_scope_keeps_every_part_that_is_known_and_leaves_out_what_a_newer_engine_adds(
    served: Served,
) -> None:
    scope = dict.fromkeys(("tenant", "workload", "tier", "task", "owner", "model", "provider"), "of-scopes")
    moved = {"id": "of-scopes", "at": "2026-11-24T06:00:00Z", "policy": "p", "from": "closed", "to": "open"}
    batch = {"transitions": [moved | {"scope": scope | {"region": "eu", "nested": {"more": [1]}}}]}
    assert served.http.post("/v1/audit", json=batch).json() == {"received": 1, "kept": 1}
    assert served.rows("SELECT scope FROM transitions WHERE id = 'of-scopes'") == [[scope]]


def test_with_a_key_only_health_is_open(serve: Serve) -> None:
    served = serve(api_key="s3cret")
    assert served.http.get("/healthz").status_code == 200
    assert served.http.get("/readyz").status_code == 200
    for path in ("/metrics", "/v1/feed", "/v1/nothing"):
        assert served.http.get(path).status_code == 401, path
    for given in ("Bearer wrong", "Basic s3cret", "Bearer", "s3cret"):
        assert served.http.get("/v1/feed", headers={"Authorization": given}).status_code == 401
    refused = served.send(request([llm_span(1)]), protobuf=True)
    assert refused.status_code == 401
    assert Status.FromString(refused.content).code == 16
    served.http.headers["Authorization"] = "Bearer s3cret"
    assert served.send(request([llm_span(1)]), protobuf=True).status_code == 200
    assert served.http.get("/v1/feed?wait=5").json()["next"] == 1


def test_routes_that_are_not_there_are_problem_documents(served: Served) -> None:
    answer = served.http.get("/v1/nothing")
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "application/problem+json")
    assert served.http.put("/v1/query").status_code == 405
    large = served.http.post("/v1/audit", content=b"x" * (9 * 1024 * 1024))
    assert large.status_code == 413
    assert "/v1/traces" in served.http.get("/openapi.json").json()["paths"]


def test_a_journal_that_cannot_be_written_is_503_and_recovers_by_itself(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = serve()
    assert served.send(request([llm_span(1)])).status_code == 200
    with monkeypatch.context() as broken:

        def full(_: int) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        broken.setattr("os.fdatasync", full)
        answer = served.send(request([llm_span(2)]), protobuf=True)
        assert answer.status_code == 503
        assert int(answer.headers["Retry-After"]) >= 1
        assert Status.FromString(answer.content).code == 14
        assert served.http.get("/readyz").status_code == 503
        assert served.rows("SELECT count(*) FROM calls") == [[1]]
    assert served.send(request([llm_span(2)])).status_code == 200
    assert served.http.get("/readyz").status_code == 200
    assert served.rows("SELECT count(*) FROM calls") == [[2]]


def test_what_is_acknowledged_while_the_database_cannot_be_written_is_booked_when_it_can(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = serve()
    tried = threading.Event()
    with monkeypatch.context() as broken:

        def full(*_: object) -> None:
            tried.set()
            raise duckdb.IOException("No space left on device")

        broken.setattr(Store, "book", full)
        broken.setattr(Store, "reopen", full)
        assert served.send(request([llm_span(1)])).status_code == 200
        assert tried.wait(20)
        while served.http.get("/readyz").status_code != 503:
            assert tried.wait(20)
    feed = served.http.get("/v1/feed?wait=10").json()
    assert [call["seq"] for call in feed["calls"]] == [1]
    assert served.http.get("/readyz").status_code == 200


def test_a_full_queue_is_503_and_empties_by_itself(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collector.facts.writer.MAX_WAITING", 1)
    served = serve()
    entered, go_on = threading.Event(), threading.Event()
    original = Store.book

    def slow(store: Store, *arguments: Any) -> Any:
        entered.set()
        assert go_on.wait(20)
        return original(store, *arguments)

    monkeypatch.setattr(Store, "book", slow)
    assert served.send(request([llm_span(1)])).status_code == 200, "on disk, though not booked yet"
    assert entered.wait(20)
    assert [served.send(request([llm_span(number)])).status_code for number in (2, 3)] == [503, 503]
    go_on.set()
    assert served.http.get("/v1/feed?wait=10").json()["next"] == 1
    assert served.send(request([llm_span(2)])).status_code == 200
    assert served.rows("SELECT count(*) FROM calls") == [[2]]


def test_what_was_taken_in_is_written_before_the_end(serve: Serve, tmp_path: Path) -> None:
    served = serve(tmp_path / "d")
    for number in range(1, 20):
        assert served.send(request([llm_span(number)])).status_code == 200
    served.stop()
    store = Store(tmp_path / "d")
    assert store.cursor().execute("SELECT count(*) FROM calls").fetchone() == (19,)
    store.close()


def test_no_content_reaches_the_disk_or_an_answer(serve: Serve, tmp_path: Path) -> None:
    secret = "sk-live-4242"
    served = serve(tmp_path / "d")
    content = {
        "gen_ai.input.messages": f'[{{"role": "user", "content": "{secret}"}}]',
        "gen_ai.output.messages": secret,
        "gen_ai.tool.call.arguments": secret,
        "input.value": secret,
        "output.value": json.dumps({"id": "chatcmpl-1", "choices": [secret]}),
        "llm.input_messages.0.message.content": secret,
        "openinference.span.kind": "LLM",
        "llm.token_count.prompt": 3,
        "llm.token_count.completion": 3,
    }
    spans = [llm_span(1, content, scope="openinference.instrumentation.openai")]
    assert served.send(request(spans)).status_code == 200
    assert served.rows("SELECT response_id, dialect FROM calls") == [["chatcmpl-00000001", "openinference"]]
    served.stop()
    for file in (tmp_path / "d").rglob("*"):
        assert file.is_dir() or secret.encode() not in file.read_bytes(), file
