"""The demo of the answer cache from beginning to end: agents, what they were told, and what each side wrote down."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx

from collector.wire import decimal_text
from switchgear.testing import Log
from switchgear.usage import Usage

from ...console import say
from ...tables import table
from ..children import Children, DemoError, free_ports
from ..rates import bill
from ..scene import Services, services
from .questions import BOUND, MODEL, TENANTS, truth

__all__ = ["Told", "checked", "run"]

_POLICIES = """\
version: 1
currency: USD
cache:
  - {mode: on, bound: 5%, audits: 10%}
"""
_LONGEST_S = 600.0
_BOOKED_WITHIN_S = 30.0
_NOTHING = Decimal(0)
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Told:
    """One answer that an agent was given; `served` is None where the model said it."""

    tenant: str
    prompt: str
    said: str
    served: str | None
    cost: Decimal
    """What it costs by the provider's list; of what was served what it would have."""

    @property
    def wrong(self) -> bool:
        """Whether something else is true."""
        return self.said != truth(self.tenant, self.prompt)

    @property
    def crossed(self) -> bool:
        """Whether it is another tenant's."""
        return any(f"desk {other}/" in self.said for other in TENANTS if other != self.tenant)


def run(*, seed: int, as_json: bool, scale: float) -> int:
    """Play it, print what was saved and what was checked; 0 where all of it holds, 1 where something does not."""
    with TemporaryDirectory(prefix="switchgear-demo-") as name, Children(Path(name)) as children:
        folder = Path(name)
        policy_file = folder / "policies.yaml"
        policy_file.write_text(_POLICIES)
        where = services(children, folder, policy_file)
        told, log = _play(children, folder, where, seed, scale)
        rows = _report(where.collector, expected=len(told))
    found = checked(told, log, rows)
    if as_json:
        checks = [{"check": words, "holds": holds} for words, holds in found]
        say(json.dumps({"tenants": rows, "checks": checks}))
    else:
        _print(rows, told, found)
    return 0 if all(holds for _, holds in found) else 1


def checked(told: Sequence[Told], log: Log, rows: Sequence[Row]) -> list[tuple[str, bool]]:
    """What has to hold, each in words, and whether it does."""
    free = [each for each in told if each.served]
    semantic = [each for each in free if each.served == "semantic"]
    wrong = sum(each.wrong for each in semantic)
    saved = sum((_amount(row["saved"]) for row in rows), _NOTHING)
    paid = sum((each.billed for each in log.served), _NOTHING)
    booked = sum((_amount(row["cost"]) for row in rows), _NOTHING)
    return [
        ("no answer went from one tenant to another", not any(each.crossed for each in told)),
        (
            "every answer to the very same request is right",
            not any(each.wrong for each in free if each.served == "exact"),
        ),
        (
            f"of {len(semantic)} answers by meaning {wrong} are wrong: no more than {BOUND:.0%} and chance allow",
            wrong <= BOUND * len(semantic) + 3,
        ),
        (
            f"the provider was asked {len(log.served)} times, for what it was not asked the agents have an answer",
            len(log.served) + len(free) == len(told),
        ),
        (
            f"what the provider billed is booked, to the last digit: {decimal_text(paid)} USD",
            paid == booked and sum(row["calls"] for row in rows) == len(log.served),
        ),
        (
            f"what was served is booked as saved, by the provider's own list: {decimal_text(saved)} USD",
            saved == sum((each.cost for each in free), _NOTHING)
            and sum(row["exact"] + row["semantic"] for row in rows) == len(free),
        ),
    ]


