"""A real engine and a real (local, fake) provider for the SDK's tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from answering import answering
from cloud_rates import CLOUD_RATES
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from serving import Serving

import switchgear as sg
from cli.demo.rates import RATES, bill
from collector.pricing import Quote
from policies.runtime import Runtime
from policies.service import create_app
from switchgear import testing
from switchgear.usage import Usage

POLICY = """
version: 1
currency: USD
tenants:
  acme:
    workloads:
      writer:
        owner: docs
        cost_centre: CC-1
        tier: interactive
        degrade:
          - {from: gpt-4o, to: gpt-4o-mini}
          - {from: gemini-2.5-flash, to: gemini-2.5-flash-lite}
          - {from: "anthropic.claude-sonnet-4-5-v1:0", to: "anthropic.claude-haiku-4-5-v1:0"}
ceilings:
  - {name: acme-hour, scope: {tenant: acme}, limit: LIMIT USD, window: 1h, ladder: LADDER}
"""


def price(provider: str | None, model: str | None, usage: Usage, at: datetime, *_: object) -> Quote:
    rates = {**RATES, **CLOUD_RATES}
    cost = bill(model, usage, rates) if model in rates else None
    return Quote(cost, "USD" if cost is not None else None, "the fake provider's own rates")


@dataclass
class RunningEngine:
    url: str
    runtime: Runtime
    client: httpx.Client

    def budget(self, ceiling: str = "acme-hour") -> dict[str, Any]:
        found = self.client.get("/v1/budgets").json()["budgets"]
        return next(budget for budget in found if budget["ceiling"] == ceiling)

    def force_open(self) -> None:
        body = {"ceiling": "*", "do": "open", "by": "ann", "reason": "a test"}
        self.client.post("/v1/breakers", json=body).raise_for_status()


@contextmanager
def running_engine(data: Path, policy: str) -> Iterator[RunningEngine]:
    data.mkdir(parents=True, exist_ok=True)
    file = data / "policies.yaml"
    file.write_text(policy)
    app = create_app(policy_file=file, data=data, price=price, collector=None)
    with Serving(app) as running, running.client() as client:
        yield RunningEngine(running.url, app.runtime, client)


@pytest.fixture
def provider() -> Iterator[testing.Provider]:
    """A provider of this test's own, without limits."""
    with testing.provider() as running:
        yield running


@pytest.fixture(scope="session")
def sink() -> Iterator[str]:
    """A collector that takes whatever is exported, so that nobody waits for it to come back."""
    with answering(b"") as url:
        yield url


@pytest.fixture
def engine_of(tmp_path: Path) -> Iterator[Callable[..., RunningEngine]]:
    """Start an engine: `engine_of(limit="5")`, `engine_of(ladder="[...]")`."""
    with ExitStack() as stack:

        def start(limit: str = "100", ladder: str = "[]") -> RunningEngine:
            policy = POLICY.replace("LIMIT", limit).replace("LADDER", ladder)
            return stack.enter_context(running_engine(tmp_path / "engine", policy))

        yield start


@pytest.fixture
def spans() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def configured(spans: InMemorySpanExporter, sink: str) -> Iterator[Callable[..., TracerProvider]]:
    """Configure the SDK against an engine, with a tracer provider of its own; undone after the test."""

    def configure(policies: str = "http://127.0.0.1:9", **options: Any) -> TracerProvider:
        tracers = TracerProvider()
        tracers.add_span_processor(SimpleSpanProcessor(spans))
        sg.configure(collector=sink, policies=policies, tracer_provider=tracers, **options)
        return tracers

    yield configure
    sg.shutdown(timeout_s=0.2)
