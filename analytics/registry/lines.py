"""Lines: what the registry consists of, and how each kind of line is read from a document or a file.

A line that has days holds from `starts_on` (None: from the beginning of time) until, and without, `ends_on` (None: it
goes on). A day begins at midnight in the zone of the registry.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from . import fields

__all__ = [
    "CENTRES",
    "KINDS",
    "PLANS",
    "REVENUE",
    "WORKLOADS",
    "CostCentre",
    "Field",
    "Kind",
    "Line",
    "Plan",
    "Revenue",
    "Workload",
    "clashes",
    "end_of",
    "read_line",
    "start_of",
    "written",
]


@dataclass(frozen=True, slots=True)
class Workload:
    """One named agent of a tenant, for some time. Without an `owner` its cost is unowned, and shown so."""

    tenant: str
    workload: str
    owner: str | None
    cost_centre: str | None
    starts_on: date | None = None
    ends_on: date | None = None


@dataclass(frozen=True, slots=True)
class CostCentre:
    """Who approves what is charged to a cost centre, for some time."""

    cost_centre: str
    approver: str
    starts_on: date | None = None
    ends_on: date | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What `cost_centre` means to spend in the month that starts on `month`: `amount` of `currency`."""

    cost_centre: str
    month: date
    amount: Decimal
    currency: str


@dataclass(frozen=True, slots=True)
class Revenue:
    """What `tenant` brought in in the month that starts on `month`: `amount` of `currency`."""

    tenant: str
    month: date
    amount: Decimal
    currency: str


Line = Workload | CostCentre | Plan | Revenue


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a line."""

    attribute: str
    """Its name in Python."""
    read: Callable[[object], Any]
    """The value of what a document says; raises ValueError with the reason."""
    write: Callable[[Any], str] = str
    """What a document says of the value."""
    is_optional: bool = False


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of line: its name is that of its list in a document."""

    name: str
    make: Callable[..., Line]
    fields: Mapping[str, Field]
    """By the names that documents and files use, in the order of the columns."""
    key: tuple[str, ...]
    """The attributes that say what a line is about."""
    is_dated: bool = False

    def key_of(self, line: Line) -> tuple[Any, ...]:
        """What a line is about."""
        return tuple(getattr(line, name) for name in self.key)

    def place(self, line: Line) -> tuple[Any, ...]:
        """Where a line stands among others of its kind: by what it is about, then by time."""
        return (*self.key_of(line), start_of(line))

    def about(self, line: Line) -> str:
        """The same in words: acme / writer."""
        return " / ".join(
            field.write(getattr(line, field.attribute))
            for field in self.fields.values()
            if field.attribute in self.key
        )


_DAYS = {
    "from": Field("starts_on", fields.day, is_optional=True),
    "to": Field("ends_on", fields.day, is_optional=True),
}
_MONTHLY = {
    "month": Field("month", fields.month, "{:%Y-%m}".format),
    "amount": Field("amount", fields.amount, fields.plain),
    "currency": Field("currency", fields.currency),
}
WORKLOADS = Kind(
    "workloads",
    Workload,
    {
        "tenant": Field("tenant", fields.name),
        "workload": Field("workload", fields.name),
        "owner": Field("owner", fields.name, is_optional=True),
        "cost_centre": Field("cost_centre", fields.name, is_optional=True),
        **_DAYS,
    },
    ("tenant", "workload"),
    is_dated=True,
)
CENTRES = Kind(
    "cost_centres",
    CostCentre,
    {
        "cost_centre": Field("cost_centre", fields.name),
        "approver": Field("approver", fields.name),
        **_DAYS,
    },
    ("cost_centre",),
    is_dated=True,
)
PLANS = Kind(
    "plans", Plan, {"cost_centre": Field("cost_centre", fields.name), **_MONTHLY}, ("cost_centre", "month")
)
REVENUE = Kind("revenue", Revenue, {"tenant": Field("tenant", fields.name), **_MONTHLY}, ("tenant", "month"))
KINDS: Mapping[str, Kind] = {kind.name: kind for kind in (WORKLOADS, CENTRES, PLANS, REVENUE)}


def read_line(kind: Kind, line: Mapping[str, object]) -> tuple[Line | None, list[tuple[str, str]]]:
    """The line, or None and all that is wrong with it: (field, reason). An optional field may be missing or None."""
    values, findings = {}, []
    for name, field in kind.fields.items():
        value = line.get(name)
        if value is None and field.is_optional:
            continue
        try:
            values[field.attribute] = field.read(value)
        except ValueError as unfit:
            findings.append((name, str(unfit)))
    if findings:
        return None, findings
    made = kind.make(**{"owner": None, "cost_centre": None, **values} if kind is WORKLOADS else values)
    if start_of(made) >= end_of(made):
        reason = f"{line['to']!r} is not after from; write the first day on which it no longer holds"
        return None, [("to", reason)]
    return made, []


def clashes(kind: Kind, lines: Iterable[tuple[str, Line]]) -> Iterator[str]:
    """Each two lines, given with their places, that speak of the same at the same time."""
    found: defaultdict[tuple[Any, ...], list[tuple[str, Line]]] = defaultdict(list)
    for place, line in lines:
        found[kind.key_of(line)].append((place, line))
    for same in found.values():
        if len(same) > 1:
            yield from _clashing(kind, kind.about(same[0][1]), same)


def written(kind: Kind, line: Line) -> dict[str, str | None]:
    """The line as a document has it: every field but for days that it has not."""
    values = {name: getattr(line, field.attribute) for name, field in kind.fields.items()}
    return {
        name: None if value is None else kind.fields[name].write(value)
        for name, value in values.items()
        if value is not None or name not in _DAYS
    }


def _clashing(kind: Kind, about: str, same: Sequence[tuple[str, Line]]) -> Iterator[str]:
    if not kind.is_dated:
        first, _ = same[0]
        yield from (
            f"{first} and {place}: {about} stands there twice; write it once" for place, _ in same[1:]
        )
        return
    (last_place, last), *others = sorted(same, key=lambda each: start_of(each[1]))
    for place, line in others:
        if end_of(last) > start_of(line):
            same_start = start_of(last) == start_of(line)
            advice = "keep one of them" if same_start else f'let the first end with to "{start_of(line)}"'
            yield f"{last_place} and {place}: {about} has two lines for the same time; {advice}"
        if end_of(line) > end_of(last):
            last_place, last = place, line


def start_of(line: Line) -> date:
    """Its first day, so that days compare; what begins with time begins on the first there is."""
    return getattr(line, "starts_on", None) or date.min


def end_of(line: Line) -> date:
    """The first day after it; what goes on ends on the last there is."""
    return getattr(line, "ends_on", None) or date.max
