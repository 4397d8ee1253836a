"""Call: one model call under guard, from before it is sent until its last hold is settled or released."""

from __future__ import annotations

import logging
import re
import time
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from opentelemetry import trace

from .. import attributes
from ..context import Task
from ..control import Control, Scope
from ..control.wire import Grant
from ..decision import Decision
from ..errors import BudgetExceeded, denial_type
from ..export import Recorder, carries
from ..request import CallRequest
from ..scheduler import FREE, Slot
from ..usage import COUNTS, Usage, UsageError, from_response
from ..usage.body import tier_of
from .holds import Kind
from .replays import told_in

if TYPE_CHECKING:
    from ..cache.model import Answer
    from .caching import Cached

__all__ = ["Call"]

_log = logging.getLogger("switchgear")
# Longer names than the engine takes come from no known model, and longer ids from no known provider.
_NAME_LIMIT = 128
_ID_LIMIT = 256
_SURROGATE = re.compile("[\ud800-\udfff]")
_BYTES_PER_TOKEN = 4
_USUAL_OUTPUT = 500


@dataclass(slots=True)
class Call:
    """A call, and the attempt of it that is on its way: each attempt has a hold of its own."""

    control: Control
    request: CallRequest
    scope: Scope
    task: Task | None
    sdk_error: type[Exception] | None
    deadline: float
    """When it gives up waiting for its turn, in seconds of the monotonic clock."""
    span: trace.Span
    """The one that was current when it began."""
    recorder: Recorder
    attempt: int = 0
    decision: Decision | None = None
    user: str | None = None
    """For whom of the tenant's users it is made outside any task; a task says so itself."""
    lease: str | None = None
    covers: int | None = None
    """How many output tokens its hold is good for; None where that is not known, or its own limit keeps it below."""
    body: bytes | None = None
    """What is sent instead, where the call was degraded."""
    model: str | None = None
    """Which model is asked instead, where it was degraded to another: some requests name it elsewhere than there."""
    headers: dict[str, str] = field(default_factory=dict)
    """Those of the provider's answer that name its limits: the engine learns from them."""
    slot: Slot = FREE
    """Its place among the calls of this process that are on their way."""
    cached: Cached | None = None
    """What the cache says of it, where that was asked."""
    served: bool = False
    """Whether its answer came from there: no model was asked, and there is nothing to settle."""
    _open: list[None] = field(default_factory=list)
    """Holds something as long as the attempt is on its way. Taking it out is atomic: it ends once, in any thread."""
    _began_ns: int = 0
    _carried: bool = False

    @property
    def tags(self) -> dict[str, str]:
        """Whose it is, as spans say it."""
        if self.task is not None:
            return self.task.span_attributes
        # As the processor tags spans outside any task.
        tags = {
            attributes.TENANT: self.scope.tenant,
            attributes.WORKLOAD: self.scope.workload,
            attributes.TIER: self.scope.tier,
        }
        return tags if self.user is None else {**tags, attributes.USER: self.user}

    @property
    def kind(self) -> Kind:
        """What its hold may be drawn from."""
        request = self.request
        return Kind(
            self.task.id if self.task is not None else None,
            self.scope,
            request.provider,
            request.model,
            request.size.bit_length(),
            request.max_output_tokens,
            request.writes_cache,
            tuple(request.needs),
        )

    def asking(self) -> dict[str, Any]:
        """What the engine is asked for it, but for what tells one request from another."""
        request, task = self.request, self.task
        return {
            **self.scope.to_wire(),
            "provider": request.provider,
            "model": request.model,
            # Of its kind the largest: those that are made under what is spare may be larger than this one.
            "input_bytes": (1 << request.size.bit_length()) - 1,
            "max_output_tokens": request.max_output_tokens,
            "writes_cache": request.writes_cache,
            "needs": request.needs,
            "budgets": [{"task": id_, "limit": str(limit)} for id_, limit in task.budgets] if task else [],
            "task_id": task.id if task else None,
            "parent_task_id": task.parent_id if task else None,
        }

    @property
    def cuts(self) -> bool:
        """Whether a streamed answer that outgrows its hold, and may not have more, is to be ended."""
        return self.decision is not None and self.decision.overrun == "cut"

    def held(self, lease: str, grant: Grant) -> None:
        """The attempt has its hold."""
        self.lease, self.covers = lease, grant.output_tokens
        self.span.set_attribute(attributes.LEASE_ID, lease)

    def sent(self) -> None:
        """The attempt is on its way: whatever ends it must say so, with a hold or without one."""
        self._open, self._began_ns = [None], time.time_ns()
        # By now the span has what its instrumentation set when it began.
        self._carried = carries(self.span)

    def extend(self, output_tokens: int) -> Future[bool]:
        """Have more held for an answer that may come to so many tokens in all; False: there is no room for that."""
        if self.lease is None:
            nothing: Future[bool] = Future()
            nothing.set_result(True)
            return nothing
        return self.control.extend(self.lease, output_tokens)

    @property
    def likely_tokens(self) -> int:
        """About how many tokens it takes in all, before anything is known of it."""
        most = self.request.max_output_tokens
        return self.request.size // _BYTES_PER_TOKEN + (_USUAL_OUTPUT if most is None else most)

    def denied(self, decision: Decision) -> BudgetExceeded:
        """What is raised into the caller: an error that its provider's SDK lets through and never retries."""
        kind = BudgetExceeded if self.sdk_error is None else denial_type(self.sdk_error)
        return kind(decision)

    def cut(self) -> None:
        """Its answer was ended by us: what the caller's instrumentation reads at that end is no count of anybody's."""
        self.span.set_attribute(attributes.CUT, value=True)

    def settle(
        self, usage: Usage | None, model: Any = None, response_id: Any = None, service_tier: Any = None
    ) -> None:
        """The attempt was billed; None where its usage did not come: the hold then counts in full.

        By the response's id the collector knows the call's span even where the hold's id did not reach it. Where no
        span of an instrumentation will tell it of the call, a record does.
        """
        try:
            self._open.pop()
        except IndexError:
            return
        model, response_id = _text(model, _NAME_LIMIT), _text(response_id, _ID_LIMIT)
        if not self._carried or (self.cached is not None and self.cached.late):
            self._record(usage, model, response_id, service_tier)
        if usage is not None:
            self.slot.settle(usage.total)
        counts = {name: getattr(usage, name) for name in COUNTS} if usage is not None else None
        self._finish("settle", {"usage": counts, "model": model, "response_id": response_id})

    def drop(self, settle: Callable[[], None], answer: Callable[[], Answer | None] | None = None) -> None:
        """Nobody is there any more to end the attempt: have it settled in the background, if it is not yet.

        `answer` is what came of it that is worth keeping, where there is a cache.
        """
        if not self._open:
            return
        if answer is not None and self.cached is not None and self.cached.learn(answer, settle):
            return
        self.control.soon(settle)

    def serve(self, answer: Answer) -> None:
        """It is answered with what was said before: tell of it, with what that had used."""
        self.served, self._began_ns = True, time.time_ns()
        if not carries(self.span):
            usage, response_id = told_in(self.request.provider, answer)
            self._record(usage, _text(answer.model, _NAME_LIMIT), _text(response_id, _ID_LIMIT), None)

    def give_up(self) -> None:
        """The cache's question gets no answer: the call was refused, failed, or changed on its way."""
        if self.cached is not None:
            self.cached.give_up()

    def settle_from(self, body: Any) -> None:
        """The attempt was answered with this response body."""
        if not isinstance(body, Mapping):
            self.settle(None)
            return
        usage = None
        try:
            usage = from_response(self.request.provider, body)
        except (UsageError, ValueError) as error:
            _log.warning("the provider's usage cannot be: %s", error)
        # Google's names for them come second.
        model, response_id = (
            body.get("model", body.get("modelVersion")),
            body.get("id", body.get("responseId")),
        )
        self.settle(usage, model, response_id, tier_of(body))

    def release(self) -> None:
        """The attempt was not billed."""
        self._finish("release", {"calls": 1})

    def throttling(self, retry_after_s: float) -> tuple[str, dict[str, Any]] | None:
        """The attempt was answered 429: its lease and what the engine is told; None where it has no hold."""
        lease = self._ended()
        if lease is None:
            return None
        return lease, {"calls": 1, "throttled_for_s": retry_after_s, **self._limits()}

    def _ended(self) -> str | None:
        """The attempt is over, and its place free; returns the lease of its hold."""
        self.slot.release()
        self._open.clear()
        lease, self.lease = self.lease, None
        return lease

    def _finish(self, verb: str, said: dict[str, Any]) -> None:
        lease = self._ended()
        if lease is not None:
            self.control.finish(lease, verb, said | self._limits())

    def _record(
        self, usage: Usage | None, model: str | None, response_id: str | None, service_tier: Any
    ) -> None:
        asked = self.request.model
        sent = self.model or asked
        self.recorder.call(
            self.tags,
            parent=self.span.get_span_context(),
            started_ns=self._began_ns,
            ended_ns=time.time_ns(),
            provider=self.request.provider,
            request_model=sent,
            response_model=model,
            response_id=response_id,
            usage=usage,
            service_tier=_text(service_tier, _NAME_LIMIT),
            attempt=self.attempt,
            lease_id=self.lease,
            degraded_from=asked if sent != asked else None,
            cache=None if self.cached is None else self.cached.outcome.value,
        )

    def _limits(self) -> dict[str, Any]:
        return {"headers": self.headers} if self.headers else {}


def new_id() -> str:
    """A name for one request to the engine."""
    return uuid.uuid4().hex


def _text(value: Any, limit: int) -> str | None:
    """The value where it is a name that the engine takes."""
    if not isinstance(value, str) or not 0 < len(value) <= limit or "\0" in value:
        return None
    # Half of a surrogate pair, which JSON can hold, is no text: a batch with it in it could never be sent.
    return None if _SURROGATE.search(value) else value
