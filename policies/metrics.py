"""The engine's figures as Prometheus text."""

from __future__ import annotations

from collections.abc import Iterable

from .accounts import Account
from .ladder import stand
from .runtime import Runtime
from .units import decimal

__all__ = ["text"]


def text(runtime: Runtime) -> str:
    """Spent, held and projected of every window, the queue, and the state of every breaker."""
    now, engine = runtime.clock(), runtime.engine
    windows = [(a, stand(a, now)) for a in engine.accounts if a.task is None]
    lines = [
        *_gauge("switchgear_ceiling_limit", ((a, _amount(a, at.limit)) for a, at in windows)),
        *_gauge("switchgear_ceiling_spent", ((a, _amount(a, at.spent)) for a, at in windows)),
        *_gauge("switchgear_ceiling_held", ((a, _amount(a, at.held)) for a, at in windows)),
        *_gauge("switchgear_ceiling_projected", ((a, _amount(a, at.band.q50)) for a, at in windows)),
        *_gauge("switchgear_ceiling_projected_upper", ((a, _amount(a, at.band.q80)) for a, at in windows)),
        *_gauge("switchgear_breaker_open", ((a, int("open" in a.state.value)) for a, _ in windows)),
        "# TYPE switchgear_queue_length gauge",
        f"switchgear_queue_length {len(engine.queue.pending)}",
        "# TYPE switchgear_meters_held_otherwise gauge",
        f"switchgear_meters_held_otherwise {engine.book.held_otherwise(a.meter for a in engine.accounts)}",
        "# TYPE switchgear_settlements_unbooked gauge",
        f"switchgear_settlements_unbooked {len(engine.unbooked)}",
        "# TYPE switchgear_settlements_given_up_total counter",
        f"switchgear_settlements_given_up_total {engine.unbooked.given_up}",
        "# TYPE switchgear_transitions_total counter",
        f"switchgear_transitions_total {runtime.log.length}",
        "# TYPE switchgear_policy_file_refused gauge",
        f"switchgear_policy_file_refused {int(runtime.file_error is not None)}",
        "# TYPE switchgear_transition_log_failing gauge",
        f"switchgear_transition_log_failing {int(runtime.log_error is not None)}",
        *(line for figures in runtime.figures for line in figures()),
    ]
    return "\n".join(lines) + "\n"


def _amount(account: Account, atoms: float) -> str:
    return f"{decimal(round(atoms), account.ceiling.unit):f}"


def _gauge(name: str, values: Iterable[tuple[Account, object]]) -> list[str]:
    def escaped(label: str) -> str:
        return label.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")

    def labels(account: Account) -> str:
        named = {"ceiling": account.ceiling.name} | {
            name.value: value for name, value in account.meter.values
        }
        return ",".join(f'{name}="{escaped(value)}"' for name, value in named.items())

    return [
        f"# TYPE {name} gauge",
        *(f"{name}{{{labels(account)}}} {value}" for account, value in values),
    ]
