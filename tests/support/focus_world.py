"""A company's month and a half with all that a ledger may hold, served for exports."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from charged import live, prices_of
from history import filled
from otlp_samples import EVER, Served, llm_span, request
from typer.testing import CliRunner

from analytics import registry
from analytics.focus import report
from analytics.ledger import api, reports
from cli.main import app
from collector.keys.keyring import FILE_NAME as KEYS
from collector.keys.keyring import Keyring

__all__ = ["BOTH", "FIRST", "HOSTILE", "NOW", "World", "served_world"]

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
CHARGEBACK = """
zone: Europe/Berlin
close: {unpriced: 100%, unowned: 100%}
allocation:
  - name: Platform agents
    from: 2026-01-01
    pool: {workloads: [{tenant: platform}]}
    method: proportional
    by: tokens
  - name: Idle and missing
    from: 2026-01-01
    pool: {charges: [idle, shortfall]}
    method: even
"""
CONTRACTS = """
contracts:
  - name: google-2026
    provider: google
    currency: USD
    from: 2026-01-01
    until: 2027-01-01
    discounts: [{models: ["gemini-*"], discount: 12%}]
    commitment: {monthly: 40 USD}
    provisioned:
      - {name: fast, models: ["gemini-3*"], units: 2, hourly_price: 0.01 USD, tokens_per_minute: 9, overflow: on_demand}
"""
HOSTILE = '=HYPERLINK("http://x","y")\n,\u202etwo'
FIRST, BOTH = "2026-10", ("2026-10", "2026-11")


@dataclass(frozen=True, slots=True)
class World:
    """A collector with a closed October, and November as it stands."""

    served: Served
    folder: Path
    data: Path

    def run(self, *arguments: str) -> Any:
        """How `switchgear export` ended."""
        given = ["export", *arguments]
        if arguments[0] == "focus":
            given += ["--collector", self.served.url]
        return CliRunner().invoke(app, given, env={"SWITCHGEAR_API_KEY": "root-key"})

    def export(self, name: str, *arguments: str) -> dict[str, Any]:
        """What `switchgear export focus --json` said of what it wrote into a folder or file of that name."""
        answer = self.run("focus", *arguments, "--out", str(self.folder / name), "--json")
        assert answer.exit_code == 0, answer.output
        found: dict[str, Any] = json.loads(answer.stdout)
        return found

    @contextmanager
    def for_tenant(self, tenant: str) -> Iterator[httpx.Client]:
        """A client with a key for this tenant alone."""
        _, secret = Keyring(self.data / KEYS).create([tenant], ["finance"], now=NOW)
        self.served.app.access.refresh()
        with self.served.client(headers={"Authorization": f"Bearer {secret}"}) as client:
            yield client

    def charged(self, **params: str) -> list[dict[str, Any]]:
        """Rows of the report `costs`."""
        found = self.served.http.get("/v1/reports/costs", params=params).json()
        return [dict(zip(found["columns"], row, strict=True)) for row in found["rows"]]


USAGE = [
    f"gen_ai.usage.{name}tokens" for name in ("input_", "output_", "cache_read.input_", "reasoning.output_")
]
CLAUDE = "us.anthropic.claude-sonnet-4-20250514-v1:0"
ACCEPTED = {"by": "Ann", "accept": [{"code": "no_invoice", "reason": "it comes later"}]}
STATEMENT = {
    "provider": "openai",
    "source": "october.csv",
    "sha256": "0" * 64,
    "currency": "USD",
    "shape": "table",
    "first_day": "2026-10-01",
    "last_day": "2026-10-31",
    "lines": [
        {"day": "2026-10-25", "model": "gpt-5", "kind": "input", "amount": "0.30"},
        {"day": "2026-10-26", "model": "gpt-5", "kind": "output", "amount": "-0.05"},
    ],
}


@contextmanager
def served_world(folder: Path) -> Iterator[World]:
    """It, in a folder of its own."""
    data = filled(folder / "data", days=30, tenants=5, workloads=14, calls=500)
    prices = prices_of(folder, contracts=CONTRACTS)
    lines = live(prices, folder, CHARGEBACK, NOW)
    served = Served(
        data,
        price=prices.quote,
        price_calls=prices.quotes,
        registry=registry,
        limits=EVER,
        api_key="root-key",
        now=lambda: NOW,
        reports={**reports.reports(lines), **report.reports(lines, lambda: prices.contracts.contracts)},
        extensions=[api.extension(lines.of_period, lambda: lines.chargeback, "test")],
    )
    with served:
        served.http.headers["Authorization"] = "Bearer root-key"
        served.send(request([of(1, 28, 10), of(2, 3, 11, **{"gen_ai.request.model": "unheard-of"})]))
        served.send(
            request(
                [
                    of(3, 30, 10, **{"gen_ai.request.model": "unheard-of"}),
                    of(4, 5, 11, **{"switchgear.tenant": HOSTILE}),
                    of(5, 5, 11, **dict.fromkeys(USAGE)),
                    of(6, 6, 11, **{"gen_ai.provider.name": "aws.bedrock", "gen_ai.request.model": CLAUDE}),
                ]
            )
        )
        done(served.http.post("/v1/ledger/periods/2026-10/close", json=ACCEPTED))
        # Late, and so a correction; then a credit, and what the provider says of October.
        served.send(request([of(7, 29, 10, **{"switchgear.tenant": "platform"}), of(8, 29, 10)]))
        done(served.http.post("/v1/ledger/corrections", json={"by": "Ann"}))
        credit(served, data)
        done(served.http.put("/v1/invoices", json={"invoices": [STATEMENT], "account": "main"}))
        yield World(served, folder, data)


def of(number: int, day: int, month: int, **attributes: Any) -> Any:
    """A call of that day at noon."""
    at = int(datetime(2026, month, day, 12, tzinfo=UTC).timestamp()) * 10**9
    named = {"switchgear.tenant": "contoso", "switchgear.workload": "added", **attributes}
    named["gen_ai.response.model"] = named.get("gen_ai.request.model", "gpt-4o-mini")
    times = {"startTimeUnixNano": str(at), "endTimeUnixNano": str(at + 10**6)}
    return llm_span(10_000 + number, named, **times)


def done(answer: httpx.Response) -> None:
    assert answer.is_success, answer.text


def credit(served: Served, data: Path) -> None:
    """Ten dollars back to one cost centre, prepared by one key and approved by another."""
    body = {"kind": "credit", "amount": "-10", "currency": "USD", "day": "2026-11-10", "reason": "goodwill"}
    found = served.http.post("/v1/ledger/drafts", json={**body, "cost_centre": "CC-140", "item": "=goodwill"})
    done(found)
    _, secret = Keyring(data / KEYS).create(["*"], ["finance"], now=NOW)
    served.app.access.refresh()
    with served.client(headers={"Authorization": f"Bearer {secret}"}) as other:
        done(other.post(f"/v1/ledger/drafts/{found.json()['id']}/approve", json={}))
