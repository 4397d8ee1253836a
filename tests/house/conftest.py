"""Real commands, within this process where they need none of their own; as one they are never left behind."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import pytest
from commands import TERMINAL, Run, Start, ran, starting
from typer.testing import CliRunner

from cli.main import app


@pytest.fixture
def taken_port() -> Iterator[int]:
    """A port that this test listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield int(listener.getsockname()[1])


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a `switchgear` command in an empty folder to its end, within this process: a new one reads all code anew."""
    monkeypatch.chdir(tmp_path)
    root = logging.getLogger()

    def to_end(*arguments: str, env: Mapping[str, str] = {}) -> subprocess.CompletedProcess[str]:
        without = dict.fromkeys(name for name in os.environ if name.startswith("SWITCHGEAR_"))
        logged_to, level = root.handlers[:], root.level
        try:
            result = CliRunner().invoke(app, arguments, env={**without, **TERMINAL, **env})
        finally:
            root.handlers[:] = logged_to
            root.setLevel(level)
        if not isinstance(result.exception, SystemExit | None):
            raise result.exception
        return subprocess.CompletedProcess(arguments, result.exit_code, result.stdout, result.stderr)

    return to_end


@pytest.fixture
def run_apart(tmp_path: Path) -> Run:
    """Run a `switchgear` command in an empty folder to its end, as a process of its own."""
    return partial(ran, tmp_path)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a `switchgear` command in an empty folder; whatever still runs is ended with the test."""
    with starting(tmp_path) as begin:
        yield begin
