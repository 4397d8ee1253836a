"""Every task hears its decision: however many there are, however fast they come, and whoever else is not heard."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from provider_clients import openai_call, openai_client
from waiting import until

import switchgear as sg
from collector.keys.keyring import FILE_NAME, Keyring
from switchgear import attributes
from switchgear.testing import Provider

Engines = Callable[..., Any]
Configure = Callable[..., TracerProvider]


def begin(stack: ExitStack, tenant: str = "acme") -> sg.Task:
    """A root task that runs until the end of the stack, beside those that began before it."""
    token = context.attach(context.Context())
    try:
        return stack.enter_context(sg.task("writer", tenant=tenant))
    finally:
        context.detach(token)


def hear(tasks: list[sg.Task]) -> bool:
    return all(task.decision is not None for task in tasks)


def test_more_tasks_than_an_engine_answers_at_once_hear_their_decisions(
    engine_of: Engines, configured: Configure, caplog: pytest.LogCaptureFixture
) -> None:
    configured(engine_of().url)
    with ExitStack() as stack:
        tasks = [begin(stack) for _ in range(10_001)]
        until(lambda: hear(tasks), "every task hears its decision", within_s=300)
    assert not caplog.records


def test_tasks_that_never_stop_beginning_keep_none_from_hearing_its_decision(
    engine_of: Engines, configured: Configure
) -> None:
    configured(engine_of().url)
    with ExitStack() as stack:
        first = [begin(stack) for _ in range(200)]
        until(lambda: begin(stack) and hear(first), "the first tasks hear their decisions", within_s=5)


@pytest.mark.parametrize("strangers", [1, 3])
def test_a_tenant_that_the_key_does_not_speak_for_keeps_no_other_from_hearing_its_decision(
    engine_of: Engines,
    configured: Configure,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    strangers: int,
) -> None:
    (tmp_path / "engine").mkdir()
    keyring = Keyring(tmp_path / "engine" / FILE_NAME)
    _, secret = keyring.create(["acme", "globex"], ["decide"], now=datetime.now(UTC))
    configured(engine_of().url, api_key=secret)
    with ExitStack() as stack:
        refused = [begin(stack, tenant=f"stranger-{number}") for number in range(strangers)]
        heard = [begin(stack, tenant=tenant) for tenant in ("acme", "globex", "acme")]
        until(lambda: hear(heard), "the others hear their decisions")
        assert not any(task.decision for task in refused)
        expected = [
            f"the policy engine tells this key no decisions for tenant 'stranger-{number}'"
            for number in range(strangers)
        ]
        until(lambda: sorted(caplog.messages) == expected, "each stranger is named, and nothing else is said")


def test_a_call_that_the_engine_refuses_to_hold_for_lets_no_other_go_without_a_hold(
    engine_of: Engines, configured: Configure, provider: Provider, spans: InMemorySpanExporter, tmp_path: Path
) -> None:
    (tmp_path / "engine").mkdir()
    _, secret = Keyring(tmp_path / "engine" / FILE_NAME).create(["acme"], ["decide"], now=datetime.now(UTC))
    engine = engine_of()
    tracer = configured(engine.url, api_key=secret).get_tracer("test")
    with openai_client(provider) as client:
        guarded = sg.wrap(client)
        for tenant in ("stranger", "acme"):
            with sg.task("writer", tenant=tenant), tracer.start_as_current_span(tenant):
                openai_call(guarded)
    assert len(provider.log().served) == 2
    held = {span.name: attributes.LEASE_ID in (span.attributes or {}) for span in spans.get_finished_spans()}
    assert (held["stranger"], held["acme"]) == (False, True)
