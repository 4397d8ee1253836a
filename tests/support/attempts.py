"""Attempts: how often a provider's SDK hands a request to what sends it."""

from __future__ import annotations

from inspect import iscoroutinefunction
from typing import Any

__all__ = ["counted"]


def counted(client: Any) -> list[int]:
    """One entry for each request that this SDK client makes from now on, guarded or not."""
    attempts: list[int] = []
    if hasattr(client, "meta"):
        # boto3 tells whoever listens.
        client.meta.events.register("before-call", lambda **_: attempts.append(1))
    for http in _http_clients(client):
        _count(http, attempts)
    return attempts


def _http_clients(client: Any) -> list[Any]:
    """Those of OpenAI's and Anthropic's SDKs have one, those of google-genai two."""
    api = getattr(client, "_api_client", None)
    if api is not None and hasattr(api, "_httpx_client"):
        return [api._httpx_client, api._async_httpx_client]
    return [client._client] if hasattr(client, "_client") else []


def _count(http: Any, attempts: list[int]) -> None:
    send = http.send

    def counting(request: Any, **options: Any) -> Any:
        attempts.append(1)
        return send(request, **options)

    async def counting_async(request: Any, **options: Any) -> Any:
        attempts.append(1)
        return await send(request, **options)

    http.send = counting_async if iscoroutinefunction(send) else counting
