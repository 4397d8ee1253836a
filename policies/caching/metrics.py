"""The cache service's figures as Prometheus text. They name no tenant, and nothing of what was asked or answered."""

from __future__ import annotations

from collections.abc import Mapping

from switchgear.cache.model import Outcome

from .desk import Desk

__all__ = ["text"]


def text(desk: Desk) -> str:
    """Looks and lessons by outcome, what waits, and what was refused."""
    lines = [
        *_by_outcome("switchgear_cache_looks_total", desk.looked),
        *_by_outcome("switchgear_cache_lessons_total", desk.learned),
        *_one("switchgear_cache_look_seconds_total", "counter", f"{desk.seconds:.6f}"),
        *_one("switchgear_cache_busy_total", "counter", desk.workers.refused),
        *_one("switchgear_cache_under_way", "gauge", desk.workers.under_way),
        *_one("switchgear_cache_tickets", "gauge", len(desk.tickets)),
        *_one("switchgear_cache_tickets_refused_total", "counter", desk.strange),
        *_one("switchgear_cache_policy_file_refused", "gauge", int(desk.followed.refused)),
    ]
    return "\n".join(lines) + "\n"


def _by_outcome(name: str, counted: Mapping[Outcome, int]) -> list[str]:
    return [
        f"# TYPE {name} counter",
        *(f'{name}{{outcome="{each.value}"}} {counted.get(each, 0)}' for each in Outcome),
    ]


def _one(name: str, kind: str, value: object) -> list[str]:
    return [f"# TYPE {name} {kind}", f"{name} {value}"]
