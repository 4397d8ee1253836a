"""Guarding: a policy engine for agents under guard, on a real socket, which prices as the local provider does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
from cloud_rates import CLOUD_RATES
from serving import Serving

from cli.demo.rates import RATES, bill
from collector.pricing import Quote
from policies.runtime import Runtime
from policies.service import create_app
from switchgear.usage import Usage

__all__ = ["RunningEngine", "policy_of", "running_engine"]

_POLICY = """
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


@dataclass
class RunningEngine:
    """An engine that answers at `url`, and a client of it."""

    url: str
    runtime: Runtime
    client: httpx.Client

    def budget(self, ceiling: str = "acme-hour") -> dict[str, Any]:
        """How a ceiling stands, as the engine says."""
        found = self.client.get("/v1/budgets").json()["budgets"]
        return next(budget for budget in found if budget["ceiling"] == ceiling)

    def force_open(self) -> None:
        """Refuse everything from now on."""
        body = {"ceiling": "*", "do": "open", "by": "ann", "reason": "a test"}
        self.client.post("/v1/breakers", json=body).raise_for_status()


def policy_of(limit: str, ladder: str) -> str:
    """One tenant's policy: a ceiling of `limit` USD an hour, with this ladder."""
    return _POLICY.replace("LIMIT", limit).replace("LADDER", ladder)


@contextmanager
def running_engine(data: Path, policy: str) -> Iterator[RunningEngine]:
    """An engine with its data in that folder."""
    data.mkdir(parents=True, exist_ok=True)
    file = data / "policies.yaml"
    file.write_text(policy)
    app = create_app(policy_file=file, data=data, price=_price, collector=None)
    with Serving(app) as running, running.client() as client:
        yield RunningEngine(running.url, app.runtime, client)


def _price(provider: str | None, model: str | None, usage: Usage, at: datetime, *_: object) -> Quote:
    rates = {**RATES, **CLOUD_RATES}
    cost = bill(model, usage, rates) if model in rates else None
    return Quote(cost, "USD" if cost is not None else None, "the fake provider's own rates")
