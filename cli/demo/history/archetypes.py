"""Archetypes: the kinds of agents that a company runs, and the models that they ask, as tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .rhythm import Rhythm

__all__ = ["AGENTS", "MODELS", "PLATFORM", "UNPRICED", "Archetype", "Model", "Tokens"]


@dataclass(frozen=True, slots=True)
class Model:
    """What is asked and what answers."""

    provider: str
    asked: str
    answers: str
    """The dated name in the answer."""
    token_s: float
    """Seconds for a token of output, roughly."""
    reasons: bool = False
    """Whether part of its output is reasoning."""
    writes: bool = False
    """Whether writing to the prompt cache is counted apart."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """A log-normal number of tokens."""

    median: float
    sigma: float


@dataclass(frozen=True, slots=True)
class Archetype:
    """How the tasks of one kind of agent look."""

    name: str
    department: str
    """Who answers and pays for such agents."""
    tier: str
    rhythm: Rhythm
    weight: float
    """Calls, relative to the other kinds."""
    models: tuple[tuple[str, float, float], ...]
    """Names in `MODELS`, each with its share of the calls at the begin and at the end of the history."""
    input: Tokens
    output: Tokens
    calls: Tokens = Tokens(1, 0.0)
    """In one task."""
    most_calls: int = 1
    gap_s: float = 2.0
    """Between two calls of one agent, on average."""
    branch: int = 0
    """Where it hands work to sub-agents: how many calls each of them makes."""
    fan: int = 1
    """How many sub-agents an agent starts."""
    cached: float = 0.0
    """The share of calls that find a part of their prompt in the cache."""
    hour_cache: bool = False
    """Whether what it writes to the cache stays an hour, not five minutes."""
    service: tuple[str, float] = ("", 0.0)
    """A service tier, and the share of calls that use it where the model has it."""
    retried: float = 0.015
    """The share of calls that take more than one attempt."""
    cut: float = 0.0
    """The share of calls whose stream breaks off before it says its usage."""
    failing: float = 0.02
    """The share of tasks that fail."""
    users: int = 0
    """How many of the tenant's users it serves; 0 where it knows none."""
    in_task: bool = True
    """Whether its calls are made in tasks."""


MODELS: Mapping[str, Model] = {
    "gpt-4o": Model("openai", "gpt-4o", "gpt-4o-2024-08-06", 0.011),
    "gpt-4o-mini": Model("openai", "gpt-4o-mini", "gpt-4o-mini-2024-07-18", 0.008),
    "gpt-4.1": Model("openai", "gpt-4.1", "gpt-4.1-2025-04-14", 0.010),
    "gpt-4.1-mini": Model("openai", "gpt-4.1-mini", "gpt-4.1-mini-2025-04-14", 0.007),
    "gpt-5": Model("openai", "gpt-5", "gpt-5-2025-08-07", 0.014, reasons=True),
    "gpt-5-mini": Model("openai", "gpt-5-mini", "gpt-5-mini-2025-08-07", 0.008, reasons=True),
    "gpt-5-nano": Model("openai", "gpt-5-nano", "gpt-5-nano-2025-08-07", 0.005, reasons=True),
    "opus": Model("anthropic", "claude-opus-4-5", "claude-opus-4-5-20251101", 0.017, writes=True),
    "sonnet": Model("anthropic", "claude-sonnet-4-5", "claude-sonnet-4-5-20250929", 0.014, writes=True),
    "haiku": Model("anthropic", "claude-haiku-4-5", "claude-haiku-4-5-20251001", 0.007, writes=True),
    "pro": Model("google", "gemini-2.5-pro", "gemini-2.5-pro", 0.009, reasons=True),
    "flash": Model("google", "gemini-2.5-flash", "gemini-2.5-flash", 0.005),
    "flash-lite": Model("google", "gemini-2.5-flash-lite", "gemini-2.5-flash-lite", 0.004),
    "house": Model("openai", "house-llama-70b-legal", "house-llama-70b-legal", 0.012),
}

UNPRICED = "house"
"""The model that no price book knows."""

