"""The registry: who answers for a workload, who pays for it, and what a cost centre plans to spend.

Calls keep only ids; the owner and cost centre are joined when calls are read, so replacing the registry
corrects every report at once. `parse` is pure and reports every finding; `replace` and `read` touch DuckDB.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

import pyarrow as pa

if TYPE_CHECKING:
    import duckdb

__all__ = ["Plan", "Registry", "RegistryError", "Workload", "parse", "read", "replace"]

MAX_NAME = 200
_MONTH = re.compile(r"^(\d{4})-(0[1-9]|1[0-2])$")
_CURRENCY = re.compile(r"^[A-Z]{3}$")
_AMOUNT = pa.decimal128(18, 6)


class RegistryError(ValueError):
    """A registry document that cannot be taken: one line for each finding, each naming where and the value."""


@dataclass(frozen=True, slots=True)
class Workload:
    """One named agent of a tenant. Without an `owner` its cost is unowned, and shown so."""

    tenant: str
    workload: str
    owner: str | None
    cost_centre: str | None


@dataclass(frozen=True, slots=True)
class Plan:
    """What `cost_centre` means to spend in the month that starts on `month`: `amount` of `currency`."""

    cost_centre: str
    month: date
    amount: Decimal
    currency: str


@dataclass(frozen=True, slots=True)
class Registry:
    """Everything that is registered: at most one line a (tenant, workload) and one a (cost centre, month)."""

    workloads: tuple[Workload, ...] = ()
    plans: tuple[Plan, ...] = ()


def parse(document: Mapping[str, Any]) -> Registry:
    """The registry that `{"workloads": [...], "plans": [...]}` describes.

    Raises RegistryError with one line for each finding, each naming where it is and the value.
    """
    findings = [
        f"{name}: unknown; a registry has workloads and plans"
        for name in sorted(set(document) - {"workloads", "plans"})
    ]
    workloads = [
        _workload(f"workloads[{place}]", line, findings)
        for place, line in enumerate(_lines(document, "workloads", findings))
    ]
    plans = [
        _plan(f"plans[{place}]", line, findings)
        for place, line in enumerate(_lines(document, "plans", findings))
    ]
    findings += _repeated("workloads", ((w.tenant, w.workload) for w in workloads if w))
    findings += _repeated("plans", ((p.cost_centre, f"{p.month:%Y-%m}") for p in plans if p))
    if findings:
        raise RegistryError("\n".join(findings))
    return Registry(tuple(w for w in workloads if w), tuple(p for p in plans if p))


def replace(con: duckdb.DuckDBPyConnection, document: Mapping[str, Any]) -> None:
    """Put this registry in place of the one before, inside the caller's transaction. Raises RegistryError."""
    registry = parse(document)
    _refill(con, "registry_workloads", _workload_table(registry.workloads))
    _refill(con, "plans", _plan_table(registry.plans))


