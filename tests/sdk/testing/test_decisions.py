"""Scripted decisions, by the SDK's own way; and that the real engine, put into the same state, has the same outcome."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import httpx
import openai
import pytest
from opentelemetry.sdk.trace import TracerProvider
from provider_clients import (
    OPENAI,
    anthropic_call,
    anthropic_client,
    async_openai_client,
    openai_call,
    openai_client,
)
from waiting import until

import switchgear as sg
from switchgear import testing
from switchgear.decision import Action
from switchgear.testing import Fault, allow, away, degrade, deny, throttle, wrap_up
from switchgear.testing.script import Question, Script, decide

Engines = Callable[..., Any]
Configure = Callable[..., TracerProvider]
THIRD = Question(3, "acme", "writer", "batch", "t-1")


def calls(client: Any, count: int) -> int:
    """Make so many, as far as they are allowed: how many were answered."""
    for made in range(count):
        try:
            client.chat.completions.create(**OPENAI)
        except sg.BudgetExceeded:
            return made
    return count


def test_the_third_call_is_denied_and_the_agent_is_told_why(
    provider: testing.Provider, configured: Configure
) -> None:
    with testing.decisions(deny("enough", after=2)) as engine, openai_client(provider) as client:
        configured(engine.url)
        with sg.task("writer", tenant="acme") as task:
            guarded = sg.wrap(client)
            assert calls(guarded, 5) == 2
            with pytest.raises(sg.BudgetExceeded, match="enough") as denied:
                openai_call(guarded)
        sg.flush()
        assert (denied.value.policy, len(provider.served)) == ("scripted", 2)
        # The script is asked about the fourth call, too, which was made after the third was refused.
        assert [(one.number, one.task_id, one.model) for one in engine.asked] == [
            (number, task.id, "gpt-4o") for number in (1, 2, 3, 4)
        ]
        assert [one.usage for one in engine.settled] == [one.usage for one in provider.served]
        assert [one.response_id for one in engine.settled] == [one.id for one in provider.served]
        assert engine.in_flight == 0


def test_a_call_is_degraded_from_now_on(provider: testing.Provider, configured: Configure) -> None:
    with testing.decisions() as engine, openai_client(provider) as client:
        configured(engine.url)
        with sg.task("writer", tenant="acme") as task:
            guarded = sg.wrap(client)
            openai_call(guarded)
            engine.now(degrade("gpt-4o-mini", max_output_tokens=20))
            until(lambda: task.decision is not None and task.decision.action == "degrade", "it is heard of")
            openai_call(guarded)
    # The first would write 50 tokens, and may.
    assert [(one.model, one.usage.output) for one in provider.served] == [("gpt-4o", 50), ("gpt-4o-mini", 20)]


def test_an_agent_that_wraps_up_after_two_calls_answers_with_what_it_has(
    provider: testing.Provider, configured: Configure
) -> None:
    with testing.decisions(wrap_up(after=2)) as engine, openai_client(provider) as client:
        configured(engine.url)
        with sg.task("writer", tenant="acme") as task:
            guarded = sg.wrap(client)
            openai_call(guarded)
            assert not task.wrap_up
            openai_call(guarded)
            until(lambda: task.wrap_up, "it is time to wrap up")


def test_a_throttled_call_waits_for_its_turn(provider: testing.Provider, configured: Configure) -> None:
    with testing.decisions(throttle(0.2, after=1)) as engine, openai_client(provider) as client:
        configured(engine.url)
        with sg.task("writer", tenant="acme"):
            assert calls(sg.wrap(client), 2) == 2
    first, second = provider.served
    assert (second.arrived_at - first.served_at).total_seconds() >= 0.2
    # One that waits and asks again counts once.
    assert len(engine.asked) == 2


def test_an_engine_that_goes_away_stops_nobody(provider: testing.Provider, configured: Configure) -> None:
    with testing.decisions(away(after=1)) as engine, openai_client(provider) as client:
        configured(engine.url)
        with sg.task("writer", tenant="acme"):
            assert calls(sg.wrap(client), 3) == 3
    assert len(provider.served) == 3


def test_a_call_that_the_provider_refuses_is_released(
    provider: testing.Provider, configured: Configure
) -> None:
    provider.fail_next("openai", 400)
    with testing.decisions() as engine, openai_client(provider) as client:
        configured(engine.url)
        with sg.task("writer", tenant="acme"), pytest.raises(Exception, match="Refused as ordered"):
            openai_call(sg.wrap(client))
        sg.flush()
        assert ([one.number for one in engine.released], engine.settled) == ([1], ())


def test_scripts_of_one_s_own_see_what_is_asked(provider: testing.Provider, configured: Configure) -> None:
    refused = deny("no messages")

    def by_model(asked: Question) -> Any:
        return refused(asked) if asked.model.startswith("claude") else None

    with (
        testing.decisions(by_model) as engine,
        openai_client(provider) as one,
        anthropic_client(provider) as other,
    ):
        configured(engine.url)
        with sg.task("writer", tenant="acme"):
            openai_call(sg.wrap(one))
            with pytest.raises(sg.BudgetExceeded, match="no messages"):
                anthropic_call(sg.wrap(other))
            openai_call(sg.wrap(one))
    assert len(provider.served) == 2


@pytest.mark.parametrize(
    ("scripts", "action", "wraps_up"),
    [
        pytest.param((), Action.ALLOW, False, id="none"),
        pytest.param((allow(), degrade("m"), throttle(1)), Action.DEGRADE, False, id="the strictest"),
        pytest.param((wrap_up(after=3), deny(after=3)), Action.ALLOW, True, id="wrap up at the third"),
        pytest.param((wrap_up(after=4), deny(after=2)), Action.DENY, False, id="denied from the third"),
        pytest.param((wrap_up(), deny()), Action.DENY, True, id="both"),
    ],
)
def test_of_several_scripts_the_strictest_applies(
    scripts: tuple[Script, ...], action: Action, *, wraps_up: bool
) -> None:
    said = decide(scripts, THIRD)
    assert (said.action, said.wrap_up) == (action, wraps_up)


def test_what_the_stand_in_does_not_know_it_refuses() -> None:
    with testing.decisions() as engine:
        assert httpx.get(f"{engine.url}/v1/budgets").status_code == 404
        refused = httpx.post(f"{engine.url}/v1/grants", json={"id": "g"})
        assert (refused.status_code, refused.headers["content-type"]) == (422, "application/problem+json")
        assert httpx.get(f"{engine.url}/v1/decisions?tenant=a&workload=w").json()["action"] == "allow"


# -- the same outcomes as with the real engine


@dataclass(frozen=True)
class Outcome:
    """What an agent and its provider saw."""

    answered: int
    models: list[str]
    refusals: int
    asked: int
    """How many calls the engine let go that have not ended."""


def scenario(engine: Any, provider: testing.Provider, in_flight: Callable[[], int]) -> Outcome:
    """An agent's calls, sync and async: one stream is left early, and of one the provider will know nothing."""
    refused = 0
    with openai_client(provider) as client, sg.task("writer", tenant="acme", tier="interactive") as task:
        guarded = sg.wrap(client)
        until(lambda: task.decision is not None, "the first decision")
        try:
            openai_call(guarded)
            stream = guarded.chat.completions.create(**OPENAI, stream=True)
            next(iter(stream))
            stream.close()
            provider.fail_next("openai", 400)
            with pytest.raises(openai.BadRequestError):
                openai_call(guarded)
        except sg.BudgetExceeded:
            refused += 1

        async def asynchronous() -> None:
            async with async_openai_client(provider) as other:
                await sg.wrap(other).chat.completions.create(**OPENAI)

        try:
            asyncio.run(asynchronous())
        except sg.BudgetExceeded:
            refused += 1
    sg.flush()
    until(lambda: in_flight() == 0, "every call has ended")
    return Outcome(len(provider.served), [one.model for one in provider.served], refused, in_flight())


