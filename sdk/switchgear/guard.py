"""The guard of one provider request: local decision, hold, attempt, settlement.

Written once for synchronous and asynchronous callers: `Guard.begin` returns at once with what is known locally,
`Guard.answered` takes the engine's answer; only the waiting in between differs, and lives in `clients`.
"""

from __future__ import annotations

import logging
import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from opentelemetry import trace

from . import attributes
from .context import UNTAGGED, Task, current_task
from .control import Control, Granted, Scope
from .decision import Action, Decision
from .errors import denial_type
from .request import CallRequest
from .settings import Settings
from .tier import Tier
from .usage import COUNTS, Usage, UsageError, from_response

__all__ = ["Attempt", "Guard"]

_log = logging.getLogger("switchgear")

# How long a call of each tier waits for its turn before it gives up.
_PATIENCE_S = {Tier.INTERACTIVE: 30.0, Tier.BATCH: 120.0, Tier.BACKGROUND: 600.0}
_WARN_EVERY_S = 60.0
# Longer names than the engine takes come from no known model, and longer ids from no known provider.
_NAME_LIMIT = 128
_ID_LIMIT = 256


@dataclass(slots=True)
class Attempt:
    """One HTTP request under guard, from before it is sent until its hold is settled or released, once."""

    control: Control
    call: CallRequest
    scope: Scope
    body: dict[str, Any]
    sdk_error: type[Exception]
    deadline: float
    decision: Decision | None = None
    grant: str | None = None
    content: bytes | None = None
    """The body to send instead, where the call was degraded to another model."""
    headers: dict[str, str] = field(default_factory=dict)
    """Those of the provider's answer that name its limits: the engine learns from them."""
    _done: bool = False

    def settle(self, usage: Usage | None, model: Any = None, response_id: Any = None) -> None:
        """The call ended; None where its usage did not come: the hold then counts in full.

        By the response's id the collector knows the call's span even where the hold's id did not reach it.
        """
        counts = {name: getattr(usage, name) for name in COUNTS} if usage is not None else None
        self._finish(
            "settle",
            {
                "usage": counts,
                "model": _text(model, _NAME_LIMIT),
                "response_id": _text(response_id, _ID_LIMIT),
            },
        )

    def settle_from(self, body: Any) -> None:
        """The call ended with this response body."""
        if not isinstance(body, dict):
            self.settle(None)
            return
        usage = None
        try:
            usage = from_response(self.call.provider, body)
        except UsageError as error:
            _log.warning("the provider's usage cannot be: %s", error)
        self.settle(usage, body.get("model"), body.get("id"))

    def give_back(self) -> None:
        """Nobody takes the answer any more; what it may have granted goes back."""
        self.control.finish(self.body["id"], "release", {})

    def release(self, *, throttled_for_s: float | None = None) -> None:
        """The call was not billed."""
        self._finish("release", {"throttled_for_s": throttled_for_s})

    def _finish(self, verb: str, body: dict[str, Any]) -> None:
        if self.grant is not None and not self._done:
            self._done = True
            # An engine that has not learned to read them refuses a body with a field that it does not know.
            said = {"headers": self.headers} if self.headers else {}
            self.control.finish(self.grant, verb, body | said)


@dataclass(slots=True)
class Guard:
    """Decides about requests of one process. `control` may be out of reach; then the last decision holds for a
    while, and after that the policy's own choice of failing open or closed (open where none was heard)."""

    control: Control
    settings: Settings
    _warned_at: dict[str, float] = field(default_factory=dict)

    def begin(self, call: CallRequest, sdk_error: type[Exception], attempt: int) -> Attempt | None:
        """The attempt to ask a grant for; None where no tenant is known and nothing can be guarded.

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
        known = self.control.decision(scope)
        if known is not None and known.action is Action.DENY and known.valid_until > datetime.now(UTC):
            raise denial_type(sdk_error)(known)
        trace.get_current_span().set_attribute(attributes.ATTEMPT, attempt)
        body: dict[str, Any] = {
            **scope.to_wire(),
            "id": uuid.uuid4().hex,
            "provider": call.provider,
            "model": call.model,
            "input_bytes": call.size,
            "max_output_tokens": call.max_output_tokens,
            "writes_cache": call.writes_cache,
            "needs": call.needs,
            "budgets": [{"task": id_, "limit": str(limit)} for id_, limit in task.budgets] if task else [],
            "task_id": task.id if task else None,
            "parent_task_id": task.parent_id if task else None,
            "attempt": attempt,
        }
        patience = _PATIENCE_S[Tier(scope.tier)]
        return Attempt(self.control, call, scope, body, sdk_error, time.monotonic() + patience)

    def answered(self, attempt: Attempt, answer: Granted | None) -> bool:
        """Take the engine's answer: True to send the request, False to ask again. Raises BudgetExceeded."""
        if answer is None:
            self._without_engine(attempt)
            return True
        attempt.decision = answer.decision
        if answer.grant is not None:
            attempt.grant = answer.grant
            span = trace.get_current_span()
            span.set_attribute(attributes.LEASE_ID, answer.lease or answer.grant)
            stand_in = answer.decision.caps.model
            if stand_in is not None and stand_in != attempt.call.model:
                attempt.content = attempt.call.with_model(stand_in)
                span.set_attribute(attributes.DEGRADED_FROM, attempt.call.model)
            return True
        if answer.decision.action is Action.DENY or time.monotonic() >= attempt.deadline:
            raise denial_type(attempt.sdk_error)(answer.decision)
        return False

    def _scope(self, task: Task | None) -> Scope | None:
        if task is not None:
            return Scope.of(task)
        if self.settings.tenant is None:
            return None
        return Scope(self.settings.tenant, UNTAGGED, self.settings.tier.value, None)

    def _without_engine(self, attempt: Attempt) -> None:
        known, stale = self.control.decision(attempt.scope), self.control.stale_s()
        fresh = known is not None and stale is not None and stale <= self.settings.max_stale_s
        if fresh and known is not None and known.action is Action.DENY:
            raise denial_type(attempt.sdk_error)(known)
        if not fresh and known is not None and known.fail == "closed":
            raise denial_type(attempt.sdk_error)(_closed(known, stale))
        self._warn("engine", "the policy engine is away: calls go out without a hold")

    def _warn(self, topic: str, message: str) -> None:
        now = time.monotonic()
        if now - self._warned_at.get(topic, -_WARN_EVERY_S) >= _WARN_EVERY_S:
            self._warned_at[topic] = now
            _log.warning(message)


def _text(value: Any, limit: int) -> str | None:
    """The value where it is a name that the engine takes."""
    fits = isinstance(value, str) and 0 < len(value) <= limit and "\0" not in value
    return value if fits else None


def _closed(known: Decision, stale_s: float | None) -> Decision:
    since = "it was never heard" if stale_s is None else f"last heard {stale_s:.0f} s ago"
    return Decision(
        id=known.id,
        action=Action.DENY,
        reason=f"the policy engine is away ({since}) and {known.policy or 'the policy'} fails closed",
        version=known.version,
        valid_until=datetime.now(UTC) + timedelta(seconds=1),
        policy=known.policy,
        currency=known.currency,
        fail="closed",
    )
