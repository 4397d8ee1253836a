"""What the garbage collector throws away is settled, whatever the thread in which it comes is in the middle of."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from provider_clients import ANTHROPIC, OPENAI, anthropic_client, openai_client
from waiting import until

import switchgear as sg
from switchgear.guard import current
from switchgear.testing import Provider

Engines = Callable[..., Any]
Configure = Callable[..., TracerProvider]


@pytest.mark.parametrize("read", [0, 1], ids=["unread", "left in the middle"])
@pytest.mark.parametrize(
    ("client_of", "create"),
    [
        (openai_client, lambda client: client.chat.completions.create(**OPENAI, stream=True)),
        (anthropic_client, lambda client: client.messages.create(**ANTHROPIC, stream=True)),
    ],
    ids=["openai", "anthropic"],
)
def test_a_stream_in_garbage_is_settled_though_the_thread_that_finds_it_has_our_locks(
    client_of: Any, create: Any, read: int, provider: Provider, engine_of: Engines, configured: Configure
) -> None:
    engine = engine_of()
    configured(engine.url, concurrency=1)
    over = threading.Event()

    def agent() -> None:
        guard = current()
        assert guard is not None
        with sg.task("writer", tenant="acme"), client_of(provider) as client:
            stream = create(sg.wrap(client))
            for _ in range(read):
                next(iter(stream))
            around: list[Any] = [stream]
            around.append(around)
            del stream, around
            gate = guard.scheduler._gate(None)
            with guard.control._finishing._lock, guard.recorder._outbox._lock, gate._lock:
                gc.collect()
        over.set()

    threading.Thread(target=agent, daemon=True).start()
    assert over.wait(10), "the garbage collector waits for its own thread"
    until(lambda: engine.budget()["calls_in_flight"] == 0, "the hold is settled")
