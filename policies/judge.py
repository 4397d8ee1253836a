"""The judge: what a scope may do now, what becomes of a request, and why. Reads accounts; moves nothing."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from switchgear.decision import Action, Caps, Decision

from .accounts import Account, Accounts, Found
from .admission import GrantRequest
from .costs import Costs, Sized
from .gate import Refusal, Wait, check, restriction, room_for_all, stand_in
from .ladder import Stand, action, stand, step_for, why, wraps_up
from .model import Holds, Step, Unit, Who
from .sizing import Request
from .units import decimal

__all__ = ["Judge", "Said", "Way"]

_VALID_S = 30.0
NO_CEILING = "no ceiling applies"


@dataclass(frozen=True, slots=True)
class Said:
    """What one account says of a scope, for who wants to know why."""

    account: Account
    stand: Stand
    step: Step | None
    action: Action
    reason: str


@dataclass(frozen=True, slots=True)
class Way:
    """A request may go: as this call (a degraded or capped one, perhaps), at this size, counted in these accounts."""

    decision: Decision
    call: Request
    sized: Sized
    found: Found


@dataclass(slots=True)
class Judge:
    """Decides for one engine. `now` is an argument; ids count up."""

    accounts: Accounts
    costs: Costs
    ids: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def decide(self, who: Who, found: Found, version: int, now: float) -> Decision:
        """What a scope may do now: the most restrictive of the ceilings that apply."""
        stopped = self.accounts.stopped.get((who.tenant, who.task or ""))
        if stopped is not None:
            return self.decision(Action.DENY, stopped.reason, version, now, None, wrap_up=True)
        worst: Account | None = None
        severity, tightest = -1, float("inf")
        for account in found.accounts:
            if account.ceiling.shadow:
                continue
            act = action(account, step_for(account, who.tier), who.tier).severity
            free = account.meter.free_share(account.total, account.limit, now)
            if act > severity or (act == severity and free < tightest):
                worst, severity, tightest = account, act, free
        if worst is None:
            return self.decision(Action.ALLOW, NO_CEILING, version, now, None)
        step = step_for(worst, who.tier)
        act_ = action(worst, step, who.tier)
        return self.decision(act_, why(worst, step), version, now, worst, wrap_up=self._wraps_up(found, now))

    def explain(self, who: Who, found: Found, now: float) -> list[Said]:
        """What every account that counts such a call says of it, the most restrictive first."""
        said = []
        for account in found.accounts:
            step = step_for(account, who.tier)
            act = action(account, step, who.tier)
            said.append(Said(account, stand(account, now), step, act, why(account, step)))
        return sorted(said, key=lambda each: (each.account.ceiling.shadow, -each.action.severity))

    def way(self, request: GrantRequest, found: Found, version: int, now: float) -> Way | Wait | Refusal:
        """What becomes of a request as far as money goes; the first refusal counts, then the first wait."""
        act, account, step = restriction((a for a in found.accounts if a.acts), request.who.tier)
        call, caps = request.call, Caps()
        if act is Action.DEGRADE:
            workload = self.accounts.policies.workload(request.who.tenant, request.who.workload)
            model = stand_in(workload, request)
            if model is not None:
                caps, call = Caps(model=model), replace(call, model=model)
                found = self.accounts.of(replace(request.who, model=model), request.budgets, now)
        sized = self.costs.sized(request.who, call, now, worst_case=request.worst_case)
        free = not any(meter.restrained for meter in found.meters)
        if not (free and room_for_all(found, sized.sizes, request.calls, now)):
            verdict = self._against(request, found, sized, now)
            if verdict is not None:
                return verdict
        capped = self._capped(request, call, found, sized, now)
        if capped is not None:
            call, sized = replace(call, max_output_tokens=capped), self._sized_at(request, call, capped, now)
            caps = replace(caps, max_output_tokens=capped)
        reason = "within every ceiling"
        if account is not None:
            reason = f"{account.ceiling.name}: {why(account, step)}"
        decision = self.decision(
            act, reason, version, now, account, caps=caps, wrap_up=self._wraps_up(found, now)
        )
        return Way(decision, call, sized, found)

    def decision(
        self, act: Action, reason: str, version: int, now: float, account: Account | None,
        *, caps: Caps | None = None, retry_at: float | None = None, wrap_up: bool = False,
    ) -> Decision:  # fmt: skip
        """A decision in words: whose ceiling, what is left of it and what is projected."""
        at = stand(account, now) if account else None
        unit = account.ceiling.unit if account else Unit.MONEY
        denied_window = account is not None and act is Action.DENY and not account.ceiling.per_task
        if denied_window and account is not None and retry_at is None:
            retry_at = max(now + 1.0, account.since + account.ceiling.cooldown_s)
        return Decision(
            id=f"d{version}-{next(self.ids)}",
            action=act,
            policy=account.ceiling.name if account else None,
            reason=reason,
            remaining=decimal(at.limit - at.spent - at.held, unit) if at else None,
            projected=decimal(round(at.band.q50), unit) if at else None,
            ceiling=decimal(at.limit, unit) if at else None,
            currency=self.accounts.currency(account.ceiling) if account else self.accounts.policies.currency,
            caps=caps or Caps(),
            retry_after_s=None if retry_at is None else round(max(0.0, retry_at - now), 3),
            valid_until=datetime.fromtimestamp(now + _VALID_S, UTC),
            version=version,
            fail=account.ceiling.fail if account else "open",
            wrap_up=wrap_up,
        )

    def _against(
        self, request: GrantRequest, found: Found, sized: Sized, now: float
    ) -> Wait | Refusal | None:
        verdicts = [
            check(account, stand(account, now), sized.sizes, request.who.tier, now, calls=request.calls)
            for account in found.accounts
            if account.acts
        ]
        for kind in (Refusal, Wait):
            for verdict in verdicts:
                if isinstance(verdict, kind):
                    return verdict
        return None

    def _capped(
        self, request: GrantRequest, call: Request, found: Found, sized: Sized, now: float
    ) -> int | None:
        """An output limit that keeps the call within what is left, where it might pass that and can do without."""
        caps = []
        for account in found.accounts:
            if not account.acts or account.ceiling.holds is Holds.WORST_CASE:
                continue
            unit = account.ceiling.unit
            size = sized.sizes.money if unit is Unit.MONEY else sized.sizes.tokens
            left = (
                account.limit - account.meter.sum_of(account.ceiling, now).spent(now) - account.meter.bounds
            )
            if size.bound > left > 0:
                cap = self.costs.affordable_output(request.who, call, left, unit, now)
                if cap is not None:
                    caps.append(cap)
        return min(caps, default=None)

    def _sized_at(self, request: GrantRequest, call: Request, output: int, now: float) -> Sized:
        return self.costs.sized(request.who, replace(call, max_output_tokens=output), now)

    def _wraps_up(self, found: Found, now: float) -> bool:
        wrapping: Sequence[Account] = [
            a for a in found.accounts if a.ceiling.wrap_up_at is not None and a.acts
        ]
        return any(wraps_up(account, stand(account, now)) for account in wrapping)
