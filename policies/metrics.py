"""The engine's figures as Prometheus text."""

from __future__ import annotations

from collections.abc import Iterable

from .ladder import stand
from .runtime import Runtime

__all__ = ["text"]


def text(runtime: Runtime) -> str:
    """Spent, held and projected of every window, the queue, and the state of every breaker."""
    now, engine = runtime.clock(), runtime.engine
    windows = [(a, stand(a, now)) for a in engine.accounts if a.task is None]
    lines = [
        *_gauge("switchgear_ceiling_limit", ((a.ceiling.name, a.ceiling.limit) for a, _ in windows)),
        *_gauge("switchgear_ceiling_spent", ((a.ceiling.name, at.spent) for a, at in windows)),
        *_gauge("switchgear_ceiling_held", ((a.ceiling.name, a.held) for a, _ in windows)),
        *_gauge("switchgear_ceiling_projected", ((a.ceiling.name, at.projection.total) for a, at in windows)),
        *_gauge(
            "switchgear_breaker_open", ((a.ceiling.name, int("open" in a.state.value)) for a, _ in windows)
        ),
        "# TYPE switchgear_queue_length gauge",
        f"switchgear_queue_length {len(engine.pending)}",
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


def _gauge(name: str, values: Iterable[tuple[str, object]]) -> list[str]:
    def escaped(label: str) -> str:
        return label.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")

    return [
        f"# TYPE {name} gauge",
        *(f'{name}{{ceiling="{escaped(ceiling)}"}} {value}' for ceiling, value in values),
    ]
