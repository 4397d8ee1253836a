"""Contracts by call: which one a call falls to, and what it makes of the call's list price."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from collector.pricing import Line, PriceCall, Quote
from switchgear.usage import Usage

from .charges import Statement
from .exact import EXACT, stored
from .matching import names_provider
from .periods import period
from .statements import statement
from .terms import Contract
from .usage import Used

__all__ = ["Contracts"]

_NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class Contracts:
    """All contracts of an installation. No two of them are for the same call; `files` sees to that."""

    contracts: tuple[Contract, ...] = ()

    def find(self, provider: str | None, tenant: str | None, at: datetime) -> Contract | None:
        """The contract that a call falls to: one that names its tenant before one for all; None without any."""
        for_all = None
        for each in self.contracts:
            if provider and names_provider(each.provider, provider) and each.span.holds(at):
                if tenant is not None and tenant in each.tenants:
                    return each
                if not each.tenants:
                    for_all = each
        return for_all

    def may_price(self, provider: str | None, tenant: str | None) -> bool:
        """Whether there is a contract, of whatever time, that such a call may fall to."""
        return any(
            provider
            and names_provider(each.provider, provider)
            and (not each.tenants or tenant in each.tenants)
            for each in self.contracts
        )

    def over(self, price: PriceCall) -> PriceCall:
        """The price function of calls: list price less the discount of model and date, where a contract has one.

        `cost` is then the call's ContractedCost and `list_cost` its ListCost. What depends on a minute or a month
        (tiers, bursts, provisioned units, commitments) is no call's, and stands in the statement.
        """

        def contracted(
            provider: str | None,
            model: str | None,
            usage: Usage,
            at: datetime,
            service_tier: str | None = None,
            tenant: str | None = None,
        ) -> Quote:
            listed = price(provider, model, usage, at, service_tier, tenant)
            contract = self.find(provider, tenant, at)
            if contract is None or listed.cost is None:
                return listed
            discount = contract.discount(model or "", at)
            lines = listed.lines if discount is None else _less(listed.lines, discount.share)
            cost = sum([line.amount for line in lines], _NOTHING)
            return Quote(
                cost, listed.currency, listed.version, lines, list_cost=listed.cost, contract=contract.version
            )

        return contracted

    def statements(self, month: str, used: Iterable[Used]) -> tuple[list[Statement], list[Used]]:
        """The statement of each contract that runs in `month`, and the usage that is in none of them.

        In none is what no contract is for, and what lies in another month of its contract's zone.
        """
        periods = {each.version: period(each, month) for each in self.contracts}
        fallen: dict[str, list[Used]] = defaultdict(list)
        outside: list[Used] = []
        for use in used:
            contract = self.find(use.provider, use.tenant, use.at)
            part = None if contract is None else periods[contract.version]
            if contract is not None and part is not None and part.start <= use.at < part.end:
                fallen[contract.version].append(use)
            else:
                outside.append(use)
        running = [each for each in self.contracts if periods[each.version] is not None]
        return [statement(each, month, fallen[each.version]) for each in running], outside


def _less(lines: tuple[Line, ...], share: Decimal) -> tuple[Line, ...]:
    left, times = 1 - share, EXACT.multiply
    return tuple(
        [
            Line(
                line.kind, line.quantity, times(line.rate_per_million, left), stored(times(line.amount, left))
            )
            for line in lines
        ]
    )
