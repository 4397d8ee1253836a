"""What cannot start says why in one line, and how to go on."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from commands import Run, Start, listening, ran, starting
from serving import free_ports

BAD_POLICY = """\
version: 1
ceilings:
  - name: minute
    limit: 500
    window: 60s
"""
GOOD_POLICY = """\
version: 1
tenants:
  acme: {workloads: {support: {owner: care, cost_centre: CC-1, tier: interactive}}}
ceilings:
  - {name: minute, scope: {tenant: acme}, limit: 1 USD, window: 60s}
"""


def _one_line(answer: subprocess.CompletedProcess[str], code: int) -> str:
    lines = answer.stderr.splitlines()
    assert (answer.returncode, len(lines)) == (code, 1), answer.stderr
    assert "Traceback" not in answer.stderr
    return lines[0]


def _service(name: str, port: int, tmp_path: Path) -> tuple[str, ...]:
    data = () if name == "dashboard" else ("--data", str(tmp_path / "data"))
    grpc = ("--no-grpc",) if name == "collector" else ()
    return ("serve", name, "--port", str(port), *data, *grpc)


@pytest.mark.parametrize("name", ["cache", "collector", "policies", "dashboard"])
def test_a_taken_port_is_one_line_that_names_port_and_flag(
    run: Run, taken_port: int, tmp_path: Path, name: str
) -> None:
    asked = _service(name, taken_port, tmp_path)
    taken = f"switchgear: {name}: port {taken_port} on 127.0.0.1 is taken by another process; "
    assert _one_line(run(*asked), 1) == f"{taken}stop it or choose another with --port"
    # Whoever typed `up` has another flag for it.
    assert _one_line(run(*asked, "--supervised"), 1) == f"{taken}stop it or choose another with --{name}-port"


def test_a_taken_port_for_grpc_is_one_line_that_names_port_and_flag(run_apart: Run, taken_port: int) -> None:
    (port,) = free_ports(1)
    ports = ("--port", str(port), "--grpc-port", str(taken_port))
    line = _one_line(run_apart("serve", "collector", *ports), 1)
    assert line.startswith(f"switchgear: collector: port {taken_port} on 127.0.0.1 is taken")
    assert "--grpc-port" in line


def test_days_that_would_bill_a_call_twice_are_misuse(run: Run) -> None:
    line = _one_line(run("serve", "collector", "--retain", "details=20"), 2)
    assert "keep details for at least 32 days" in line


def test_one_port_for_http_and_grpc_is_misuse(run: Run) -> None:
    line = _one_line(run("serve", "collector", "--port", "4317"), 2)
    assert "--grpc-port" in line


@pytest.mark.parametrize("name", ["collector", "policies"])
def test_an_address_that_others_reach_is_refused_without_a_key(run: Run, tmp_path: Path, name: str) -> None:
    line = _one_line(run(*_service(name, 4318, tmp_path), "--host", "0.0.0.0"), 2)
    assert "0.0.0.0" in line
    assert "set SWITCHGEAR_API_KEY" in line


@pytest.mark.parametrize("flag", ["--host", "--dashboard-host"])
def test_up_refuses_an_address_that_others_reach_without_a_key(run: Run, flag: str) -> None:
    line = _one_line(run("up", flag, "0.0.0.0"), 2)
    assert f"{flag} 0.0.0.0" in line
    assert "set SWITCHGEAR_API_KEY" in line


def test_an_address_of_another_machine_cannot_be_listened_on(run: Run, tmp_path: Path) -> None:
    answer = run(
        *_service("collector", 4318, tmp_path), "--host", "192.0.2.1", env={"SWITCHGEAR_API_KEY": "k"}
    )
    assert "192.0.2.1" in _one_line(answer, 1)


@pytest.mark.parametrize("name", ["collector", "policies"])
def test_a_data_folder_that_cannot_be_written_is_one_line(run_apart: Run, tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("no folder")
    (port,) = free_ports(1)
    answer = run_apart("serve", name, "--port", str(port), "--data", str(tmp_path / "file" / "data"))
    assert str(tmp_path / "file") in _one_line(answer, 1)


def test_a_bad_policy_file_stops_the_service_with_file_line_and_reason(
    run_apart: Run, tmp_path: Path
) -> None:
    (tmp_path / "bad.yaml").write_text(BAD_POLICY)
    (port,) = free_ports(1)
    line = _one_line(run_apart(*_service("policies", port, tmp_path), "--policy-file", "bad.yaml"), 1)
    assert "bad.yaml:4:12: ceilings[0].limit:" in line
    assert 'write "500 USD"' in line


@pytest.mark.parametrize("service", ["collector", "policies"])
def test_a_bad_price_file_stops_the_service_with_file_line_and_reason(
    run: Run, tmp_path: Path, service: str
) -> None:
    entry = "  - {provider: acme, models: [m], currency: USD, input: -1}\n"
    # Without an option it is the file of this name where the service is started.
    (tmp_path / "prices.yaml").write_text(f"version: 1\nprices:\n{entry}{entry}")
    (port,) = free_ports(1)
    line = _one_line(run(*_service(service, port, tmp_path)), 1)
    assert (
        "prices.yaml:3:57: prices[0].input: -1 is negative (1 more: switchgear prices check lists them)"
        in line
    )


def test_policies_check_reports_every_error_with_its_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text(BAD_POLICY.replace("60s", "soon"))
    answer = run("policies", "check", "bad.yaml")
    assert answer.returncode == 1
    assert [line.split(":")[2] for line in answer.stderr.splitlines()] == ["4", "5"]


def test_policies_check_says_in_one_line_that_a_file_is_fine(run: Run, tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text(GOOD_POLICY)
    answer = run("policies", "check", "good.yaml")
    assert (answer.returncode, answer.stderr) == (0, "")
    assert answer.stdout == "good.yaml: fine: 1 tenant, 1 workload, 1 ceiling\n"


def test_policies_check_of_no_file_is_misuse(run: Run) -> None:
    assert "none.yaml" in _one_line(run("policies", "check", "none.yaml"), 2)


def test_query_without_a_collector_says_how_to_start_one(run: Run) -> None:
    (port,) = free_ports(1)
    line = _one_line(run("query", "select 1", "--collector", f"http://127.0.0.1:{port}"), 1)
    assert "switchgear up" in line


@dataclass(frozen=True)
class Keyless:
    """A collector without a key, and what it said until it listened."""

    port: int
    folder: Path
    said: list[str]


@pytest.fixture(scope="module")
def keyless(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keyless]:
    folder, (port,) = tmp_path_factory.mktemp("keyless"), free_ports(1)
    with starting(folder) as start:
        yield Keyless(port, folder, listening(start(*_service("collector", port, folder))))


def test_a_service_says_loudly_that_it_has_no_key(keyless: Keyless) -> None:
    warning, where = keyless.said
    assert "no API key is set" in warning
    assert f"http://127.0.0.1:{keyless.port}" in where


def test_a_service_listens_before_it_is_ready(start: Start, tmp_path: Path) -> None:
    """A client that connects early waits for an answer; it is not refused."""
    (port,) = free_ports(1)
    listening(start(*_service("policies", port, tmp_path)))
    with socket.create_connection(("127.0.0.1", port), timeout=5):
        pass


def test_a_second_collector_on_one_file_is_one_line(keyless: Keyless) -> None:
    # It listens before it is ready: this request waits until the file is open.
    httpx.get(f"http://127.0.0.1:{keyless.port}/readyz", timeout=30, trust_env=False).raise_for_status()
    (port,) = free_ports(1)
    line = _one_line(ran(keyless.folder, *_service("collector", port, keyless.folder)), 1)
    assert "switchgear.duckdb" in line
