"""Makes a planned call with a provider's real SDK, the way the tenant's own code does it."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import switchgear as sg

from .workload import CallPlan

__all__ = ["Answer", "Caller", "caller"]

# (response id, model that answered)
Answer = tuple[str, str]

# What teams set when the SDK's two retries turned out to be too few.
_BLIND_RETRIES = 5
_REVIEW_THREADS = 16


class Caller(Protocol):
    """One tenant's way of calling models."""

    async def __call__(self, call: CallPlan) -> Answer:
        """Make the call. Raises what the SDK raises, `BudgetExceeded` among it."""

    async def close(self) -> None:
        """Close the clients' connections."""


def caller(tenant: str, provider_url: str) -> Caller:
    """The way in which `tenant` calls models at the provider under `provider_url`."""
    return _CALLERS[tenant](tenant, provider_url)


def _settings(tenant: str, base_url: str) -> dict[str, Any]:
    # One account for all tenants, as shared platforms have it: the header is for the provider's log only.
    return {
        "base_url": base_url,
        "api_key": "sk-demo-shared",
        "max_retries": _BLIND_RETRIES,
        "default_headers": {"x-demo-tenant": tenant},
    }


def _messages(call: CallPlan) -> list[Any]:
    return [{"role": "user", "content": call.prompt}]


class _AsyncWhole:
    """The asynchronous OpenAI client, whole answers."""

    def __init__(self, tenant: str, provider_url: str) -> None:
        import openai

        self._client = sg.wrap(openai.AsyncOpenAI(**_settings(tenant, f"{provider_url}/v1")))

    async def __call__(self, call: CallPlan) -> Answer:
        answer = await self._client.chat.completions.create(
            model=call.model, messages=_messages(call), max_tokens=call.max_tokens
        )
        return answer.id, answer.model

    async def close(self) -> None:
        await self._client.close()


class _AsyncStreamed:
    """Both asynchronous clients; the customer reads along, so answers are streamed."""

    def __init__(self, tenant: str, provider_url: str) -> None:
        import anthropic
        import openai

        self._openai = sg.wrap(openai.AsyncOpenAI(**_settings(tenant, f"{provider_url}/v1")))
        self._anthropic = sg.wrap(anthropic.AsyncAnthropic(**_settings(tenant, provider_url)))

    async def __call__(self, call: CallPlan) -> Answer:
        if call.provider == "anthropic":
            message = await self._anthropic.messages.create(
                model=call.model, messages=_messages(call), max_tokens=call.max_tokens
            )
            return message.id, message.model
        chunks = await self._openai.chat.completions.create(
            model=call.model,
            messages=_messages(call),
            max_tokens=call.max_tokens,
            stream=True,
            stream_options={"include_usage": True},
        )
        answer = ("", "")
        async for chunk in chunks:
            answer = (chunk.id, chunk.model)
        return answer

    async def close(self) -> None:
        await self._openai.close()
        await self._anthropic.close()


class _Threaded:
    """The synchronous OpenAI client in threads, as a review tool that predates asyncio has it."""

    def __init__(self, tenant: str, provider_url: str) -> None:
        import openai

        self._client = sg.wrap(openai.OpenAI(**_settings(tenant, f"{provider_url}/v1")))
        self._threads = ThreadPoolExecutor(_REVIEW_THREADS, thread_name_prefix="review")

    async def __call__(self, call: CallPlan) -> Answer:
        # The task follows into the executor's threads by itself.
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._call, call)

    def _call(self, call: CallPlan) -> Answer:
        answer = self._client.chat.completions.create(
            model=call.model, messages=_messages(call), max_tokens=call.max_tokens
        )
        return answer.id, answer.model

    async def close(self) -> None:
        self._threads.shutdown()
        self._client.close()


_CALLERS: dict[str, type[_AsyncWhole] | type[_AsyncStreamed] | type[_Threaded]] = {
    "northwind": _AsyncWhole,
    "brightline": _AsyncStreamed,
    "civic": _Threaded,
}
