"""Commands: `switchgear` as a process of its own, in a folder of its own, that is never left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from cli.demo.rates import RATES, bill
from switchgear import testing

__all__ = ["TERMINAL", "UP", "Run", "Start", "agent_ran", "listening", "ran", "starting", "until_up", "up_on"]

AGENT = Path(__file__).parents[2] / "examples" / "agent.py"
Run = Callable[..., "subprocess.CompletedProcess[str]"]
Start = Callable[..., "subprocess.Popen[str]"]

UP = ("--collector-port", "--policies-port", "--dashboard-port", "--grpc-port")
TERMINAL = {"COLUMNS": "200", "TERM": "dumb"}
ENDS_WITHIN_S = 60
STOPS_WITHIN_S = 15


def ran(folder: Path, *arguments: str, env: Mapping[str, str] = {}) -> subprocess.CompletedProcess[str]:
    """How the command ended."""
    return subprocess.run(
        _command(arguments),
        cwd=folder,
        env=_environment(env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=ENDS_WITHIN_S,
    )


@contextmanager
def starting(folder: Path) -> Iterator[Start]:
    """What starts a command; whatever still runs at the end of the block is ended."""
    started: list[subprocess.Popen[str]] = []

    def begin(*arguments: str, env: Mapping[str, str] = {}) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            _command(arguments),
            cwd=folder,
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
                process.wait(timeout=STOPS_WITHIN_S)
            except subprocess.TimeoutExpired:
                process.kill()
        process.communicate(timeout=STOPS_WITHIN_S)


def listening(process: subprocess.Popen[str]) -> list[str]:
    """Return once the service says that it listens: all that it has said. It answers once it is ready."""
    assert process.stderr is not None
    said = []
    while not said or "listens on" not in said[-1]:
        said.append(process.stderr.readline())
        assert said[-1], "it ended without listening"
    return said


def up_on(ports: list[int]) -> list[str]:
    """`up`, with these as its four ports, in the order of UP."""
    return ["up", *(part for flag, port in zip(UP, ports, strict=True) for part in (flag, str(port)))]


def until_up(process: subprocess.Popen[str]) -> list[str]:
    """What `up` prints once everything is ready: the first line, the three URLs, the data folder."""
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(5)]
    assert lines[0].startswith("switchgear is up"), process.stderr and process.stderr.read()
    return lines


def agent_ran(folder: Path, env: Mapping[str, str]) -> testing.Served:
    """Run examples/agent.py to its end, with a provider of its own: the call that it was served."""
    with testing.provider(price=bill, models=RATES) as provider:
        asked = {"OPENAI_BASE_URL": provider.openai_url, "OPENAI_API_KEY": "none"}
        agent = subprocess.run(
            [sys.executable, str(AGENT)],
            cwd=folder,
            env={**env, **asked},
            capture_output=True,
            text=True,
            timeout=ENDS_WITHIN_S,
        )
        assert (agent.returncode, agent.stderr) == (0, "")
        (served,) = provider.served
    return served


def _command(arguments: tuple[str, ...]) -> list[str]:
    return [sys.executable, "-m", "cli", *arguments]


def _environment(extra: Mapping[str, str]) -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("SWITCHGEAR_")}
    return {**ours, **TERMINAL, **extra}
