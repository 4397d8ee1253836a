"""The accounts of an engine: one for each ceiling and scope that has been asked about or spent on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from .book import Account
from .breaker import State
from .model import OWN_BUDGET, Ceiling, PolicySet, Scope, Who

__all__ = ["Accounts", "Forced"]


@dataclass(frozen=True, slots=True)
class Forced:
    """A state set by hand for every account of a ceiling, until `until` (None: until it is given back)."""

    state: State
    until: float | None
    reason: str


@dataclass(slots=True)
class Accounts:
    """Finds the accounts that count a call, and makes them when they are first needed."""

    policies: PolicySet
    forced: dict[str, Forced] = field(default_factory=dict)
    _by_key: dict[tuple[str, str | None, str | None], Account] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Account]:
        return iter(self._by_key.values())

    def windows(self) -> list[Account]:
        """The accounts that time alone changes; a task's changes only when the task does something."""
        found = (self._by_key.get((ceiling.name, None, None)) for ceiling in self.policies.ceilings)
        return [account for account in found if account is not None]

    def of(self, who: Who, budgets: Iterable[tuple[str, Decimal]], now: float) -> list[Account]:
        """Every account that a call made for `who` counts in; `budgets` are what tasks on the way allow themselves."""
        found = [
            self._at(ceiling, who, now)
            for ceiling in self.policies.ceilings
            if ceiling.scope.matches(who) and not (ceiling.per_task and who.task is None)
        ]
        own = {task: self._own_budget(who, task, limit, now) for task, limit in budgets}
        root = self._by_key.get((OWN_BUDGET, who.tenant, who.task)) if who.task is not None else None
        if root is not None and who.task not in own:
            found.append(root)
        return [*found, *own.values()]

    def replace(self, policies: PolicySet) -> None:
        """Go over to another policy set; what was spent under a ceiling of the same name and extent is kept."""
        successors = {ceiling.name: ceiling for ceiling in policies.ceilings}
        for key, account in list(self._by_key.items()):
            if account.ceiling.name == OWN_BUDGET:
                continue
            successor = successors.get(account.ceiling.name)
            if successor is not None and _extent(successor) == _extent(account.ceiling):
                account.ceiling = successor
            else:
                del self._by_key[key]
        self.policies = policies

    def open_windows(self, now: float) -> None:
        """Make the accounts of every ceiling that has a window, so that they are seen before the first call."""
        for ceiling in self.policies.ceilings:
            if not ceiling.per_task and (ceiling.name, None, None) not in self._by_key:
                self._by_key[ceiling.name, None, None] = Account(ceiling, None, now)

    def drop_idle(self, before: float) -> None:
        """Forget the tasks on which nothing was held or spent since `before`."""
        for key, account in list(self._by_key.items()):
            if account.task is not None and not account.holds and account.touched_at < before:
                del self._by_key[key]

    def _at(self, ceiling: Ceiling, who: Who, now: float) -> Account:
        # A task's id is unique for its tenant only.
        key = (ceiling.name, who.tenant, who.task) if ceiling.per_task else (ceiling.name, None, None)
        account = self._by_key.get(key)
        if account is None:
            account = self._by_key[key] = Account(ceiling, who.task if ceiling.per_task else None, now)
            if (forced := self.forced.get(ceiling.name)) is not None:
                account.state, account.reason = forced.state, forced.reason
        return account

    def _own_budget(self, who: Who, task: str, limit: Decimal, now: float) -> Account:
        key = (OWN_BUDGET, who.tenant, task)
        account = self._by_key.get(key)
        ceiling = Ceiling(OWN_BUDGET, Scope(who.tenant), limit, None)
        if account is None:
            account = self._by_key[key] = Account(ceiling, task, now)
        elif limit < account.ceiling.limit:
            account.ceiling = ceiling
        return account


def _extent(ceiling: Ceiling) -> tuple[object, ...]:
    return ceiling.scope, ceiling.window
