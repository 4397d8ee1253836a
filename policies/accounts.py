"""Accounts: what each ceiling counts, for each scope that was asked about or spent on.

A rule's scope and what it is `per` name a meter; ceilings of the same scope share it, so that a call is counted once
for all of them. Which rules count a call is looked up by the first name that they ask for, and remembered: with ten
thousand rules a call meets the few that may apply to it.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from .breaker import State
from .counters import Sum
from .forecasts import Forecast, TaskForecast, forecast_over
from .meters import Limit, Meter, MeterKey
from .model import (
    OWN_BUDGET,
    WRAP_UP_AT,
    Ceiling,
    Dimension,
    Holds,
    Override,
    PolicySet,
    Rung,
    Scope,
    Unit,
    Who,
)
from .trees import Outlook, Trees
from .units import atoms, decimal

__all__ = ["Account", "Accounts", "Forced", "Found", "Rule"]

_REMEMBERED = 50_000
# So many tasks are looked at in one go for whether they are idle.
_LOOKED_AT = 10_000
_INDEXED = (
    Dimension.TENANT,
    Dimension.WORKLOAD,
    Dimension.OWNER,
    Dimension.MODEL,
    Dimension.PROVIDER,
    Dimension.TIER,
)
# A workload that nobody owns is one scope among the owners, or a rule per owner would let it spend without end.
_UNOWNED = ""


@dataclass(frozen=True, slots=True)
class Forced:
    """A state set by hand for every account of a ceiling, until `until` (None: until it is given back)."""

    state: State
    until: float | None
    reason: str


@dataclass(slots=True, eq=False)
class Account:
    """One ceiling over one meter, with its breaker. `limit` is in atoms, as overrides and carry-over have it now."""

    ceiling: Ceiling
    meter: Meter
    total: Sum
    forecast: Forecast
    opened_at: float
    limit: int
    state: State = State.CLOSED
    since: float = 0.0
    reason: str = "nothing spent yet"
    rungs: tuple[Rung, ...] = ()
    """Those of the ladder that are reached, highest first."""
    left_at: dict[Rung, float] = field(default_factory=dict)
    """When the others were left."""
    gate_refused: bool = False
    opened_limit: int = 0
    """What its limit was when its breaker opened."""
    paced_until: float = 0.0
    read_at: float = float("-inf")

    def spent(self, now: float) -> Decimal:
        """What counts in its window, in the ceiling's unit."""
        return decimal(self.meter.sum_of(self.ceiling, now).spent(now), self.ceiling.unit)

    @property
    def held(self) -> Decimal:
        """What is held for calls in flight, in the ceiling's unit."""
        return decimal(self.meter.held, self.ceiling.unit)

    @property
    def task(self) -> str | None:
        """The root task of a ceiling for each task."""
        return dict(self.meter.values).get(Dimension.TASK)

    @property
    def tenant(self) -> str | None:
        """Whose money alone it counts; None for several tenants'."""
        return self.ceiling.scope.tenant or dict(self.meter.values).get(Dimension.TENANT)

    def scope(self) -> dict[str, str]:
        """What it counts, by name."""
        return self.ceiling.scope.to_wire() | {name.value: value for name, value in self.meter.values}

    @property
    def acts(self) -> bool:
        """Whether it keeps anybody from anything."""
        return not self.ceiling.shadow and self.state is not State.DISABLED

    @property
    def raised(self) -> bool:
        """Whether its limit is higher than when its breaker opened."""
        return self.limit > self.opened_limit

    @property
    def is_free(self) -> bool:
        """Whether its breaker is closed and no rung of its ladder is reached: only its limit counts."""
        return self.state is State.CLOSED and not self.rungs


@dataclass(frozen=True, slots=True)
class Rule:
    """All ceilings of one scope, fanned out by the same names, in one unit: they share meters."""

    scope: Scope
    per: tuple[Dimension, ...]
    unit: Unit
    ceilings: tuple[Ceiling, ...]

    def values(self, who: Who) -> tuple[tuple[Dimension, str], ...] | None:
        """What sets the call's scope apart from the others of this rule; None where the rule does not count it."""
        if not self.scope.matches(who):
            return None
        found = []
        for dimension in self.per:
            value = who.value(dimension)
            if value is None and dimension is Dimension.OWNER:
                value = _UNOWNED
            if value is None:
                return None
            found.append((dimension, value))
        return tuple(found)


