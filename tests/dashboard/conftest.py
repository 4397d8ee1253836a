"""The real services, filled over OTLP, and the dashboard in front of them."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

import dashboard
from analytics import registry, reports
from analytics.prices import PriceBook
from collector.service import create_app as collector_app
from policies.service import create_app as policies_app

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
OUTPUT = Path(__file__).parents[2] / "test-output"
# An image, a tag and a formula: each must stay text, and ask nobody for anything.
HOSTILE = "![x](http://evil.example/a.png)<img src=http://evil.example/b.png><b>=1+1</b>"
POLICY = """
version: 1
currency: USD
unpriced_rate: 60 USD
tenants:
  northwind:
    workloads:
      nightly-ingest: {owner: data-platform, cost_centre: CC-410, tier: background}
      contract-review: {owner: legal-ops, cost_centre: CC-220, tier: batch}
  bluebird-retail:
    workloads:
      support-agent: {owner: customer-care, cost_centre: CC-310, tier: interactive}
plans:
  - {cost_centre: CC-410, month: "2026-11", amount: 1200 USD}
capacity:
  - {provider: openai, requests_per_minute: 600, tokens_per_minute: 900000}
ceilings:
  - name: northwind-hour
    scope: {tenant: northwind}
    limit: 1.50 USD
    window: 1h
    ladder: [{at: 60%, do: warn}, {at: 75%, do: throttle}]
  - {name: bluebird-hour, scope: {tenant: bluebird-retail}, limit: 2 USD, window: 1h}
  - {name: everything-hour, limit: 1 USD, window: 1h, shadow: true}
