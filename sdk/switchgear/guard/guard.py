"""The guard of model calls: local decision, hold, attempts, settlement.

A call's way is a script (`steps`): at once with a hold that is at hand, else with the engine's answer; after it, tried
again or not. An engine that is out of reach holds nobody up: the last decision is followed for a while, and after that
the policy's own choice of failing open or closed.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Generator
from concurrent.futures import Future, wait
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from opentelemetry import trace

from .. import attributes
from ..context import Task, current_task
from ..control import Control, Granted, Retry, Scope
from ..decision import Action, Caps, Decision
from ..export import Recorder
from ..request import CallRequest
from ..scheduler import QueueFull, QueueTimeout, Scheduler, Slot
from ..settings import Settings
from ..tier import Tier
from .attempts import Answer, Wire
from .calls import Call, new_id
from .holds import Holds, Pool
from .retries import RetryBudget, pause_s, retry_after_s, worth_trying
from .steps import Ask, Attempt, Drop, Pause, Script, Step, Take

if TYPE_CHECKING:
    from .caching import Caching

__all__ = ["Guard"]

_log = logging.getLogger("switchgear")

_ASK_WAIT_S = 5.0
_WARN_EVERY_S = 60.0
_TOO_MANY = 429


@dataclass(slots=True)
class Guard:
    """Decides about the calls of one process."""

    control: Control
    settings: Settings
    recorder: Recorder
    caching: Caching | None = None
    """The answer cache, where this process has one."""
    holds: Holds = field(init=False)
    retries: RetryBudget = field(init=False)
    scheduler: Scheduler = field(init=False)
    _refills: set[Future[Granted | None]] = field(default_factory=set)
    _shared: dict[tuple[tuple[str, str], str, str], float] = field(default_factory=dict)
    _warned_at: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.holds = Holds(self._give_back, self._refill)
        self.retries = RetryBudget(self.settings.retry_ratio)
        self.scheduler = Scheduler(concurrency=self.settings.concurrency)
        self.control.on_sweep = self.holds.drop_idle

    def begin(self, request: CallRequest, sdk_error: type[Exception] | None) -> Call | None:
        """The call to be made; None where no tenant is known and nothing can be guarded.

        Raises BudgetExceeded where the local decision is a denial, without any I/O.
        """
        task = current_task()
        scope = self._scope(task)
        if scope is None:
            self._warn(
                "tenant",
                "a call outside any task is not guarded: no tenant; use sg.task or SWITCHGEAR_TENANT",
            )
            return None
        return self.begin_for(request, scope, task, sdk_error, self.control.decision(scope))

    def begin_for(
        self,
        request: CallRequest,
        scope: Scope,
        task: Task | None,
        sdk_error: type[Exception] | None,
        known: Decision | None,
        user: str | None = None,
    ) -> Call:
        """The call to be made for a scope, or for a task in it; `known` is what was last decided for that scope.

        Raises BudgetExceeded as `begin` does.
        """
        deadline = time.monotonic() + self.settings.patience_s(Tier(scope.tier))
        call = Call(
            self.control, request, scope, task, sdk_error, deadline, trace.get_current_span(), self.recorder,
            decision=known, user=user,
        )  # fmt: skip
        if known is not None and known.action is Action.DENY and known.valid_until > datetime.now(UTC):
            raise call.denied(known)
        return call

    def admitting(self, call: Call) -> Script[None]:
        """The script that has the next attempt of a call held; raises BudgetExceeded.

        For whoever makes attempts, and repeats them, by rules of its own: `Call.sent` says that one is on its way.
        """
        try:
            yield from self._admitted(call)
        except GeneratorExit:
            # By the garbage collector, perhaps.
            self.control.soon(call.release)
            raise
        except BaseException:
            call.release()
            raise

    def refused(self, call: Call, answer: Answer) -> Script[float | None]:
        """The script after an attempt that was answered 400 or above: gives its hold back.

        Returns how long to wait before it is tried again, None where it should not be.
        """
        return self._refused(call, answer, 0.0, retrying=True)

    def making(self, call: Call, wire: Wire, max_retries: int | None = None) -> Script[Any]:
        """The script of a call: returns the response that counts, raises what the caller is to see.

        `max_retries` is how often it is tried again at most; None: as the settings say.

        A response of 400 and above is released here; one below is the caller's to settle, or to meter.
        """
        paused_s, workload = 0.0, (call.scope.tenant, call.scope.workload)
        self.retries.call(workload, time.monotonic())
        most = self.settings.max_retries if max_retries is None else max_retries
        while True:
            yield from self.admitting(call)
            retrying = call.attempt <= most
            call.sent()
            try:
                response = yield Attempt(call.body)
            except GeneratorExit:
                call.drop(partial(call.settle, None))
                raise
            except BaseException as error:
                failure = wire.failure(error)
                if failure.sent:
                    call.settle(None)
                else:
                    call.release()
                if not (failure.passing and retrying and self._may_retry(call)):
                    raise
                paused_s = pause_s(paused_s, None)
            else:
                answer = wire.answer(response)
                if answer.status < 400:
                    return response
                wait_s = yield from self._refused(call, answer, paused_s, retrying=retrying)
                if wait_s is None:
                    wire.last(response)
                    return response
                yield Drop(partial(wire.close, response))
                paused_s = wait_s
            yield Pause(paused_s)

    def task_ends(self, task: Task) -> None:
        """What is left of its grants is others' now."""
        self.holds.drop(lambda pool: pool.kind.task == task.id)

    def give_back(self, timeout_s: float) -> None:
        """The process ends: what is at hand is others' now, and so is what was asked for, if it comes by then."""
        self.holds.drop(lambda _: True)
        wait(tuple(self._refills), timeout_s)

    def forked(self) -> None:
        """This is a child of the process whose guard it was: what is at hand there is not drawn here, too."""
        self.holds.forget()
        self._refills = set()
        self.retries.forked()
        self.control.forked()
        if self.caching is not None:
            self.caching.forked()

    # -- before an attempt

    def _admitted(self, call: Call) -> Generator[Step, Any, None]:
        """Have the next attempt held. Raises BudgetExceeded."""
        call.attempt += 1
        call.span.set_attribute(attributes.ATTEMPT, call.attempt)
        yield from self._turn_here(call)
        known, now = call.decision, time.monotonic()
        kind = call.kind
        # An attempt after the first has to be known as such; any restriction is the engine's to apply.
        if call.attempt == 1 and (known is None or known.action is Action.ALLOW):
            drawn = self.holds.draw(kind, now)
            if drawn is not None:
                call.held(*drawn)
                return
        template = call.asking()
        spare = self.holds.spare(kind) if call.attempt == 1 else 0
        body = {**template, "id": new_id(), "attempt": call.attempt, "spare": spare}
        wait_s = 0.0
        while True:
            answer: Granted | None = yield from self._asked(call, body, wait_s)
            if answer is None:
                if wait_s:
                    yield from self._turn_here(call)
                yield from self._without_engine(call)
                return
            call.decision = decision = answer.decision
            self._shares(call)
            if call.task is not None:
                call.task.hears(decision)
            if spare and (answer.grant is None or answer.grant.calls == 1):
                # There is no plenty: what is at hand is room that others wait for, or this call itself.
                self.holds.drop(lambda pool: pool.template["tenant"] == call.scope.tenant)
            if answer.grant is not None:
                self.holds.put(kind, template, answer.grant, drawn=1, now=time.monotonic())
                call.held(f"{answer.grant.id}:1", answer.grant)
                if wait_s:
                    yield from self._turn_here(call)
                self._degrade(call, decision.caps)
                return
            left_s = call.deadline - time.monotonic()
            if decision.action is Action.DENY or left_s <= 0:
                raise call.denied(decision)
            # While it waits there, for room that it alone may need, others of this process go.
            call.slot.release()
            wait_s = min(_ASK_WAIT_S, left_s)

    def _asked(self, call: Call, body: dict[str, Any], wait_s: float) -> Generator[Step, Any, Granted | None]:
        asking = self.control.ask(body, wait_s)
        try:
            answer: Granted | None = yield Ask(asking)
        except BaseException:
            # Cancelled before the caller could take the grant. A question that waits leaves the queue; one that is
            # answered at once is let come to its end, as its grant might overtake the word that nobody wants it.
            if wait_s:
                asking.cancel()
            release = partial(self.control.finish, body["id"], "release", {})
            asking.add_done_callback(lambda _: self.control.soon(release))
            raise
        return answer

    def _degrade(self, call: Call, caps: Caps) -> None:
        """Send what the decision allows: another model, fewer output tokens."""
        call.body = call.model = None
        model = caps.model if caps.model != call.request.model else None
        most = caps.max_output_tokens
        asked = call.request.max_output_tokens
        if most is not None and asked is not None and asked <= most:
            most = None
        if model is None and most is None:
            return
        body = call.request.rewritten(model=model, max_output_tokens=most)
        if body is None and model is not None:
            # A limit that low cannot be set: another model alone is what can be done.
            body = call.request.rewritten(model=model)
        if body is None:
            return
        call.body, call.model = body, model
        if model is not None:
            call.span.set_attribute(attributes.DEGRADED_FROM, call.request.model)

    def _turn_here(self, call: Call) -> Generator[Step, Any, None]:
        """Be one of the calls of this process that are on their way, where it says how many those may be."""
        if self.settings.concurrency is not None:
            call.slot = yield from self._turn(call, None)

    def _turn(self, call: Call, lane: tuple[str, str] | None) -> Generator[Step, Any, Slot]:
        """Wait for the call's turn in this process. Raises BudgetExceeded where it does not come in time."""
        asked = {
            "tenant": call.scope.tenant, "tier": call.scope.tier, "tokens": call.likely_tokens,
            "lane": lane, "deadline": call.deadline,
        }  # fmt: skip
        try:
            slot: Slot = yield Take(self.scheduler, asked)
        except (QueueFull, QueueTimeout) as error:
            raise call.denied(_here(str(error))) from error
        return slot

    def _shares(self, call: Call) -> None:
        """What its tenant may use of the provider: the engine paces by it, and this process while it is away."""
        share = None if call.decision is None else call.decision.share
        lane = (call.request.provider, call.request.model)
        if share is None:
            self._shared.pop((lane, call.scope.tenant, call.scope.tier), None)
        else:
            self._shared[lane, call.scope.tenant, call.scope.tier] = share
        self.scheduler.share(lane, call.scope.tenant, call.scope.tier, None)

    def _without_engine(self, call: Call) -> Generator[Step, Any, None]:
        known, stale_s = self.control.decision(call.scope) or call.decision, self.control.stale_s()
        fresh = known is not None and stale_s is not None and stale_s <= self.settings.max_stale_s
        if known is None:
            if self.settings.before_first == "closed":
                raise call.denied(
                    _here("the policy engine was never heard, and SWITCHGEAR_BEFORE_FIRST is closed")
                )
        elif fresh and known.action is Action.DENY:
            raise call.denied(known)
        elif fresh:
            self._degrade(call, known.caps)
            lane = (call.request.provider, call.request.model)
            share = self._shared.get((lane, call.scope.tenant, call.scope.tier))
            if share is not None:
                self.scheduler.share(lane, call.scope.tenant, call.scope.tier, share)
                (yield from self._turn(call, lane)).release()
        elif known.fail == "closed":
            raise call.denied(_closed(known, stale_s))
        self._warn("engine", "the policy engine is away: calls go out without a hold")

    # -- after it

    def _refused(
        self, call: Call, answer: Answer, paused_s: float, *, retrying: bool
    ) -> Generator[Step, Any, float | None]:
        """Give the hold back; returns how long to wait before trying again, None not to."""
        asked_s = retry_after_s(answer.headers)
        told: Retry | None = None
        if answer.status == _TOO_MANY:
            self.holds.drop(lambda pool: pool.kind.provider == call.request.provider)
            throttling = call.throttling(asked_s if asked_s is not None else 1.0)
            if throttling is not None:
                told = yield Ask(self.control.throttled(*throttling))
        else:
            call.release()
        if not retrying or not worth_trying(answer.status, answer.headers):
            return None
        if told is None:
            allowed, wait_s = self._may_retry(call), pause_s(paused_s, asked_s)
        else:
            allowed, wait_s = told.allowed, told.after_s
        in_time = time.monotonic() + wait_s < call.deadline
        return wait_s if allowed and in_time else None

    def _may_retry(self, call: Call) -> bool:
        return self.retries.retry((call.scope.tenant, call.scope.workload), time.monotonic())

    # -- holds at hand

    def _refill(self, pool: Pool) -> None:
        body = {**pool.template, "id": new_id(), "attempt": 1, "spare": pool.spare - 1}
        asking = self.control.ask(body, 0.0)
        self._refills.add(asking)
        asking.add_done_callback(self._refills.discard)
        asking.add_done_callback(
            lambda done: self.holds.refilled(
                pool, None if done.cancelled() or done.exception() else done.result(), time.monotonic()
            )
        )

    def _give_back(self, lease: str) -> None:
        self.control.finish(lease, "release", {"calls": 1})

    # -- whose

    def _scope(self, task: Task | None) -> Scope | None:
        if task is not None:
            return Scope.of(task)
        if self.settings.tenant is None:
            return None
        return Scope.outside(self.settings.tenant, self.settings.tier)

    def _warn(self, topic: str, message: str) -> None:
        now = time.monotonic()
        if now - self._warned_at.get(topic, -_WARN_EVERY_S) >= _WARN_EVERY_S:
            self._warned_at[topic] = now
            _log.warning(message)


def _closed(known: Decision, stale_s: float | None) -> Decision:
    since = "it was never heard" if stale_s is None else f"last heard {stale_s:.0f} s ago"
    return replace(
        known,
        action=Action.DENY,
        reason=f"the policy engine is away ({since}) and {known.policy or 'the policy'} fails closed",
        valid_until=datetime.now(UTC) + timedelta(seconds=1),
    )


def _here(reason: str) -> Decision:
    """A denial that is this process's own."""
    return Decision(
        id="",
        action=Action.DENY,
        reason=reason,
        version=0,
        valid_until=datetime.now(UTC) + timedelta(seconds=1),
    )
