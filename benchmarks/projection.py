"""What the product's projection is worth: bands, breakers in the open and the closed loop, calendar periods.

    make bench-projection                              the design data: ServeGen clients as tenants, thin and native
    make bench-projection ARGS="--traces FILE..."      the same on other tenants and traces

Of each stream the first half is learned from, the second judged; judged are the classes of `analytics.projection`
themselves, with the shipped tables, beside simpler rules. The 5 min window and the closed loop take every third
tenant (`--whole`: all); `--quick` takes every twelfth of all, and is no result.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from pathlib import Path

import numpy as np
from projection_breakers import lead_at
from projection_calendar import CALENDARS, lines_of
from projection_closed import POLICIES, closed
from projection_drive import WINDOWS
from projection_reading import read
from projection_rolling import judge, lines
from projection_streams import DENSITIES, SHARED, Rates, Stream, stream
from projection_targets import Row, calendar_rows, closed_rows, rolling_rows, table

from analytics.projection import RollingForecast

_THIRD, _TWELFTH = 3, 12
# A window is judged where each half holds at least so many of it.
_WINDOWS_A_HALF = 5


def main() -> int:
    """Exit code 1 where a target is missed, 2 where nothing can be judged."""
    arguments = _arguments()
    begun = time.perf_counter()
    clients, traces = read(arguments.traces or [SHARED / "traces" / "servegen_mid_small.parquet"])
    rows: list[Row] = []
    with ProcessPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as pool:
        for density in DENSITIES if clients else ():
            made = [each for each in pool.map(_made, [(each, density) for each in clients]) if each.eligible]
            rows += _judged(f"{density}", made[:: _TWELFTH if arguments.quick else 1], arguments, pool)
        if traces:
            usable = [each for each in traces if each.eligible]
            for each in traces:
                if not each.eligible:
                    print(
                        f"{each.name}: not judged: spend in less than a seventh of its first half's 10 minutes"
                    )
            rows += _judged("traces", usable, arguments, pool)
    if not rows:
        print("nothing to judge", file=sys.stderr)
        return 2
    rows.append(Row("cost of an update", "", "<= 10 us", update_us(), "us", at_most=10.0))
    print("\nTargets (section 9) and figures\n" + "\n".join(table(rows)))
    print(f"{time.perf_counter() - begun:.0f} s")
    return 0 if all(row.met for row in rows) else 1


def _judged(name: str, streams: list[Stream], arguments: argparse.Namespace, pool: Executor) -> Iterator[Row]:
    """Everything of one density, printed as it is found."""
    if not streams:
        print(f"{name}: no tenant spends in a seventh of its first half's 10 minutes")
        return
    sample = streams if arguments.whole or arguments.quick or len(streams) < _TWELFTH else streams[::_THIRD]
    for window in WINDOWS:
        chosen = [
            each for each in (sample if window.length_s == 300 else streams) if _holds(each, window.length_s)
        ]
        if not chosen:
            print(f"\n{name}, {window.name}: not judged: no stream holds {2 * _WINDOWS_A_HALF} such windows")
            continue
        judged = judge(chosen, window, pool)
        print(f"\n{name}, {window.name}, {len(chosen)} tenants", *lines(judged), sep="\n", flush=True)
        levels = judged.levels
        for rule in ("product q50", "product q80"):
            tallied = judged.tallies[rule]
            level = lead_at(tallied.false_share, levels)
            print(
                f"  {rule}: lead >= 5 % in {tallied.lead_share:.1%}, a level rule as often false in {level:.1%}"
            )
        yield from rolling_rows(name, judged)
    for period, length_s in CALENDARS.items():
        chosen = [each for each in streams if _holds(each, length_s)]
        if chosen:
            found = lines_of(chosen, length_s, pool)
            print(f"\n{name}, calendar {period}", *found.lines, sep="\n", flush=True)
            yield from calendar_rows(name, period, found)
    chosen = [each for each in sample if _holds(each, WINDOWS[1].length_s)]
    if chosen:
        outcomes = dict(
            zip(POLICIES, pool.map(closed, [(chosen, policy) for policy in POLICIES]), strict=True)
        )
        print(
            f"\n{name}, closed loop, 1 h, {len(chosen)} tenants: time over C / excess p95 / denied / wrongly denied"
        )
        for policy, outcome in outcomes.items():
            print(f"    {policy:<30}{outcome}", flush=True)
        yield from closed_rows(name, outcomes)


def update_us() -> float:
    """Microseconds of `arrived`, with the closing of a cell in about two of three; the best of five rounds."""
    forecast, random = RollingForecast(3_600.0), np.random.default_rng(1)
    times = np.cumsum(random.exponential(60.0, 50_000)).reshape(5, -1)
    best = float("inf")
    for round_ in times.tolist():
        # Processor time: what others do on the machine is not the update's.
        begun = time.process_time()
        for at in round_:
            forecast.arrived(1.0, at)
        best = min(best, (time.process_time() - begun) / len(round_) * 1e6)
    return best


def _holds(each: Stream, length_s: int) -> bool:
    return each.half * 10 >= _WINDOWS_A_HALF * length_s


def _made(job: tuple[Rates, str]) -> Stream:
    return stream(*job)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--traces", nargs="+", type=Path, metavar="FILE", help="judge these instead of the design data"
    )
    parser.add_argument(
        "--whole", action="store_true", help="all tenants for the 5 min window and the closed loop too"
    )
    parser.add_argument("--quick", action="store_true", help="every twelfth tenant")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