"""
# tenant, workload, tier, provider, model, calls, output tokens of a call
SCENE = [
    ("northwind", "nightly-ingest", "background", "openai", "gpt-4o", 30, 3000),
    ("northwind", "contract-review", "batch", "openai", "gpt-4o", 10, 5000),
    ("bluebird-retail", "support-agent", "interactive", "openai", "gpt-4o-mini", 40, 900),
    (HOSTILE, HOSTILE, "batch", "openai", "gpt-foo-9", 5, 100),
    ("halden-legal", None, "batch", "anthropic", "claude-sonnet-4-5", 8, 2000),
]


@dataclass(frozen=True)
class House:
    """Where the two services answer."""

    collector: str
    policies: str


@contextmanager
def serving(app: Any, port: int = 0) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", port)) as listener:
        server = uvicorn.Server(
            uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=1)
        )
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        try:
            wait_for(lambda: server.started, "the service to start")
            yield url
        finally:
            server.should_exit = True
            thread.join()


def wait_for(done: Callable[[], Any], what: str, within_s: float = 15) -> None:
    """Ask until `done`, the longest `within_s`: what is waited for runs in another thread or process."""
    end = time.monotonic() + within_s
    while not done():
        if time.monotonic() > end:
            pytest.fail(f"waited {within_s} s for {what}")
        threading.Event().wait(0.05)


def make_collector(data: Path) -> Any:
    return collector_app(data=data, price=PriceBook().quote, reports=reports.REPORTS, registry=registry)


@contextmanager
def house(folder: Path) -> Iterator[House]:
    with ExitStack() as stack:
        collector = stack.enter_context(serving(make_collector(folder / "collector")))
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "policies.yaml"
        file.write_text(POLICY)
        app = policies_app(
            policy_file=file, data=folder / "policies", price=PriceBook().quote, collector=collector
        )
        yield House(collector, stack.enter_context(serving(app)))


def spans(now: datetime) -> bytes:
    request = ExportTraceServiceRequest()
    scope = request.resource_spans.add().scope_spans.add()
    scope.scope.name = "test"
    number = 0
    for tenant, workload, tier, provider, model, calls, output in SCENE:
        for place in range(calls):
            number += 1
            start = now - timedelta(seconds=20 + place * 13)
            span = scope.spans.add(
                trace_id=number.to_bytes(16, "big"),
                span_id=number.to_bytes(8, "big"),
                name=f"chat {model}",
                kind=3,
                start_time_unix_nano=int(start.timestamp() * 1e9),
                end_time_unix_nano=int((start + timedelta(seconds=2)).timestamp() * 1e9),
            )
            attributes: dict[str, Any] = {
                "gen_ai.operation.name": "chat",
                "gen_ai.provider.name": provider,
                "gen_ai.request.model": model,
                "gen_ai.response.model": model,
                "gen_ai.usage.input_tokens": 4000,
                "gen_ai.usage.output_tokens": output,
                "switchgear.tenant": tenant,
                "switchgear.tier": tier,
            }
            if workload:
                task = f"{workload[:7]}-{place // 6:03d}"
                attributes |= {
                    "switchgear.workload": workload,
                    "switchgear.task.id": task,
                    "switchgear.task.root_id": task,
                }
            if tenant == "bluebird-retail" and place == 0:
                del attributes["gen_ai.usage.input_tokens"], attributes["gen_ai.usage.output_tokens"]
            for key, value in attributes.items():
                entry = span.attributes.add(key=key)
                if isinstance(value, int):
                    entry.value.int_value = value
                else:
                    entry.value.string_value = value
    return bytes(request.SerializeToString())


@pytest.fixture(scope="session")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Services that hold SCENE, seen by the engine."""
    with house(tmp_path_factory.mktemp("full")) as running:
        headers = {"content-type": "application/x-protobuf"}
        sent = httpx.post(f"{running.collector}/v1/traces", content=spans(datetime.now(UTC)), headers=headers)
        sent.raise_for_status()

        def seen() -> bool:
            owners = httpx.get(f"{running.collector}/v1/registry").json()["workloads"]
            question = {"sql": "SELECT count(*) FROM transitions"}
            ((told,),) = httpx.post(f"{running.collector}/v1/query", json=question).json()["rows"]
            return bool(owners) and told >= 2

        wait_for(seen, "the engine to trip and to tell the collector its owners and transitions")
        yield running


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Services that have seen nothing."""
    with house(tmp_path_factory.mktemp("bare")) as running:
        yield running


@contextmanager
def dashboard_for(running: House) -> Iterator[str]:
    """The dashboard as its own process, as `switchgear serve dashboard` runs it; its address."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    app = Path(dashboard.__file__).with_name("app.py")
    environment = os.environ | {
        "SWITCHGEAR_COLLECTOR": running.collector,
        "SWITCHGEAR_POLICIES": running.policies,
    }
    command = [sys.executable, "-m", "streamlit", "run", str(app), "--server.port", str(port)]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        url = f"http://127.0.0.1:{port}"
        wait_for(lambda: _healthy(url), "the dashboard to be healthy", within_s=30)
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)


def _healthy(url: str) -> bool:
    try:
        return httpx.get(f"{url}/_stcore/health", trust_env=False).is_success
    except httpx.HTTPError:
        return False


@pytest.fixture(scope="session")
def dashboard_of() -> Callable[[House], Any]:
    return dashboard_for


@pytest.fixture(scope="session")
def chromium() -> str:
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine; apt-get install chromium")
    return CHROMIUM


@pytest.fixture(scope="session")
def pictures() -> Path:
    OUTPUT.mkdir(exist_ok=True)
    return OUTPUT


@pytest.fixture(scope="session")
def hostile() -> str:
    return HOSTILE


class PassingCollector:
    """A collector that goes away and comes back at the same address."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._running = ExitStack()
        self._port = 0
        self.url = ""

    def start(self) -> None:
        self.url = self._running.enter_context(serving(make_collector(self._data), self._port))
        self._port = int(self.url.rpartition(":")[2])

    def stop(self) -> None:
        self._running.close()


@pytest.fixture
def passing_collector(tmp_path: Path) -> Callable[[], Any]:
    @contextmanager
    def passing() -> Iterator[PassingCollector]:
        collector = PassingCollector(tmp_path / "passing")
        collector.start()
        try:
            yield collector
        finally:
            collector.stop()

    return passing
