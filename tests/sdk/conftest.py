"""A real engine and a real (local, fake) provider for the SDK's tests.

Where the SDK is installed alone, those tests run that need no more than it. Which these are is said by what they
import: a file that cannot be imported for want of the server is skipped, and so is a test that asks for an engine.
"""

from __future__ import annotations

import gc
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from answering import answering
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import switchgear as sg
from switchgear import testing

if TYPE_CHECKING:
    from guarding import RunningEngine

ALONE = find_spec("policies") is None


class _Module(pytest.Module):
    """A file of tests, which is skipped where it needs what is not installed beside the SDK."""

    def collect(self) -> Any:
        try:
            return super().collect()
        except self.CollectError as error:
            missing = error.__cause__
            # What is missing of the SDK itself is no reason.
            if isinstance(missing, ModuleNotFoundError) and not str(missing.name).startswith("switchgear"):
                pytest.skip(f"needs {missing.name}, which is not there", allow_module_level=True)
            raise


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Module | None:
    return _Module.from_parent(parent, path=module_path) if ALONE else None


@pytest.fixture(scope="module", autouse=True)
def _swept() -> Iterator[None]:
    """What frameworks leave open (clients that they keep for every event loop) is found where it was left."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        gc.collect()


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
    if ALONE:
        pytest.skip("needs policies, which is not there")
    from guarding import policy_of, running_engine

    with ExitStack() as stack:

        def start(limit: str = "100", ladder: str = "[]") -> RunningEngine:
            return stack.enter_context(running_engine(tmp_path / "engine", policy_of(limit, ladder)))

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
