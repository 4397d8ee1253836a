"""Real commands as subprocesses: started, waited for by what they say, and never left behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

WAIT_S = 60
Start = Callable[..., "subprocess.Popen[str]"]
Run = Callable[..., "subprocess.CompletedProcess[str]"]


def _command(arguments: tuple[str, ...]) -> list[str]:
    return [sys.executable, "-m", "cli", *arguments]


def _environment(extra: Mapping[str, str]) -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("SWITCHGEAR_")}
    return {**ours, "COLUMNS": "200", "TERM": "dumb", **extra}


@pytest.fixture
def free_ports() -> Callable[[int], list[int]]:
    """So many different ports that nobody listens on."""

    def find(count: int) -> list[int]:
        sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
        ports = [int(each.getsockname()[1]) for each in sockets]
        for each in sockets:
            each.close()
        return ports

    return find


@pytest.fixture
def taken_port() -> Iterator[int]:
    """A port that this test listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield int(listener.getsockname()[1])


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run a `switchgear` command in an empty folder to its end."""

    def to_end(*arguments: str, env: Mapping[str, str] = {}) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            _command(arguments),
            cwd=tmp_path,
            env=_environment(env),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=WAIT_S,
        )

    return to_end


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a `switchgear` command in an empty folder; whatever still runs is ended with the test."""
    started: list[subprocess.Popen[str]] = []

    def begin(*arguments: str, env: Mapping[str, str] = {}) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            _command(arguments),
            cwd=tmp_path,
            env=_environment(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                process.kill()
        process.communicate(timeout=15)