def _play(
    children: Children, folder: Path, where: Services, seed: int, scale: float
) -> tuple[list[Told], Log]:
    (port,) = free_ports(1)
    provider_url = f"http://127.0.0.1:{port}"
    provider = children.start("provider", "cli.demo.cached.provider", ("--port", str(port)))
    children.await_answer(provider, f"{provider_url}/admin/totals")
    outcomes = {tenant: folder / f"{tenant}.json" for tenant in TENANTS}
    agents = [
        children.start(
            tenant,
            "cli.demo.cached.agents",
            (
                *("--tenant", tenant, "--seed", str(seed), "--scale", str(scale), "--out", str(out)),
                *("--provider", provider_url, "--collector", where.collector, "--policies", where.policies),
                # One folder for all of them: what keeps them apart is the cache alone.
                *("--answers", str(folder / "answers")),
            ),
        )
        for tenant, out in outcomes.items()
    ]
    for agent in agents:
        agent.await_ready_line()
    for agent in agents:
        agent.go()
    children.wait_until(
        lambda: all(agent.process.poll() is not None for agent in agents),
        f"the agents did not end within {_LONGEST_S:.0f} s",
        _LONGEST_S,
    )
    children.check()
    told = [_told(tenant, each) for tenant, out in outcomes.items() for each in json.loads(out.read_text())]
    answer = httpx.get(f"{provider_url}/admin/log", timeout=10.0, trust_env=False)
    return told, Log.from_json(answer.raise_for_status().json())


def _told(tenant: str, each: Mapping[str, Any]) -> Told:
    usage = Usage(each["tokens"][0], output=each["tokens"][1])
    return Told(tenant, each["prompt"], each["said"], each["served"], bill(MODEL, usage))


def _report(collector: str, expected: int) -> list[Row]:
    """By tenant: what the calls cost, and what the report on the cache says; once all of it is booked."""
    deadline = time.monotonic() + _BOOKED_WITHIN_S
    while True:
        spent = {row["tenant"]: row for row in _asked(collector, "spend")}
        saved = {row["tenant"]: row for row in _asked(collector, "answer_cache")}
        rows = [_row(tenant, spent.get(tenant, {}), saved.get(tenant, {})) for tenant in TENANTS]
        seen = sum(row["calls"] + row["exact"] + row["semantic"] for row in rows)
        if seen >= expected or time.monotonic() > deadline:
            return rows
        time.sleep(0.25)


def _row(tenant: str, spent: Row, saved: Row) -> Row:
    counts = ("exact", "semantic", "missed", "audits", "audit_different", "shadows", "shadow_different")
    amounts = ("saved", "wrong", "unjudged", "net", "audit_cost", "shadow_net")
    return {
        "tenant": tenant,
        "calls": spent.get("calls", 0),
        "cost": spent.get("cost"),
        **{name: saved.get(name, 0) for name in counts},
        **{name: saved.get(name) for name in amounts},
    }


def _asked(collector: str, report: str) -> list[Row]:
    asked = {"from": "2020-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z", "by": "tenant"}
    try:
        answer = httpx.get(f"{collector}/v1/reports/{report}", params=asked, timeout=10.0, trust_env=False)
        found = answer.raise_for_status().json()
    except httpx.HTTPError as error:
        raise DemoError(f"{collector} does not answer: {error!r}") from error
    return [dict(zip(found["columns"], row, strict=True)) for row in found["rows"]]


def _amount(text: str | None) -> Decimal:
    return _NOTHING if text is None else Decimal(text)


def _print(rows: Sequence[Row], told: Sequence[Told], found: Sequence[tuple[str, bool]]) -> None:
    titles = (
        "tenant",
        "asked",
        "calls",
        "exact",
        "semantic",
        "audits",
        "paid",
        "saved, net",
        "wrong",
        "not judged",
    )
    shown = []
    for row in rows:
        asked = sum(each.tenant == row["tenant"] for each in told)
        counts = (asked, row["calls"], row["exact"], row["semantic"], row["audits"])
        amounts = (row["cost"], row["net"], row["wrong"], row["unjudged"])
        known = ("-" if each is None else f"{Decimal(each):.4f}" for each in amounts)
        shown.append((row["tenant"], *(f"{each:,}" for each in counts), *known))
    table(titles, shown, numbers=titles[1:])
    net, paid, audits = (
        sum((_amount(row[name]) for row in rows), _NOTHING) for name in ("net", "cost", "audit_cost")
    )
    spared = len(told) - sum(row["calls"] for row in rows)
    say(
        f"{spared:,} of {len(told):,} calls were not made: {net:.4f} USD saved beside {paid:.4f} paid, with wrong "
        f"answers taken off; {audits:.4f} of what was paid went to audits"
    )
    for words, holds in found:
        say(f"{'ok  ' if holds else 'FAIL'} {words}")
