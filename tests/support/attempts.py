"""Attempts: how often a provider SDK hands a request to its HTTP client."""

from __future__ import annotations

from inspect import iscoroutinefunction
from typing import Any

__all__ = ["counted"]


def counted(client: Any) -> list[int]:
    """One entry for each request that this SDK client makes from now on, guarded or not."""
    attempts: list[int] = []
    inner, send = client._client, client._client.send

    def counting(request: Any, **options: Any) -> Any:
        attempts.append(1)
        return send(request, **options)

    async def counting_async(request: Any, **options: Any) -> Any:
        attempts.append(1)
        return await send(request, **options)

    inner.send = counting_async if iscoroutinefunction(send) else counting
    return attempts
