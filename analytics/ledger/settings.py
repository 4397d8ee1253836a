"""Settings: what `chargeback.yaml` says of zone, currency, closing, invoices, accounts and shared cost.

The file's shape is docs/chargeback.md; without a file every setting has the value that stands here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from switchgear.money import Money

from .. import documents
from ..allocation import Rule, RuleDocument
from ..allocation import parse as rules_of
from ..allocation import problems as problems_of
from ..contracts.document import Amount, Name
from ..documents import DocumentError
from .calendar import Calendar, CalendarError

__all__ = ["Accounts", "Chargeback", "Close", "DocumentError", "load", "parse"]

_LENGTH = re.compile("([0-9]{1,4})([hd])")
_SHARE = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,6})?)\s*%")
_TOLERATED = Money(Decimal("1.00"), "USD")
_IN_UTC = Calendar()


@dataclass(frozen=True, slots=True)
class Close:
    """What must hold before a period is closed."""

    wait: timedelta = timedelta(days=2)
    """How long after the period's end the watermark must have come: late calls are still taken until then."""
    tolerance: Money = _TOLERATED
    """Of a provider's invoice less the ledger: this much is let pass, or"""
    tolerance_share: Decimal = Decimal("0.005")
    """this share of the invoice, whichever is more."""
    unpriced: Decimal = Decimal(0)
    """The share of calls that may be without a known cost."""
    unowned: Decimal = Decimal(0)
    """The share of cost that may be without an owner or a cost centre."""

    def let_pass(self, invoiced: Decimal, currency: str) -> Decimal:
        """By how much an invoice of this amount may differ from the ledger."""
        share = self.tolerance_share * abs(invoiced)
        return max(share, self.tolerance.amount) if currency == self.tolerance.currency else share


@dataclass(frozen=True, slots=True)
class Accounts:
    """The accounts of journal entries, as the books of the company name them; None: none was named."""

    debit: str | None = None
    """Where cost is booked of a cost centre that has none of its own here."""
    cost_centres: Mapping[str, str] = field(default_factory=dict)
    credit: str | None = None
    """Against which it is booked: what is owed to providers."""
    accrued: str | None = None
    """Against which it is booked while a provider's invoice has not come."""
    clearing: str | None = None
    """What belongs to no cost centre yet."""

    def debit_of(self, cost_centre: str | None) -> str | None:
        """The account that is debited for a cost centre; of none the clearing account."""
        return self.clearing if cost_centre is None else self.cost_centres.get(cost_centre, self.debit)


@dataclass(frozen=True, slots=True)
class Chargeback:
    """All of the file."""

    calendar: Calendar = _IN_UTC
    currency: str = "USD"
    """Of statements, plans and journal entries; what is booked in another stands apart."""
    close: Close = Close()
    projects: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """By provider: whose tenant each of its projects (or workspaces) is."""
    accounts: Accounts = Accounts()
    rules: tuple[Rule, ...] = ()
    """By which shared cost is moved to whom it is for, in order."""

    def tenant_of(self, provider: str, project: str | None) -> str | None:
        """The tenant that a provider's project belongs to; None where the file does not say."""
        return None if project is None else self.projects.get(provider, {}).get(project)


def load(path: Path | None) -> Chargeback:
    """What the file says; without one, what holds by default. Raises DocumentError, also where it cannot be read."""
    return parse(documents.read(path), name=str(path)) if path is not None else Chargeback()


def parse(text: str, *, name: str) -> Chargeback:
    """What `text` says; `name` stands for the file in errors. Raises DocumentError that tells of each with its line."""
    tree = documents.tree_of(text, name)
    said = documents.validated(_Document, tree, name)
    problems = list(problems_of(said.allocation))
    tolerance = said.close.tolerance
    amount = tolerance.amount or Money(_TOLERATED.amount, said.currency)
    if amount.currency != said.currency:
        where = ("close", "tolerance", "amount")
        problems.append((where, f'"{amount}" is not in the currency of the file, {said.currency}'))
    if problems:
        raise documents.refused(tree, name, problems)
    return Chargeback(
        calendar=Calendar(said.zone, said.fiscal_year_starts, said.fiscal_year_named),
        currency=said.currency,
        close=Close(said.close.wait, amount, tolerance.share, said.close.unpriced, said.close.unowned),
        projects=said.reconcile.projects,
        accounts=Accounts(**dict(said.accounts)),
        rules=rules_of(said.allocation),
    )


def _zone(value: Any) -> str:
    try:
        return Calendar(value if isinstance(value, str) else str(value)).zone
    except CalendarError as problem:
        raise ValueError(str(problem)) from None


def _length(value: Any) -> timedelta:
    found = _LENGTH.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError(
            f'{documents.quoted(value)} is no length of time; write hours or days, such as "2d" or "36h"'
        )
    return int(found[1]) * (timedelta(days=1) if found[2] == "d" else timedelta(hours=1))


def _share(value: Any) -> Decimal:
    found = _SHARE.fullmatch(value) if isinstance(value, str) else None
    if found is None or Decimal(found[1]) > 100:
        raise ValueError(f'{documents.quoted(value)} is no share; write "0.5%", from 0% to 100%')
    return Decimal(found[1]) / 100


Zone = Annotated[str, BeforeValidator(_zone)]
Length = Annotated[timedelta, BeforeValidator(_length)]
Share = Annotated[Decimal, BeforeValidator(_share)]
Account = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f]+$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)


class _Tolerance(_Strict):
    amount: Amount | None = None
    share: Share = Close().tolerance_share


class _Close(_Strict):
    wait: Length = Close().wait
    tolerance: _Tolerance = _Tolerance()
    unpriced: Share = Decimal(0)
    unowned: Share = Decimal(0)


class _Reconcile(_Strict):
    projects: dict[Name, dict[Name, Name]] = {}


class _Accounts(_Strict):
    debit: Account | None = None
    cost_centres: dict[Name, Account] = {}
    credit: Account | None = None
    accrued: Account | None = None
    clearing: Account | None = None


class _Document(_Strict):
    version: Literal[1]
    zone: Zone = "UTC"
    fiscal_year_starts: Annotated[int, Field(ge=1, le=12, strict=True)] = 1
    fiscal_year_named: Literal["end", "start"] = "end"
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] = "USD"
    close: _Close = _Close()
    reconcile: _Reconcile = _Reconcile()
    accounts: _Accounts = _Accounts()
    allocation: list[RuleDocument] = []
