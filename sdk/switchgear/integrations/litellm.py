"""Guards the calls that go through LiteLLM's proxy: `callbacks: switchgear.integrations.litellm.callback`.

The proxy asks for a hold before it chooses a deployment, so that whoever has to wait takes up no deployment's capacity
and whoever is denied meets neither retries nor fallbacks. Each of LiteLLM's own attempts then has a hold of its own,
for the model that it really goes to. What was used is settled from LiteLLM's log of the answer, streamed or not.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
import uuid
from collections import OrderedDict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from json import loads
from typing import Any, TypeVar

from opentelemetry.sdk.trace import TracerProvider

from ..context import Task
from ..control import Scope
from ..decision import Action, Decision
from ..errors import BudgetExceeded
from ..guard import Answer, Call, current, drive_async
from ..guard.guard import Guard
from ..identity import Identity
from ..runtime import configure, exported
from ..settings import Settings
from ..usage import Usage, UsageError
from .litellm_objects import body_of, chain_of, headers_of, left_early, model_of, said_by
from .proxied import Caller, Whose, provider_named, request_of, usage_of

try:
    import litellm  # type: ignore[import-not-found]
    from litellm.exceptions import GuardrailRaisedException  # type: ignore[import-not-found]
    from litellm.integrations.custom_logger import CustomLogger  # type: ignore[import-not-found]
except ImportError as missing:
    raise ImportError(
        "switchgear.integrations.litellm runs in LiteLLM's proxy and needs its package: pip install 'litellm[proxy]'"
    ) from missing

__all__ = ["Callback", "Refused", "callback"]

_log = logging.getLogger("switchgear")

_PAYMENT_REQUIRED = 402
_TOO_MANY = 429
_DEGRADED_FROM = "x-switchgear-degraded-from"
# Whoever's end LiteLLM has not told of by then was cancelled, and it will not.
_FORGOTTEN_S = 600.0
_MOST_REMEMBERED = 4096
# What stands in the chain of an error of LiteLLM's that is no answer: nothing was sent yet, or it was on its way. By
# LiteLLM's own error, which has a status all the same, they cannot be told from an answer.
_UNSENT = ("ConnectError", "ConnectTimeout", "PoolTimeout", "UnsupportedProtocol", "ProxyError")
_UNANSWERED = (
    "Timeout",
    "TimeoutException",
    "ReadError",
    "WriteError",
    "RemoteProtocolError",
    "ClientOSError",
)

K = TypeVar("K")
V = TypeVar("V")

callback: Callback
"""The one for config.yaml, with nothing but the environment's settings."""


class Refused(GuardrailRaisedException):  # type: ignore[misc]
    """A denial on its way to the proxy's client.

    As a guardrail's it is the one kind of error that LiteLLM's router neither tries again nor takes to a fallback. Its
    status there is 400: by 402 or 429 the router would rest the deployment, which has nothing to do with it. The
    client gets 402 where a policy denies, and 429 where its turn did not come in time.
    """

    def __init__(self, denial: BudgetExceeded) -> None:
        super().__init__("switchgear", str(denial), should_wrap_with_default_message=False)
        decision = denial.decision
        self.type = "budget_exceeded"
        self.answered_with = _PAYMENT_REQUIRED if decision.action is Action.DENY else _TOO_MANY
        # The OpenAI and Anthropic SDKs ask this header before they try again.
        self.headers = {"x-should-retry": "false"}
        if decision.retry_after_s is not None:
            self.headers["retry-after"] = str(math.ceil(decision.retry_after_s))
        self.provider_specific_fields = {"switchgear": decision.to_wire()}


@dataclass(slots=True)
class _Proxied:
    """One proxied request, from before it is routed until it is settled or given up."""

    call: Call
    began: float
    held: bool = False
    """Whether it has its hold, and no attempt was made with it yet."""
    out: bool = False
    """Whether an attempt is on its way."""
    not_before: float = 0.0
    """When it may be tried again, in seconds of the monotonic clock."""
    refused: Refused | None = None


