"""What the engine's own work costs: holds at the store of counters, a request and its settlement, ten thousand rules.

In process, one core, without HTTP and without waiting. Counters are checked before a figure is printed. Quote it for
the engine's own work only: over HTTP a grant costs a round trip more.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import Decimal
from itertools import count
from typing import NamedTuple

from result import Figure, show

from policies.admission import GrantRequest
from policies.book import Amount, Book, Grant, Sizes, lease_of
from policies.engine import Engine
from policies.files import parse
from policies.meters import Limit, Meter
from policies.model import Ceiling, Rolling, Scope, Unit, Who
from policies.sizing import Request, Size
from switchgear.tier import Tier
from switchgear.usage import Usage

CALLS, ROUNDS = 2_000, 10
HISTORY, RULES = 1_000_000, 10_000
FAR = 1 << 60
HOUR_S = 3600.0
SCOPES = ("{}", "{tenant: acme}", "{workload: nightly}", "{tier: batch}", "{tenant: acme, tier: batch}")
AGENT, CALL = Who("acme", "nightly", Tier.BATCH, "task"), Request("openai", "m", 400, 1000)
USED, TAKEN = Usage(input_uncached=100, output=100), 123
_NUMBERS = count()


class Scopes(NamedTuple):
    """Scopes that all count a call, and the lengths of their windows in seconds."""

    names: str
    windows: tuple[float, ...]


ONE, FIFTEEN = Scopes("a", (HOUR_S,)), Scopes("abcde", (60.0, HOUR_S, 86400.0))


def main() -> None:
    """Print a line a figure."""
    show("a hold and its settlement", _holds())
    show(f"{RULES:,} rules", _rules())


def _holds() -> Iterator[Figure]:
    book = Book()
    for history in (0, HISTORY):
        after = f"after {history:,} calls" if history else "at first"
        if history:
            _fill(book, history)
        figure = _store_us(book, ONE)
        yield Figure(f"one scope and window, {after}", figure, "µs", "at most 5")
        figure = _store_us(book, FIFTEEN)
        yield Figure(f"five scopes x three windows, {after}", figure, "µs", "at most 15")
    gc.unfreeze()
    yield Figure("request and settle in the engine, one scope", _engine_us(ONE), "µs")
    yield Figure("request and settle in the engine, fifteen ceilings", _engine_us(FIFTEEN), "µs")


def _fill(book: Book, calls: int) -> None:
    _store_us(book, ONE, calls=calls, rounds=1)
    # As the service does with what an engine remembers.
    gc.freeze()


def _store_us(book: Book, scopes: Scopes, *, calls: int = CALLS, rounds: int = ROUNDS) -> float:
    """Microseconds for a look whether it fits, a hold and its settlement."""
    meters = tuple(_meter(scope, scopes.windows) for scope in scopes.names)
    size = Size(mean=100, most=400, peak=300, bound=400, variance=1e4, doubt=10.0)
    sizes, numbers, made = Sizes(size, size), _NUMBERS, 0

    def pair() -> None:
        nonlocal made
        made, name = made + 1, f"g{next(numbers)}"
        now = 1000.0 + made / 1000
        assert all(not meter.restrained and meter.fits(size, 1, now) for meter in meters)
        book.hold(Grant(name, AGENT, meters, sizes, 1, 1, now + 300.0), now)
        book.settle(lease_of(name, 1), Amount(TAKEN, USED.total), now)

    best = _best_us(pair, calls=calls, rounds=rounds)
    assert all((meter.holds, meter.held) == (0, 0) for meter in meters)
    assert book.held_otherwise(meters) == 0
    assert all(FAR - meter.room(1000.0 + made / 1000)[0] > 0 for meter in meters)
    return best


def _meter(scope: str, windows: tuple[float, ...]) -> Meter:
    meter = Meter((scope,), Unit.MONEY, (), 0.0)
    ceilings = [Ceiling(scope, Scope(), Decimal(1), Rolling(length)) for length in windows]
    meter.limit(Limit(meter.sum_of(ceiling, 0.0), FAR, strict=False) for ceiling in ceilings)
    return meter


def _engine_us(scopes: Scopes) -> float:
    """Microseconds from a request to its settlement, sized, priced, decided and kept for the journal."""
    engine = _engine(
        f"{{name: {scope} {length:.0f}, scope: {SCOPES[place]}, limit: 1000000 USD, window: {length:.0f}s}}"
        for place, scope in enumerate(scopes.names)
        for length in scopes.windows
    )
    number = 0

    def pair() -> None:
        nonlocal number
        number += 1
        now = 1000.0 + number / 1000
        ticket = engine.request(GrantRequest(f"grant-{number}", AGENT, CALL), now)
        assert ticket.grant is not None
        engine.settle(ticket.grant.lease, "m", USED, now)
        engine.records.clear()

    best = _best_us(pair)
    now = 1000.0 + number / 1000
    hour = next(account for account in engine.accounts if account.ceiling.window_s == HOUR_S)
    assert hour.held == 0
    assert hour.spent(now) == number * USED.total * Decimal("0.000001")
    return best


def _rules() -> Iterator[Figure]:
    few = [f"{{name: r{n}, scope: {{model: m{n}}}, limit: 1 USD, window: 1h}}" for n in range(RULES - 1)]
    together = [f"{{name: r{n}, limit: {1000 + n} USD, window: 1h}}" for n in range(RULES)]
    spread = [
        f"{{name: r{n}, scope: {SCOPES[n % len(SCOPES)]}, limit: {1000 + n} USD, window: {1 + n % 24}h}}"
        for n in range(RULES)
    ]
    for name, ceilings in (
        ("one applies", [*few, "{name: all, limit: 1000 USD, window: 1h}"]),
        ("all apply, in one scope and window", together),
        ("all apply, in 5 scopes and 24 windows", spread),
    ):
        still, moving = _decisions_ms(ceilings)
        yield Figure(f"a decision where {name}", still, "ms", "at most 5")
        yield Figure("  and a call was made since the last", moving, "ms", "at most 5")


def _decisions_ms(ceilings: list[str]) -> tuple[float, float]:
    """Milliseconds for a decision: where nothing happened since the last one, and after a call in between."""
    engine = _engine(ceilings)
    now, number = 1000.0, 0

    def decide() -> None:
        nonlocal now
        now += 0.001
        engine.decide(AGENT, now)

    def call() -> None:
        nonlocal number
        number += 1
        ticket = engine.request(GrantRequest(f"grant-{number}", AGENT, CALL), now)
        assert ticket.grant is not None
        engine.settle(ticket.grant.lease, "m", USED, now)

    call()
    assert engine.decide(AGENT, now).policy is not None
    still = _best_us(decide, calls=20) / 1000
    best = float("inf")
    for _ in range(20):
        call()
        begun = time.perf_counter()
        decide()
        best = min(best, time.perf_counter() - begun)
    return still, best * 1000


def _engine(ceilings: Iterator[str] | list[str]) -> Engine:
    lines = "".join(f"  - {ceiling}\n" for ceiling in ceilings)
    text = f"version: 1\ntenants: {{acme: {{workloads: {{nightly: {{}}}}}}}}\nceilings:\n{lines}"
    engine = Engine(parse(text, name="benchmark"), _price)
    engine.accounts.open_windows(0.0)
    return engine


def _price(provider: str | None, model: str | None, usage: Usage, at: datetime) -> Decimal:
    return Decimal(usage.total) / 1_000_000


def _best_us(does: Callable[[], None], *, calls: int = CALLS, rounds: int = ROUNDS) -> float:
    """The best round's mean."""
    best = float("inf")
    for _ in range(rounds):
        begun = time.perf_counter()
        for _ in range(calls):
            does()
        best = min(best, (time.perf_counter() - begun) / calls * 1e6)
    return best


if __name__ == "__main__":
    main()
