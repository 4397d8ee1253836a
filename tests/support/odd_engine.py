"""An engine that answers polls by hand: with a decision, with nonsense, or with an error."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

__all__ = ["OddEngine", "decision", "odd_engine"]


class OddEngine:
    """Answers whatever it is asked with `status` and `body`; `asked` counts."""

    def __init__(self) -> None:
        self.url = ""
        self.status, self.body, self.asked = 200, b"", 0

    def says(self, body: bytes, status: int = 200) -> None:
        """Answer so from now on."""
        self.body, self.status = body, status


def decision(version: int, reason: str, **more: Any) -> bytes:
    """An answer to a poll for one scope."""
    said = {
        "id": f"d{version}",
        "action": "allow",
        "reason": reason,
        "version": version,
        "valid_until": "2099-01-01T00:00:00Z",
    }
    return json.dumps({"etag": f"e{version}", "decisions": [said | more]}).encode()


@contextmanager
def odd_engine() -> Iterator[OddEngine]:
    """One that listens on this machine. A poll it answers at once, however long that would wait."""
    engine = OddEngine()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"] or 0))
            engine.asked += 1
            time.sleep(0.01)
            self.send_response(engine.status)
            self.send_header("Content-Length", str(len(engine.body)))
            self.end_headers()
            self.wfile.write(engine.body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        engine.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield engine
        finally:
            server.shutdown()
            thread.join()
