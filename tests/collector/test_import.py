"""`switchgear import`: files of traces into a running collector, of any age and each call once."""

from __future__ import annotations

import gzip
import json
import socket
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from otlp_samples import BASE_NS, Served, llm_span, request, task_end, to_protobuf

from cli import import_
from collector.ingest.limits import Limits

Serve = Callable[..., Served]
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
YEAR_NS = 365 * 24 * 3600 * 1_000_000_000
TOOL = {"gen_ai.operation.name": "execute_tool"}


def imported(
    capsys: pytest.CaptureFixture[str], served: Served, *files: Path, history: bool = False
) -> tuple[int, dict[str, Any]]:
    """The exit code, and the tally as a program reads it."""
    code = import_.run(files, collector=served.url, api_key=None, history=history, as_json=True)
    return code, json.loads(capsys.readouterr().out)


def test_json_lines_and_protobuf_are_imported_once_however_often_they_are_sent(
    served: Served, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ours = {"switchgear.tenant": "in many forms"}
    documents = [request([llm_span(n, ours), llm_span(n + 100, TOOL)]) for n in (1, 2, 3, 4)]
    lines = "\n".join(map(json.dumps, documents[1:]))
    (tmp_path / "whole.json").write_text(json.dumps(documents[0], indent=2))
    (tmp_path / "lines.jsonl").write_text(lines)
    (tmp_path / "lines.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    (tmp_path / "whole.pb").write_bytes(to_protobuf(documents[1]))
    (tmp_path / "whole.pb.gz").write_bytes(gzip.compress(to_protobuf(documents[0])))
    files = sorted(tmp_path.glob("*.*"))
    assert len(files) == 5
    # Nine documents of two spans, one of which is a tool: 3 lines, 3 lines, and three files of one.
    code, tally = imported(capsys, served, *files)
    assert (code, tally["spans"], tally["calls"], tally["not_billed"]) == (0, 18, 9, {"wrong_kind": 9})
    assert served.rows("SELECT count(*) FROM calls WHERE tenant = 'in many forms'") == [[4]]


def test_a_large_document_is_sent_in_requests_of_a_handy_size(
    served: Served, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ours = {"switchgear.tenant": "large"}
    (tmp_path / "a.json").write_text(json.dumps(request([llm_span(n, ours) for n in range(1, 1201)])))
    _, tally = imported(capsys, served, tmp_path / "a.json")
    assert (tally["spans"], tally["calls"]) == (1200, 1200)
    assert served.rows("SELECT count(*) FROM calls WHERE tenant = 'large'") == [[1200]]


def test_spans_too_old_for_an_agent_need_the_flag(
    serve: Serve, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    served = serve(limits=Limits(), now=lambda: NOW)
    old = llm_span(2, startTimeUnixNano=str(BASE_NS - YEAR_NS), endTimeUnixNano=str(BASE_NS - YEAR_NS + 1000))
    (tmp_path / "a.json").write_text(json.dumps(request([llm_span(1), old])))
    code, tally = imported(capsys, served, tmp_path / "a.json")
    assert (code, tally["calls"], tally["rejected"]) == (1, 1, 1)
    assert "switchgear import --history" in tally["reasons"][0]
    assert served.rows("SELECT count(*) FROM calls") == [[1]]
    code, tally = imported(capsys, served, tmp_path / "a.json", history=True)
    assert (code, tally["calls"], tally["rejected"]) == (0, 2, 0)
    assert served.rows("SELECT count(*) FROM calls") == [[2]]


def test_the_end_of_a_task_is_taken_and_is_no_call(
    served: Served, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.json").write_text(json.dumps(request([llm_span(1), task_end(2)])))
    code, tally = imported(capsys, served, tmp_path / "a.json")
    assert (code, tally["spans"], tally["calls"], tally["not_billed"]) == (0, 2, 1, {"task_end": 1})
    assert served.rows("SELECT task_id, outcome FROM task_ends") == [["t1", "succeeded"]]


def test_a_person_reads_what_was_taken_and_why_the_rest_was_not(
    served: Served, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = llm_span(3, {"gen_ai.usage.input_tokens": -1})
    (tmp_path / "a.json").write_text(json.dumps(request([llm_span(1), llm_span(2, TOOL), bad])))
    code = import_.run(
        [tmp_path / "a.json"], collector=served.url, api_key=None, history=False, as_json=False
    )
    out = capsys.readouterr().out
    assert code == 1
    assert "3 spans: 1 calls taken, 1 rejected" in out
    assert "no calls: 1 wrong_kind" in out
    assert "gen_ai.usage.input_tokens = -1" in out


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xffnonsense", "it must hold OTLP/JSON, lines of it, or protobuf"),
        (b'{"resourceSpans": [', "it must hold"),
        (b"{}\n{\n", "line 2: "),
        (b'{"resourceSpans": 7}', "it must hold"),
        (gzip.compress(b"{}")[:-4], "it is no whole gzip"),
    ],
    ids=["noise", "cut", "a bad line", "no list", "cut gzip"],
)
def test_a_file_that_is_no_otlp_is_one_clear_line_and_exit_2(
    served: Served, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes, message: str
) -> None:
    (tmp_path / "a.bin").write_bytes(content)
    code = import_.run([tmp_path / "a.bin"], collector=served.url, api_key=None, history=False, as_json=True)
    captured = capsys.readouterr()
    assert (code, captured.out) == (2, "")
    [line] = captured.err.splitlines()
    assert line.startswith(f"switchgear: import: {tmp_path / 'a.bin'}: ")
    assert message in line


def test_a_key_that_may_not_send_is_named(
    serve: Serve, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.json").write_text(json.dumps(request([llm_span(1)])))
    served = serve(api_key="right")
    code = import_.run(
        [tmp_path / "a.json"], collector=served.url, api_key="wrong", history=False, as_json=True
    )
    assert code == 1
    assert "the scope ingest" in capsys.readouterr().err


def test_no_collector_is_one_clear_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.json").write_text(json.dumps(request([llm_span(1)])))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    code = import_.run([tmp_path / "a.json"], collector=url, api_key=None, history=False, as_json=True)
    assert code == 1
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(f"switchgear: import: no collector answers at {url}")
