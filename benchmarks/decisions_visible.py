"""Visible: from the end of a call that breaks a task's ceiling to the answer of the agent that waits for a decision.

A few hundred agents wait at once, each with its long poll; every few hundredths of a second one of their tasks makes
a call that costs more than the task may. Guarded, the end of the call is its settlement. By spans alone it is the end
of the span, which the SDK's own exporter then sends to the collector, and whose booking the engine hears of.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict

import uvloop
from connection import Connection, post
from decisions_pairs import MODEL, PROVIDER
from decisions_scene import WAITING, Scene, Scope
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from spans import TENANTS

import switchgear as sg

__all__ = ["by_spans", "guarded"]

AGENTS, EVERY_S = 200, 0.04
_POLL_S = 5.0
_WITHIN_S = 30.0
# Two cents at this model's prices, where the task may spend one.
_DEAR_OUTPUT = 40_000

# Makes a scope's dear call; when it ended, by `time.perf_counter`.
_Call = Callable[[Scope], Awaitable[float]]


def guarded(scene: Scene, agents: int = AGENTS) -> list[float]:
    """Seconds from the settlement of a dear call to the denial, one for each agent."""
    connection = Connection(scene.policies.url)

    async def call(scope: Scope) -> float:
        grant = {
            "id": f"dear-{scope.tenant}-{scope.task}",
            "tenant": scope.tenant,
            "workload": scope.workload,
            "task": scope.task,
            "provider": PROVIDER,
            # Each a model of its own: of one that has cost too much before, no call would be let go.
            "model": f"dear-{scope.task}",
            "input_bytes": 100,
            "max_output_tokens": 100,
        }
        _, body = await connection.ask(post("/v1/grants", grant, key=scene.key))
        granted = json.loads(body)["grant"]
        assert granted is not None, body
        ended_at = time.perf_counter()
        settle = {"usage": {"input_uncached": 25, "output": _DEAR_OUTPUT}}
        status, body = await connection.ask(post(f"/v1/grants/{granted['id']}:settle", settle, key=scene.key))
        assert status == 200, body
        return ended_at

    return uvloop.run(_seen(scene, "guarded", agents, call))


def by_spans(scene: Scene, agents: int = AGENTS) -> list[float]:
    """Seconds from the end of a dear call's span to the denial, one for each agent."""
    provider = TracerProvider()
    sg.configure(collector=scene.collector.url, api_key=scene.key, guard=False, tracer_provider=provider)
    tracer = provider.get_tracer("opentelemetry.instrumentation.genai.openai")
    told = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": PROVIDER,
        "gen_ai.request.model": MODEL,
        "gen_ai.response.model": MODEL,
        "gen_ai.usage.input_tokens": 25,
        "gen_ai.usage.output_tokens": _DEAR_OUTPUT,
    }

    async def call(scope: Scope) -> float:
        with sg.task(scope.workload, tenant=scope.tenant, id=scope.task):
            tracer.start_span("chat", kind=trace.SpanKind.CLIENT, attributes=told).end()
            return time.perf_counter()

    try:
        return uvloop.run(_seen(scene, "spans", agents, call))
    finally:
        sg.shutdown()


async def _seen(scene: Scene, name: str, agents: int, call: _Call) -> list[float]:
    waiting = [Scope(TENANTS[number % len(TENANTS)], WAITING, f"{name}-{number}") for number in range(agents)]
    polling = asyncio.Semaphore(0)
    denials = [asyncio.create_task(_denied(scene, scope, polling)) for scope in waiting]
    for _ in waiting:
        await polling.acquire()
    ended = []
    for scope in waiting:
        ended.append(await call(scope))
        await asyncio.sleep(EVERY_S)
    async with asyncio.timeout(_WITHIN_S):
        return [await denial - at for denial, at in zip(denials, ended, strict=True)]


async def _denied(scene: Scene, scope: Scope, polling: asyncio.Semaphore) -> float:
    """When the agent, who polls as the SDK does, was told no."""
    connection = Connection(scene.policies.url)
    etag = None
    while True:
        body = {"scopes": [asdict(scope)], "etag": etag, "wait": _POLL_S if etag else 0}
        if etag:
            polling.release()
        status, content = await connection.ask(post("/v1/decisions:batch", body, key=scene.key))
        assert status == 200, content
        answer = json.loads(content)
        if answer["decisions"][0]["action"] == "deny":
            connection.close()
            return time.perf_counter()
        etag = answer["etag"]
