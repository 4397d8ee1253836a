"""Sending a history: every request is taken, whatever becomes of the connections meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from serving import free_ports

from cli.demo.children import DemoError
from cli.demo.history.made import Body
from cli.demo.history.sending import Sender

BODIES = [Body(b"%d" % number, 1) for number in range(20)]


@contextmanager
def forgetful(got: list[bytes]) -> Iterator[str]:
    """A collector that hangs up after each answer without a word, as one does where it hears nothing for long."""

    class Forgetful(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            got.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()
            self.close_connection = True

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Forgetful) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_a_connection_that_was_closed_while_it_was_idle_is_made_anew() -> None:
    got: list[bytes] = []
    taken: list[Body] = []
    with forgetful(got) as url, closing(Sender(url, "key")) as sender:
        sender.send(BODIES, taken.append)
    assert taken == BODIES
    assert set(got) == {body.content for body in BODIES}


def test_where_nobody_listens_it_says_so() -> None:
    (port,) = free_ports(1)
    with (
        closing(Sender(f"http://127.0.0.1:{port}", "key")) as sender,
        pytest.raises(DemoError, match="broke"),
    ):
        sender.send(BODIES[:1], lambda _: None)
