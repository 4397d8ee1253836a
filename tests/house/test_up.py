"""`switchgear up`: three services ready together, stopped together, and never one without the others."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

Run = Callable[..., "subprocess.CompletedProcess[str]"]
Start = Callable[..., "subprocess.Popen[str]"]
Ports = Callable[[int], list[int]]
STOPS_WITHIN_S = 10
FLAGS = ("--collector-port", "--policies-port", "--dashboard-port", "--grpc-port")


def _flags(ports: list[int]) -> list[str]:
    return [part for flag, port in zip(FLAGS, ports, strict=True) for part in (flag, str(port))]


def _until_up(process: subprocess.Popen[str]) -> list[str]:
    """What it prints once everything is ready: the first line, the three URLs, the data folder."""
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(5)]
    assert lines[0].startswith("switchgear is up"), process.stderr and process.stderr.read()
    return lines


def _children(process: subprocess.Popen[str]) -> dict[str, int]:
    """The services' process ids by name."""
    ids = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    words = {int(each): Path(f"/proc/{each}/cmdline").read_text().split("\0") for each in ids}
    return {line[line.index("serve") + 1]: each for each, line in words.items()}


def _wait_for_end(ids: list[int]) -> None:
    for each in ids:
        try:
            handle = os.pidfd_open(each)
        except ProcessLookupError:
            continue
        ended, _, _ = select.select([handle], [], [], STOPS_WITHIN_S)
        os.close(handle)
        assert ended, f"process {each} still runs"


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "Ctrl-C"])
def test_up_serves_all_three_and_stops_them_on_a_signal(
    start: Start, free_ports: Ports, number: signal.Signals
) -> None:
    ports = free_ports(4)
    process = start("up", *_flags(ports))
    lines = _until_up(process)
    assert [line.split()[:2] for line in lines[1:4]] == [
        [name, f"http://127.0.0.1:{port}"]
        for name, port in zip(("collector", "policies", "dashboard"), ports[:3], strict=True)
    ]
    assert f"gRPC: port {ports[3]}" in lines[1]
    for port, path in zip(ports[:3], ("/readyz", "/readyz", "/_stcore/health"), strict=True):
        assert httpx.get(f"http://127.0.0.1:{port}{path}", trust_env=False).status_code == 200
    assert set(_children(process)) == {"collector", "policies", "dashboard"}
    asked = time.monotonic()
    process.send_signal(number)
    _, stderr = process.communicate(timeout=STOPS_WITHIN_S + 5)
    assert time.monotonic() - asked < STOPS_WITHIN_S
    assert process.returncode == 0, stderr
    assert "Traceback" not in stderr
    assert all(_is_free(port) for port in ports)


def test_a_service_that_dies_stops_the_others_and_is_named(start: Start, free_ports: Ports) -> None:
    process = start("up", *_flags(free_ports(4)))
    _until_up(process)
    children = _children(process)
    os.kill(children["policies"], signal.SIGKILL)
    _, stderr = process.communicate(timeout=STOPS_WITHIN_S + 5)
    assert process.returncode == 1
    assert stderr.splitlines()[-1].startswith("switchgear: policies stopped (exit -9), so all were stopped")
    _wait_for_end(list(children.values()))


def test_no_service_outlives_a_supervisor_that_was_killed(start: Start, free_ports: Ports) -> None:
    process = start("up", *_flags(free_ports(4)))
    _until_up(process)
    children = _children(process)
    process.kill()
    _wait_for_end(list(children.values()))


@pytest.mark.parametrize("index", range(4), ids=["collector", "policies", "dashboard", "gRPC"])
def test_a_taken_port_stops_up_with_one_line_that_names_the_service(
    run: Run, free_ports: Ports, taken_port: int, index: int
) -> None:
    ports = free_ports(3)
    ports.insert(index, taken_port)
    answer = run("up", *_flags(ports), env={"SWITCHGEAR_API_KEY": "k"})
    name = ("collector", "policies", "dashboard", "collector")[index]
    assert answer.returncode == 1
    assert answer.stderr.splitlines() == [
        f"switchgear: {name} stopped (exit 1), so all were stopped: port {taken_port} on 127.0.0.1 is taken "
        f"by another process; stop it or choose another with {FLAGS[index]}"
    ]


def test_a_second_up_on_the_same_ports_is_one_line_and_leaves_the_first_alone(
    run: Run, start: Start, free_ports: Ports
) -> None:
    ports = free_ports(4)
    key = {"SWITCHGEAR_API_KEY": "k"}
    _until_up(start("up", *_flags(ports), env=key))
    second = run("up", *_flags(ports), env=key)
    assert (second.returncode, second.stdout, len(second.stderr.splitlines())) == (1, "", 1), second.stderr
    assert httpx.get(f"http://127.0.0.1:{ports[0]}/readyz", trust_env=False).status_code == 200


@pytest.mark.parametrize("flag", ["--policies-port", "--grpc-port"])
def test_up_refuses_one_port_for_two_services(run: Run, flag: str) -> None:
    answer = run("up", flag, "4318")
    assert (answer.returncode, len(answer.stderr.splitlines())) == (2, 1)


def test_a_key_guards_what_up_serves(start: Start, free_ports: Ports) -> None:
    ports = free_ports(4)
    process = start("up", *_flags(ports), env={"SWITCHGEAR_API_KEY": "a-key-of-this-test"})
    _until_up(process)
    for port, path in ((ports[0], "/v1/registry"), (ports[1], "/v1/budgets")):
        url = f"http://127.0.0.1:{port}{path}"
        assert httpx.get(url, trust_env=False).status_code == 401
        allowed = {"Authorization": "Bearer a-key-of-this-test"}
        assert httpx.get(url, headers=allowed, trust_env=False).status_code == 200
    command_lines = [Path(f"/proc/{each}/cmdline").read_text() for each in _children(process).values()]
    assert not any("a-key-of-this-test" in line for line in command_lines)
