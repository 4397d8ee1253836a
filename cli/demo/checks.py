"""What must hold after the demo, each with its figures. Pure: a run's records in, verdicts out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from .figures import Figures, Run

__all__ = ["Check", "ceilings_hold", "every_call_booked_once", "interactive_waits_less"]

_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Check:
    """One verdict and what it rests on."""

    name: str
    passed: bool
    detail: str


def ceilings_hold(guarded: Mapping[str, Figures], limits: Mapping[str, Decimal]) -> Check:
    """No tenant passes its ceiling, in any window, by more than its largest single call."""
    parts = [
        f"{tenant} {row.peak:.4f} of {limits[tenant]:.2f} (largest call {row.largest:.4f})"
        for tenant, row in guarded.items()
    ]
    passed = all(row.over <= row.largest for row in guarded.values())
    return Check("no tenant passes its ceiling by more than its largest call", passed, "; ".join(parts))


def interactive_waits_less(tenant: str, unguarded: Figures, guarded: Figures) -> Check:
    """The interactive tenant's p95 wait with switchgear is below half of what it is without."""
    passed = guarded.wait_p95_s < unguarded.wait_p95_s / 2
    detail = f"{guarded.wait_p95_s:.2f} s with, {unguarded.wait_p95_s:.2f} s without"
    return Check(f"{tenant}'s p95 wait is below half of what it was", passed, detail)


def every_call_booked_once(run: Run) -> Check:
    """What the provider served is what the database has: each call once, to its tenant, at the same cost."""
    served = {one.id: one for one in run.log.served}
    times = Counter(row.response_id for row in run.booked)
    faults = [f"{call_id} is missing" for call_id in served if not times[call_id]]
    faults += [f"{call_id} stands {n} times" for call_id, n in times.items() if call_id in served and n > 1]
    for row in run.booked:
        truth = served.get(row.response_id or "")
        if truth is None:
            faults.append(f"{row.response_id} of {row.tenant} was never served")
        elif (row.tenant, row.cost) != (truth.tenant, truth.billed):
            faults.append(f"{truth.id}: {row.tenant} {row.cost} booked, {truth.tenant} {truth.billed} billed")
    billed = sum((one.billed for one in run.log.served), Decimal(0))
    booked = sum((row.cost for row in run.booked if row.cost is not None), Decimal(0))
    detail = f"{len(served)} calls and {billed:f} USD served, {len(run.booked)} and {booked:f} USD booked"
    if faults:
        detail += f"; {len(faults)} faults: {'; '.join(faults[:_SHOWN])}"
    return Check("every call served is booked once, at the provider's own cost", not faults, detail)
