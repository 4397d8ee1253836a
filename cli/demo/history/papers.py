"""Papers: what a finance partner would have beside the calls: who owns what, plans, revenue, contracts.

Pure: the texts of the files. Amounts come from what the calls cost, so that a plan is missed by a little and a margin
makes sense.
"""

from __future__ import annotations

import csv
import io
from calendar import monthrange
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import timedelta
from decimal import Decimal

from .company import APPROVERS, INTERNAL, Workload
from .costs import NOTHING, Cost
from .invoices import PROVIDERS, project
from .made import History

__all__ = ["chargeback", "contracts", "document", "owner_lines", "tables"]

_TEN, _DOLLAR = Decimal(10), Decimal(1)
_FOUR_DAYS, _HOUR = timedelta(days=4), timedelta(hours=1)
# Of each of the ten cost centres, the plan over what is spent; the last one's is far too small.
_PLANNED = ("1.05", "0.96", "1.12", "1.00", "0.88", "1.20", "0.93", "1.08", "1.02", "0.71")
_COST_OF_REVENUE = ("0.14", "0.22", "0.31", "0.18", "0.42", "0.27", "1.15", "0.2")

Line = dict[str, str]
"""Fields by their name; one that is left out is empty."""
Month = str
"""2026-11"""


def owner_lines(history: History) -> list[Line]:
    """Who owns each workload, from which day until which. What has no owner is not in it."""
    lines: list[Line] = []
    move = history.planted.move
    for workload in history.company.workloads:
        if workload.owner is None or workload.cost_centre is None:
            continue
        first = _day(history, workload)
        if move is not None and move.workload is workload:
            at = f"{move.at:%Y-%m-%d}"
            lines += [
                _owned(workload, workload.owner, workload.cost_centre, first) | {"to": at},
                _owned(workload, move.owner, move.cost_centre, at),
            ]
        else:
            lines.append(_owned(workload, workload.owner, workload.cost_centre, first))
    return lines


def centre_lines(history: History) -> list[Line]:
    """Who approves what is charged to each cost centre."""
    centres = sorted({each.cost_centre for each in history.company.workloads if each.cost_centre})
    return [{"cost_centre": centre, "approver": APPROVERS[centre]} for centre in centres]


def plan_lines(history: History, found: Iterable[Cost]) -> list[Line]:
    """Each cost centre's plan for each month of the history, from what it spends in a day."""
    spent: dict[str, Decimal] = defaultdict(lambda: NOTHING)
    for cost in found:
        if cost.line.workload.cost_centre is not None:
            spent[cost.line.workload.cost_centre] += cost.booked or NOTHING
    return [
        {
            "cost_centre": centre,
            "month": month,
            "amount": _rounded(spent[centre] / _length(history) * _days(month) * Decimal(planned), _TEN),
            "currency": "USD",
        }
        for centre, planned in zip(sorted(spent), _PLANNED, strict=False)
        for month in _months(history)
    ]


def revenue_lines(history: History, found: Iterable[Cost]) -> list[Line]:
    """What each tenant paid in each month; one in eight pays less than it costs."""
    spent: dict[tuple[str, Month], Decimal] = defaultdict(lambda: NOTHING)
    for cost in found:
        spent[cost.line.workload.tenant, f"{cost.line.day:%Y-%m}"] += cost.booked or NOTHING
    shares = dict(zip(history.company.tenants, _COST_OF_REVENUE * 4, strict=False))
    return [
        {
            "tenant": tenant,
            "month": month,
            "amount": _rounded(cost / Decimal(shares[tenant]), _DOLLAR),
            "currency": "USD",
        }
        for (tenant, month), cost in sorted(spent.items())
        if tenant != INTERNAL
    ]


