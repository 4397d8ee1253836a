"""Engines in virtual time, and someone who asks them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from policies.admission import GrantRequest, Ticket
from policies.engine import Engine
from policies.files import parse
from policies.model import Who
from policies.sizing import Request
from switchgear.tier import Tier
from switchgear.usage import Usage

# One token costs a millionth of a dollar, in or out, so that money can be read off token counts.
MICRO = Decimal(1) / 1_000_000


def price(provider: str | None, model: str | None, usage: Usage, at: datetime) -> Decimal | None:
    return None if model == "unknown" else usage.total * MICRO


def engine(ceilings: str, more: str = "") -> Engine:
    made = Engine(parse(f"version: 1\n{more}\nceilings:\n{ceilings}", name="p.yaml"), price)
    made.accounts.open_windows(0.0)
    return made


@dataclass
class Caller:
    """Asks for grants with ids that count up."""

    engine: Engine
    asked: int = 0

    def ask(
        self,
        now: float,
        *,
        tenant: str = "acme",
        tier: str = "interactive",
        task: str | None = None,
        output: int = 1000,
        model: str = "m",
        needs: tuple[str, ...] = (),
        budgets: tuple[tuple[str, Decimal], ...] = (),
        calls: int = 1,
        spare: int = 0,
        agent: str | None = None,
    ) -> Ticket:
        self.asked += 1
        who = Who(tenant, "w", Tier(tier), task, "openai", model)
        call = Request("openai", model, 0, output)
        request = GrantRequest(
            f"g{self.asked}", who, call, frozenset(needs), budgets, agent, calls=calls, spare=spare
        )
        return self.engine.request(request, now)


# With no input bytes the bound is 16 tokens of slack and the output limit.
def bound(output: int) -> Decimal:
    return (16 + output) * MICRO


TENANTS = "tenants: {acme: {}, zenith: {}}"
HOUR = "  - {name: hour, limit: 0.01 USD, window: 1h}\n"
