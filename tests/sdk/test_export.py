"""Spans on their way to a collector that is there, away, slow or silent: each is booked once, and nobody waits."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import exporting
import pytest
from answering import answering
from exporting import SECRET, Agent
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from otlp_samples import EVER, WORKERS, Served
from serving import Serving, free_ports
from sinks import HttpSink
from waiting import until

import switchgear as sg
from analytics.prices import PriceBook
from collector.service import create_app
from switchgear.export import Counts, Recorder

COUNTED = "SELECT count(*), count(DISTINCT span_id), sum(output) FROM calls WHERE tenant = ?"


@pytest.fixture
def agent_of(tmp_path: Path) -> Iterator[Callable[..., Agent]]:
    """Start agents that share a spool: `agent_of(url)`; all are closed with the test."""
    with ExitStack() as stack:

        def start(collector: str, **given: Any) -> Agent:
            agent = Agent(collector, tmp_path / "spool", **given)
            stack.callback(agent.outbox.close, 0.5)
            return agent

        yield start


@pytest.fixture
def collector_on(tmp_path: Path) -> Iterator[Callable[[int], Served]]:
    """Start a real collector on a port, on the one folder of this test."""
    with ExitStack() as stack:

        def start(port: int) -> Served:
            return stack.enter_context(On(tmp_path / "data", port))

        yield start


class On(Served):
    """A collector on a port of the caller's choice."""

    def __init__(self, data: Path, port: int) -> None:
        self.app = create_app(data=data, price=PriceBook().quote, limits=EVER, workers=WORKERS)
        Serving.__init__(self, self.app, port)
        self.http = self.client()

    def stop(self) -> None:
        if not self.http.is_closed:
            super().stop()


def booked(collector: Served, tenant: str = "acme") -> list[Any]:
    """[calls, different spans, tokens of output] of a tenant."""
    (row,) = collector.rows(COUNTED, [tenant])
    return row