def document(history: History, found: Sequence[Cost]) -> dict[str, object]:
    """All of these as the collector's registry takes them."""
    return {
        "source": "imported",
        "zone": "UTC",
        "workloads": owner_lines(history),
        "cost_centres": centre_lines(history),
        "plans": plan_lines(history, found),
        "revenue": revenue_lines(history, found),
    }


def contracts(history: History, found: Iterable[Cost]) -> str:
    """contracts.yaml, to be used or not: a discount with a commitment that is not reached, and provisioned units."""
    spent: dict[str, Decimal] = defaultdict(lambda: NOTHING)
    for cost in found:
        spent[cost.line.model.provider] += cost.booked or NOTHING
    committed = _rounded(spent["openai"] / _length(history) * 30 * Decimal("1.15"), _TEN)
    return _CONTRACTS.format(year=history.wanted.start.year, committed=committed)


def chargeback(history: History) -> str:
    """chargeback.yaml: the zone, and whose tenant each project of a provider is."""
    lines = ["version: 1", "zone: UTC", "reconcile:", "  projects:"]
    for provider in PROVIDERS:
        lines.append(f"    {provider}:")
        lines += [f"      {project(provider, tenant)}: {tenant}" for tenant in history.company.tenants]
    return "\n".join(lines) + "\n"


def tables(history: History, found: Sequence[Cost]) -> dict[str, str]:
    """The same as CSV files by their names, as `switchgear registry import` takes them."""
    return {
        "registry.csv": _table(
            ("tenant", "workload", "owner", "cost_centre", "from", "to"), owner_lines(history)
        ),
        "cost_centres.csv": _table(("cost_centre", "approver", "from", "to"), centre_lines(history)),
        "plans.csv": _table(("cost_centre", "month", "amount", "currency"), plan_lines(history, found)),
        "revenue.csv": _table(("tenant", "month", "amount", "currency"), revenue_lines(history, found)),
    }


def _table(columns: Sequence[str], lines: Iterable[Line]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue()


def _owned(workload: Workload, owner: str, centre: str, first: str) -> Line:
    return {
        "tenant": workload.tenant,
        "workload": workload.name,
        "owner": owner,
        "cost_centre": centre,
        "from": first,
    }


def _length(history: History) -> Decimal:
    """In days."""
    return Decimal((history.wanted.end - history.wanted.start) // _HOUR) / 24


def _day(history: History, workload: Workload) -> str:
    """The day on which the workload appears."""
    wanted = history.wanted
    return f"{wanted.start + workload.begins * (wanted.end - wanted.start):%Y-%m-%d}"


def _months(history: History) -> list[Month]:
    """Those that the history touches."""
    found, month = [], history.wanted.start.replace(day=1, hour=0)
    while month < history.wanted.end:
        found.append(f"{month:%Y-%m}")
        month = (month.replace(day=28) + _FOUR_DAYS).replace(day=1)
    return found


def _days(month: Month) -> int:
    year, number = map(int, month.split("-"))
    return monthrange(year, number)[1]


def _rounded(amount: Decimal, to: Decimal) -> str:
    """To whole tens or dollars, at least one of them."""
    return f"{max(to, (amount / to).quantize(_DOLLAR) * to):f}"


_CONTRACTS = """\
# What could have been negotiated over this history. It is not in use: to book later calls by it, start with
# `switchgear up --contracts FILE`; `switchgear contracts check FILE` reads it.
version: 1
contracts:
  - name: openai-enterprise
    provider: openai
    currency: USD
    zone: UTC
    from: {year}-01-01
    discounts:
      - {{models: ["gpt-4.1*"], discount: 10%}}
    commitment: {{monthly: {committed} USD}}   # a little more than what is used: the rest is shortfall
  - name: google-provisioned
    provider: google
    currency: USD
    zone: UTC
    from: {year}-01-01
    provisioned:
      - name: flash-units
        models: ["gemini-2.5-flash"]
        units: 1
        hourly_price: 0.25 USD
        tokens_per_minute: 40000
        overflow: on_demand
"""