STATES = [
    pytest.param((), {"limit": "100"}, None, id="allowed"),
    pytest.param((deny("as scripted"),), {"limit": "0.000001"}, None, id="denied"),
    pytest.param((deny("as scripted"),), {"limit": "100"}, "open", id="denied by hand"),
    pytest.param(
        (degrade("gpt-4o-mini"),), {"limit": "0.03", "ladder": "[{at: 0.001%, do: degrade}]"}, "spend",
        id="degraded",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("scripts", "engine", "first"), STATES)
def test_an_agent_fares_alike_over_the_stand_in_and_the_engine(
    scripts: tuple[Script, ...],
    engine: dict[str, str],
    first: str | None,
    engine_of: Engines,
    configured: Configure,
) -> None:
    outcomes = []
    with ExitStack() as stack:
        provider = stack.enter_context(testing.provider())
        stand_in = stack.enter_context(testing.decisions(*scripts))
        configured(stand_in.url)
        outcomes.append(scenario(stand_in, provider, lambda: stand_in.in_flight))
        sg.shutdown()
        provider.reset()
        real = engine_of(**engine)
        configured(real.url)
        if first == "open":
            real.force_open()
        elif first == "spend":
            spend_something(provider, real)
        outcomes.append(scenario(real, provider, lambda: real.budget()["calls_in_flight"]))
    assert outcomes[0] == outcomes[1]


def spend_something(provider: testing.Provider, engine: Any) -> None:
    with openai_client(provider) as client, sg.task("writer", tenant="acme", tier="interactive") as task:
        openai_call(sg.wrap(client))
        until(lambda: task.decision is not None and task.decision.action == "degrade", "the step is heard of")
    sg.flush()
    provider.reset()


def test_the_engine_s_own_bodies_are_read_and_answered_alike(engine_of: Engines) -> None:
    """Route by route: the stand-in takes what the engine takes, and answers with the same fields."""
    asked = {
        "tenant": "acme", "workload": "writer", "tier": "batch", "task": "t-1", "task_id": "t-1",
        "provider": "openai", "model": "gpt-4o", "input_bytes": 100, "max_output_tokens": 10,
    }  # fmt: skip
    scope = {"tenant": "acme", "workload": "writer", "task": "t-1"}
    usage = {"input_uncached": 1, "output": 1}
    routes: list[tuple[str, dict[str, Any]]] = [
        ("/v1/grants", {**asked, "id": "grant-0001"}),
        ("/v1/grants", {**asked, "id": "grant-0002", "spare": 3}),
        ("/v1/grants/grant-0001:1:extend", {"max_output_tokens": 20}),
        ("/v1/grants/grant-0001:1:settle", {"usage": usage, "model": "gpt-4o"}),
        ("/v1/grants/grant-0002:1:release", {"throttled_for_s": 0.01}),
        ("/v1/grants:finish", {"finished": [{"lease": "grant-0001:1", "do": "settle", "usage": None}]}),
        ("/v1/decisions:batch", {"scopes": [scope]}),
    ]
    real = engine_of()
    with testing.decisions() as stand_in:
        for route, body in routes:
            ours, theirs = (httpx.post(f"{url}{route}", json=body) for url in (stand_in.url, real.url))
            assert (ours.status_code, theirs.status_code) == (200, 200), (route, ours.text, theirs.text)
            assert fields(ours.json()) == fields(theirs.json()), route


def fields(value: Any) -> Any:
    """The names in a body, without what stands under them."""
    if isinstance(value, dict):
        return {name: fields(each) for name, each in value.items()}
    return [fields(each) for each in value] if isinstance(value, list) else None


def test_a_fault_of_the_provider_s_is_settled_at_its_hold(
    provider: testing.Provider, configured: Configure
) -> None:
    provider.fail_next("openai", Fault.NO_USAGE)
    with testing.decisions() as engine, openai_client(provider) as client:
        configured(engine.url)
        with sg.task("writer", tenant="acme"):
            openai_call(sg.wrap(client))
        sg.flush()
        assert [one.usage for one in engine.settled] == [None]
