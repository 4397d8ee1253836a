"""`switchgear up`: three services ready together, stopped together, and never one without the others."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from commands import UP, Run, Start, ran, starting, until_up, up_on
from serving import PLAIN, free_ports

SERVICES = ("collector", "policies", "dashboard")
STOPS_WITHIN_S = 10
KEY = {"SWITCHGEAR_API_KEY": "a-key-of-this-test"}


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


def _get(port: int, path: str, **options: Any) -> httpx.Response:
    return httpx.get(f"http://127.0.0.1:{port}{path}", trust_env=False, verify=PLAIN, **options)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


@pytest.mark.parametrize(
    ("number", "services"),
    [(signal.SIGTERM, SERVICES), (signal.SIGINT, (*SERVICES, "cache"))],
    ids=["SIGTERM", "Ctrl-C, the cache too"],
)
def test_up_serves_what_is_asked_for_and_stops_all_of_it_on_a_signal(
    start: Start, number: signal.Signals, services: tuple[str, ...]
) -> None:
    *ports, cache_port = free_ports(5)
    process = start(*up_on(ports), *(("--cache", "--cache-port", str(cache_port)) if services[3:] else ()))
    lines = until_up(process)
    served = dict(zip(services, (*ports[:3], cache_port), strict=False))
    # The line of the cache stands after the others, in place of the one that is the last without it.
    assert [line.split()[:2] for line in lines[1 : 1 + len(served)]] == [
        [name, f"http://127.0.0.1:{port}"] for name, port in served.items()
    ]
    assert f"gRPC: port {ports[3]}" in lines[1]
    for name, port in served.items():
        assert _get(port, "/_stcore/health" if name == "dashboard" else "/readyz").status_code == 200
    assert _children(process).keys() == served.keys()
    asked = time.monotonic()
    process.send_signal(number)
    _, stderr = process.communicate(timeout=STOPS_WITHIN_S + 5)
    assert time.monotonic() - asked < STOPS_WITHIN_S
    assert process.returncode == 0, stderr
    assert "Traceback" not in stderr
    assert all(_is_free(port) for port in (*ports, cache_port))


def test_a_service_that_dies_stops_the_others_and_is_named(start: Start) -> None:
    process = start(*up_on(free_ports(4)))
    until_up(process)
    children = _children(process)
    os.kill(children["policies"], signal.SIGKILL)
    _, stderr = process.communicate(timeout=STOPS_WITHIN_S + 5)
    assert process.returncode == 1
    assert stderr.splitlines()[-1].startswith("switchgear: policies stopped (exit -9), so all were stopped")
    _wait_for_end(list(children.values()))


def test_no_service_outlives_a_supervisor_that_was_killed(start: Start) -> None:
    process = start(*up_on(free_ports(4)))
    until_up(process)
    children = _children(process)
    process.kill()
    _wait_for_end(list(children.values()))


def test_a_taken_port_stops_up_with_one_line_that_names_the_service(run_apart: Run, taken_port: int) -> None:
    """Each service says which flag is its own, which test_refusals.py shows of all of them."""
    ports = free_ports(4)
    ports[UP.index("--policies-port")] = taken_port
    answer = run_apart(*up_on(ports), env=KEY)
    assert answer.returncode == 1
    assert answer.stderr.splitlines() == [
        f"switchgear: policies stopped (exit 1), so all were stopped: port {taken_port} on 127.0.0.1 is taken "
        "by another process; stop it or choose another with --policies-port"
    ]


@pytest.mark.parametrize("flag", ["--policies-port", "--grpc-port"])
def test_up_refuses_one_port_for_two_services(run: Run, flag: str) -> None:
    answer = run("up", flag, "4318")
    assert (answer.returncode, len(answer.stderr.splitlines())) == (2, 1)


@dataclass(frozen=True)
class Guarded:
    """The three services with a key, for tests that leave them as they are."""

    process: subprocess.Popen[str]
    ports: list[int]
    folder: Path


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    folder, ports = tmp_path_factory.mktemp("guarded"), free_ports(4)
    with starting(folder) as start:
        process = start(*up_on(ports), env=KEY)
        until_up(process)
        yield Guarded(process, ports, folder)


def test_a_second_up_on_the_same_ports_is_one_line_and_leaves_the_first_alone(guarded: Guarded) -> None:
    second = ran(guarded.folder, *up_on(guarded.ports), env=KEY)
    assert (second.returncode, second.stdout, len(second.stderr.splitlines())) == (1, "", 1), second.stderr
    assert _get(guarded.ports[0], "/readyz").status_code == 200


def test_a_key_guards_what_up_serves(guarded: Guarded) -> None:
    allowed = {"Authorization": f"Bearer {KEY['SWITCHGEAR_API_KEY']}"}
    for port, path in zip(guarded.ports, ("/v1/registry", "/v1/budgets"), strict=False):
        assert _get(port, path).status_code == 401
        assert _get(port, path, headers=allowed).status_code == 200
    lines = [Path(f"/proc/{each}/cmdline").read_text() for each in _children(guarded.process).values()]
    assert not any(KEY["SWITCHGEAR_API_KEY"] in line for line in lines)


def test_services_load_no_library_that_they_do_not_need(guarded: Guarded) -> None:
    """Arrow would load pandas, which is installed as the dashboard is made of it; an engine needs neither."""
    children = _children(guarded.process)
    libraries = {"duckdb", "numpy", "pandas", "polars", "pyarrow"}

    def loaded(service: str) -> set[str]:
        lines = Path(f"/proc/{children[service]}/maps").read_text().splitlines()
        packages = [line.rpartition("site-packages/")[2] for line in lines if "site-packages/" in line]
        return {
            name for name in libraries if any(package.lstrip("_").startswith(name) for package in packages)
        }

    assert loaded("collector") == libraries - {"pandas"}
    assert loaded("policies") == set()
