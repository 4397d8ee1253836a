"""Document: the registry as `GET` and `PUT /v1/registry` have it, and what it says of a moment.

A document has a source, whose lines it replaces: `policies` (the policy file: workloads and plans) or `imported` (what
finance brings in: these, cost centres, revenue, and the zone of all days).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from .lines import (
    KINDS,
    CostCentre,
    Kind,
    Line,
    Plan,
    Revenue,
    Workload,
    clashes,
    read_line,
    written,
)
from .timeline import Piece, by_workload, instant, zone_named

__all__ = ["IMPORTED", "POLICIES", "SOURCES", "Registry", "RegistryError", "document_of", "foreign", "parse"]

POLICIES, IMPORTED = "policies", "imported"
SOURCES = (IMPORTED, POLICIES)
"""Of two that speak of the same time, the first counts."""
_OF_POLICIES = frozenset({"source", "workloads", "plans"})


class RegistryError(ValueError):
    """A registry document that cannot be taken: one line for each finding, each naming where and the value."""


@dataclass(frozen=True, slots=True)
class Registry:
    """Everything that is registered. No two lines speak of the same at the same time."""

    workloads: tuple[Workload, ...] = ()
    plans: tuple[Plan, ...] = ()
    cost_centres: tuple[CostCentre, ...] = ()
    revenue: tuple[Revenue, ...] = ()
    zone: str = "UTC"
    source: str = POLICIES
    _pieces: dict[tuple[str, str], list[Piece]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        pieces = by_workload([(self.source, self.workloads)], zone_named(self.zone))
        object.__setattr__(self, "_pieces", pieces)

    def owner_at(self, tenant: str, workload: str | None, at: datetime) -> Piece | None:
        """In whose hands the workload is at `at`, an aware time; None where no line speaks of it then."""
        pieces = self._pieces.get((tenant, workload or ""), ())
        return next((piece for piece in pieces if piece.holds(at) and piece.source), None)

    def approver_at(self, cost_centre: str, at: datetime) -> str | None:
        """Who approves what is charged to the cost centre at `at`, an aware time."""
        zone = zone_named(self.zone)
        for line in self.cost_centres:
            begun = line.starts_on is None or instant(line.starts_on, zone) <= at
            ended = line.ends_on is not None and instant(line.ends_on, zone) <= at
            if line.cost_centre == cost_centre and begun and not ended:
                return line.approver
        return None

    def lines(self, kind: Kind) -> tuple[Line, ...]:
        """Those of one kind."""
        found: tuple[Line, ...] = getattr(self, kind.name)
        return found


def parse(document: Mapping[str, Any]) -> Registry:
    """The registry that `{"source": ..., "zone": ..., "workloads": [...], "plans": [...], ...}` describes.

    A line may name its source, as answers do. Raises RegistryError with one line for each finding.
    """
    known = {"source", "zone", *KINDS}
    findings = [
        f"{name}: unknown; there are: {', '.join(sorted(known))}" for name in sorted(set(document) - known)
    ]
    source = document.get("source", POLICIES)
    if source not in SOURCES:
        findings.append(f'source: {source!r} is none; write "policies" or "imported"')
    zone = _zone(document.get("zone"), findings)
    lines = {name: tuple(_lines(document, kind, findings)) for name, kind in KINDS.items()}
    if findings:
        raise RegistryError("\n".join(findings))
    return Registry(**lines, zone=zone, source=str(source))  # type: ignore[arg-type]


def foreign(document: Mapping[str, Any]) -> list[str]:
    """What a document of the policy file says and only an import may, one finding each."""
    if document.get("source", POLICIES) != POLICIES:
        return []
    extra = sorted(name for name in (*KINDS, "zone") if document.get(name) and name not in _OF_POLICIES)
    return [f'{name}: the policy file has none; with "source": "imported" it is taken' for name in extra]


def document_of(registry: Registry) -> dict[str, Any]:
    """The document that `parse` takes back, sorted by its keys."""
    lists = {
        name: [written(kind, line) for line in sorted(registry.lines(kind), key=kind.place)]
        for name, kind in KINDS.items()
    }
    return {"source": registry.source, "zone": registry.zone, **lists}


def _zone(name: object, findings: list[str]) -> str:
    try:
        return zone_named("UTC" if name is None else str(name)).key
    except ValueError as unfit:
        findings.append(f"zone: {unfit}")
        return "UTC"


def _lines(document: Mapping[str, Any], kind: Kind, findings: list[str]) -> list[Line]:
    told = document.get(kind.name) or []
    if not isinstance(told, list) or not all(isinstance(line, Mapping) for line in told):
        findings.append(f"{kind.name}: must be a list of objects")
        return []
    found: list[tuple[str, Line]] = []
    for number, fields in enumerate(told):
        place = f"{kind.name}[{number}]"
        line, unfit = read_line(kind, fields)
        extra = sorted(set(fields) - set(kind.fields) - {"source"})
        findings += [f"{place}.{name}: unknown; there are: {', '.join(kind.fields)}" for name in extra]
        findings += [f"{place}.{name}: {reason}" for name, reason in unfit]
        found += [(place, line)] if line is not None else []
    findings += clashes(kind, found)
    return [line for _, line in found]
