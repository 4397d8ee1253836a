"""The line to the policy engine may end at any moment: whoever waits for an answer goes on without one."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Callable
from typing import Any

import pytest
from answering import answering
from opentelemetry.sdk.trace import TracerProvider
from provider_clients import async_openai_call, async_openai_client, openai_call, openai_client
from waiting import until

import switchgear as sg
from switchgear.control import Control
from switchgear.settings import Settings
from switchgear.testing import Provider

Configure = Callable[..., TracerProvider]


def call(provider: Provider) -> None:
    with openai_client(provider) as client:
        openai_call(sg.wrap(client))


def call_async(provider: Provider) -> None:
    async def agent() -> None:
        async with async_openai_client(provider) as client:
            await async_openai_call(sg.wrap(client))

    asyncio.run(agent())


@pytest.mark.parametrize("make", [call, call_async])
def test_a_call_that_waits_for_the_engine_goes_when_the_process_is_shut_down(
    make: Callable[[Provider], None], provider: Provider, configured: Configure
) -> None:
    ended: list[BaseException | None] = []

    def agent() -> None:
        try:
            with sg.task("writer", tenant="acme"):
                make(provider)
            ended.append(None)
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is what is asserted
            ended.append(error)

    with answering(None) as silent:
        configured(silent)
        thread = threading.Thread(target=agent)
        thread.start()
        waits = sg.guard.current().control  # type: ignore[union-attr]
        until(lambda: waits._asked, "the call asks the engine")
        sg.shutdown(0.1)
        thread.join(10)
    assert ended == [None]


# A connection that is just being made: anyio then leaves a coroutine of its own behind.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_who_asks_while_the_line_ends_is_answered(sink: str) -> None:
    body = {"id": "a-request", "tenant": "acme"}
    for _ in range(20):
        control = Control(Settings(policies=sink))
        answers: list[Any] = []
        asking = threading.Thread(
            target=lambda of=control, told=answers: told.extend(of.ask(body, 0.0) for _ in range(200))
        )
        asking.start()
        control.close(0.0)
        asking.join()
        assert [answer.result(5) for answer in answers] == [None] * 200
    # So that it is found here, and in no other test.
    gc.collect()


def test_a_line_that_cannot_be_opened_holds_nobody_up(caplog: pytest.LogCaptureFixture) -> None:
    # Settings.read refuses such a key.
    control = Control(Settings(policies="http://127.0.0.1:9", api_key="schlüssel"))
    assert control.ask({"id": "a-request"}, 0.0).result(1) is None
    assert caplog.messages == ["there is no line to the policy engine, a fault: UnicodeEncodeError"]