def read(con: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    """The registry as a document that `replace` takes back unchanged, sorted by its keys."""
    workloads = con.execute(
        "SELECT tenant, workload, owner, cost_centre FROM registry ORDER BY tenant, workload"
    ).fetchall()
    plans = con.execute(
        "SELECT cost_centre, strftime(month, '%Y-%m'), amount, currency FROM plans ORDER BY cost_centre, month"
    ).fetchall()
    return {
        "workloads": [
            dict(zip(("tenant", "workload", "owner", "cost_centre"), row, strict=True)) for row in workloads
        ],
        "plans": [
            {"cost_centre": centre, "month": month, "amount": _plain(amount), "currency": currency}
            for centre, month, amount, currency in plans
        ],
    }


def _lines(document: Mapping[str, Any], name: str, findings: list[str]) -> list[Mapping[str, Any]]:
    lines = document.get(name) or []
    if not isinstance(lines, list) or not all(isinstance(line, Mapping) for line in lines):
        findings.append(f"{name}: must be a list of objects")
        return []
    return lines


def _workload(where: str, line: Mapping[str, Any], findings: list[str]) -> Workload | None:
    before = len(findings)
    _only(where, line, ("tenant", "workload", "owner", "cost_centre"), findings)
    tenant = _name(where, line, "tenant", findings)
    workload = _name(where, line, "workload", findings)
    owner = _optional(where, line, "owner", findings)
    centre = _optional(where, line, "cost_centre", findings)
    return Workload(tenant, workload, owner, centre) if len(findings) == before else None


def _plan(where: str, line: Mapping[str, Any], findings: list[str]) -> Plan | None:
    before = len(findings)
    _only(where, line, ("cost_centre", "month", "amount", "currency"), findings)
    centre = _name(where, line, "cost_centre", findings)
    month = _MONTH.match(str(line.get("month")))
    if month is None:
        findings.append(f'{where}.month: {line.get("month")!r} is no month; write "2026-11"')
    currency = line.get("currency")
    if not isinstance(currency, str) or not _CURRENCY.match(currency):
        findings.append(f'{where}.currency: {currency!r} is no currency; write three capitals such as "USD"')
    amount = _amount(where, line.get("amount"), findings)
    if len(findings) > before or month is None:
        return None
    return Plan(centre, date(int(month[1]), int(month[2]), 1), amount, str(currency))


def _amount(where: str, value: object, findings: list[str]) -> Decimal:
    try:
        amount = Decimal(value) if isinstance(value, str) else Decimal("NaN")
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite():
        findings.append(f'{where}.amount: {value!r} is no amount; write a string such as "1200" or "1200.50"')
    elif amount < 0:
        findings.append(f"{where}.amount: {value} is below 0; a plan is what will be spent")
    elif amount >= 10**12 or amount != amount.quantize(Decimal("0.000001")):
        findings.append(f"{where}.amount: {value} does not fit 12 digits before the point and 6 after it")
    else:
        return amount
    return Decimal(0)


def _only(where: str, line: Mapping[str, Any], known: tuple[str, ...], findings: list[str]) -> None:
    extra = sorted(set(line) - set(known))
    findings.extend(f"{where}.{name}: unknown; there are: {', '.join(known)}" for name in extra)


def _name(where: str, line: Mapping[str, Any], field: str, findings: list[str]) -> str:
    value = line.get(field)
    if not isinstance(value, str) or not value.strip():
        findings.append(f"{where}.{field}: {value!r} is no name; write a text that is not empty")
        return ""
    if len(value) > MAX_NAME:
        findings.append(f"{where}.{field}: {len(value)} characters; a name has at most {MAX_NAME}")
    return value


def _optional(where: str, line: Mapping[str, Any], field: str, findings: list[str]) -> str | None:
    return None if line.get(field) is None else _name(where, line, field, findings)


def _repeated(name: str, keys: Iterable[tuple[str, str]]) -> list[str]:
    return [
        f"{name}: {' / '.join(key)} stands there {times} times; it may stand there once"
        for key, times in sorted(Counter(keys).items())
        if times > 1
    ]


def _refill(con: duckdb.DuckDBPyConnection, table: str, lines: pa.Table) -> None:
    con.execute(f"DELETE FROM {table}")  # noqa: S608 - one of two names in this module
    con.register("registry_lines", lines)
    try:
        con.execute(f"INSERT INTO {table} BY NAME SELECT * FROM registry_lines")  # noqa: S608 - as above
    finally:
        con.unregister("registry_lines")


def _workload_table(workloads: Sequence[Workload]) -> pa.Table:
    columns = ("tenant", "workload", "owner", "cost_centre")
    return pa.table({name: pa.array([getattr(w, name) for w in workloads], pa.string()) for name in columns})


def _plan_table(plans: Sequence[Plan]) -> pa.Table:
    return pa.table(
        {
            "cost_centre": pa.array([plan.cost_centre for plan in plans], pa.string()),
            "month": pa.array([plan.month for plan in plans], pa.date32()),
            "amount": pa.array([plan.amount for plan in plans], _AMOUNT),
            "currency": pa.array([plan.currency for plan in plans], pa.string()),
        }
    )


def _plain(amount: Decimal) -> str:
    """The amount without trailing zeros and never with an exponent: 1200.500000 is "1200.5"."""
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
