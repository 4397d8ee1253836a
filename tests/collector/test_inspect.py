"""`switchgear inspect`: what trace files would book, as a program and as a person reads it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from otlp_samples import Recording, llm_span, request, to_protobuf

from cli import inspect

KEYS = [
    *("span", "booked", "reason", "dialect", "tenant", "workload", "task", "tier", "provider", "model"),
    *("usage", "attempts", "state", "cost", "currency", "price_version"),
]


def inspected(capsys: pytest.CaptureFixture[str], *files: Path) -> list[dict[str, Any]]:
    assert inspect.run(list(files), as_json=True) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_every_span_is_one_object_of_the_documented_shape(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ours = {"switchgear.workload": "nightly", "switchgear.task.id": "t1", "switchgear.tier": "batch"}
    agent = llm_span(2, {"gen_ai.operation.name": "invoke_agent", "switchgear.tenant": None})
    (tmp_path / "a.json").write_text(json.dumps(request([llm_span(1, ours), agent])))
    call, none = inspected(capsys, tmp_path / "a.json")
    assert list(call) == list(none) == KEYS
    assert call == {
        "span": f"{1:032x}:{1:016x}",
        "booked": True,
        "reason": None,
        "dialect": "otel-genai",
        "tenant": "acme",
        "workload": "nightly",
        "task": "t1",
        "tier": "batch",
        "provider": "openai",
        "model": "gpt-4o-mini-2024-07-18",
        "usage": {
            "input_uncached": 1000 - 600,
            "cache_read": 600,
            "cache_write_5m": 0,
            "cache_write_1h": 0,
            "output": 50,
            "reasoning": 20,
        },
        "attempts": 1,
        "state": "complete",
        "cost": "0.000135",  # 400 x 0.15 + 600 x 0.075 + 50 x 0.60 per million
        "currency": "USD",
        "price_version": call["price_version"],
    }
    assert call["price_version"].startswith("genai-prices ")
    assert (none["booked"], none["usage"], none["cost"], none["tenant"]) == (False, None, None, None)
    assert "invoke_agent" in none["reason"]


def test_a_span_of_no_tenant_shows_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.json").write_text(json.dumps(request([llm_span(1, {"switchgear.tenant": None})])))
    [call] = inspected(capsys, tmp_path / "a.json")
    assert (call["booked"], call["tenant"]) == (True, None)


def test_json_lines_and_protobuf_are_read_like_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, two = request([llm_span(1)]), request([llm_span(2)])
    (tmp_path / "whole.json").write_text(json.dumps(request([llm_span(1), llm_span(2)]), indent=2))
    (tmp_path / "lines.jsonl").write_text(f"{json.dumps(one)}\n\n{json.dumps(two)}\n")
    (tmp_path / "whole.pb").write_bytes(to_protobuf(request([llm_span(1), llm_span(2)])))
    whole, lines, binary = (
        inspected(capsys, tmp_path / name) for name in ("whole.json", "lines.jsonl", "whole.pb")
    )
    assert whole == lines == binary
    assert [each["booked"] for each in whole] == [True, True]


def test_twins_in_two_files_are_one_call_with_the_richest_record(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = {"gen_ai.response.id": "msg_1", "gen_ai.usage.cache_read.input_tokens": None}
    native = {
        "gen_ai.response.id": "msg_1",
        "gen_ai.usage.cache_write.input_tokens": 100,
        "anthropic.usage.cache_creation.ephemeral_5m_input_tokens": 70,
        "anthropic.usage.cache_creation.ephemeral_1h_input_tokens": 30,
    }
    (tmp_path / "a.json").write_text(json.dumps(request([llm_span(1, plain)])))
    (tmp_path / "b.json").write_text(
        json.dumps(request([llm_span(2, native, scope="com.anthropic.sdk.python")]))
    )
    for files in (("a.json", "b.json"), ("b.json", "a.json"), ("a.json", "b.json", "a.json")):
        found = inspected(capsys, *(tmp_path / name for name in files))
        [booked] = [each for each in found if each["booked"]]
        assert booked["usage"]["cache_write_1h"] == 30
        assert booked["usage"]["reasoning"] == 20
        others = [each for each in found if not each["booked"]]
        assert any(booked["span"] in each["reason"] for each in others)
        assert all(each["cost"] is None for each in others)


def test_a_person_reads_tables_and_a_total(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    unpriced = {"gen_ai.request.model": "llm-9000", "gen_ai.response.model": "\x1b[31mllm-9000"}
    spans = [llm_span(1), llm_span(2, unpriced), llm_span(3, {"gen_ai.operation.name": "execute_tool"})]
    (tmp_path / "a.json").write_text(json.dumps(request(spans)))
    assert inspect.run([tmp_path / "a.json"], as_json=False) == 0
    out = capsys.readouterr().out
    assert "3 spans: 2 calls, cost 0.000135 USD, 1 without a known cost" in out
    assert "\x1b[31m" not in out


@pytest.mark.parametrize(
    ("name", "content"),
    [("bad.pb", b"\xff\xffnonsense"), ("bad.json", b'{"resourceSpans": ['), ("lines.jsonl", b"{}\n{\n")],
)
def test_a_file_that_is_no_otlp_is_one_clear_line_and_exit_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, content: bytes
) -> None:
    (tmp_path / name).write_bytes(content)
    assert inspect.run([tmp_path / name], as_json=True) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(captured.err.splitlines()) == 1
    assert str(tmp_path / name) in captured.err


def test_the_fault_of_an_indented_document_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = request([llm_span(1)])
    document["resourceSpans"][0]["scopeSpans"] = {"spans": []}
    (tmp_path / "a.json").write_text(json.dumps(document, indent=2))
    assert inspect.run([tmp_path / "a.json"], as_json=True) == 2
    assert "$.resourceSpans[0].scopeSpans" in capsys.readouterr().err


def test_ids_in_base64_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = request([llm_span(1)])
    document["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["traceId"] = "W47/95gDgQPSabYzgT/GDA=="
    (tmp_path / "a.json").write_text(json.dumps(document, indent=2))
    assert inspect.run([tmp_path / "a.json"], as_json=True) == 0
    assert "'W47/95gDgQPSabYzgT/GDA==' is not hexadecimal" in capsys.readouterr().out


def test_a_file_that_is_not_there_is_one_clear_line_and_exit_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert inspect.run([tmp_path / "none.json"], as_json=True) == 2
    assert "No such file" in capsys.readouterr().err


def test_a_file_without_spans_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "other.json").write_text('{"spans": []}')
    assert inspect.run([tmp_path / "other.json"], as_json=True) == 0
    assert "holds no spans" in capsys.readouterr().err


def test_all_recordings_together_book_each_call_once(
    recordings: Mapping[str, Recording], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = [each for name, each in recordings.items() if "anthropic" in name and "litellm" not in name]
    files = []
    for recording in chosen:
        files.append(tmp_path / f"{recording.name}.json")
        files[-1].write_text(json.dumps(recording.request()))
    booked = [each for each in inspected(capsys, *files, *files) if each["booked"]]
    assert len(booked) == sum(len(each.truth["calls"]) for each in chosen)
    # 300 uncached, 600 read, 70 + 30 written, 50 out at 3, 0.30, 3.75, 6 and 15 a million.
    assert {each["cost"] for each in booked} == {"0.0022725"}
    attempts = sorted(each["attempts"] for each in booked)
    assert attempts == sorted(call["http_attempts"] for each in chosen for call in each.truth["calls"])


def reasons(capsys: pytest.CaptureFixture[str], tmp_path: Path, *spans: Any) -> dict[str, str | None]:
    (tmp_path / "a.json").write_text(json.dumps(request(list(spans))))
    return {each["span"][-1]: each["reason"] for each in inspected(capsys, tmp_path / "a.json")}


def test_a_wrapper_of_several_calls_says_that_these_are_billed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trace = {"traceId": f"{1:032x}"}
    inside = {**trace, "parentSpanId": f"{1:016x}"}
    nameless = {"gen_ai.response.id": None}
    found = reasons(
        capsys, tmp_path, llm_span(1, nameless, **trace), *(llm_span(n, nameless, **inside) for n in (2, 3))
    )
    assert found == {"1": "lies round several calls: only these are billed", "2": None, "3": None}


def test_a_twin_that_counts_otherwise_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answer = {"gen_ai.response.id": f"chatcmpl-{1:08x}"}
    other = llm_span(
        2, {**answer, "gen_ai.usage.output_tokens": 51}, scope="opentelemetry.instrumentation.openai.v1"
    )
    said = f"merged into {1:032x}:{1:016x}: both tell of one call, and count it differently"
    assert reasons(capsys, tmp_path, llm_span(1), other) == {"1": None, "2": said}


def test_a_call_without_its_usage_is_not_estimated_and_that_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    unknown = dict.fromkeys(f"gen_ai.usage.{name}_tokens" for name in ("input", "output"))
    details = dict.fromkeys(
        f"gen_ai.usage.{name}_tokens" for name in ("cache_read.input", "reasoning.output")
    )
    (tmp_path / "a.json").write_text(json.dumps(request([llm_span(1, {**unknown, **details})])))
    assert inspect.run([tmp_path / "a.json"], as_json=True) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["cost"] is None
    assert "1 of these calls did not tell their whole usage" in printed.err
