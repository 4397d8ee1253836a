"""What a hold and its settlement cost inside the engine: one ceiling, and fifteen that all apply.

In process, one core, without HTTP and without waiting. Counters are checked before anything is timed. Quote it for the
engine's own work only: over HTTP a grant costs a round trip more.
"""

from __future__ import annotations

import time
from datetime import datetime
from decimal import Decimal

from policies.admission import GrantRequest
from policies.engine import Engine
from policies.files import parse
from policies.model import Who
from policies.sizing import Request
from switchgear.tier import Tier
from switchgear.usage import Usage

CALLS, ROUNDS = 2_000, 5
USED = Usage(input_uncached=100, output=100)
ONE = "  - {name: hour, limit: 1000000 USD, window: 1h}\n"
FIFTEEN = "".join(
    f"  - {{name: {scope} {window}, limit: 1000000 USD, window: {window}}}\n"
    for scope in "abcde"
    for window in ("1m", "1h", "24h")
)


def _price(provider: str | None, model: str | None, usage: Usage, at: datetime) -> Decimal:
    return Decimal(usage.total) / 1_000_000


def _pair_us(ceilings: str) -> float:
    """Microseconds for a hold and its settlement, the best round's mean."""
    engine = Engine(parse(f"version: 1\nceilings:\n{ceilings}", name="benchmark"), _price)
    engine.accounts.open_windows(0.0)
    who, call = Who("acme", "nightly", Tier.BATCH, "task"), Request("openai", "m", 400, 1000)
    now, number, best = 1000.0, 0, float("inf")
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        for _ in range(CALLS):
            number, now = number + 1, now + 0.01
            ticket = engine.request(GrantRequest(f"grant-{number}", who, call), now)
            assert ticket.grant is not None
            engine.settle(ticket.grant.lease, "m", USED, now)
        best = min(best, (time.perf_counter() - begun) / CALLS * 1e6)
    hour = next(account for account in engine.accounts if account.ceiling.window_s == 3600)
    assert hour.held == 0
    assert hour.total.spent(now) == number * USED.total * Decimal("0.000001")
    return best


def main() -> None:
    """Print the two figures."""
    print(f"hold and settle, one ceiling        {_pair_us(ONE):7.1f} µs  (wanted: at most 5)")
    print(f"hold and settle, fifteen ceilings   {_pair_us(FIFTEEN):7.1f} µs  (wanted: at most 15)")


if __name__ == "__main__":
    main()
