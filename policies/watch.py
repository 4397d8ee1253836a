"""The watch over all breakers: reads accounts that something happened to, moves their breakers, writes down what moved.

A call touches its meters; their accounts are read at the next tick, or when somebody asks about them before. So a call
costs the same whether one ceiling counts it or a thousand, and a breaker is never older than a tick.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from switchgear.money import short

from .accounts import Account, Accounts, Forced, Found
from .breaker import State, next_state
from .ladder import Stand, climb, reading, stand
from .meters import Meter
from .model import Override, Rung, Step, Who
from .transitions import OVERRIDDEN, RUNAWAY, STOPPED, WARNED, Transition
from .units import decimal

__all__ = ["Watch"]

# What time alone changes (a window rolls, a period begins) is seen this late at most where nobody spends.
_FRESH_S = 1.0
# How soon it is seen that a breaker which stands in somebody's way may move: thousands may.
_LOOK_AGAIN_S = 0.2


@dataclass(slots=True)
class Watch:
    """Keeps the breakers of one engine. `outbox` collects transitions until somebody writes them down.

    `version` counts what changes decisions: a breaker that moved, a rung that was reached or left.
    """

    accounts: Accounts
    outbox: list[Transition] = field(default_factory=list)
    version: int = 1
    blind: bool = False
    """Whether nothing is read yet: counters that are being rebuilt must move no breaker."""
    _touched: list[Meter] = field(default_factory=list)
    _restrained: dict[int, Account] = field(default_factory=dict)

    def touch(self, meters: Iterable[Meter]) -> None:
        """Something was held, spent or given back there."""
        for meter in meters:
            if not meter.touched:
                meter.touched = True
                self._touched.append(meter)

    def tick(self, now: float) -> None:
        """Read what was touched, and what time alone may bring back."""
        touched, self._touched = self._touched, []
        for meter in touched:
            self._read_all(meter, now)
        for account in list(self._restrained.values()):
            if now - account.read_at >= _LOOK_AGAIN_S:
                self.read(account, now)

    def refresh(self, found: Found, now: float) -> None:
        """Read what somebody asks about, where it was touched or not looked at for a while."""
        for meter in found.meters:
            if meter.touched or (now - meter.read_at >= _FRESH_S and not meter.is_still):
                self._read_all(meter, now)

    def read(self, account: Account, now: float) -> None:
        """Look at one account: the rungs that it has reached, and where its breaker moves."""
        if self.blind:
            return
        account.read_at = now
        ceiling = account.ceiling
        if ceiling.carry_over:
            self.accounts.limit_of(self.accounts.on(account.meter), now)
        unmoved = account.is_free and not account.gate_refused
        if not ceiling.ladder and unmoved and account.meter.sum_of(ceiling, now).spent(now) < account.limit:
            # Nothing but the ceiling itself can move it.
            return
        at = stand(account, now)
        rungs = climb(account, at)
        if rungs != account.rungs:
            self._climbed(account, rungs, at, now)
        moved = next_state(account.state, account.since, reading(account, at), ceiling, now)
        account.gate_refused = False
        if moved is not None:
            self.transit(account, moved[0], moved[1], "engine", at, now)

    def transit(self, account: Account, after: State, reason: str, by: str, at: Stand, now: float) -> None:
        """Move a breaker and write that down."""
        self._write(account, after.value, reason, by, at, now)
        account.state, account.since, account.reason = after, now, reason
        if after is State.OPEN:
            account.opened_limit = account.limit
        self.version += 1
        self._restrain(account, now)

    def force(
        self,
        ceilings: Collection[str],
        state: State | None,
        by: str,
        reason: str,
        until: float | None,
        now: float,
    ) -> None:
        """Force the breakers of these ceilings open, disable them, or (None) give them back."""
        for name in ceilings:
            if state is None:
                self.accounts.forced.pop(name, None)
            else:
                self.accounts.forced[name] = Forced(state, until, reason)
        for account in self.accounts:
            if account.ceiling.name in ceilings:
                self.transit(account, state or State.CLOSED, reason, by, stand(account, now), now)

    def overridden(self, override: Override, by: str, reason: str, now: float) -> None:
        """Write down that a ceiling's limit was changed by hand, or is its own again."""
        for account in self.accounts:
            if account.ceiling.name == override.ceiling and set(override.scope) <= set(account.meter.values):
                self._write(account, OVERRIDDEN, reason, by, stand(account, now), now)
                self._keep_in_mind(account)
        self.version += 1

    def stopped(self, tenant: str, task: str, by: str, reason: str, now: float) -> None:
        """Write down that a task was stopped by hand."""
        self._told("task stop", {"tenant": tenant, "task": task}, STOPPED, by, reason, now)

    def ran_away(self, who: Who, reason: str, now: float) -> None:
        """Write down that a task has run away."""
        scope = {"tenant": who.tenant, "workload": who.workload, "task": who.task or ""}
        self._told("runaway", scope, RUNAWAY, "engine", reason, now)

    def forget(self, accounts: Iterable[Account]) -> None:
        """These are not there any more."""
        for account in accounts:
            self._restrained.pop(id(account), None)

    def begin(self, now: float) -> None:
        """Look at everything anew: the accounts are others."""
        self._touched = []
        self._restrained = {}
        for account in list(self.accounts):
            account.meter.touched = False
            self._keep_in_mind(account)
            self.read(account, now)

    def _read_all(self, meter: Meter, now: float) -> None:
        meter.touched, meter.read_at = False, now
        if meter.plain and min(meter.room(now)) > 0:
            return
        for account in self.accounts.on(meter):
            self.read(account, now)

    def _climbed(self, account: Account, rungs: tuple[Rung, ...], at: Stand, now: float) -> None:
        before, account.rungs = account.rungs, rungs
        self.version += 1
        account.left_at.update(dict.fromkeys((rung for rung in before if rung not in rungs), now))
        self._restrain(account, now)
        cooled = now - account.ceiling.cooldown_s
        for rung in rungs:
            # One that calls in flight lift a scope over, again and again, is told of once.
            is_news = rung not in before and account.left_at.get(rung, cooled) <= cooled
            if rung.step is Step.WARN and is_news:
                unit = account.ceiling.unit
                reason = (
                    f"projected {short(decimal(round(at.band.q80), unit))} reaches {rung.at:.0%} of "
                    f"{short(decimal(at.limit, unit))}"
                )
                self._write(account, WARNED, reason, "engine", at, now)

    def _restrain(self, account: Account, now: float) -> None:
        """Its breaker moved, or a rung was reached or left: room alone decides no longer, or again."""
        self._keep_in_mind(account)
        self.accounts.limit_of(self.accounts.on(account.meter), now)

    def _keep_in_mind(self, account: Account) -> None:
        """Which accounts stand in somebody's way, as long as time alone may bring them back."""
        over = account.state is State.OPEN and account.ceiling.per_task and not account.raised
        if account.is_free or over:
            self._restrained.pop(id(account), None)
        else:
            self._restrained[id(account)] = account

    def _told(self, policy: str, scope: dict[str, str], after: str, by: str, reason: str, now: float) -> None:
        """Write down what became of a task: no ceiling's amounts are at stake."""
        nothing, currency = (Decimal(0),) * 4, self.accounts.policies.currency
        self.outbox.append(Transition(now, policy, scope, "running", after, by, reason, *nothing, currency))
        self.version += 1

    def _write(self, account: Account, after: str, reason: str, by: str, at: Stand, now: float) -> None:
        ceiling = account.ceiling
        spent, held, projected, limit = (
            decimal(amount, ceiling.unit) for amount in (at.spent, at.held, round(at.band.q50), at.limit)
        )
        self.outbox.append(
            Transition(
                now, ceiling.name, account.scope(), account.state.value, after, by, reason,
                spent, held, projected, limit, self.accounts.currency(ceiling), ceiling.shadow,
            )
        )  # fmt: skip
