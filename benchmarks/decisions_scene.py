"""Scene: collector and engine as a user starts them, with keys, and the 10,000 scopes that are asked about.

A scope is a task of one of five workloads of one of twenty tenants. Each counts in an allowance of its own and in its
tenant's. All limits are far away, but for the tasks of one workload, which one dear call ends.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from connection import encoded
from server import SWITCHGEAR, Collector, Policies
from spans import TENANTS, WORKLOADS

__all__ = ["SENTINEL", "WAITING", "Scene", "Scope", "asked", "scopes", "set_up"]

SCOPES = 10_000
WAITING, SENTINEL = "waiting", "sentinel"
"""The workload whose tasks have a hundredth of a dollar, and a tenant of whom nothing else is heard."""
_SERVICES_KEY = "the-services-among-themselves"
_POLICIES = f"""\
version: 1
currency: USD
tenants:
{{tenants}}
ceilings:
{{ceilings}}
  - {{{{name: task, scope: {{{{}}}}, limit: 1000 USD, per: task}}}}
  - {{{{name: {WAITING}-task, scope: {{{{workload: {WAITING}}}}}, limit: 0.01 USD, per: task}}}}
"""


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose decision is asked for."""

    tenant: str
    workload: str
    task: str


@dataclass(frozen=True, slots=True)
class Scene:
    """The two services, and a key for everything."""

    collector: Collector
    policies: Policies
    key: str


def scopes() -> list[Scope]:
    """All of them."""
    tasks = SCOPES // len(TENANTS) // len(WORKLOADS)
    return [
        Scope(tenant, workload, f"{workload}-{number}")
        for tenant in TENANTS
        for workload in WORKLOADS
        for number in range(tasks)
    ]


def asked(scope: Scope, key: str) -> bytes:
    """The request for a scope's decision as it stands now."""
    query = urlencode({"tenant": scope.tenant, "workload": scope.workload, "task": scope.task})
    return encoded("GET", f"/v1/decisions?{query}", key=key)


@contextmanager
def set_up(folder: Path) -> Iterator[Scene]:
    """Start both on fresh folders, and end them."""
    data = folder / "data"
    data.mkdir(parents=True)
    made = [SWITCHGEAR, "keys", "create", "--tenant", "*", "--scope", "admin", "--data", data]
    key = subprocess.run(made, check=True, capture_output=True, text=True).stdout.strip()
    policies = folder / "policies.yaml"
    tenants = (*TENANTS, SENTINEL)
    policies.write_text(
        _POLICIES.format(
            tenants="\n".join(
                f"  {name}: {{workloads: {{{', '.join(f'{one}: {{}}' for one in (*WORKLOADS, WAITING))}}}}}"
                for name in tenants
            ),
            ceilings="\n".join(
                f"  - {{name: {name}, scope: {{tenant: {name}}}, limit: 1000000 USD, window: 24h}}"
                for name in tenants
            ),
        )
    )
    environment = {"SWITCHGEAR_API_KEY": _SERVICES_KEY}
    collector = Collector(data, environment=environment)
    try:
        engine = Policies(data, policies, collector=collector.url, environment=environment)
        try:
            for service in (collector, engine):
                service.http.headers["authorization"] = f"Bearer {key}"
                service.wait_ready()
            yield Scene(collector, engine, key)
        finally:
            engine.kill()
    finally:
        collector.kill()
