"""Tests of an agent: a provider that bills nobody, an engine that decides by script, time that is moved by hand."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import assert_type

import switchgear as sg
from switchgear import testing


def against_a_provider() -> None:
    price: testing.Price = lambda model, usage: Decimal(usage.total)  # noqa: E731 - it is the type that is of interest
    with testing.provider(
        limits={"openai": testing.Limits(requests_per_minute=600)},
        latency=testing.Latency(first_s=0.1),
        price=price,
        models=["gpt-4o"],
        headers={"x-region": "north"},
    ) as provider:
        assert_type(provider, testing.Provider)
        assert_type((provider.openai_url, provider.anthropic_url), tuple[str, str])
        assert_type((provider.google_url, provider.bedrock_url), tuple[str, str])
        assert_type(provider.served, Sequence[testing.Served])
        assert_type(provider.served[0].usage, sg.Usage)
        assert_type(provider.served[0].cost, Decimal | None)
        assert_type(provider.refused, Sequence[testing.Refused])
        assert_type(provider.refused[0].status == testing.TOO_MANY, bool)
        assert_type(provider.log(), testing.Log)
        provider.limit("openai", tokens_per_minute=1_000)
        provider.fail_next("openai", 429, times=2, retry_after_s=1.0)
        provider.fail_next("anthropic", testing.Fault.CUT)
        provider.reset()


def by_script() -> None:
    def own(asked: testing.Question) -> sg.Decision | None:
        assert_type((asked.number, asked.tenant, asked.task), tuple[int, str, str | None])
        raise testing.AwayError

    scripts: list[testing.Script] = [
        own,
        testing.allow(),
        testing.deny("over", after=2, remaining=Decimal(0)),
        testing.degrade("gpt-4o-mini", max_output_tokens=100),
        testing.throttle(0.5, after=1),
        testing.wrap_up(after=3),
        testing.away(after=4),
    ]
    with testing.decisions(*scripts) as engine:
        assert_type(engine, testing.Engine)
        sg.configure(collector=engine.url, policies=engine.url)
        assert_type(engine.asked, Sequence[testing.Question])
        assert_type(engine.settled, Sequence[testing.Settled])
        assert_type(engine.settled[0].usage, sg.Usage | None)
        assert_type(engine.released, Sequence[testing.Question])
        assert_type(engine.in_flight, int)
        engine.now(testing.allow())


def in_virtual_time() -> None:
    clock = testing.VirtualClock()
    clock.advance(90)
    assert_type((clock.monotonic(), clock.time(), clock.now()), tuple[float, float, datetime])

    async def slept() -> str:
        return "an hour"

    assert_type(clock.run(slept()), str)
    sg.Scheduler(concurrency=1, clock=clock.monotonic)
