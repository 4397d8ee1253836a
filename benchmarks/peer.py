"""Peer: the nearest one that keeps spans, on the same bytes: what it acknowledges, writes and loses.

Arize Phoenix from the package index with its default SQLite file, in a virtual environment of its own that is made
once, outside this repository. It stores every span whole and shows them; switchgear stores the facts of the billable
ones. What is compared is therefore one thing: what an acknowledgement is worth when the process dies.
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from apart import Unavailable, installed
from load import Request, Sent, send
from server import Server, free_port

__all__ = ["PACKAGE", "Outcome", "Unavailable", "measure"]

PACKAGE = "arize-phoenix==20.26.1"
READY_WITHIN_S = 120.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What Phoenix did with the load."""

    sent: Sent
    spans: int
    """Acknowledged."""
    written: int
    """Spans in its file when the load ended."""
    written_at_kill: int
    """Spans in its file when it was killed, `seconds` after the first request."""
    seconds: float
    memory_mib: float


def measure(request: Request, folder: Path, *, connections: int, send_s: float, cap_s: float) -> Outcome:
    """Send for `send_s`, let it write until `cap_s`, then kill it. Raises Unavailable where it cannot be had."""
    program = installed(PACKAGE, "about 850 MB") / "phoenix"
    port = str(free_port())
    folder.mkdir(parents=True)
    server = Server(
        [program, "serve"],
        f"http://127.0.0.1:{port}",
        ready="/healthz",
        log=folder / "phoenix.log",
        environment={
            # Its packages, and nothing that is on our own path.
            "PYTHONPATH": "",
            "PHOENIX_HOST": "127.0.0.1",
            "PHOENIX_PORT": port,
            "PHOENIX_GRPC_PORT": str(free_port()),
            "PHOENIX_WORKING_DIR": str(folder),
            "PHOENIX_TELEMETRY_ENABLED": "false",
        },
    )
    try:
        server.wait_ready(READY_WITHIN_S)
        sent = send(f"{server.url}/v1/traces", request, connections=connections, seconds=send_s)
        spans = len(sent.acknowledged) * request.spans
        written = at_kill = _rows(folder)
        while at_kill < spans and time.perf_counter() - sent.began < cap_s:
            time.sleep(0.5)
            at_kill = _rows(folder)
        seconds = time.perf_counter() - sent.began
        _, memory = server.memory_mib()
    except RuntimeError as problem:
        raise Unavailable(f"it did not start or answer: {problem}") from problem
    finally:
        server.kill()
    return Outcome(sent, spans, written, _rows(folder), seconds, memory)


def _rows(folder: Path) -> int:
    """The spans that its file holds, read as anyone could after a crash."""
    with closing(
        sqlite3.connect(f"file:{folder / 'phoenix.db'}?mode=ro", uri=True, timeout=10)
    ) as connection:
        count: int = connection.execute("SELECT count(*) FROM spans").fetchone()[0]
        return count
