"""The examples per framework run as they stand, and the engine counts each call for the task that made it."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from inspect import iscoroutinefunction
from math import inf
from pathlib import Path
from typing import Any

import agents
import pytest
from opentelemetry.sdk.trace import TracerProvider

import switchgear as sg
from switchgear.testing import Provider

EXAMPLES = Path(__file__).parents[3] / "examples" / "frameworks"
DOCUMENT = EXAMPLES.parents[1] / "docs" / "frameworks.md"
ENDS_WITHIN_S = 120

Engines = Callable[..., Any]
Configure = Callable[..., TracerProvider]

QUESTION = "How did sales go in Q3?"
TOOL = '[[demo output=20 tool=read_report args={"quarter": "Q3"}]]'
HANDOFF = "[[demo output=20 tool=transfer_to_analyst]]"
# What is asked of each, and how many calls the engine then counts for the task at the top and for those inside it.
RUNS = [
    pytest.param("langchain_chat", "summarize", QUESTION, {"summarize-sales": 1}, {}, id="LangChain"),
    # The model calls the tool, the tool asks a model, and the model answers by what the tool said.
    pytest.param(
        "langgraph_agent", "answer", TOOL, {"answer-question": 2}, {"read-report": 1}, id="LangGraph"
    ),
    # One call hands over, and one more is the answer of the agent that took over.
    pytest.param(
        "openai_agents_handoff", "answer", HANDOFF, {"answer-question": 2}, {}, id="OpenAI Agents handoff"
    ),
    pytest.param(
        "pydantic_ai_agent", "answer", TOOL, {"answer-question": 2}, {"read-report": 1}, id="pydantic-ai"
    ),
    pytest.param("thread_pool", "read_all", ["Q1", "Q2", "Q3", "Q4"], {}, {"read-report": 4}, id="threads"),
]
# Each as the program that it is, without arguments; one process for all, since what they import takes seconds.
PROGRAM = """
import runpy, sys
import switchgear as sg
examples, sys.argv = sys.argv[1:], sys.argv[:1]
for example in examples:
    runpy.run_path(example, run_name="__main__")
    sg.shutdown()
"""


def environment(provider: Provider) -> dict[str, str]:
    return {
        "OPENAI_API_KEY": "none",
        "OPENAI_BASE_URL": provider.openai_url,
        # It sends traces to its maker by itself.
        "OPENAI_AGENTS_DISABLE_TRACING": "1",
    }


def loaded(example: str) -> Any:
    spec = importlib.util.spec_from_file_location(f"example_{example}", EXAMPLES / f"{example}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def asked(example: Any, function: str, question: Any) -> Any:
    """What a function of an example answers, sync or async. LangChain keeps its HTTP clients open by itself."""
    ask, client = getattr(example, function), getattr(example, "client", nullcontext())

    async def asynchronous() -> Any:
        async with client:
            return await ask(question)

    if iscoroutinefunction(ask):
        return asyncio.run(asynchronous())
    with client:
        return ask(question)


def counted(engine: Any) -> tuple[dict[str, int], dict[str, int]]:
    """How many calls each workload made, at the top of the task tree and inside it; all in one tree."""
    calls = [each.to_wire() for each in engine.runtime.engine.unbooked.overdue(inf)]
    assert len({call["root_task_id"] for call in calls}) == 1
    top = [call for call in calls if call["task_id"] == call["root_task_id"]]
    inside = [call for call in calls if call["task_id"] != call["root_task_id"]]
    assert all(call["parent_task_id"] == call["root_task_id"] for call in inside)
    # Each ran as a task of its own.
    assert len({call["task_id"] for call in inside}) == len(inside)
    return Counter(call["workload"] for call in top), Counter(call["workload"] for call in inside)


@pytest.fixture
def load(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    """Import an example, which makes its client for the provider of this test."""
    for name, value in environment(provider).items():
        monkeypatch.setenv(name, value)
    # The SDK reads that variable once.
    agents.set_tracing_disabled(disabled=True)
    return loaded


@pytest.mark.parametrize(("example", "function", "question", "top", "inside"), RUNS)
def test_each_call_of_an_example_counts_for_the_task_that_made_it(
    example: str,
    function: str,
    question: Any,
    top: dict[str, int],
    inside: dict[str, int],
    load: Callable[[str], Any],
    provider: Provider,
    engine_of: Engines,
    configured: Configure,
) -> None:
    engine = engine_of(limit="100")
    configured(engine.url)

    asked(load(example), function, question)

    assert sg.flush()
    assert counted(engine) == (top, inside)
    assert len(provider.log().served) == sum(top.values()) + sum(inside.values())


@pytest.mark.parametrize(("example", "function", "question", "top", "inside"), RUNS)
def test_an_example_says_that_its_budget_is_used_up(
    example: str,
    function: str,
    question: Any,
    top: dict[str, int],
    inside: dict[str, int],
    load: Callable[[str], Any],
    provider: Provider,
    engine_of: Engines,
    configured: Configure,
) -> None:
    configured(engine_of(limit="0.000001").url)

    answer = asked(load(example), function, question)

    answers = answer if isinstance(answer, list) else [answer]
    assert len(answers) == (len(question) if isinstance(question, list) else 1)
    assert all(re.match("stopped: .*acme-hour", each) for each in answers)
    assert provider.log().served == ()


def test_a_sub_agent_behind_a_tool_of_the_agents_sdk_is_a_task_of_its_own(
    load: Callable[[str], Any], engine_of: Engines, configured: Configure
) -> None:
    engine = engine_of(limit="100")
    configured(engine.url)
    example = load("openai_agents_handoff")
    # Asked at once: a marker orders its calls of one agent, not of the one before and the one after a handoff.
    example.desk = example.analyst

    asked(example, "answer", TOOL)

    assert sg.flush()
    assert counted(engine) == ({"answer-question": 2}, {"read-report": 1})


def test_the_examples_run_as_the_programs_that_they_are(
    provider: Provider, engine_of: Engines, sink: str
) -> None:
    urls = {"SWITCHGEAR_COLLECTOR": sink, "SWITCHGEAR_POLICIES": engine_of(limit="100").url}
    ours = {name: value for name, value in os.environ.items() if not name.startswith("SWITCHGEAR_")}
    programs = sorted(str(path) for path in EXAMPLES.glob("*.py"))

    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, *programs],
        env={**ours, **urls, **environment(provider)},
        capture_output=True,
        text=True,
        timeout=ENDS_WITHIN_S,
    )

    assert ran.returncode == 0, ran.stderr
    # One answer of each of the first four, and one for each of four parts by the threads.
    assert len(provider.log().served) == 4 + 4
    assert [line[:4] for line in ran.stdout.splitlines()] == ["word"] * (4 + 4)


def test_the_document_shows_parts_of_the_examples_as_they_are() -> None:
    shown = re.findall(r"^```python\n(.*?)^```$", DOCUMENT.read_text(), re.DOTALL | re.MULTILINE)
    programs = [path.read_text() for path in EXAMPLES.glob("*.py")]
    assert len(shown) == len(programs)
    assert [part for part in shown if not any(part in program for program in programs)] == []