class Callback(CustomLogger):  # type: ignore[misc]
    """A callback of LiteLLM's proxy that asks switchgear before each model call.

    `tenants` maps key aliases, team ids and team aliases to tenants; without it the team is the tenant and the key's
    alias the workload. `trusts` names where requests may say otherwise themselves ("metadata", "headers"): whoever has
    any key of the proxy can then spend in any tenant's name. Everything else is the environment's to say
    (SWITCHGEAR_*), unless `configure` was called before. Raises ConfigError for settings that cannot be used.
    """

    def __init__(self, *, tenants: Mapping[str, str] | None = None, trusts: Collection[str] = ()) -> None:
        super().__init__()
        settings = Settings.read()
        self._whose = Whose(dict(tenants or {}), tuple(trusts), settings.tenant, settings.tier)
        self._calls: OrderedDict[str, _Proxied] = OrderedDict()
        self._known: OrderedDict[Scope, Decision] = OrderedDict()
        self._degraded: OrderedDict[str, str] = OrderedDict()
        self._warned = False
        if exported() is None:
            # With a tracer provider of its own: the proxy's spans stay what LiteLLM's settings make of them.
            configure(tracer_provider=TracerProvider())

    # -- before a call

    async def async_pre_call_hook(
        self, user_api_key_dict: Any, cache: Any, data: dict[str, Any], call_type: str
    ) -> None:
        """Have a request held before it is routed. Raises Refused."""
        try:
            await self._begin(user_api_key_dict, data, call_type)
        except BudgetExceeded as denial:
            raise Refused(denial) from None
        except Exception as error:  # noqa: BLE001 - no fault of ours stops a proxied call
            _fault("before a call", error)

    async def async_pre_call_deployment_hook(
        self, kwargs: dict[str, Any], call_type: Any
    ) -> dict[str, Any] | None:
        """Have an attempt held for the model that it goes to. Raises Refused."""
        proxied = self._find(kwargs)
        guard = current()
        # What LiteLLM calls within an attempt, to translate between formats, is part of it.
        if proxied is None or guard is None or proxied.out:
            return None
        if proxied.refused is not None:
            raise proxied.refused
        try:
            return await self._attempt(guard, proxied, kwargs)
        except BudgetExceeded as denial:
            proxied.refused = Refused(denial)
            raise proxied.refused from None
        except Exception as error:  # noqa: BLE001 - as above
            _fault("before an attempt", error)
            proxied.held, proxied.out = False, True
            proxied.call.sent()
            return None

    async def _begin(self, key: Any, data: dict[str, Any], call_type: str) -> None:
        guard = current()
        if guard is None:
            return
        caller = self._whose.caller(*said_by(key, data))
        if caller is None:
            if not self._warned:
                self._warned = True
                _log.warning("calls of keys without a team are not guarded: SWITCHGEAR_TENANT is not set")
            return
        provider, model = _expected(data, key.team_id)
        request = request_of(call_type, data, provider, model)
        if request is None:
            return
        task, scope = _task(caller)
        call = guard.begin_for(request, scope, task, None, self._known.get(scope), caller.user)
        now = time.monotonic()
        self._sweep(now)
        await self._admit(guard, call)
        id_ = data.setdefault("litellm_call_id", str(uuid.uuid4()))
        # A client may name its calls itself, and two alike: of the first then nothing more is heard.
        _give_up(self._calls.pop(id_, None))
        self._calls[id_] = _Proxied(call, now, held=True)

    async def _attempt(
        self, guard: Guard, proxied: _Proxied, kwargs: dict[str, Any]
    ) -> dict[str, Any] | None:
        call, (named, provider, model) = proxied.call, _addressed(kwargs)
        other = (provider, model) != (call.request.provider, call.request.model)
        if proxied.held and other:
            call.release()
            call.attempt -= 1
            proxied.held = False
        if other:
            body = {**call.request.body, "model": model}
            call.request = replace(call.request, provider=provider, model=model, body=body)
        if not proxied.held:
            await asyncio.sleep(max(0.0, proxied.not_before - time.monotonic()))
            await self._admit(guard, call)
        proxied.held, proxied.out = False, True
        call.sent()
        if call.model is not None:
            _remember(self._degraded, kwargs["litellm_call_id"], call.request.model)
        return _rewritten(kwargs, call, named)

    async def _admit(self, guard: Guard, call: Call) -> None:
        try:
            await drive_async(guard.admitting(call), _never)
        finally:
            if call.decision is not None:
                _remember(self._known, call.scope, call.decision)

    # -- after it

    async def async_post_call_failure_deployment_hook(
        self,
        request_data: Mapping[str, Any],
        exception: Exception,
        call_type: Any,
        fallback_depth: int | None = None,
    ) -> None:
        """An attempt failed: LiteLLM tries again, takes a fallback, or tells its client."""
        proxied, guard = self._find(request_data), current()
        if proxied is None or guard is None or not proxied.out:
            return
        proxied.out = False
        status, call = getattr(exception, "status_code", None), proxied.call
        kinds = {type(error).__name__ for error in chain_of(exception)}
        if not kinds.isdisjoint(_UNSENT):
            call.release()
            return
        if not isinstance(status, int) or not kinds.isdisjoint(_UNANSWERED):
            # It may have been billed.
            call.settle(None)
            return
        wait_s = await drive_async(guard.refused(call, Answer(status, headers_of(exception))), _never)
        proxied.not_before = time.monotonic() + (wait_s or 0.0)

    async def async_post_call_failure_hook(
        self,
        request_data: dict[str, Any],
        original_exception: Exception,
        user_api_key_dict: Any,
        traceback_str: str | None = None,
    ) -> None:
        """The request as a whole failed, wherever that was."""
        if isinstance(original_exception, Refused):
            original_exception.status_code = original_exception.answered_with
        _give_up(self._calls.pop(request_data.get("litellm_call_id", ""), None))

    async def async_log_success_event(
        self, kwargs: Mapping[str, Any], response_obj: Any, start_time: Any, end_time: Any
    ) -> None:
        """The request was answered, and its stream, if it has one, has ended."""
        proxied = self._calls.pop(kwargs.get("litellm_call_id", ""), None)
        if proxied is None:
            return
        if kwargs.get("cache_hit") is True:
            proxied.call.release()
            return
        body = body_of(response_obj)
        proxied.call.settle(
            None if left_early(kwargs) else _used(body, streamed=kwargs.get("stream") is True),
            model_of(kwargs),
            body.get("id"),
            body.get("service_tier"),
        )

    async def async_post_call_response_headers_hook(
        self, data: dict[str, Any], user_api_key_dict: Any, response: Any, **_more: Any
    ) -> dict[str, str] | None:
        """Say from which model an answer was degraded."""
        model = self._degraded.pop(data.get("litellm_call_id", ""), None)
        return None if model is None or response is None else {_DEGRADED_FROM: model}

    def _find(self, data: Mapping[str, Any]) -> _Proxied | None:
        return self._calls.get(data.get("litellm_call_id", ""))

    def _sweep(self, now: float) -> None:
        """Give up calls whose end LiteLLM never told of: their requests were cancelled."""
        while self._calls:
            id_, oldest = next(iter(self._calls.items()))
            if now - oldest.began < _FORGOTTEN_S:
                return
            _give_up(self._calls.pop(id_))


