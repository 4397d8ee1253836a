"""Truth: what a history really holds, for whoever checks what was made of it. Pure: values for truth.json."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from .costs import NOTHING, Cost, total
from .invoices import Bill
from .made import History
from .plan import Wanted
from .planted import Herd, Loop, Move

__all__ = ["identity", "truth"]


def identity(wanted: Wanted) -> dict[str, Any]:
    """What fixes a history, as JSON: the same values make the same calls."""
    return {
        "seed": wanted.seed,
        "start": _instant(wanted.start),
        "end": _instant(wanted.end),
        "tenants": wanted.tenants,
        "workloads": wanted.workloads,
        "calls": wanted.calls,
        "plant": sorted(wanted.plant),
    }


def truth(history: History, found: Sequence[Cost], bills: Iterable[Bill], version: str) -> dict[str, Any]:
    """All of it; amounts are texts, in USD, of the calls whose cost is known here."""
    lines = [cost.line for cost in found]
    unpriced = [cost.line for cost in found if cost.rates is None]
    return {
        "history": identity(history.wanted),
        "price_version": version,
        "calls": history.tally.calls,
        "attempts": sum(line.attempts for line in lines),
        "incomplete_calls": sum(line.untold for line in lines),
        "unpriced_calls": sum(line.calls - line.untold for line in unpriced),
        "tasks": history.tally.tasks,
        "task_ends": history.tally.ends,
        "spans": history.tally.spans,
        "unowned": [
            {"tenant": each.tenant, "workload": each.name}
            for each in history.company.workloads
            if each.owner is None
        ],
        "cost": {
            "total": _money(total(cost.booked for cost in found)),
            "by_month": _by(found, lambda cost: f"{cost.line.day:%Y-%m}"),
            "by_tenant": _by(found, lambda cost: cost.line.workload.tenant),
            "by_provider": _by(found, lambda cost: cost.line.model.provider),
            "by_model": _by(found, lambda cost: cost.line.model.answers),
        },
        "planted": {
            "herd": _herd(history.planted.herd),
            "loop": _loop(history.planted.loop),
            "move": _move(history.planted.move),
        },
        "invoices": [_bill(bill) for bill in bills],
    }


def _by(found: Iterable[Cost], key: Callable[[Cost], str]) -> dict[str, str]:
    sums: dict[str, Decimal] = defaultdict(lambda: NOTHING)
    for cost in found:
        if cost.booked is not None:
            sums[key(cost)] += cost.booked
    return {name: _money(amount) for name, amount in sorted(sums.items())}


def _bill(bill: Bill) -> dict[str, str]:
    parts = ("booked", "untold", "unpriced", "unseen", "amount")
    return {
        "provider": bill.provider,
        "month": bill.month,
        **{part: _money(getattr(bill, part)) for part in parts},
    }


def _herd(herd: Herd | None) -> dict[str, Any] | None:
    if herd is None:
        return None
    return {
        "provider": herd.provider,
        "model": herd.model,
        "from": _instant(herd.waves[0]),
        "to": _instant(herd.until),
        "waves": [_instant(wave) for wave in herd.waves],
        "calls": herd.calls,
        "attempts": herd.attempts,
        "tasks": [dict(zip(("tenant", "workload", "task"), each, strict=True)) for each in herd.tasks],
    }


def _loop(loop: Loop | None) -> dict[str, Any] | None:
    if loop is None:
        return None
    return {
        "tenant": loop.tenant,
        "workload": loop.workload,
        "task": loop.task,
        "model": loop.model,
        "from": _instant(loop.begins),
        "to": _instant(loop.until),
        "calls": loop.calls,
    }


def _move(move: Move | None) -> dict[str, Any] | None:
    if move is None:
        return None
    return {
        "tenant": move.workload.tenant,
        "workload": move.workload.name,
        "at": _instant(move.at),
        "from": {"owner": move.workload.owner, "cost_centre": move.workload.cost_centre},
        "to": {"owner": move.owner, "cost_centre": move.cost_centre},
    }


def _instant(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def _money(amount: Decimal) -> str:
    return f"{amount.quantize(Decimal('1e-12')):f}"
