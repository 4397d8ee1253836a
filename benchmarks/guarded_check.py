"""Check: what the guard does before a call is sent, alone: the local decision, and a hold from those at hand.

The engine is real, and grants more in the background. Checks come in bursts, as of an agent that fans out; what they
drew is settled after a burst, and then is a pause, in which that and more holds are fetched. Two kinds are told apart:
the first of a burst, which finds neither its code nor its data in the processor's caches, and a check that finds few
holds left, has more asked for by a thread that it wakes, and shares the processor with it for the rest of its burst.
Nothing is sent to a provider.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from guarded_scene import MODEL, TENANT, WORKLOAD, Scene

import switchgear as sg
from switchgear import guard
from switchgear.guard.steps import Ask, Attempt
from switchgear.request import CallRequest
from switchgear.usage import Usage

__all__ = ["Checks", "checks"]

_BURSTS, _EACH, _WARMING = 6, 8, 2
_PAUSE_S = 0.03
_USAGE = Usage(input_uncached=20, output=50)
_REQUEST = CallRequest("openai", MODEL, {"model": MODEL, "max_tokens": 100, "messages": []}, 150)


@dataclass(slots=True)
class Checks:
    """Seconds of each, from the request that was read to the attempt that may be made."""

    local: list[float] = field(default_factory=list)
    first: list[float] = field(default_factory=list)
    """Those after a pause."""
    fetching: list[float] = field(default_factory=list)
    """Those that had more holds asked for, and what came in their burst after them."""


def checks(scene: Scene, *, tasks: int) -> Checks:
    """Check again and again; the first bursts of each task are not counted, nor a check that found no hold."""
    guarding, took = guard.current(), Checks()
    assert guarding is not None
    wire = guard.Wire(
        lambda _response: guard.Answer(200, {}), lambda _error: guard.Failure(sent=False, passing=False)
    )
    for _ in range(tasks):
        with sg.task(WORKLOAD, tenant=TENANT):
            for burst in range(_BURSTS):
                made, fetched = [], scene.holds.fetched
                for _ in range(_EACH):
                    began = time.perf_counter()
                    call = guarding.begin(_REQUEST, None)
                    assert call is not None
                    script = guarding.making(call, wire)
                    step = next(script)
                    ended = time.perf_counter()
                    made.append((call, script, step))
                    if burst >= _WARMING and isinstance(step, Attempt):
                        fetching = scene.holds.fetched > fetched
                        into = took.fetching if fetching else took.local if made[1:] else took.first
                        into.append(ended - began)
                for each in made:
                    _answered(*each)
                    scene.guarded_tokens += _USAGE.total
                time.sleep(_PAUSE_S)
    return took


def _answered(call: guard.Call, script: guard.Script[Any], step: Any) -> None:
    while isinstance(step, Ask):
        step = script.send(step.answer.result())
    assert isinstance(step, Attempt)
    try:
        script.send(None)
    except StopIteration:
        call.settle(_USAGE, MODEL)
