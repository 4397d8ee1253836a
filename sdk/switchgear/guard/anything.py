"""Guards what no client of ours stands before: any function that calls a model, and tools.

answer = guard.call(lambda: cohere.chat(...), provider="cohere", model="command-a", max_output_tokens=500)
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Generator, Mapping
from functools import wraps
from inspect import iscoroutinefunction
from typing import Any, ParamSpec, TypeVar, cast

from ..context import Task, current_task
from ..decision import Action, Decision
from ..errors import BudgetExceeded
from ..names import name
from ..request import CallRequest
from ..tier import Tier
from ..usage import Usage
from .attempts import Answer, Failure, Wire
from .calls import Call
from .current import current
from .steps import Script, drive, drive_async

__all__ = ["call", "call_async", "guarded_tool"]

_log = logging.getLogger("switchgear")
_OK = 200
_LOOK_AGAIN_S = 0.25
# Under these names provider SDKs say an error's HTTP status.
_STATUS_NAMES = ("status_code", "http_status", "status", "code")

P = ParamSpec("P")
R = TypeVar("R")
UsageOf = Callable[[R], Usage | Mapping[str, Any] | None]


def call(
    function: Callable[[], R],
    *,
    provider: str,
    model: str,
    input_bytes: int = 0,
    max_output_tokens: int | None = None,
    usage: UsageOf[R] | None = None,
    max_retries: int | None = None,
) -> R:
    """Make a model call under guard: `function` makes one attempt and returns the response.

    `input_bytes` is about the size of what is sent, `max_output_tokens` what bounds the answer, if anything does: the
    nearer they are, the less is held. `usage` reads what was used from the response, as a `Usage` or as the provider's
    own body; without it a mapping, or what has `model_dump`, is read as a body of that provider. An exception with a
    status (429, 500 and above) is tried again like a response with one. Raises BudgetExceeded, what `function` raises,
    and ConfigError for a provider or model that is no name.
    """
    begun = _begin(provider, model, input_bytes, max_output_tokens, max_retries)
    if begun is None:
        return function()
    made, script = begun
    response: R = drive(script, lambda _body: function())
    _settle(made, response, usage)
    return response


async def call_async(
    function: Callable[[], Awaitable[R]],
    *,
    provider: str,
    model: str,
    input_bytes: int = 0,
    max_output_tokens: int | None = None,
    usage: UsageOf[R] | None = None,
    max_retries: int | None = None,
) -> R:
    """Make a model call under guard, as `call` does, with a function whose result is awaited."""
    begun = _begin(provider, model, input_bytes, max_output_tokens, max_retries)
    if begun is None:
        return await function()
    made, script = begun
    response: R = await drive_async(script, lambda _body: function())
    _settle(made, response, usage)
    return response


def guarded_tool(*, critical: bool = False) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """A decorator for an agent's tools, sync or async: what is not critical waits, or is left out, when money is short.

    Such a tool waits as long as its task's work is throttled or queued, as its tier has patience, and raises
    BudgetExceeded where calls are denied or it is time to answer with what is there. A critical one always runs.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        if critical:
            return function
        if iscoroutinefunction(function):

            @wraps(function)
            async def run_async(*args: P.args, **kwargs: P.kwargs) -> Any:
                for seconds in _until_allowed():
                    await asyncio.sleep(seconds)
                return await function(*args, **kwargs)

            return cast("Callable[P, R]", run_async)

        @wraps(function)
        def run(*args: P.args, **kwargs: P.kwargs) -> R:
            for seconds in _until_allowed():
                time.sleep(seconds)
            return function(*args, **kwargs)

        return run

    return decorate


def _begin(
    provider: str, model: str, input_bytes: int, max_output_tokens: int | None, max_retries: int | None
) -> tuple[Call, Script[Any]] | None:
    provider, model = name("provider", provider), name("model", model)
    guard = current()
    if guard is None:
        return None
    body = {} if max_output_tokens is None else {"max_tokens": max_output_tokens}
    made = guard.begin(CallRequest(provider, model, body, input_bytes), None)
    if made is None:
        return None
    wire = Wire(lambda _response: Answer(_OK, {}), _failure)
    return made, guard.making(made, wire, max_retries)


def _settle(made: Call, response: R, usage: UsageOf[R] | None) -> None:
    read: Any = None
    try:
        read = _body(response) if usage is None else usage(response)
    except Exception as error:  # noqa: BLE001 - the answer is there, and paid for: it is not lost for a count
        # Not its text, which may hold what the answer says.
        _log.warning("what a call used cannot be read: %s", type(error).__name__)
    if isinstance(read, Usage):
        made.settle(read, made.request.model, getattr(response, "id", None))
    else:
        made.settle_from(read)


def _body(response: Any) -> Mapping[str, Any] | None:
    """A response as its provider's JSON body, where it can be that."""
    if isinstance(response, Mapping):
        return response
    dump = getattr(response, "model_dump", None)
    dumped = dump() if callable(dump) else None
    return dumped if isinstance(dumped, Mapping) else None


def _failure(error: BaseException) -> Failure:
    status = next(
        (value for name in _STATUS_NAMES if isinstance(value := getattr(error, name, None), int)), None
    )
    if status is None:
        # Whether anything was sent cannot be known.
        return Failure(sent=True, passing=False)
    return Failure(sent=False, passing=status in (408, 409, 429) or status >= 500)


def _until_allowed() -> Generator[float, None, None]:
    """Pauses to make, one after the other, until the current task's tool may run. Raises BudgetExceeded."""
    task, guard = current_task(), current()
    if task is None or guard is None:
        return
    deadline = time.monotonic() + guard.settings.patience_s(Tier(task.tier))
    while (decision := _holding_up(task)) is not None:
        if decision.action is Action.DENY or task.wrap_up or time.monotonic() >= deadline:
            raise BudgetExceeded(decision)
        yield _LOOK_AGAIN_S


def _holding_up(task: Task) -> Decision | None:
    """The decision that keeps a tool from running now; None where nothing does."""
    decision = task.decision
    if decision is None:
        return None
    waits = decision.action in (Action.THROTTLE, Action.QUEUE, Action.DENY)
    return decision if waits or task.wrap_up else None
