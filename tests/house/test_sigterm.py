"""SIGTERM while spans arrive: the collector is gone within ten seconds, and what it acknowledged is there."""

from __future__ import annotations

import itertools
import json
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator

import grpc
import httpx
from commands import Run, Start, listening
from otlp_samples import PROTOBUF, llm_span, request, to_protobuf
from serving import free_ports

Post = Callable[[bytes], bool]
STOPS_WITHIN_S = 10
TRACES = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
SPANS_A_REQUEST = 20
ENOUGH_REQUESTS = 15
"""Acknowledged by each protocol before the signal."""


class Load:
    """Sends requests of new spans until one is not answered, and notes which were acknowledged."""

    def __init__(self, post: Post, first: int) -> None:
        self._post = post
        self._numbers = itertools.count(first, SPANS_A_REQUEST)
        self.acknowledged: list[int] = []
        self.refused = 0
        self.enough = threading.Event()
        self.thread = threading.Thread(target=self._send)

    def _send(self) -> None:
        for first in self._numbers:
            numbers = range(first, first + SPANS_A_REQUEST)
            try:
                taken = self._post(to_protobuf(request([llm_span(number) for number in numbers])))
            except (httpx.TransportError, grpc.RpcError):
                return
            if not taken:
                self.refused += 1
                return
            self.acknowledged += numbers
            if len(self.acknowledged) >= ENOUGH_REQUESTS * SPANS_A_REQUEST:
                self.enough.set()


def over_http(port: int) -> Post:
    client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30, trust_env=False)
    headers = {"Content-Type": PROTOBUF}
    return lambda body: client.post("/v1/traces", content=body, headers=headers).status_code == 200


def over_grpc(port: int) -> Post:
    call = grpc.insecure_channel(f"127.0.0.1:{port}").unary_unary(TRACES)
    return lambda body: call(body, timeout=30) is not None


def started(start: Start, port: int, *flags: str) -> subprocess.Popen[str]:
    """A collector that answers."""
    process = start("serve", "collector", "--port", str(port), *flags)
    listening(process)
    httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=30, trust_env=False).raise_for_status()
    return process


def test_sigterm_under_load_ends_in_ten_seconds_and_loses_nothing_acknowledged(
    start: Start, run: Run
) -> None:
    http, grpc_port = free_ports(2)
    process = started(start, http, "--grpc-port", str(grpc_port))
    posts: Iterator[Post] = (over(port) for over, port in 2 * ((over_http, http), (over_grpc, grpc_port)))
    loads = [Load(post, 1 + 1_000_000 * number) for number, post in enumerate(posts)]
    for load in loads:
        load.thread.start()
    for load in loads:
        assert load.enough.wait(60)
    asked = time.monotonic()
    process.send_signal(signal.SIGTERM)
    _, stderr = process.communicate(timeout=STOPS_WITHIN_S + 5)
    assert time.monotonic() - asked < STOPS_WITHIN_S
    assert (process.returncode, "Traceback" in stderr) == (0, False), stderr
    for load in loads:
        load.thread.join(30)

    started(start, http, "--no-grpc")
    sql = "select span_id from calls"
    asked_for = run("query", sql, "--json", "--collector", f"http://127.0.0.1:{http}")
    assert asked_for.returncode == 0, asked_for.stderr
    booked = [int(row[0], 16) for row in json.loads(asked_for.stdout)["rows"]]
    assert len(booked) == len(set(booked))
    assert {number for load in loads for number in load.acknowledged} <= set(booked)