@dataclass(slots=True, eq=False)
class Found:
    """The meters and accounts that count a call."""

    meters: tuple[Meter, ...]
    accounts: tuple[Account, ...]
    wrapping: tuple[Account, ...] = ()
    """Those near whose limit a task should wrap up."""
    weighed: tuple[int, Any] | None = None
    """What the judge has made of them, and as of which version of the breakers."""

    def more(self, others: Iterable[tuple[Meter, Account]]) -> Found:
        """With these too."""
        meters, accounts = list(self.meters), list(self.accounts)
        for meter, account in others:
            if meter not in meters:
                meters.append(meter)
                accounts.append(account)
        return Found(tuple(meters), tuple(accounts), _wrapping(accounts))


@dataclass(slots=True)
class Accounts:
    """Finds the accounts that count a call, and makes them when they are first needed."""

    policies: PolicySet
    forced: dict[str, Forced] = field(default_factory=dict)
    stopped: dict[tuple[str, str], Forced] = field(default_factory=dict)
    """Tasks stopped by hand, by tenant and root task."""
    overrides: dict[str, Override] = field(default_factory=dict)
    trees: Trees = field(default_factory=Trees)
    _resumed: dict[tuple[str, frozenset[tuple[str, str]]], Mapping[str, Any]] = field(default_factory=dict)
    _rules: dict[tuple[Dimension, str] | None, list[Rule]] = field(default_factory=dict)
    _by_meter: dict[MeterKey, tuple[Account, ...]] = field(default_factory=dict)
    _found: dict[Who, Found] = field(default_factory=dict)
    _tasks: deque[MeterKey] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self._rules = _indexed(self.policies)

    def __iter__(self) -> Iterator[Account]:
        return (account for accounts in self._by_meter.values() for account in accounts)

    def resume(self, states: Mapping[tuple[str, frozenset[tuple[str, str]]], Mapping[str, Any]]) -> None:
        """Let breakers begin where the log left them, as their accounts are made; those set by hand come elsewhere."""
        soft = (State.OPEN, State.HALF_OPEN, State.THROTTLED)
        self._resumed = {key: line for key, line in states.items() if line["to"] in soft}

    def of(self, who: Who, budgets: Sequence[tuple[str, Decimal]], now: float) -> Found:
        """What counts a call made for `who`; `budgets` are what tasks on the way to it allow themselves."""
        found = self._found.get(who)
        if found is None:
            found = self._find(who, now)
            if len(self._found) >= _REMEMBERED:
                self._found.clear()
            self._found[who] = found
        if not budgets:
            return found
        own = [self._own_budget(who, task, limit, now) for task, limit in budgets]
        return found.more((account.meter, account) for account in own)

    def on(self, meter: Meter) -> tuple[Account, ...]:
        """The accounts of a meter."""
        return self._by_meter.get(meter.key, ())

    def replace(self, policies: PolicySet, now: float) -> None:
        """Go over to another policy set; what was spent in a scope that is counted as before is kept."""
        self.policies = policies
        self._rules = _indexed(policies)
        rules = {_extent(rule): rule for group in self._rules.values() for rule in group}
        before, self._by_meter = self._by_meter, {}
        self._tasks.clear()
        for key, accounts in before.items():
            meter = accounts[0].meter
            if meter.is_own_budget:
                self._by_meter[key] = accounts
                self._tasks.append(key)
            elif (rule := rules.get(key[:4])) is not None:
                self._open(rule, meter, now, {account.ceiling.name: account for account in accounts})
        self._found.clear()

    def open_windows(self, now: float) -> None:
        """Make the accounts that need no name of a caller, so that they are seen before the first call."""
        for group in self._rules.values():
            for rule in group:
                if not rule.per:
                    self._at(rule, (), now)

    def limit(self, now: float) -> None:
        """Measure every limit anew: an override began or ended, a breaker was disabled, a period began."""
        for accounts in self._by_meter.values():
            self.limit_of(accounts, now)

    def limit_of(self, accounts: Sequence[Account], now: float) -> None:
        """Measure the limits of one meter's accounts, and tell it those that act."""
        for account in accounts:
            account.limit = atoms(self._amount(account, now), account.ceiling.unit)
        meter = accounts[0].meter
        meter.limit(Limit(a.total, a.limit, a.ceiling.holds is Holds.WORST_CASE) for a in accounts if a.acts)
        meter.restrained = any(a.acts and not a.is_free for a in accounts)
        meter.plain = all(
            a.acts and a.is_free and not a.ceiling.ladder and not a.ceiling.carry_over for a in accounts
        )

    def currency(self, ceiling: Ceiling) -> str:
        """What a ceiling's amounts are in: the set's currency, or tokens."""
        return self.policies.currency if ceiling.unit is Unit.MONEY else Unit.TOKENS.value

    def drop_idle(self, before: float) -> list[Account]:
        """Forget tasks on which nothing was held or spent since `before`; returns their accounts.

        Looks at some of them at a time: of a million, all would take a second.
        """
        dropped: list[Account] = []
        for _ in range(min(len(self._tasks), _LOOKED_AT)):
            key = self._tasks.popleft()
            accounts = self._by_meter.get(key)
            if accounts is None:
                continue
            if accounts[0].meter.holds or accounts[0].meter.touched_at >= before:
                self._tasks.append(key)
                continue
            del self._by_meter[key]
            dropped += accounts
        if dropped:
            self._found.clear()
        return dropped

    def _find(self, who: Who, now: float) -> Found:
        accounts: list[Account] = []
        keys = [(name, value) for name in _INDEXED if (value := who.value(name)) is not None]
        for key in (None, *keys):
            for rule in self._rules.get(key, ()):
                values = rule.values(who)
                if values is not None:
                    accounts.extend(self._at(rule, values, now))
        meters = dict.fromkeys(account.meter for account in accounts)
        if who.task is not None:
            own = self._by_meter.get(_own_key(who.tenant, who.task), ())
            accounts.extend(own)
            meters |= dict.fromkeys(account.meter for account in own)
        return Found(tuple(meters), tuple(accounts), _wrapping(accounts))

    def _at(self, rule: Rule, values: tuple[tuple[Dimension, str], ...], now: float) -> tuple[Account, ...]:
        key = (*_extent(rule), values)
        accounts = self._by_meter.get(key)
        if accounts is None:
            accounts = self._open(rule, Meter(key, rule.unit, values, now), now, {})
        return accounts

    def _open(self, rule: Rule, meter: Meter, now: float, before: dict[str, Account]) -> tuple[Account, ...]:
        accounts = []
        for ceiling in rule.ceilings:
            total, forecast = meter.sum_of(ceiling, now), self._forecast(rule, meter, ceiling)
            account = before.get(ceiling.name)
            if account is None:
                account = Account(ceiling, meter, total, forecast, now, 0, since=now)
                if (forced := self.forced.get(ceiling.name)) is not None:
                    account.state, account.reason = forced.state, forced.reason
                elif (
                    line := self._resumed.pop((ceiling.name, frozenset(account.scope().items())), None)
                ) is not None:
                    account.state, account.reason = State(line["to"]), line["reason"]
                    account.since = datetime.fromisoformat(line["at"]).timestamp()
                    account.opened_limit = atoms(Decimal(line["ceiling"]), ceiling.unit)
            account.ceiling, account.total, account.forecast = ceiling, total, forecast
            accounts.append(account)
        if meter.is_of_a_task and meter.key not in self._by_meter:
            self._tasks.append(meter.key)
        opened = self._by_meter[meter.key] = tuple(accounts)
        self.limit_of(opened, now)
        return opened

    def _forecast(self, rule: Rule, meter: Meter, ceiling: Ceiling) -> Forecast:
        """The projection over a ceiling's window, shared like the counter."""
        found = meter.forecasts.get(ceiling.window)
        if found is None:
            if ceiling.window is None:
                values = dict(meter.values)
                tenant = values.get(Dimension.TENANT) or rule.scope.tenant or ""
                found = TaskForecast(self.trees, tenant, values.get(Dimension.TASK, ""))
            else:
                found = forecast_over(ceiling.window, self._outlook(rule, meter))
            meter.forecasts[ceiling.window] = found
        return found

    def _outlook(self, rule: Rule, meter: Meter) -> Outlook | None:
        """What open tasks are expected to spend here; None where that cannot be told of a scope like this."""
        scope, by_name = rule.scope, {name for name, _ in meter.values}
        if rule.unit is not Unit.MONEY or scope.model or scope.provider:
            return None
        if not by_name.isdisjoint((Dimension.MODEL, Dimension.PROVIDER, Dimension.TASK)):
            return None
        return Outlook(self.trees, lambda who: rule.values(who) == meter.values, lambda: self.policies)

    def _own_budget(self, who: Who, task: str, limit: Decimal, now: float) -> Account:
        key = _own_key(who.tenant, task)
        accounts = self._by_meter.get(key)
        scope, per = Scope(who.tenant), (Dimension.TASK,)
        ceiling = Ceiling(OWN_BUDGET, scope, limit, None, per, wrap_up_at=WRAP_UP_AT)
        if accounts is None:
            meter = Meter(key, Unit.MONEY, ((Dimension.TASK, task),), now)
            self._open(Rule(ceiling.scope, ceiling.per, ceiling.unit, (ceiling,)), meter, now, {})
            if task == who.task:
                # From now on it counts every call of the tree, also those that do not name it.
                self._found.clear()
            accounts = self._by_meter[key]
        elif limit < accounts[0].ceiling.limit:
            accounts[0].ceiling = ceiling
            self.limit_of(accounts, now)
        return accounts[0]

    def _amount(self, account: Account, now: float) -> Decimal:
        """A ceiling's amount for this scope at this time: the last override that fits, and what was carried over."""
        ceiling, limit = account.ceiling, account.ceiling.limit
        values = set(account.meter.values)
        for override in (*self.policies.overrides, *self.overrides.values()):
            if override.ceiling == ceiling.name and now < override.until and set(override.scope) <= values:
                limit = override.limit
        before = account.total.before(now) if ceiling.carry_over else None
        if before is not None:
            unspent = limit - decimal(before, ceiling.unit)
            limit += min(max(unspent, Decimal(0)), limit * ceiling.carry_over)
        return limit


