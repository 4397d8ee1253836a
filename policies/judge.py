"""The judge: what a scope may do now, what becomes of a request, and why. Reads accounts; moves nothing."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import NamedTuple

from switchgear.decision import Action, Caps, Decision

from .accounts import Account, Accounts, Found
from .admission import GrantRequest
from .costs import Costs, Sized
from .gate import Refusal, Wait, check, restriction, room_for_all, stand_in
from .ladder import Stand, action, stand, step_for, why, wraps_up
from .model import Holds, Overrun, Runaway, Step, Unit, Who
from .sizing import Request
from .units import decimal

__all__ = ["Judge", "Said", "Verdict", "Way", "overrun", "tag_of"]

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


class Verdict(NamedTuple):
    """What a scope may do now, why, and whose word that is (None: no ceiling's)."""

    action: Action
    reason: str
    account: Account | None
    wrap_up: bool = False
    overrun: Overrun = Overrun.EXTEND


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

    def told(self, verdict: Verdict, version: int, now: float) -> Decision:
        """A verdict in words and amounts."""
        action_, reason, account, wrap_up, overrun = verdict
        return self.decision(action_, reason, version, now, account, wrap_up=wrap_up, overrun=overrun)

    def verdict(self, who: Who, found: Found, version: int, now: float) -> Verdict:
        """What a scope may do now: the most restrictive of the ceilings that apply, and the tightest of those.

        Breakers move with the version: until then only which one is the tightest is looked at anew.
        """
        if found.weighed is None or found.weighed[0] != version:
            found.weighed = (version, tuple(self._weigh(who, found)))
        verdicts: tuple[Verdict, ...] = found.weighed[1]
        verdict = verdicts[0] if len(verdicts) == 1 else min(verdicts, key=lambda each: _free(each, now))
        if found.wrapping and not verdict.wrap_up and self._wraps_up(found, now):
            return verdict._replace(wrap_up=True)
        return verdict

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
        act, account, step = Action.ALLOW, None, None
        if not _is_free(found):
            act, account, step = restriction((a for a in found.accounts if a.acts), request.who.tier)
        call, caps = request.call, Caps()
        if act is Action.DEGRADE:
            workload = self.accounts.policies.workload(request.who.tenant, request.who.workload)
            model = stand_in(workload, request)
            if model is not None:
                caps, call = Caps(model=model), replace(call, model=model)
                found = self.accounts.of(replace(request.who, model=model), request.budgets, now)
        sized = self.costs.sized(request.who, call, now, worst_case=request.worst_case)
        if not (_is_free(found) and room_for_all(found, sized.sizes, request.calls, now)):
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
            act,
            reason,
            version,
            now,
            account,
            caps=caps,
            wrap_up=self._wraps_up(found, now) or self._ends(request.who),
            overrun=overrun(found),
        )
        return Way(decision, call, sized, found)

    def decision(
        self, act: Action, reason: str, version: int, now: float, account: Account | None,
        *, caps: Caps | None = None, retry_at: float | None = None, wrap_up: bool = False,
        overrun: Overrun = Overrun.EXTEND,
    ) -> Decision:  # fmt: skip
        """A decision in words: whose ceiling, what is left of it and what is projected."""
        at = stand(account, now) if account else None
        unit = account.ceiling.unit if account else Unit.MONEY
        denied_window = account is not None and act is Action.DENY and not account.ceiling.per_task
        if denied_window and account is not None and retry_at is None:
            retry_at = max(now + 1.0, account.since + account.ceiling.cooldown_s)
        return Decision(
            id=self.new_id(version),
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
            overrun=overrun.value,
        )

    def new_id(self, version: int) -> str:
        """A decision's id: unlike any other of this engine."""
        return f"d{version}-{next(self.ids)}"

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
        if _fits_at_most(found, sized, now):
            return None
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

    def _weigh(self, who: Who, found: Found) -> Iterable[Verdict]:
        """The most restrictive verdicts; of several over the same sum that of the lowest limit, which is tighter."""
        stopped = self.accounts.stopped.get((who.tenant, who.task or ""))
        if stopped is not None:
            return [Verdict(Action.DENY, stopped.reason, None, wrap_up=True)]
        severity, worst = 0, dict[int, Verdict]()
        for account in found.accounts:
            if account.ceiling.shadow:
                continue
            step = step_for(account, who.tier)
            act = action(account, step, who.tier)
            if act.severity < severity:
                continue
            if act.severity > severity:
                severity, worst = act.severity, {}
            # What is carried over moves a limit without moving a breaker.
            over = id(account if account.ceiling.carry_over else account.total)
            known = worst.get(over)
            if known is None or known.account is None or account.limit < known.account.limit:
                worst[over] = Verdict(act, why(account, step), account)
        verdicts = worst.values() or [Verdict(Action.ALLOW, NO_CEILING, None)]
        ends, cuts = self._ends(who), overrun(found)
        if ends or cuts is Overrun.CUT:
            return [each._replace(wrap_up=ends, overrun=cuts) for each in verdicts]
        return verdicts

    def _ends(self, who: Who) -> bool:
        """Whether the task has run away, and its workload wants such tasks to wrap up."""
        if self.accounts.trees.runaway(who.tenant, who.task) is None:
            return False
        workload = self.accounts.policies.workload(who.tenant, who.workload)
        return workload is not None and workload.runaway is Runaway.WRAP_UP

    def _wraps_up(self, found: Found, now: float) -> bool:
        return any(account.acts and wraps_up(account, now) for account in found.wrapping)


def overrun(found: Found) -> Overrun:
    """How a streamed answer ends that outgrows its hold: it is cut where one of the ceilings that act says so."""
    cuts = any(account.ceiling.overrun is Overrun.CUT and account.acts for account in found.accounts)
    return Overrun.CUT if cuts else Overrun.EXTEND


def tag_of(verdicts: Iterable[Verdict]) -> str:
    """Changes when an action, its policy, its reason or its overrun does; amounts move all the time, uncounted."""
    parts = "\n".join(f"{each.action}|{_policy(each)}|{each.reason}|{each.overrun}" for each in verdicts)
    return hashlib.sha256(parts.encode()).hexdigest()[:16]


def _policy(verdict: Verdict) -> str | None:
    return verdict.account.ceiling.name if verdict.account is not None else None


def _free(verdict: Verdict, now: float) -> float:
    account = verdict.account
    return account.meter.free_share(account.total, account.limit, now) if account is not None else 1.0


def _is_free(found: Found) -> bool:
    """Whether no breaker and no rung is in the way of such calls: only limits count."""
    return all(not meter.restrained for meter in found.meters)


def _fits_at_most(found: Found, sized: Sized, now: float) -> bool:
    """Whether the call fits beside all in flight even if each of them comes to its bound."""
    for meter in found.meters:
        size = sized.sizes.money if meter.unit is Unit.MONEY else sized.sizes.tokens
        if size.bound > meter.room(now)[0] - meter.bounds:
            return False
    return True
