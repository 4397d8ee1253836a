"""How fairly one provider's capacity is shared, in virtual time: our order beside first come and strict priority.

Arrivals are those of eight clients that ServeGen recorded; sizes are log-normal (p99/p50 = 10). Then the loads of the
VTC artifact, beside its own recorded runs; a flood of background work under interactive load; interactive load that
alone is too much; and the 2 a.m. scene. What is asked of each figure stands in the last table; exit code 1 where ours
misses one. Nothing here depends on the machine's speed.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

from fairness_incident import Night, alone, scene, together
from fairness_load import Call, Reference, Source, arrivals, flood, references, sources
from fairness_play import ORDERS, Fair, Outcome, play, widest

from policies.model import TIER_WEIGHTS, Capacity
from switchgear.tier import Tier

# The artifact's runs differ in length; both of a load are compared over the first 350 s.
_HORIZON_S = 350.0
_MEDIANS = (600, 4000, 900, 1500, 2500, 700, 3000, 1200)
_WEIGHTS = (1.0, 1.0, 2.0, 1.0, 4.0, 1.0, 2.0, 1.0)


@dataclass(frozen=True, slots=True)
class Bar:
    """A figure, and the most (or least) that it may be."""

    what: str
    figure: float
    bar: float
    unit: str
    least: bool = False

    @property
    def met(self) -> bool:
        return self.figure >= self.bar if self.least else self.figure <= self.bar

    def __str__(self) -> str:
        sign = ">=" if self.least else "<="
        verdict = "met" if self.met else "MISSED"
        return f"  {self.what:<66}{self.figure:>12,.3f} {sign} {self.bar:>10,.3f} {self.unit:<8} {verdict}"


def main() -> int:
    """Print every part and the table of bars; 0 where ours meets them all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="ten minutes of arrivals rather than an hour")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    seconds, random = (600 if options.quick else 3600), Random(options.seed)
    print(f"virtual time: {seconds} s; seed {options.seed}")
    clients = sources(seconds)
    bars: list[Bar] = []
    for part in (
        _tenants(clients, seconds, random), _artifact(), _flood(clients, seconds, random),
        _saturated(clients, seconds, random), _incident(seconds, random),
    ):  # fmt: skip
        bars += part
    print("\nbar and figure (ours)")
    for bar in bars:
        print(bar)
    return 0 if all(bar.met for bar in bars) else 1


def _tenants(clients: Sequence[Source], seconds: int, random: Random) -> Iterator[Bar]:
    """Eight tenants of weights 1 to 4 want half as much again as there is, all in one tier."""
    calls = _mixed(clients, seconds, random)
    capacity = _capacity(_tokens(calls) / seconds / 1.5)
    print(f"\neight tenants, demand 1.5 x capacity: {len(calls):,} calls, {_tokens(calls):,} tokens")
    for name in ("FCFS", "ours"):
        outcome = play(ORDERS[name](capacity), calls, seconds)
        print(_told(name, outcome))
    yield Bar("max |dW| of backlogged tenants", outcome.gap, 2 * outcome.largest, "tokens")
    yield Bar(
        "throughput of the rate that is paced for",
        outcome.tokens_per_s() / _paced(capacity),
        0.98,
        "x",
        least=True,
    )
    print(_told("ours, input not known before", play(Fair(capacity), calls, seconds, blind=True)))


def _artifact() -> Iterator[Bar]:
    """The artifact's arrivals through our order, at the rate and with the latencies of its server."""
    print("\nVTC artifact: max |W0 - W1| in its units (input + 2 x output), first 350 s; its bound is 40,000")
    for run in references():
        recorded, rate = widest(run.served, _HORIZON_S)
        print(f"  {run.load:<20} {run.order + ', recorded':<16} {recorded:>10,.0f}   {rate:.2f} calls/s")
        if run.order == "VTC":
            outcome, served = _replayed(run)
            gap, rate = widest(served, _HORIZON_S)
            print(f"  {run.load:<20} {'ours, simulated':<16} {gap:>10,.0f}   {rate:.2f} calls/s;", end=" ")
            print(
                f"at dispatch, from a cold start: {outcome.gap:,.0f} (2 x largest: {2 * outcome.largest:,.0f})"
            )
            yield Bar(f"VTC {run.load}: max |dW|, beside its recorded", gap, recorded, "units")


def _flood(clients: Sequence[Source], seconds: int, random: Random) -> Iterator[Bar]:
    """Three interactive tenants that take 90 % of the capacity in their busiest minutes, and a flood beside them."""
    calls = _interactive(clients, seconds, random)
    capacity = _capacity(_busiest(calls) / 0.9)
    night = flood("index", seconds, _paced(capacity), random, median=2000)
    quiet = play(Fair(capacity), calls, seconds)
    print(
        "\ninteractive load of 90 % in its busiest ten minutes, without and with a flood of background work"
    )
    print(_told("ours, no flood", quiet))
    for name in ORDERS:
        flooded = play(ORDERS[name](capacity), [*calls, *night], seconds)
        print(_told(f"{name}, flooded", flooded))
    ratio = flooded.p99(Tier.INTERACTIVE) / quiet.p99(Tier.INTERACTIVE)
    used = flooded.tokens_per_s() / _paced(capacity)
    yield Bar("interactive p99 wait under a flood, beside none", ratio, 1.2, "x")
    yield Bar("  throughput meanwhile, of the rate paced for", used, 0.98, "x", least=True)