def _wrapping(accounts: Iterable[Account]) -> tuple[Account, ...]:
    """Those that tell a task when to answer with what it has."""
    return tuple(account for account in accounts if account.ceiling.wrap_up_at is not None)


def _own_key(tenant: str, task: str) -> MeterKey:
    return (OWN_BUDGET, tenant, task)


def _extent(rule: Rule) -> MeterKey:
    """What is counted: where it stays the same, what was counted stays right."""
    return (rule.scope, rule.per, rule.unit, frozenset(ceiling.window for ceiling in rule.ceilings))


def _indexed(policies: PolicySet) -> dict[tuple[Dimension, str] | None, list[Rule]]:
    """The rules by the first name that their scope asks for; None for those that ask for none."""
    groups: dict[tuple[Scope, tuple[Dimension, ...], Unit], list[Ceiling]] = defaultdict(list)
    for ceiling in policies.ceilings:
        groups[ceiling.scope, _fanned_out(ceiling), ceiling.unit].append(ceiling)
    rules: dict[tuple[Dimension, str] | None, list[Rule]] = defaultdict(list)
    for (scope, per, unit), ceilings in groups.items():
        wanted = {Dimension(name): value for name, value in scope.to_wire().items()}
        first = next(((name, wanted[name]) for name in _INDEXED if name in wanted), None)
        rules[first].append(Rule(scope, per, unit, tuple(ceilings)))
    return dict(rules)


def _fanned_out(ceiling: Ceiling) -> tuple[Dimension, ...]:
    """A task's id is unique for its tenant only; so is a workload's name."""
    per = list(dict.fromkeys(ceiling.per))
    named = ceiling.scope.tenant is not None or Dimension.TENANT in per
    if not named and (Dimension.TASK in per):
        per.insert(0, Dimension.TENANT)
    return tuple(per)
