"""The server under the stand-ins: HTTP/1.1 as clients speak it, and an end that waits for nobody."""

from __future__ import annotations

import gc
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import httpx
import pytest
from serving import free_ports
from waiting import until

from switchgear import testing
from switchgear.testing.server import Reply, Request, Server


async def echo(request: Request, reply: Reply) -> None:
    if request.path == "/broken":
        raise RuntimeError("as ordered")
    if request.path == "/never":
        await reply.gone.wait()
        return
    said = {"path": request.path, "query": request.query, "body": request.body.decode()}
    reply.whole(200, json.dumps(said).encode(), [("x-said", request.headers.get("x-say", ""))])


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server(echo) as running:
        yield running


def exchange(server: Server, sent: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as line:
        line.sendall(sent)
        line.shutdown(socket.SHUT_WR)
        received = b""
        while part := line.recv(65536):
            received += part
        return received


def test_a_connection_is_kept_for_the_next_request(server: Server) -> None:
    with httpx.Client(base_url=server.url) as client:
        first, second = (client.post(f"/a%20{n}?q={n}", content=b"x" * n) for n in (1, 100_000))
        lines = [each.extensions["network_stream"].get_extra_info("client_addr") for each in (first, second)]
    assert first.json() == {"path": "/a 1", "query": "q=1", "body": "x"}
    assert len(second.json()["body"]) == 100_000
    assert lines[0] == lines[1]


def test_a_body_in_chunks_is_read_to_its_end(server: Server) -> None:
    answer = httpx.post(server.url, content=iter([b"one ", b"two"]), headers={"x-say": "hello"})
    assert (answer.json()["body"], answer.headers["x-said"]) == ("one two", "hello")


def test_who_asks_first_is_told_to_go_on(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as line:
        line.sendall(b"POST / HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n")
        assert line.recv(100).startswith(b"HTTP/1.1 100")
        line.sendall(b"hi")
        assert b"200" in line.recv(1000).splitlines()[0]


def test_what_is_no_http_ends_the_connection(server: Server) -> None:
    assert exchange(server, b"\x16\x03\x01 this is no HTTP\r\n\r\n") == b""
    assert httpx.get(server.url).status_code == 200


def test_a_handler_that_fails_breaks_its_own_connection_and_says_so_in_the_log(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(httpx.ReadError):
        httpx.get(f"{server.url}/broken")
    assert [record.getMessage() for record in caplog.records] == ["GET /broken could not be answered"]
    assert httpx.get(server.url).status_code == 200


def test_stopping_waits_for_no_answer_that_is_under_way() -> None:
    with Server(echo) as server:
        failed: list[Exception] = []

        def wait() -> None:
            try:
                httpx.get(f"{server.url}/never", timeout=20)
            except httpx.TransportError as error:
                failed.append(error)

        asking = threading.Thread(target=wait)
        asking.start()
        until(lambda: server._connections, "the request is there")
        began = time.monotonic()
        server.stop()
        asking.join()
    assert time.monotonic() - began < 5
    assert failed


def test_a_taken_port_is_an_error_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        Server(echo, port=taken.getsockname()[1])


def test_the_command_serves_agents_in_other_processes() -> None:
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "switchgear.testing.provider", "--port", str(port)]
    process = subprocess.Popen([*command, "--requests-per-minute", "12"])
    try:

        def served() -> bool:
            try:
                return httpx.get(f"{url}/admin/totals").status_code == 200
            except httpx.ConnectError:
                return False

        until(served, "the provider answers")
        body = {"model": "m", "messages": []}
        # 12 a minute with 5 s at once: one.
        answers = [httpx.post(f"{url}/v1/chat/completions", json=body).status_code for _ in range(2)]
        assert answers == [200, 429]
    finally:
        process.terminate()
        process.wait(10)


def test_a_server_that_stops_leaves_no_socket_open_of_those_whom_it_just_let_in() -> None:
    async def answer(request: Request, reply: Reply) -> None:
        reply.whole(200, b"")

    def come(port: int, clients: list[socket.socket]) -> None:
        for _ in range(5):
            with suppress(ConnectionError):
                clients.append(socket.create_connection(("127.0.0.1", port)))

    # One left open warns when it is collected, which is an error here.
    for _ in range(50):
        server, clients = Server(answer), list[socket.socket]()
        coming = threading.Thread(target=come, args=(server.port, clients))
        coming.start()
        server.stop()
        coming.join()
        for client in clients:
            client.close()
    gc.collect()


def test_the_sdk_does_without_it_and_it_does_without_any_service() -> None:
    program = (
        "import sys, switchgear; assert 'switchgear.testing' not in sys.modules, 1\n"
        "import switchgear.testing\n"
        "loaded = {name.partition('.')[0] for name in sys.modules}\n"
        "assert not loaded & {'uvicorn', 'fastapi', 'pydantic', 'openai', 'anthropic', 'boto3', 'policies'}, loaded"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_name_of_the_command_is_that_of_the_function() -> None:
    assert callable(testing.provider)
