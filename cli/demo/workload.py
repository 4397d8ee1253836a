"""The 2 a.m. scene as data: who wants which calls, and when. Pure; the seed fixes all of it.

    northwind   its nightly document pipeline: background, a few tasks that fan out to 40-80 calls each
    brightline  its support agent: interactive, a product launch brings a surge of conversations
    civic       its compliance review: batch, a filing that is due when the scene ends

All three share one OpenAI account, whose limit is below what they want together. `scale` stretches the scene's
time and with it the number of tasks: 1 is about 40 s of arrivals.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["TENANTS", "Branch", "CallPlan", "TaskPlan", "TenantPlan", "plan"]

TENANTS = ("northwind", "brightline", "civic")
_CHARACTERS_PER_TOKEN = 4
_ARRIVALS_S = 40.0
_GRACE_S = 15.0


@dataclass(frozen=True, slots=True)
class CallPlan:
    """One call that an agent wants to make. Tokens are what the fake provider will count."""

    provider: str
    model: str
    input_tokens: int
    cached_tokens: int
    written_tokens: int
    output_tokens: int
    max_tokens: int

    @property
    def prompt(self) -> str:
        """A text of exactly that size, with the marker that tells the fake provider what to answer."""
        marker = (
            f"[[demo output={self.output_tokens} cached={self.cached_tokens} "
            f"write_5m={self.written_tokens}]] "
        )
        filler = "the quick brown fox jumps over the lazy dog "
        size = self.input_tokens * _CHARACTERS_PER_TOKEN
        return (marker + filler * (size // len(filler) + 1))[:size]


@dataclass(frozen=True, slots=True)
class Branch:
    """Calls that one agent works through, `width` at a time. `sub_agent` runs it as a task of its own."""

    calls: tuple[CallPlan, ...]
    width: int
    sub_agent: bool = False


@dataclass(frozen=True, slots=True)
class TaskPlan:
    """One run of a workload: stages one after the other, the branches of a stage side by side.

    It fails once more than `tolerance` of its calls are lost; below that it ends without them.
    """

    id: str
    workload: str
    tier: str
    starts_s: float
    stages: tuple[tuple[Branch, ...], ...]
    tolerance: float = 0.0

    @property
    def calls(self) -> int:
        """How many calls it makes when all goes well."""
        return sum(len(branch.calls) for stage in self.stages for branch in stage)


@dataclass(frozen=True, slots=True)
class TenantPlan:
    """What one tenant's agents do. After `closes_s` they start no further call and end with what they have."""

    tenant: str
    closes_s: float
    tasks: tuple[TaskPlan, ...]


def plan(tenant: str, *, seed: int, scale: float = 1.0) -> TenantPlan:
    """What `tenant` wants in the scene of this seed. Each tenant draws from a generator of its own."""
    draw = random.Random(f"{seed}/{tenant}")  # noqa: S311 - a workload, not a secret
    lasts_s = _ARRIVALS_S * scale
    # Who talks to a customer ends every conversation that has begun.
    grace_s = _GRACE_S if tenant == "brightline" else 0.0
    tasks = sorted(_TASKS[tenant](draw, lasts_s), key=lambda task: task.starts_s)
    return TenantPlan(tenant, closes_s=lasts_s + grace_s, tasks=tuple(tasks))


def _northwind(draw: random.Random, lasts_s: float) -> Iterator[TaskPlan]:
    """Document sets in the first half: an outline, then all pages by four sub-agents, then a summary."""
    sets = max(2, round(lasts_s / 6))
    for number in range(sets):
        pages = [_page(draw) for _ in range(draw.randint(38, 78))]
        fan_out = tuple(Branch(tuple(pages[part::4]), width=3, sub_agent=True) for part in range(4))
        outline, summary = (Branch((_page(draw),), width=1) for _ in range(2))
        yield TaskPlan(
            id=f"northwind-{number:03}",
            workload="nightly-ingest",
            tier="background",
            starts_s=number * lasts_s / 2 / sets,
            stages=((outline,), fan_out, (summary,)),
            tolerance=0.1,
        )


def _page(draw: random.Random) -> CallPlan:
    size = min(6_000, round(draw.lognormvariate(7.3, 0.5)))  # median 1,480 tokens
    return CallPlan("openai", "gpt-4o", size, 0, 0, _length(draw, 300), max_tokens=900)


def _brightline(draw: random.Random, lasts_s: float) -> Iterator[TaskPlan]:
    """Conversations: half a second apart in the surge (the middle three fifths), else 1.6 s. Triage, draft, answer."""
    at_s, number = 0.0, 0
    while at_s < lasts_s:
        triage = CallPlan("anthropic", "claude-haiku-4-5", 1_200, 800, 200, _length(draw, 60), max_tokens=200)
        turns = tuple(
            CallPlan("openai", "gpt-4o", 900 + 400 * turn, 512, 0, _length(draw, 180), max_tokens=500)
            for turn in range(2)
        )
        yield TaskPlan(
            id=f"brightline-{number:03}",
            workload="support-agent",
            tier="interactive",
            starts_s=at_s,
            stages=tuple((Branch((call,), width=1),) for call in (triage, *turns)),
        )
        surge = 0.2 <= at_s / lasts_s <= 0.8
        at_s += draw.expovariate(1 / (0.5 if surge else 1.6))
        number += 1


def _civic(draw: random.Random, lasts_s: float) -> Iterator[TaskPlan]:
    """Filings to review before the deadline; and a notebook that nobody registered."""
    for number in range(max(1, round(lasts_s / 12))):
        documents = tuple(_document(draw) for _ in range(draw.randint(16, 22)))
        verdict = Branch((_document(draw),), width=1)
        yield TaskPlan(
            id=f"civic-{number:03}",
            workload="compliance-review",
            tier="batch",
            starts_s=1.0 + number * lasts_s / 5,
            stages=((Branch(documents, width=4),), (verdict,)),
        )
    note = CallPlan("openai", "gpt-4o-mini", 600, 0, 0, _length(draw, 80), max_tokens=200)
    yield TaskPlan("civic-notebook", "prompt-lab", "batch", lasts_s / 2, ((Branch((note,) * 3, width=1),),))


def _document(draw: random.Random) -> CallPlan:
    size = draw.randint(1_000, 2_600)
    return CallPlan("openai", "gpt-4o", size, 256, 0, _length(draw, 250), max_tokens=700)


def _length(draw: random.Random, mean: int) -> int:
    """An output length around `mean`, sometimes past the caller's maximum, which then cuts it."""
    return max(8, round(draw.lognormvariate(0.0, 0.4) * mean))


_TASKS = {"northwind": _northwind, "brightline": _brightline, "civic": _civic}
