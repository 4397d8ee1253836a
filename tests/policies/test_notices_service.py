"""Notices in the engine's service and on the command line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest
from serving import Serving
from sinks import HttpSink
from typer.testing import CliRunner
from waiting import until

from cli.main import app
from collector.pricing import Quote
from policies.notices import NoticeFileError
from policies.service import create_app
from switchgear.usage import Usage

POLICY = "version: 1\nceilings:\n  - {name: hour, limit: 1 USD, window: 1h}\n"


def price(provider: str | None, model: str | None, usage: Usage, at: datetime, *_: object) -> Quote:
    return Quote(Decimal(usage.total) / 1_000_000, "USD", "a test's rates")


@pytest.fixture
def sink() -> Iterator[HttpSink]:
    with HttpSink() as sink:
        yield sink


@pytest.fixture
def file(tmp_path: Path, sink: HttpSink) -> Path:
    (tmp_path / "policies.yaml").write_text(POLICY)
    (tmp_path / "url").write_text(f"{sink.url}\n")
    path = tmp_path / "notices.yaml"
    path.write_text(
        "version: 1\nallow: [127.0.0.0/8]\ndestinations:\n  - name: chat\n    slack: {url: {file: url}}\n"
    )
    return path


def test_a_breaker_that_is_forced_open_is_told_and_counted(file: Path, sink: HttpSink) -> None:
    policy_file = file.with_name("policies.yaml")
    engine = create_app(policy_file=policy_file, data=file.parent, price=price, collector=None, notices=file)
    with Serving(engine) as service, service.client() as client:
        forced = {"do": "open", "ceiling": "hour", "reason": "the bill runs <away>", "by": "ann"}
        client.post("/v1/breakers", json=forced).raise_for_status()
        until(lambda: sink.posted, "the message came")
        delivered = 'switchgear_notices_delivered_total{destination="chat"} 1'
        until(lambda: delivered in client.get("/metrics").text, "it is counted")
    text = json.loads(sink.posted[0].body)["text"]
    assert "hour is forced open by ann since" in text
    assert "the bill runs &lt;away&gt;" in text


def test_an_engine_does_not_start_with_a_file_that_cannot_be_used(file: Path) -> None:
    file.write_text("version: 1\n")
    policy_file = file.with_name("policies.yaml")
    with pytest.raises(NoticeFileError, match=r"notices\.yaml:1.*destinations: is missing"):
        create_app(policy_file=policy_file, data=file.parent, price=price, collector=None, notices=file)


def test_a_test_message_reaches_every_destination(file: Path, sink: HttpSink) -> None:
    answer = CliRunner().invoke(app, ["notices", "test", "--notices", str(file)])
    assert (answer.exit_code, answer.stdout) == (0, "chat: delivered\n")
    assert "This is a test" in json.loads(sink.posted[0].body)["text"]


def test_a_destination_that_is_not_reached_is_a_finding_with_its_reason(file: Path, sink: HttpSink) -> None:
    file.write_text(file.read_text().replace("allow: [127.0.0.0/8]\n", ""))
    answer = CliRunner().invoke(app, ["notices", "test", "--notices", str(file), "--json"])
    (tried,) = json.loads(answer.stdout)["destinations"]
    assert (answer.exit_code, tried["name"]) == (1, "chat")
    assert "127.0.0.1 is this machine" in tried["error"]
    assert sink.posted == []


@pytest.mark.parametrize("form", [[], ["--json"]], ids=["text", "json"])
def test_a_file_that_cannot_be_used_is_a_finding_with_every_error(file: Path, form: list[str]) -> None:
    file.write_text("version: 1\nintervall: 1s\n")
    answer = CliRunner().invoke(app, ["notices", "test", "--notices", str(file), *form])
    assert answer.exit_code == 1
    told = json.loads(answer.stdout)["errors"] if form else answer.stderr.splitlines()
    assert len(told) == 2
    assert "intervall: no such setting here" in "".join(told)


def test_no_file_is_misuse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    answer = CliRunner().invoke(app, ["notices", "test"])
    assert (answer.exit_code, "name one with --notices" in answer.stderr) == (2, True)
