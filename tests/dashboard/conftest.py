"""The real services, filled over OTLP, and the dashboard in front of them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from otlp_samples import WORKERS, llm_span, request
from serving import PLAIN, Serving, free_ports
from waiting import until

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


def make_collector(data: Path) -> Any:
    return collector_app(
        data=data, price=PriceBook().quote, reports=reports.REPORTS, registry=registry, workers=WORKERS
    )


@contextmanager
def house(folder: Path) -> Iterator[House]:
    with ExitStack() as stack:
        collector = stack.enter_context(Serving(make_collector(folder / "collector"))).url
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "policies.yaml"
        file.write_text(POLICY)
        app = policies_app(
            policy_file=file, data=folder / "policies", price=PriceBook().quote, collector=collector
        )
        yield House(collector, stack.enter_context(Serving(app)).url)


def calls(now: datetime) -> dict[str, Any]:
    """SCENE as an OTLP/JSON request: of each workload a call every 13 seconds, the last 20 seconds ago."""
    made = []
    for tenant, workload, tier, provider, model, count, output in SCENE:
        for place in range(count):
            unknown = tenant == "bluebird-retail" and place == 0
            task = f"{workload[:7]}-{place // 6:03d}" if workload else None
            named = {
                "gen_ai.provider.name": provider,
                "gen_ai.request.model": model,
                "gen_ai.response.model": model,
                "gen_ai.response.id": None,
                "gen_ai.usage.input_tokens": None if unknown else 4000,
                "gen_ai.usage.cache_read.input_tokens": None,
                "gen_ai.usage.output_tokens": None if unknown else output,
                "gen_ai.usage.reasoning.output_tokens": None,
                "switchgear.tenant": tenant,
                "switchgear.tier": tier,
                "switchgear.workload": workload,
                "switchgear.task.id": task,
                "switchgear.task.root_id": task,
            }
            began_ns = int((now - timedelta(seconds=20 + place * 13)).timestamp() * 1e9)
            times = {"startTimeUnixNano": str(began_ns), "endTimeUnixNano": str(began_ns + 2 * 10**9)}
            made.append(llm_span(len(made) + 1, named, **times))
    return request(made)


@pytest.fixture(scope="session")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Services that hold SCENE, seen by the engine."""
    with house(tmp_path_factory.mktemp("full")) as running:
        httpx.post(f"{running.collector}/v1/traces", json=calls(datetime.now(UTC))).raise_for_status()

        def seen() -> bool:
            owners = httpx.get(f"{running.collector}/v1/registry").json()["workloads"]
            question = {"sql": "SELECT count(*) FROM transitions"}
            ((told,),) = httpx.post(f"{running.collector}/v1/query", json=question).json()["rows"]
            return bool(owners) and told >= 2

        until(seen, "the engine has tripped and told the collector its owners and transitions")
        yield running


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Services that have seen nothing."""
    with house(tmp_path_factory.mktemp("bare")) as running:
        yield running


@contextmanager
def dashboard_for(running: House) -> Iterator[str]:
    """The dashboard as its own process, as `switchgear serve dashboard` runs it; its address."""
    (port,) = free_ports(1)
    app = Path(dashboard.__file__).with_name("app.py")
    environment = os.environ | {
        "SWITCHGEAR_COLLECTOR": running.collector,
        "SWITCHGEAR_POLICIES": running.policies,
    }
    command = [sys.executable, "-m", "streamlit", "run", str(app), "--server.port", str(port)]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        url = f"http://127.0.0.1:{port}"
        until(lambda: _healthy(url), "the dashboard is healthy", within_s=30)
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)


def _healthy(url: str) -> bool:
    try:
        return httpx.get(f"{url}/_stcore/health", trust_env=False, verify=PLAIN).is_success
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
        running = self._running.enter_context(Serving(make_collector(self._data), self._port))
        self.url, self._port = running.url, running.port

    def stop(self) -> None:
        self._running.close()


@pytest.fixture(scope="session")
def passing_collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PassingCollector]:
    """It is there, and has seen nothing."""
    collector = PassingCollector(tmp_path_factory.mktemp("passing"))
    collector.start()
    yield collector
    collector.stop()
