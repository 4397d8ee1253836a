"""Server: a service as a process of its own, as a user starts it: ready, measured, stopped or killed."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx

__all__ = ["Collector", "Policies", "Server", "free_port"]

SWITCHGEAR = Path(sys.executable).with_name("switchgear")
_POLL_S = 0.02
_ANSWERS_WITHIN_S = 120.0
_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


class Server:
    """A running process that answers HTTP at `url`; what it writes goes into `log`."""

    def __init__(
        self,
        command: Sequence[str | Path],
        url: str,
        *,
        ready: str,
        log: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Start `command`; `ready` is the path that answers 200 once the service works."""
        self.url = url
        self.http = httpx.Client(base_url=url, timeout=_ANSWERS_WITHIN_S, trust_env=False)
        self._ready = ready
        self._log = log
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, **(environment or {})},
            )
        self._began = time.monotonic()

    def wait_ready(self, within_s: float = 60.0) -> float:
        """Wait until it is ready; the seconds since it was started. Raises RuntimeError with its last words."""
        while time.monotonic() - self._began < within_s:
            if self.process.poll() is not None:
                raise RuntimeError(f"it ended with {self.process.returncode}: {self.last_words()}")
            if self._answers():
                return time.monotonic() - self._began
            time.sleep(_POLL_S)
        raise RuntimeError(f"it was not ready within {within_s:.0f} s: {self.last_words()}")

    def _answers(self) -> bool:
        try:
            return self.http.get(self._ready).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    def last_words(self) -> str:
        """The end of what it wrote."""
        return self._log.read_text(errors="replace")[-2000:].strip()

    @property
    def cpu_s(self) -> float:
        """Processor time that it has used."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS_A_SECOND

    def memory_mib(self) -> tuple[float, float]:
        """What it holds in memory now, and at most so far (VmRSS and VmHWM)."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        found = dict(line.split(":", 1) for line in lines)
        now, peak = (int(found[name].split()[0]) / 1024 for name in ("VmRSS", "VmHWM"))
        return now, peak

    def stop(self, within_s: float = 60.0) -> float:
        """Ask it to stop (SIGTERM); the seconds that it took."""
        begun = time.monotonic()
        self.http.close()
        self.process.terminate()
        self.process.wait(within_s)
        return time.monotonic() - begun

    def kill(self) -> None:
        """End it at once (SIGKILL): nothing is written any more."""
        self.http.close()
        self.process.kill()
        self.process.wait()


class Collector(Server):
    """`switchgear serve collector` on a data folder, on a port that is free."""

    def __init__(
        self,
        data: Path,
        *,
        program: Sequence[str | Path] = (SWITCHGEAR,),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Start it; `program` is what takes the arguments of `switchgear`."""
        data.mkdir(parents=True, exist_ok=True)
        port = str(free_port())
        super().__init__(
            [*program, "serve", "collector", "--data", data, "--port", port, "--no-grpc"],
            f"http://127.0.0.1:{port}",
            ready="/readyz",
            log=data.with_name(f"{data.name}.log"),
            environment=environment,
        )

    @property
    def traces(self) -> str:
        """Where spans are sent."""
        return f"{self.url}/v1/traces"

    def rows(self, sql: str) -> list[list[Any]]:
        """What a query answers."""
        answer = self.http.post("/v1/query", json={"sql": sql})
        assert answer.status_code == httpx.codes.OK, answer.text
        rows: list[list[Any]] = answer.json()["rows"]
        return rows


class Policies(Server):
    """`switchgear serve policies` on a data folder with a policy file, on `port` or one that is free."""

    def __init__(
        self,
        data: Path,
        policy_file: Path,
        *,
        collector: str,
        port: int | None = None,
        program: Sequence[str | Path] = (SWITCHGEAR,),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Start it; nobody need listen at `collector`. `program` is what takes the arguments of `switchgear`."""
        data.mkdir(parents=True, exist_ok=True)
        self.port = port or free_port()
        places = ["--data", data, "--policy-file", policy_file, "--collector", collector]
        super().__init__(
            [*program, "serve", "policies", *places, "--port", str(self.port)],
            f"http://127.0.0.1:{self.port}",
            ready="/readyz",
            log=data.with_name(f"{data.name}-policies.log"),
            environment=environment,
        )

    def budget(self, ceiling: str) -> dict[str, Any]:
        """How a ceiling stands."""
        answer = self.http.get("/v1/budgets")
        assert answer.status_code == httpx.codes.OK, answer.text
        found: dict[str, Any] = next(one for one in answer.json()["budgets"] if one["ceiling"] == ceiling)
        return found


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
