"""The demo's child processes: started with their output kept, watched, and stopped whatever happens."""

from __future__ import annotations

import secrets
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import httpx

__all__ = ["Child", "Children", "DemoError", "free_ports"]

_READY_WITHIN_S = 60.0
_STOP_WITHIN_S = 5.0
_POLL_S = 0.1
_PORTS = range(20_000, 32_768)
# Children speak no TLS, and one that trusts somebody takes 15 ms to make, of the time of whom is waited for.
_PLAIN = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class DemoError(Exception):
    """The demo cannot go on; its text is one line that says why."""


@dataclass(slots=True)
class Child:
    """One process. Its standard input is open for as long as this process lives."""

    name: str
    process: subprocess.Popen[str]
    errors: Path

    def last_words(self) -> str:
        """The last line that it wrote to stderr."""
        lines = self.errors.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it wrote nothing to stderr"

    def check(self) -> None:
        """Raise DemoError if it has ended with an error."""
        if self.process.poll():
            raise DemoError(f"{self.name} stopped (exit {self.process.returncode}): {self.last_words()}")

    def await_ready_line(self) -> None:
        """Wait until it says "ready" on its standard output."""
        assert self.process.stdout is not None  # noqa: S101 - opened as a pipe
        if self.process.stdout.readline().strip() != "ready":
            self.process.wait(_STOP_WITHIN_S)
            raise DemoError(f"{self.name} did not get ready: {self.last_words()}")

    def go(self) -> None:
        """Let it begin."""
        assert self.process.stdin is not None  # noqa: S101 - opened as a pipe
        self.process.stdin.write("g")
        self.process.stdin.flush()


@dataclass(slots=True)
class Children:
    """Starts children and, on leaving the block, stops those that still run, last started first."""

    logs: Path
    _all: list[Child] = field(default_factory=list)

    def __enter__(self) -> Children:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for child in reversed(self._all):
            child.process.terminate()
        deadline = time.monotonic() + _STOP_WITHIN_S
        for child in self._all:
            with suppress(subprocess.TimeoutExpired):
                child.process.wait(max(0.1, deadline - time.monotonic()))
            child.process.kill()
            child.process.wait()
            for pipe in (child.process.stdin, child.process.stdout):
                _close(pipe)

    def start(
        self,
        name: str,
        module: str,
        arguments: Sequence[str],
        *,
        folder: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Child:
        """Run `python -m module arguments` in a session of its own: a terminal's Ctrl-C reaches us alone.

        It runs in `folder` and with `environment`; with ours where these are not given.
        """
        errors = self.logs / f"{len(self._all):02}-{name}.log"
        with errors.open("w") as log:
            process = subprocess.Popen(  # noqa: S603 - our own modules
                [sys.executable, "-m", module, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                cwd=folder,
                env=environment,
                start_new_session=True,
            )
        child = Child(name, process, errors)
        self._all.append(child)
        return child

    def check(self) -> None:
        """Raise DemoError if any of them has ended with an error."""
        for child in self._all:
            child.check()

    def await_answer(self, child: Child, url: str) -> None:
        """Wait until `url` of a child answers 200."""
        self.wait_until(
            lambda: _answers(url),
            f"{child.name} was not ready within {_READY_WITHIN_S:.0f} s",
            _READY_WITHIN_S,
        )

    def wait_until(self, done: Callable[[], bool], otherwise: str, within_s: float) -> None:
        """Wait for a condition while watching the children; DemoError(otherwise) where it takes too long."""
        deadline = time.monotonic() + within_s
        while not done():
            self.check()
            if time.monotonic() > deadline:
                raise DemoError(otherwise)
            time.sleep(_POLL_S)


def free_ports(count: int) -> list[int]:
    """So many different ports of this machine that nobody listens on now.

    They lie below those that a system gives to whoever asks for any: one of these may be a connection's by the time
    that a child listens, a second later.
    """
    ports: list[int] = []
    with ExitStack() as probes:
        while len(ports) < count:
            port = _PORTS[secrets.randbelow(len(_PORTS))]
            with suppress(OSError):
                probes.enter_context(socket.create_server(("127.0.0.1", port)))
                ports.append(port)
    return ports


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2.0, trust_env=False, verify=_PLAIN).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def _close(pipe: IO[Any] | None) -> None:
    if pipe is not None:
        with suppress(OSError):
            pipe.close()