def __getattr__(wanted: str) -> Callback:
    """`callback`, made when LiteLLM asks for it: whoever makes one of their own has no second."""
    if wanted != "callback":
        raise AttributeError(f"module {__name__!r} has no attribute {wanted!r}")
    made = Callback()
    globals()[wanted] = made
    return made


def _remember(among: OrderedDict[K, V], key: K, value: V) -> None:
    among[key] = value
    among.move_to_end(key)
    if len(among) > _MOST_REMEMBERED:
        among.popitem(last=False)


def _task(caller: Caller) -> tuple[Task | None, Scope]:
    tenant, workload, tier, id_, user = caller
    if id_ is None:
        return None, Scope(tenant, workload, tier.value, None)
    task = Task.of(Identity(id_, id_, None, workload, tenant, tier, user, time.time_ns(), ()))
    return task, Scope.of(task)


def _expected(data: Mapping[str, Any], team: str | None) -> tuple[str, str]:
    """(provider, model) that will probably answer: those of the first deployment under the model's name."""
    from litellm.proxy import proxy_server  # type: ignore[import-not-found]

    router = proxy_server.llm_router
    deployments = (
        router.get_model_list(model_name=data["model"], team_id=team) if router is not None else None
    )
    params = deployments[0]["litellm_params"] if deployments else {"model": data["model"]}
    return _addressed(params)[1:]


def _addressed(params: Mapping[str, Any]) -> tuple[str, str, str]:
    """(LiteLLM's name of the provider, provider, model) of a deployment's parameters."""
    base = params.get("api_base") or params.get("base_url")
    model, named, *_ = litellm.get_llm_provider(
        model=params["model"], custom_llm_provider=params.get("custom_llm_provider"), api_base=base
    )
    return (named, *provider_named(named, base, model))


def _rewritten(kwargs: dict[str, Any], call: Call, named: str) -> dict[str, Any] | None:
    """The arguments of an attempt as the decision wants them; None to leave them as they are."""
    if call.body is None:
        return None
    asked = call.request.body
    changes = {name: value for name, value in loads(call.body).items() if asked.get(name) != value}
    if "model" in changes:
        changes["model"] = f"{named}/{changes['model']}"
    return {**kwargs, **changes}


def _give_up(proxied: _Proxied | None) -> None:
    """Nothing more will be heard of it: what was on its way may have been billed."""
    if proxied is None:
        return
    if proxied.out:
        proxied.call.settle(None)
    else:
        proxied.call.release()


def _used(body: Mapping[str, Any], *, streamed: bool) -> Usage | None:
    try:
        return usage_of(body, streamed=streamed)
    except (UsageError, ValueError) as error:
        _log.warning("the provider's usage cannot be: %s", error)
        return None


async def _never(_body: bytes | None) -> Any:
    raise AssertionError("the attempts are LiteLLM's to make")


def _fault(when: str, error: Exception) -> None:
    # Without its message, in which parts of the request may stand.
    _log.warning("a proxied call goes on unguarded: %s %s", type(error).__name__, when)