def _saturated(clients: Sequence[Source], seconds: int, random: Random) -> Iterator[Bar]:
    """Interactive work alone wants 1.5 x the capacity; background work waits all along."""
    calls = _interactive(clients, seconds, random)
    capacity = _capacity(_tokens(calls) / seconds / 1.5)
    night = flood("index", seconds, _paced(capacity), random, median=500)
    print("\ninteractive demand of 1.5 x capacity, background work waiting all along")
    for name in ORDERS:
        outcome = play(ORDERS[name](capacity), [*calls, *night], seconds)
        pause, got = outcome.longest_pause(Tier.BACKGROUND), outcome.tokens_per_s(Tier.BACKGROUND)
        print(f"{_told(name, outcome)}   background {got:,.0f} tokens/s, longest pause {pause:,.0f} s")
    part = _paced(capacity) / (TIER_WEIGHTS[Tier.INTERACTIVE] + TIER_WEIGHTS[Tier.BACKGROUND])
    largest = max(call.tokens for call in night)
    yield Bar("background's rate while interactive work saturates", got, 0.9 * part, "tokens/s", least=True)
    # What it had beyond its part counts for two minutes; then its largest call is waited for at its part of the rate.
    yield Bar("  its longest pause", pause, 120 + largest / part, "s")


def _incident(seconds: int, random: Random) -> Iterator[Bar]:
    """Three workloads of 4, 5 and 6 calls a second share 600 calls a minute."""
    calls = scene(seconds, random)
    print("\n2 a.m.: 4 + 5 + 6 calls a second meet at a limit of 10")
    without = alone(calls)
    ours = together(calls, 600, random)
    print(_night("each for itself", without))
    print(_night("ours, limit declared", ours))
    print(_night("ours, declared 1.5 x too high", together(calls, 900, random)))
    print(_night("ours, nothing declared", together(calls, None, random)))
    yield Bar("2 a.m.: answers 429, limit declared", float(ours.refused), 0.0, "")
    yield Bar("2 a.m.: calls given up", float(ours.failed), 0.0, "")


def _mixed(clients: Sequence[Source], seconds: int, random: Random) -> list[Call]:
    calls: list[Call] = []
    for client, median, weight in zip(clients, _MEDIANS, _WEIGHTS, strict=True):
        calls += arrivals(client, seconds, random, tier=Tier.BATCH, median=median, weight=weight)
    return calls


def _interactive(clients: Sequence[Source], seconds: int, random: Random) -> list[Call]:
    calls: list[Call] = []
    for client in clients[:3]:
        calls += arrivals(client, seconds, random, tier=Tier.INTERACTIVE, median=800)
    return calls


def _replayed(run: Reference) -> tuple[Outcome, list[tuple[float, str, int, int, float, float]]]:
    """A recorded run's arrivals through our order; each runs as long as it ran there from its first token on."""
    asked = sorted(run.served)
    calls = [
        Call(at, tenant, Tier.BATCH, prompt, 2 * output, 1.0, end - first)
        for at, tenant, prompt, output, first, end in asked
    ]
    ended = max(end for *_, end in run.served)
    outcome = play(Fair(_capacity(_tokens(calls) / ended)), calls, ended)
    served = [(c.at, c.tenant, c.input, c.output // 2, at, at + c.runs_s) for c, at in outcome.started]
    return outcome, served


def _capacity(tokens_per_s: float) -> Capacity:
    """A limit that is paced for at about so many tokens a second: lanes leave 5 % of a limit alone."""
    return Capacity("p", None, int(tokens_per_s * 60 / 0.95))


def _paced(capacity: Capacity) -> float:
    return (capacity.tokens_per_minute or 0) / 60 * 0.95


def _busiest(calls: Sequence[Call]) -> float:
    """Tokens a second in the busiest ten minutes."""
    bins = Counter[int]()
    for call in calls:
        bins[int(call.at / 600)] += call.tokens
    return max(bins.values()) / 600


def _tokens(calls: Sequence[Call]) -> int:
    return sum(call.tokens for call in calls)


def _told(name: str, outcome: Outcome) -> str:
    told = f"  {name:<48} {outcome.tokens_per_s():>9,.0f} tokens/s   max |dW| {outcome.gap:>10,.0f}"
    if any(call.tier is Tier.INTERACTIVE for call, _ in outcome.started):
        told += f"   interactive p99 wait {outcome.p99(Tier.INTERACTIVE):8.3f} s"
    return told


def _night(name: str, night: Night) -> str:
    waits = "  ".join(f"{tier.value} {night.p99(tier):7.2f} s" for tier in Tier)
    return (
        f"  {name:<30} {night.asked:,} calls: {night.refused:>6,} answers 429, {night.failed:>5,} given up"
        f"   p99 wait: {waits}"
    )


if __name__ == "__main__":
    sys.exit(main())