AGENTS = (
    Archetype(
        "support-chat",
        department="Customer Support",
        tier="interactive",
        rhythm=Rhythm.EVENING,
        weight=3.2,
        models=(("gpt-4o", 0.6, 0.25), ("gpt-5-mini", 0.1, 0.45), ("haiku", 0.3, 0.3)),
        calls=Tokens(5, 0.6),
        most_calls=40,
        gap_s=35,
        input=Tokens(1_500, 0.7),
        output=Tokens(180, 0.6),
        cached=0.65,
        cut=0.006,
        users=4_000,
    ),
    Archetype(
        "knowledge-rag",
        department="Knowledge Management",
        tier="interactive",
        rhythm=Rhythm.OFFICE,
        weight=2.4,
        models=(("sonnet", 0.3, 0.3), ("flash", 0.5, 0.5), ("gpt-4.1-mini", 0.2, 0.2)),
        calls=Tokens(3, 0.5),
        most_calls=12,
        gap_s=6,
        input=Tokens(5_200, 0.6),
        output=Tokens(320, 0.6),
        cached=0.3,
        cut=0.003,
        users=1_500,
    ),
    Archetype(
        "nightly-ingest",
        department="Data Platform",
        tier="background",
        rhythm=Rhythm.NIGHT,
        weight=3.0,
        models=(("gpt-4o-mini", 0.7, 0.5), ("flash-lite", 0.3, 0.5)),
        calls=Tokens(45, 0.5),
        most_calls=240,
        gap_s=1.5,
        branch=10,
        fan=12,
        input=Tokens(2_600, 0.5),
        output=Tokens(260, 0.4),
        service=("batch", 0.7),
        retried=0.03,
    ),
    Archetype(
        "coding-agent",
        department="Engineering",
        tier="batch",
        rhythm=Rhythm.OFFICE,
        weight=2.2,
        models=(("sonnet", 0.7, 0.7), ("opus", 0.05, 0.12), ("gpt-5", 0.25, 0.18)),
        calls=Tokens(28, 0.9),
        most_calls=320,
        gap_s=9,
        branch=6,
        fan=3,
        input=Tokens(14_000, 0.8),
        output=Tokens(650, 0.8),
        cached=0.85,
        hour_cache=True,
        failing=0.08,
        cut=0.002,
        users=220,
    ),
    Archetype(
        "meeting-summarizer",
        department="Workplace",
        tier="batch",
        rhythm=Rhythm.OFFICE,
        weight=1.3,
        models=(("haiku", 0.6, 0.6), ("flash", 0.4, 0.4)),
        calls=Tokens(2, 0.5),
        most_calls=8,
        input=Tokens(7_500, 0.7),
        output=Tokens(420, 0.5),
        users=900,
    ),
    Archetype(
        "ticket-classifier",
        department="Customer Support",
        tier="interactive",
        rhythm=Rhythm.EVENING,
        weight=2.6,
        models=(("gpt-5-nano", 0.5, 0.7), ("gpt-4o-mini", 0.5, 0.3)),
        calls=Tokens(2, 0.3),
        most_calls=4,
        gap_s=1,
        input=Tokens(700, 0.5),
        output=Tokens(45, 0.5),
        cached=0.2,
    ),
    Archetype(
        "contract-review",
        department="Legal",
        tier="batch",
        rhythm=Rhythm.OFFICE,
        weight=0.7,
        models=(("pro", 0.5, 0.5), ("opus", 0.2, 0.2), ("sonnet", 0.3, 0.3)),
        calls=Tokens(12, 0.6),
        most_calls=60,
        gap_s=8,
        branch=4,
        fan=4,
        input=Tokens(18_000, 0.6),
        output=Tokens(900, 0.5),
        cached=0.5,
        failing=0.04,
    ),
    Archetype(
        "sales-research",
        department="Sales Operations",
        tier="batch",
        rhythm=Rhythm.OFFICE,
        weight=1.2,
        models=(("gpt-5", 0.4, 0.5), ("gpt-5-mini", 0.6, 0.5)),
        calls=Tokens(9, 0.6),
        most_calls=50,
        gap_s=5,
        branch=3,
        fan=3,
        input=Tokens(4_200, 0.7),
        output=Tokens(700, 0.6),
        service=("flex", 0.25),
        cached=0.35,
        users=260,
    ),
    Archetype(
        "invoice-extraction",
        department="Finance Operations",
        tier="background",
        rhythm=Rhythm.NIGHT,
        weight=1.6,
        models=(("flash", 0.6, 0.6), ("gpt-4.1-mini", 0.4, 0.4)),
        calls=Tokens(20, 0.4),
        most_calls=80,
        gap_s=1,
        input=Tokens(3_100, 0.5),
        output=Tokens(380, 0.4),
        service=("batch", 0.5),
    ),
    Archetype(
        "translation",
        department="Marketing",
        tier="background",
        rhythm=Rhythm.OFFICE,
        weight=1.0,
        models=(("gpt-4.1-mini", 0.5, 0.5), ("haiku", 0.5, 0.5)),
        calls=Tokens(6, 0.5),
        most_calls=30,
        gap_s=2,
        input=Tokens(1_100, 0.5),
        output=Tokens(1_000, 0.5),
        service=("batch", 0.3),
    ),
    Archetype(
        "report-writer",
        department="Finance Operations",
        tier="batch",
        rhythm=Rhythm.MONDAY,
        weight=0.6,
        models=(("sonnet", 0.6, 0.6), ("gpt-4.1", 0.4, 0.4)),
        calls=Tokens(7, 0.5),
        most_calls=30,
        gap_s=10,
        input=Tokens(6_000, 0.6),
        output=Tokens(1_400, 0.5),
        cached=0.4,
        failing=0.05,
    ),
)

PLATFORM = (
    Archetype(
        "model-router",
        department="AI Platform",
        tier="interactive",
        rhythm=Rhythm.OFFICE,
        weight=2.0,
        models=(("gpt-5-nano", 0.8, 0.8), ("flash-lite", 0.2, 0.2)),
        input=Tokens(420, 0.4),
        output=Tokens(22, 0.4),
        in_task=False,
    ),
    Archetype(
        "safety-guardrail",
        department="AI Platform",
        tier="interactive",
        rhythm=Rhythm.EVENING,
        weight=1.8,
        models=(("flash-lite", 0.6, 0.6), ("haiku", 0.4, 0.4)),
        input=Tokens(900, 0.5),
        output=Tokens(30, 0.4),
        cached=0.4,
        in_task=False,
    ),
    Archetype(
        "eval-harness",
        department="AI Platform",
        tier="background",
        rhythm=Rhythm.NIGHT,
        weight=0.9,
        models=(("gpt-5", 0.5, 0.5), ("sonnet", 0.5, 0.5)),
        calls=Tokens(60, 0.4),
        most_calls=200,
        gap_s=2,
        branch=20,
        fan=8,
        input=Tokens(2_400, 0.6),
        output=Tokens(300, 0.6),
        service=("flex", 0.5),
    ),
)
"""What the company runs for all its agents."""
