"""A name that no engine takes is the fault of whoever says it, and leaves everybody else's calls held."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider

import switchgear as sg
from switchgear.guard import current

Engines = Callable[..., Any]
Configure = Callable[..., TracerProvider]

NAMES = pytest.mark.parametrize(
    "name",
    ["\ud800", "gpt\0", "a" * 129, "", None],
    ids=["half a surrogate pair", "NUL", "129 characters", "empty", "none"],
)


def made(**who: Any) -> Any:
    return sg.guard.call(dict, **{"provider": "openai", "model": "gpt-4o", **who})


async def made_async(**who: Any) -> Any:
    async def answer() -> Any:
        return {}

    return await sg.guard.call_async(answer, **{"provider": "openai", "model": "gpt-4o", **who})


@NAMES
@pytest.mark.parametrize("which", ["provider", "model"])
def test_a_call_of_a_provider_or_model_that_is_no_name_is_refused_before_it_is_made(
    which: str, name: Any
) -> None:
    with pytest.raises(sg.ConfigError, match=f"^{which}: "):
        made(**{which: name})
    with pytest.raises(sg.ConfigError, match=f"^{which}: "):
        asyncio.run(made_async(**{which: name}))


def test_a_request_that_cannot_be_written_down_does_not_make_the_engine_away(
    engine_of: Engines, configured: Configure, caplog: pytest.LogCaptureFixture
) -> None:
    configured(engine_of().url)
    guard = current()
    assert guard is not None
    body = {
        "id": "a-request",
        "tenant": "acme",
        "workload": "writer",
        "provider": "openai",
        "input_bytes": 100,
    }
    assert guard.control.ask({**body, "model": "\ud800"}, 0.0).result(5) is None
    assert not guard.control.away.skips(time.monotonic())
    assert caplog.messages == ["the policy engine cannot be asked about a request: UnicodeEncodeError"]
    granted = guard.control.ask({**body, "model": "gpt-4o"}, 0.0).result(5)
    assert granted is not None
    assert granted.grant is not None