@pytest.fixture
def black_hole() -> Iterator[str]:
    """A collector that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as silent:
        yield f"http://127.0.0.1:{silent.getsockname()[1]}"


def spans_in(body: bytes) -> int:
    request = ExportTraceServiceRequest.FromString(body)
    return sum(len(scope.spans) for resource in request.resource_spans for scope in resource.scope_spans)


def test_calls_made_while_the_collector_is_away_are_booked_once_when_it_is_back(
    agent_of: Callable[..., Agent], collector_on: Callable[[int], Served], tmp_path: Path
) -> None:
    (port,) = free_ports(1)
    agent = agent_of(f"http://127.0.0.1:{port}")
    first = collector_on(port)
    agent.calls(3)
    assert agent.outbox.flush(5)
    first.stop()
    agent.batches(4)  # each in a file
    agent.calls(5)
    assert not agent.outbox.flush(5)
    assert len(list((tmp_path / "spool").rglob("*.spans"))) == 5
    second = collector_on(port)
    # By itself, since it asks again; with a call that is fresh meanwhile.
    agent.calls(1)
    until(lambda: agent.outbox.counts().waiting == 0, "the spool is empty")
    assert agent.outbox.flush(5)
    assert booked(second) == [3 + 4 + 5 + 1] * 3
    assert agent.outbox.counts().sent == 13
    assert list((tmp_path / "spool").rglob("*.spans")) == []


def test_nothing_private_lies_in_the_spool(agent_of: Callable[..., Agent], tmp_path: Path) -> None:
    agent = agent_of("http://127.0.0.1:9", api_key="sgk_0123456789")
    agent.calls(3)
    agent.outbox.flush(5)
    found = [path for path in (tmp_path / "spool").rglob("*") if path.is_file()]
    held = b"".join(path.read_bytes() for path in found)
    assert b"gpt-4o-mini" in held
    assert SECRET.encode() not in held
    assert b"0123456789" not in held


def process(collector: str, spool: Path, does: str) -> subprocess.Popen[str]:
    """An agent in a process of its own; what it does stands in `exporting`."""
    command = [sys.executable, "-W", "ignore", exporting.__file__, collector, str(spool), does]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_what_a_killed_agent_had_kept_is_sent_by_the_next_and_by_one_alone(
    agent_of: Callable[..., Agent], collector_on: Callable[[int], Served], tmp_path: Path
) -> None:
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    with process(url, tmp_path / "spool", "keeps") as killed:
        assert killed.stdout is not None
        assert killed.stdout.readline() == "kept\n"
        killed.kill()
    collector = collector_on(port)
    heirs = [agent_of(url), agent_of(url)]
    until(lambda: booked(collector)[0] == 3, "the dead agent's calls are booked")
    assert sum(heir.outbox.counts().sent for heir in heirs) == 3
    assert list((tmp_path / "spool").rglob("*.spans")) == []


def test_processes_that_share_a_folder_send_each_its_own(
    agent_of: Callable[..., Agent], collector_on: Callable[[int], Served], tmp_path: Path
) -> None:
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    one = agent_of(url)
    with process(url, tmp_path / "spool", "keeps") as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "kept\n"
        one.batches(2)
        collector = collector_on(port)
        until(lambda: booked(collector)[0] == 5, "all of both are booked")
        assert one.outbox.counts().sent == 2
        other.kill()


def test_a_silent_collector_costs_an_agent_nothing_and_its_exit_little(
    agent_of: Callable[..., Agent], black_hole: str
) -> None:
    agent = agent_of(black_hole)
    took = []
    for _ in range(2_000):
        begun = time.perf_counter()
        agent.calls()
        took.append(time.perf_counter() - begun)
    # The last hundredth is what else runs on this machine: alone it stays below 0.1 ms.
    assert statistics.quantiles(took, n=10)[8] < 0.001
    begun = time.monotonic()
    agent.outbox.close(4.0)
    assert time.monotonic() - begun < 5.0
    heir = agent_of("http://127.0.0.1:9")
    assert heir.outbox.counts().dropped == agent.outbox.counts().dropped == 0


def test_what_a_process_had_under_way_when_it_ended_goes_to_the_next(
    agent_of: Callable[..., Agent],
    collector_on: Callable[[int], Served],
    tmp_path: Path,
) -> None:
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    with socket.create_server(("127.0.0.1", port), backlog=64):
        agent = agent_of(url)
        agent.calls(1_300)  # three bodies: one under way, two behind it
        agent.outbox.close(3.0)
    collector = collector_on(port)
    heir = agent_of(url)
    until(lambda: heir.outbox.counts().sent == 1_300, "the heir has sent all")
    assert booked(collector) == [1_300] * 3


def test_shutdown_ends_in_time_with_everything_away(black_hole: str, tmp_path: Path) -> None:
    provider = TracerProvider(shutdown_on_exit=False)
    sg.configure(collector=black_hole, policies=black_hole, tracer_provider=provider, spool=str(tmp_path))
    with sg.task("writer", tenant="acme"):
        provider.get_tracer("x").start_span("chat", attributes={"gen_ai.operation.name": "chat"}).end()
    begun = time.monotonic()
    sg.shutdown(timeout_s=1.5)
    assert time.monotonic() - begun < 2.0
    assert len(list(tmp_path.rglob("*.spans"))) == 1


@pytest.mark.parametrize(
    ("status", "headers", "resent"),
    [
        (503, {"Retry-After": "1"}, True),
        (500, {}, True),
        (429, {"Retry-After": "1"}, True),
        (408, {}, True),
        (400, {}, False),
        (401, {}, False),
        (404, {}, False),
    ],
    ids=lambda value: str(value),
)
def test_what_the_collector_answers_decides_whether_it_is_sent_again(
    status: int,
    headers: dict[str, str],
    *,
    resent: bool,
    agent_of: Callable[..., Agent],
    caplog: pytest.LogCaptureFixture,
) -> None:
    with HttpSink((status, headers)) as sink:
        agent = agent_of(sink.url.removesuffix("/hook"))
        agent.calls(2)
        wanted = Counts(sent=2, dropped=0, refused=0, waiting=0)
        if not resent:
            wanted = Counts(sent=0, dropped=0, refused=2, waiting=0)
        until(lambda: agent.outbox.counts() == wanted, f"it is {wanted}")
        assert len(sink.posted) == (2 if resent else 1)
    assert f"HTTP {status}" in caplog.text


def test_retry_after_is_obeyed(agent_of: Callable[..., Agent]) -> None:
    with HttpSink((503, {"Retry-After": "1"})) as sink:
        agent = agent_of(sink.url.removesuffix("/hook"))
        agent.calls()
        until(lambda: len(sink.posted) == 2, "the second attempt was made")
        first, second = (posted.at for posted in sink.posted)
        assert second - first >= 1.0


def test_a_body_that_is_too_large_is_sent_again_without_its_prompts(agent_of: Callable[..., Agent]) -> None:
    with HttpSink((413, {})) as sink:
        agent = agent_of(sink.url.removesuffix("/hook"))
        agent.calls(2)
        until(lambda: agent.outbox.counts().sent == 2, "the smaller body was taken")
        whole, small = [posted.body for posted in sink.posted]
    assert SECRET.encode() in whole
    assert SECRET.encode() not in small
    assert (spans_in(whole), spans_in(small)) == (2, 2)


def test_spans_that_the_collector_may_not_book_are_counted_as_refused(
    agent_of: Callable[..., Agent], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Served(tmp_path / "data") as collector:
        agent = agent_of(collector.url, tenant="a\0b")
        agent.calls(2)
        agent.outbox.flush(5)
        assert agent.outbox.counts().refused == 2
    assert "refused 2 spans" in caplog.text


class Deaf:
    """A way to a collector that loses the first answers: the sender sees a connection that broke."""

    def __init__(self, port: int, loses: int) -> None:
        self._to, self._loses = port, loses
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                incoming, _ = self._listener.accept()
            except OSError:
                return
            with incoming, socket.create_connection(("127.0.0.1", self._to)) as onward:
                incoming.settimeout(5)
                self._pass_on(incoming, onward)

    def _pass_on(self, incoming: socket.socket, onward: socket.socket) -> None:
        while request := _message(incoming):
            onward.sendall(request)
            answer = _message(onward)
            if self._loses:
                self._loses -= 1
                return
            incoming.sendall(answer)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()


def _message(line: socket.socket) -> bytes:
    """One HTTP message with its body; nothing where the line was closed."""
    got = b""
    while True:
        head, end, body = got.partition(b"\r\n\r\n")
        length = next(
            (int(each[15:]) for each in head.lower().split(b"\r\n") if each.startswith(b"content-length:")), 0
        )
        if end and len(body) >= length:
            return got
        more = line.recv(65_536)
        if not more:
            return b""
        got += more


def test_a_call_whose_acknowledgement_was_lost_is_booked_once(
    agent_of: Callable[..., Agent], tmp_path: Path
) -> None:
    with Served(tmp_path / "data") as collector, closing(Deaf(collector.port, loses=2)) as way:
        agent = agent_of(way.url)
        agent.calls(5)
        until(lambda: agent.outbox.counts().sent == 5, "the answer came through")
        assert booked(collector) == [5, 5, 5]
        assert collector.rows("SELECT count(*) FROM conflicts") == [[0]]
        agent.outbox.close(0.5)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl here to make certificates with")
@pytest.mark.parametrize("name", ["OTEL_EXPORTER_OTLP_CERTIFICATE", "SSL_CERT_FILE"])
def test_a_collector_with_a_certificate_of_ones_own_is_trusted_where_it_is_named(
    name: str, agent_of: Callable[..., Agent], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, key = tmp_path / "own.pem", tmp_path / "key.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
    ]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run(
        [*command, *names, "-days", "2", "-out", own, "-keyout", key], check=True, capture_output=True
    )
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(own, key)
    with HttpSink(tls=tls) as sink:
        url = sink.url.removesuffix("/hook").replace("http:", "https:")
        stranger = agent_of(url)
        stranger.calls()
        assert not stranger.outbox.flush(5)
        monkeypatch.setenv(name, str(own))
        knows = agent_of(url)
        knows.calls()
        assert knows.outbox.flush(5)


def test_fresh_spans_do_not_wait_behind_a_long_replay(agent_of: Callable[..., Agent]) -> None:
    (port,) = free_ports(1)
    agent = agent_of(f"http://127.0.0.1:{port}")
    agent.batches(60)
    with HttpSink(port=port) as sink:
        until(lambda: sink.posted, "the replay has begun")
        agent.calls(7)
        until(lambda: agent.outbox.counts().sent == 67, "all was sent")
        sizes = [spans_in(posted.body) for posted in sink.posted]
    assert sizes.count(1) == 60
    assert sizes.index(7) < 60


def test_what_is_over_the_queue_is_dropped_counted_and_said(
    agent_of: Callable[..., Agent],
    black_hole: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("switchgear.export.outbox._QUEUE", 100)
    agent = agent_of(black_hole)
    agent.calls()
    until(lambda: agent.outbox._flight, "the first span is under way")
    agent.calls(103)
    assert agent.outbox.counts().dropped == 3
    assert "more than 100 wait" in caplog.text


def test_text_that_cannot_be_encoded_costs_its_neighbours_nothing(agent_of: Callable[..., Agent]) -> None:
    with HttpSink() as sink:
        agent = agent_of(sink.url.removesuffix("/hook"))
        agent._tracer.start_span("half a \ud800", attributes={"gen_ai.operation.name": "chat"}).end()
        agent.calls(2)
        agent.outbox.flush(5)
        (posted,) = sink.posted
    assert spans_in(posted.body) == 3


def test_after_a_fork_each_process_sends_its_own_once(agent_of: Callable[..., Agent], tmp_path: Path) -> None:
    with Served(tmp_path / "data") as collector:
        agent = agent_of(collector.url)
        agent.batches(1)  # over a connection that the child must not share
        agent.calls(5)  # in the queue of the parent alone
        child = os.fork()
        agent.calls(2)
        if child == 0:
            sent = agent.outbox.flush(10)
            os._exit(0 if sent and agent.outbox.counts().sent == 2 else 1)
        assert agent.outbox.flush(10)
        assert os.waitpid(child, 0)[1] == 0
        assert booked(collector) == [1 + 5 + 2 + 2] * 3
        assert agent.outbox.counts().sent == 1 + 5 + 2


def test_forks_in_an_agents_first_moments_find_nothing_half_made(tmp_path: Path) -> None:
    with Served(tmp_path / "data") as collector:
        with process(collector.url, tmp_path / "spool", "forks") as agent:
            assert agent.wait(30) == 0
        assert booked(collector) == [10 + 10 * 2] * 3


def test_workers_of_multiprocessing_send_what_they_have_before_they_end(tmp_path: Path) -> None:
    with Served(tmp_path / "data") as collector:
        with process(collector.url, tmp_path / "spool", "workers") as agent:
            assert agent.wait(30) == 0
        assert booked(collector) == [6, 6, 6]


def test_a_record_takes_little_of_an_agents_time(agent_of: Callable[..., Agent]) -> None:
    with answering(b"") as sink:
        recorder = Recorder(agent_of(sink).outbox, Resource({}))
        took = []
        for _ in range(2_000):
            begun = time.perf_counter()
            recorder.call(
                {"switchgear.tenant": "acme", "switchgear.workload": "w", "switchgear.task.id": "t"},
                parent=None,
                started_ns=1,
                ended_ns=2,
                provider="openai",
                request_model="gpt-4o",
                response_id="chatcmpl-1",
                usage=sg.Usage(400, 600, 0, 0, 50, 20),
            )
            took.append(time.perf_counter() - begun)
    assert statistics.median(took) < 0.000_2  # a loaded machine; benchmarks have the figure
