"""One run of the scene: a provider, the services and three tenants' agents as processes, and what they leave behind."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx

from switchgear.testing import Log

from .children import Child, Children, DemoError, free_ports
from .figures import Booked, Run
from .outcome import Outcome
from .workload import TENANTS

__all__ = ["REQUESTS_PER_MINUTE", "TOKENS_PER_MINUTE", "Part", "Progress", "Services", "play", "services"]

# The OpenAI account's limits; the policy file declares the same as its capacity.
REQUESTS_PER_MINUTE = 600
TOKENS_PER_MINUTE = 2_000_000
_FIRST_TOKEN_S = 0.25
_PER_OUTPUT_TOKEN_S = 0.0015
_LONGEST_RUN_S = 240.0
_BOOKED_WITHIN_S = 20.0

# Called about twice a second with the seconds since the start and the provider's totals.
Progress = Callable[[float, dict[str, Any]], None]


@dataclass(frozen=True, slots=True)
class Part:
    """How a run is played.

    `unwatched` names a tenant who is neither instrumented nor guarded, `markup` multiplies the rates.
    """

    seed: int
    scale: float
    guarded: bool
    unwatched: str | None = None
    markup: Decimal = Decimal(1)


@dataclass(frozen=True, slots=True)
class Services:
    """Where the collector and the policy engine of a run answer."""

    collector: str
    policies: str


def services(children: Children, folder: Path, policy_file: Path) -> Services:
    """Start both on free ports, with their data in `folder`; returns once they are ready."""
    data = folder / "data"
    places = Services(*(f"http://127.0.0.1:{port}" for port in free_ports(2)))
    common = ("--data", str(data), "--supervised")
    collector = children.start(
        "collector", "cli", ("serve", "collector", *common, *_port(places.collector), "--no-grpc")
    )
    policies = children.start(
        "policies",
        "cli",
        (
            *("serve", "policies", *common, *_port(places.policies)),
            *("--policy-file", str(policy_file), "--collector", places.collector),
        ),
    )
    children.await_answer(collector, f"{places.collector}/readyz")
    children.await_answer(policies, f"{places.policies}/readyz")
    return places


def play(children: Children, folder: Path, where: Services, part: Part, progress: Progress) -> Run:
    """Play the scene once against fresh limits, and collect every side's record of it."""
    (port,) = free_ports(1)
    provider_url = f"http://127.0.0.1:{port}"
    provider = children.start(
        "provider",
        "cli.demo.provider",
        (
            *_port(provider_url),
            *("--requests-per-minute", str(REQUESTS_PER_MINUTE)),
            *("--tokens-per-minute", str(TOKENS_PER_MINUTE)),
            *("--first-s", str(_FIRST_TOKEN_S), "--per-output-token-s", str(_PER_OUTPUT_TOKEN_S)),
            *("--markup", str(part.markup)),
        ),
    )
    outcomes = {tenant: folder / f"{tenant}.json" for tenant in TENANTS}
    agents = [_agents(children, tenant, out, where, provider_url, part) for tenant, out in outcomes.items()]
    children.await_answer(provider, f"{provider_url}/admin/totals")
    for agent in agents:
        agent.await_ready_line()
    for agent in agents:
        agent.go()
    _follow(children, agents, provider_url, progress)
    log = Log.from_json(_get(f"{provider_url}/admin/log"))
    return Run(
        log, [Outcome.read(out) for out in outcomes.values()], _booked(where.collector, len(log.served))
    )


def _agents(
    children: Children, tenant: str, out: Path, where: Services, provider_url: str, part: Part
) -> Child:
    flags = [
        flag
        for flag, wanted in (("--guarded", part.guarded), ("--unwatched", part.unwatched == tenant))
        if wanted
    ]
    return children.start(
        tenant,
        "cli.demo.agents",
        (
            *("--tenant", tenant, "--seed", str(part.seed), "--scale", str(part.scale), "--out", str(out)),
            *("--provider", provider_url, "--collector", where.collector, "--policies", where.policies),
            *flags,
        ),
    )


def _follow(children: Children, agents: list[Child], provider_url: str, progress: Progress) -> None:
    """Report progress until all agents have ended."""
    began = shown = time.monotonic()

    def ended() -> bool:
        nonlocal shown
        if time.monotonic() - shown >= 0.5:
            shown = time.monotonic()
            progress(shown - began, _get(f"{provider_url}/admin/totals"))
        return all(agent.process.poll() is not None for agent in agents)

    children.wait_until(ended, f"the agents did not end within {_LONGEST_RUN_S:.0f} s", _LONGEST_RUN_S)
    children.check()
    progress(time.monotonic() - began, _get(f"{provider_url}/admin/totals"))


def _booked(collector: str, expected: int) -> list[Booked]:
    """What the database has, once it has as many calls as were served or had long enough to get them."""
    deadline = time.monotonic() + _BOOKED_WITHIN_S
    while True:
        answer = httpx.post(
            f"{collector}/v1/query",
            json={"sql": "SELECT response_id, tenant, cost FROM calls"},
            timeout=10.0,
            trust_env=False,
        )
        if answer.status_code != httpx.codes.OK:
            raise DemoError(f"the collector refused the demo's query: {answer.text[:200]}")
        rows = answer.json()["rows"]
        if len(rows) >= expected or time.monotonic() > deadline:
            return [Booked(one[0], one[1], None if one[2] is None else Decimal(one[2])) for one in rows]
        time.sleep(0.25)


def _get(url: str) -> Any:
    try:
        return httpx.get(url, timeout=10.0, trust_env=False).raise_for_status().json()
    except httpx.HTTPError as error:
        raise DemoError(f"{url} does not answer: {error!r}") from error


def _port(url: str) -> tuple[str, str]:
    return "--port", url.rpartition(":")[2]
