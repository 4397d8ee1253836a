"""Scene: provider, engine and collector in processes of their own, and this process as an agent's that uses them.

Nothing limits the agent: the ceiling, in tokens, is far away, and is there to count. No instrumentation makes spans of
the calls, so that the SDK tells the collector of each by a record of its own: what an agent's process does most for.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import openai
from opentelemetry.sdk.trace import TracerProvider
from server import Collector, Policies, Server, free_port

import switchgear as sg
from switchgear import guard
from switchgear.guard.holds import Holds, Kind, Pool

__all__ = ["MODEL", "TENANT", "WORKLOAD", "Holdings", "Scene", "asked", "provider", "set_up"]

TENANT, WORKLOAD, MODEL = "acme", "writer", "gpt-4o"
_CEILING = "all"
_POLICIES = f"""\
version: 1
tenants: {{{TENANT}: {{workloads: {{{WORKLOAD}: {{tier: interactive}}}}}}}}
ceilings:
  - {{name: {_CEILING}, limit: 1000000M tokens, window: 24h}}
"""


class Holdings(Holds):
    """A guard's holds at hand, which count the calls that found none, and how often more are fetched."""

    def __init__(self, of: Holds) -> None:
        """In the place of `of`."""
        self.missed = self.fetched = 0
        self._fetch = of.refill
        super().__init__(of.give_back, self._fetched)

    def _fetched(self, pool: Pool) -> None:
        self.fetched += 1
        self._fetch(pool)

    def draw(self, kind: Kind, now: float) -> Any:
        """As a guard's own."""
        found = super().draw(kind, now)
        self.missed += found is None
        return found


@dataclass(slots=True)
class Scene:
    """The services, and clients of the provider, plain and guarded."""

    provider: Server
    engine: Policies
    collector: Collector
    holds: Holdings
    guarded_tokens: int = 0
    """What all calls under guard used, as the provider told each caller."""
    _closes: list[Any] = field(default_factory=list)

    def client(self, *, guarded: bool, url: str | None = None, key: str = "no-key") -> openai.OpenAI:
        """A client of the provider, or of what stands before it at `url`."""
        made = openai.OpenAI(base_url=f"{url or self.provider.url}/v1", api_key=key, max_retries=0)
        return sg.wrap(made) if guarded else made

    def client_async(self, *, guarded: bool, url: str | None = None) -> openai.AsyncOpenAI:
        """As `client`."""
        made = openai.AsyncOpenAI(base_url=f"{url or self.provider.url}/v1", api_key="no-key", max_retries=0)
        return sg.wrap(made) if guarded else made

    def check(self) -> None:
        """Raises AssertionError unless the engine counted what the provider billed, to the token."""
        assert sg.flush(10.0), "settlements or records were not taken"
        counted = int(float(self.engine.budget(_CEILING)["spent"]))
        assert counted == self.guarded_tokens, (counted, self.guarded_tokens)


def asked(size: int = 0) -> dict[str, Any]:
    """The arguments of a call that is answered with 50 tokens; its body has about `size` bytes, 150 at least."""
    text = "Summarise this. [[demo output=50]]"
    return {
        "model": MODEL,
        "messages": [{"role": "user", "content": text + " word" * (size // 5)}],
        "max_tokens": 100,
    }


@contextmanager
def provider(folder: Path, *arguments: str) -> Iterator[Server]:
    """The local provider: `python -m switchgear.testing.provider` with these arguments."""
    port = str(free_port())
    command = [sys.executable, "-m", "switchgear.testing.provider", "--port", port, *arguments]
    server = Server(
        command, f"http://127.0.0.1:{port}", ready="/v1/models", log=folder / f"provider-{port}.log"
    )
    try:
        server.wait_ready()
        yield server
    finally:
        server.kill()


@contextmanager
def set_up(folder: Path) -> Iterator[Scene]:
    """Start all on fresh folders and configure this process; end all. Nobody else may have configured it."""
    policies = folder / "policies.yaml"
    policies.write_text(_POLICIES)
    # Whatever is set for other work on this machine.
    for name in [name for name in os.environ if name.startswith("SWITCHGEAR_")]:
        del os.environ[name]
    collector = Collector(folder / "data")
    try:
        engine = Policies(folder / "data", policies, collector=collector.url)
        try:
            for service in (collector, engine):
                service.wait_ready()
            with provider(folder) as model:
                sg.configure(
                    policies=engine.url,
                    collector=collector.url,
                    tracer_provider=TracerProvider(),
                    spool=str(folder / "spool"),
                )
                try:
                    yield Scene(model, engine, collector, _counted())
                finally:
                    sg.shutdown()
        finally:
            engine.kill()
    finally:
        collector.kill()


def _counted() -> Holdings:
    running = guard.current()
    assert running is not None
    running.holds = holds = Holdings(running.holds)
    running.control.on_sweep = holds.drop_idle
    return holds
