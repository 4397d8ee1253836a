"""The task across processes and HTTP: to child processes and listed hosts, and to nobody else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import httpx
import pytest
from opentelemetry import baggage
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from waiting import until

import switchgear as sg

CHILD = """
import json, sys
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
import switchgear as sg

spans, tracers = InMemorySpanExporter(), TracerProvider()
tracers.add_span_processor(SimpleSpanProcessor(spans))
sg.configure(collector=sys.argv[1], guard=False, tracer_provider=tracers)
tracer = tracers.get_tracer("child")
tracer.start_span("alone").end()
with sg.task("page"):
    tracer.start_span("in a task").end()
sg.shutdown(0.2)
print(json.dumps([[span.name, dict(span.attributes)] for span in spans.get_finished_spans()]))
"""


@pytest.fixture(autouse=True)
def no_task_around(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SWITCHGEAR_TASK", raising=False)


def child(sink: str, env: dict[str, str]) -> list[tuple[str, dict[str, Any]]]:
    ran = subprocess.run(
        [sys.executable, "-c", CHILD, sink], env=env, capture_output=True, text=True, check=True, timeout=60
    )
    return [(name, attributes) for name, attributes in json.loads(ran.stdout)]


def test_a_child_process_works_in_the_task_that_its_environment_names(sink: str) -> None:
    with sg.task("report", tenant="acme", tier="interactive", id="t-1", user="u-17") as task:
        told = child(sink, sg.child_environment(os.environ))

    # One of its tasks is a part of this one, whose end is not the child's to tell.
    assert [name for name, _ in told] == ["alone", "in a task"]
    assert told[0][1] == task.span_attributes
    assert told[1][1] == {
        **task.span_attributes,
        "switchgear.workload": "page",
        "switchgear.task.id": told[1][1]["switchgear.task.id"],
        "switchgear.task.parent_id": "t-1",
        "switchgear.task.root_id": "t-1",
    }


def test_a_process_in_a_task_is_in_it_wherever_it_is_in_no_other(
    configured: Callable[..., TracerProvider], spans: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    with sg.task("report", tenant="acme") as task:
        monkeypatch.setenv("SWITCHGEAR_TASK", task.carry())
    tracer = configured(guard=False, tenant="zenith").get_tracer("tests")

    tracer.start_span("call").end()
    with sg.task("page") as inner:
        assert sg.current_task() is inner
    around = sg.current_task()
    assert around is not None
    assert around.carry() == task.carry()
    assert sg.child_environment({})["SWITCHGEAR_TASK"] == task.carry()
    assert [dict(span.attributes or {}) for span in spans.get_finished_spans()] == [task.span_attributes]

    sg.shutdown(0.2)
    assert sg.current_task() is None


def test_a_process_in_a_task_hears_what_that_task_may_do(
    engine_of: Callable[..., Any], configured: Callable[..., TracerProvider], monkeypatch: pytest.MonkeyPatch
) -> None:
    with sg.task("writer", tenant="acme") as task:
        monkeypatch.setenv("SWITCHGEAR_TASK", task.carry())
    configured(engine_of(limit="7").url)

    around = sg.current_task()
    assert around is not None
    until(lambda: around.remaining == 7, "its decision is heard")


def test_the_environment_of_a_child_outside_any_task_names_none() -> None:
    assert sg.child_environment({"PATH": "/bin", "SWITCHGEAR_TASK": "sg1.old"}) == {"PATH": "/bin"}


def test_the_environment_that_is_given_is_left_as_it_is() -> None:
    env = {"PATH": "/bin"}
    with sg.task("report", tenant="acme") as task:
        assert sg.child_environment(env) == {"PATH": "/bin", "SWITCHGEAR_TASK": task.carry()}
    assert env == {"PATH": "/bin"}


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("SWITCHGEAR_TASK", "t-1", "SWITCHGEAR_TASK: is no carried task"),
        ("SWITCHGEAR_PROPAGATE_TO", "*", 'SWITCHGEAR_PROPAGATE_TO: "*" is no host'),
    ],
)
def test_an_environment_that_cannot_be_used_is_refused_at_once(
    variable: str,
    value: str,
    says: str,
    configured: Callable[..., TracerProvider],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(sg.ConfigError) as refused:
        configured()
    assert str(refused.value).startswith(says)


# HTTP.


class Agent(BaseHTTPRequestHandler):
    """A service that goes on in the task of a request, for its one tenant; /moved leads to /run by another name."""

    def do_GET(self) -> None:
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("location", f"http://localhost:{self.server.server_address[1]}/run")
            self.end_headers()
            return
        try:
            with sg.extracted(self.headers, tenants=["acme"]) as task:
                assert task is sg.current_task()
                with sg.task("page", tenant="acme") as inner:
                    status, said = 200, dict(inner.span_attributes)
        except sg.ConfigError as error:
            status, said = 400, {"error": str(error)}
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps({"headers": dict(self.headers), "said": said}).encode())

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def agent() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Agent)
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def port() -> Iterator[int]:
    # Started outside any task, as a server is.
    with agent() as at:
        yield at


@pytest.fixture
def http() -> Iterator[httpx.Client]:
    """A client of which each request, redirected ones too, is told of the task where its host is listed."""
    hooks = {"request": [lambda request: sg.inject(request.headers, request.url)]}
    with httpx.Client(event_hooks=hooks, follow_redirects=True) as client:
        yield client


def test_a_service_goes_on_in_the_task_of_the_request(
    configured: Callable[..., TracerProvider], spans: InMemorySpanExporter, port: int, http: httpx.Client
) -> None:
    configured(guard=False, propagate_to="127.0.0.1")
    with sg.task("report", tenant="acme", user="u-17", id="t-1"):
        answer = http.get(f"http://127.0.0.1:{port}/run").json()

    said = answer["said"]
    assert (said["switchgear.task.parent_id"], said["switchgear.task.root_id"]) == ("t-1", "t-1")
    assert (said["switchgear.tenant"], said["switchgear.user"]) == ("acme", "u-17")
    # Its end is told by the process that began it, once.
    assert [span.name for span in spans.get_finished_spans()] == ["task report"]


def test_a_request_to_a_host_that_is_not_listed_says_nothing_of_the_task(
    configured: Callable[..., TracerProvider], port: int, http: httpx.Client
) -> None:
    configured(guard=False, propagate_to="127.0.0.1")
    with sg.task("report", tenant="acme", id="a-secret-id") as task:
        direct = http.get(f"http://localhost:{port}/run").json()
        redirected = http.get(f"http://127.0.0.1:{port}/moved").json()

    for answer in (direct, redirected):
        assert "switchgear-task" not in {name.lower() for name in answer["headers"]}
        assert task.carry() not in json.dumps(answer)
        assert "switchgear.task.parent_id" not in answer["said"]


def test_a_request_for_another_tenant_is_refused(
    configured: Callable[..., TracerProvider], port: int, http: httpx.Client
) -> None:
    configured(guard=False, propagate_to="127.0.0.1")
    with sg.task("report", tenant="zenith"):
        answer = http.get(f"http://127.0.0.1:{port}/run")

    assert answer.status_code == 400
    assert answer.json()["said"] == {
        "error": 'switchgear-task: its tenant "zenith" is not among those that are accepted here'
    }


def test_no_header_is_written_where_nothing_is_configured_or_no_task_runs(
    configured: Callable[..., TracerProvider],
) -> None:
    headers: dict[str, str] = {}
    with sg.task("report", tenant="acme"):
        sg.inject(headers, "http://agents.internal/")
    configured(guard=False, propagate_to="agents.internal")
    sg.inject(headers, "http://agents.internal/")
    assert headers == {}


@pytest.mark.parametrize("name", ["switchgear-task", "Switchgear-Task"])
def test_headers_that_are_used_again_for_another_host_do_not_tell_it_the_task(
    name: str, configured: Callable[..., TracerProvider]
) -> None:
    configured(guard=False, propagate_to="agents.internal")
    headers = {"accept": "*/*", name: "sg1.old"}
    with sg.task("report", tenant="acme") as task:
        sg.inject(headers, "http://agents.internal/")
        assert headers == {"accept": "*/*", "switchgear-task": task.carry()}
        sg.inject(headers, "https://api.openai.com/v1/chat/completions")
    assert headers == {"accept": "*/*"}


def test_a_task_is_no_baggage() -> None:
    with sg.task("report", tenant="acme"):
        assert baggage.get_all() == {}


def test_without_the_header_a_request_runs_as_if_nothing_was_asked() -> None:
    with sg.extracted({"accept": "*/*"}, tenants=["acme"]) as task:
        assert task is None
        assert sg.current_task() is None


@pytest.mark.parametrize(
    ("headers", "tenants", "says"),
    [
        ({"Switchgear-Task": "t-1"}, ["acme"], "switchgear-task: is no carried task"),
        ({"switchgear-task": ""}, ["acme"], "switchgear-task: is no carried task"),
        ({"switchgear-task": "a", "Switchgear-Task": "b"}, ["acme"], "is there 2 times"),
        ({}, "acme", 'tenants: "acme" is one text'),
        ({"switchgear-task": "CARRIED"}, [], 'its tenant "acme" is not among'),
        ({"switchgear-task": "CARRIED"}, ["acm", "acme "], 'its tenant "acme" is not among'),
    ],
    ids=["garbage", "empty", "twice", "one text", "no tenant", "tenants like it"],
)
def test_a_request_s_task_that_cannot_be_trusted_is_refused(
    headers: dict[str, str], tenants: Any, says: str
) -> None:
    with sg.task("report", tenant="acme") as task:
        real = {name: value.replace("CARRIED", task.carry()) for name, value in headers.items()}
    with pytest.raises(sg.ConfigError, match=says), sg.extracted(real, tenants=tenants):
        pass
