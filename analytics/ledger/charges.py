"""Charges: what contracts charge for a month beside the calls, as lines of its last day.

Discounts are in what calls were booked at. What depends on a minute or the month is not, and stands here: overage,
tiers, what provisioned units carried and cost, and what is missing to a commitment.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal, localcontext
from typing import TYPE_CHECKING, Any

import orjson
import pyarrow as pa

from ..contracts import Charge, Contract, Contracts, Used
from ..contracts import Kind as Term
from ..contracts.exact import EXACT
from ..queries import sql
from .calendar import Period
from .line import AMOUNTS, COUNTS, LINES, Kind

if TYPE_CHECKING:
    import duckdb

__all__ = ["Charged", "by_term", "charged", "lines"]

_BESIDE_CALLS = frozenset(
    {Term.OVERAGE, Term.TIER, Term.COVERED, Term.PROVISIONED, Term.IDLE, Term.SHORTFALL}
)
_DAY = timedelta(days=1)
_NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class Charged:
    """What one term of a contract comes to in a month."""

    contract: Contract
    term: Term
    item: str
    amount: Decimal
    committed: Decimal | None = None
    """Of idle units the tokens that they carry, and of a shortfall the amount that was committed."""

    @property
    def tenant(self) -> str | None:
        """Whose it is, where the contract is for one tenant alone."""
        return self.contract.tenants[0] if len(self.contract.tenants) == 1 else None


def charged(con: duckdb.DuckDBPyConnection, period: Period, contracts: Contracts) -> list[Charged]:
    """What all contracts charge for the month of the period's name, in their own zones, in the order of the file.

    Usage in another currency than the contract's counts towards volumes and rates, and is in no amount.
    """
    if not any(_by_month(contract) for contract in contracts.contracts):
        return []
    statements, _ = contracts.statements(period.name, _used(con, period, contracts))
    by_version = {each.version: each for each in contracts.contracts}
    return [each for found in statements for each in by_term(by_version[found.contract], found.charges)]


def lines(found: Sequence[Charged], period: Period, today: date) -> pa.Table:
    """They as lines. Of a month that is not over `details` says until when it is charged: as if nothing more came."""
    details = None
    if today <= period.last_day:
        details = orjson.dumps({"so_far": max(today, period.first_day).isoformat()}).decode()
    rows = [
        dict.fromkeys(LINES.names)
        | dict.fromkeys(COUNTS, 0)
        | {
            "day": period.last_day,
            "kind": Kind.CHARGE.value,
            "tenant": each.tenant,
            "provider": each.contract.provider,
            "contract": each.contract.version,
            "currency": each.contract.currency,
            "item": f"{each.term.value}: {each.item}",
            "details": details,
            "amount_other": each.amount,
            "amount": each.amount,
        }
        | dict.fromkeys(AMOUNTS[:-1], _NOTHING)
        for each in found
    ]
    return pa.Table.from_pylist(rows, LINES)


def _by_month(contract: Contract) -> bool:
    return bool(
        contract.provisioned
        or contract.bursts
        or contract.volume_tiers is not None
        or contract.monthly_commitment is not None
    )


def _used(con: duckdb.DuckDBPyConnection, period: Period, contracts: Contracts) -> Iterator[Used]:
    # Months of other zones begin and end up to a day before or after.
    span = {"start": period.start - _DAY, "stop": period.stop + _DAY}
    named = con.execute("SELECT DISTINCT provider FROM rollup_hours WHERE provider IS NOT NULL").fetchall()
    tenants = {None, *(tenant for each in contracts.contracts for tenant in each.tenants)}
    providers = [name for (name,) in named if any(contracts.may_price(name, each) for each in tenants)]
    found = con.sql(sql("ledger_minutes"), params={**span, "providers": providers})
    for batch in found.to_arrow_reader(65_536):
        for row in batch.to_pylist():
            yield _use(row, contracts)


def _use(row: dict[str, Any], contracts: Contracts) -> Used:
    currency = row.pop("currency")
    contract = contracts.find(row["provider"], row["tenant"], row["at"])
    if contract is None or currency != contract.currency:
        row["list_cost"] = None
    return Used(**row, currency=contract.currency if contract is not None else currency or "")


def by_term(contract: Contract, charges: Sequence[Charge]) -> list[Charged]:
    """One for each term: the minutes of a burst are added up."""
    amounts: dict[tuple[Term, str], Decimal] = defaultdict(Decimal)
    carried: dict[str, Decimal] = defaultdict(Decimal)
    committed = Decimal(0)
    with localcontext(EXACT):
        for each in charges:
            if each.kind in _BESIDE_CALLS:
                amounts[each.kind, each.item] += each.amount
            if each.kind in (Term.PROVISIONED, Term.IDLE):
                carried[each.item] += each.tokens or _NOTHING
            if each.kind in (Term.COMMITMENT, Term.SHORTFALL):
                committed += each.amount
    return [
        Charged(
            contract, term, item, amount, {Term.IDLE: carried.get(item), Term.SHORTFALL: committed}.get(term)
        )
        for (term, item), amount in amounts.items()
    ]
