"""Exporting: an agent that makes calls and sends them to a collector, in a test or as a process of its own.

python exporting.py COLLECTOR SPOOL keeps       makes three calls, says so when they are sent or kept, lives on
python exporting.py COLLECTOR SPOOL workers     has three worker processes make two calls each
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
from pathlib import Path
from typing import Any

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

from switchgear.export import Outbox
from switchgear.settings import Settings

__all__ = ["SECRET", "Agent"]

SECRET = "4111-1111-1111-1111"
"""What stands in every prompt, and may lie on no disk."""


class Agent:
    """A process's outbox, and what fills it."""

    def __init__(self, collector: str, spool: Path, tenant: str = "acme", **given: Any) -> None:
        self.outbox = Outbox(
            Settings.read(environ={}, collector=collector, spool=spool, flush_ms=20, **given)
        )
        self.tenant = tenant
        self._provider = TracerProvider(resource=Resource.get_empty(), shutdown_on_exit=False)
        self._provider.add_span_processor(self.outbox)
        self._tracer = self._provider.get_tracer("opentelemetry.instrumentation.genai.openai")

    def calls(self, count: int = 1) -> None:
        """So many calls of one output token, with their prompts."""
        for _ in range(count):
            told = {
                "switchgear.tenant": self.tenant,
                "gen_ai.operation.name": "chat",
                "gen_ai.request.model": "gpt-4o-mini",
                "gen_ai.usage.input_tokens": 10,
                "gen_ai.usage.output_tokens": 1,
                "gen_ai.input.messages": SECRET,
            }
            self._tracer.start_span(f"chat {SECRET}", attributes=told).end()

    def batches(self, count: int) -> None:
        """So many bodies of one call, one after the other."""
        for _ in range(count):
            self.calls()
            self.outbox.flush(5)


def _main(collector: str, spool: str, does: str) -> None:
    agent = Agent(collector, Path(spool))
    if does == "keeps":
        agent.batches(3)
        print("kept", flush=True)  # noqa: T201 - whoever started this process waits for it
        time.sleep(60)
        return
    if does == "forks":
        children = [_child(agent) for _ in range(10)]
        failed = [child for child in children if os.waitpid(child, 0)[1]]
        sys.exit(not agent.outbox.flush(10) or len(failed))
    fork = multiprocessing.get_context("fork")
    workers = [fork.Process(target=agent.calls, args=(2,)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    agent.outbox.close(2.0)


def _child(agent: Agent) -> int:
    """Make a call, then another process that makes two."""
    agent.calls(1)
    if child := os.fork():
        return child
    agent.calls(2)
    os._exit(not agent.outbox.flush(10) or agent.outbox.counts().sent != 2)


if __name__ == "__main__":
    _main(*sys.argv[1:])
