"""What an agent is like while the policy engine or the collector is down, slow, wrong or started again."""

from __future__ import annotations

import asyncio
import itertools
import os
import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from answering import answering
from odd_engine import OddEngine, decision, odd_engine
from opentelemetry.sdk.trace import TracerProvider
from otlp_samples import Served
from provider_clients import OPENAI, OPENAI_COST, async_openai_client, openai_call, openai_client
from server import Policies
from serving import free_ports
from waiting import until

import switchgear as sg
from switchgear import testing
from switchgear.context import Task
from switchgear.control import control, following
from switchgear.control.away import Away
from switchgear.control.following import Following

Configure = Callable[..., TracerProvider]
Engines = Callable[..., Any]

BODY = {"id": "r-1", "model": "gpt-4o", "usage": {"prompt_tokens": 10, "completion_tokens": 50}}
# Far below the second and more that is waited for an answer, and above what other processes of a busy machine take. How
# long a call takes by itself `make bench-sdk` tells.
MOST_OF, SOON_S = 9, 0.05


def made(answer: Any = BODY) -> Any:
    """A guarded call that takes no time of its own."""
    return sg.guard.call(lambda: answer, provider="openai", model="gpt-4o", max_output_tokens=50)


def took(function: Callable[[], Any]) -> float:
    begun = time.perf_counter()
    function()
    return time.perf_counter() - begun


def nearly_all(seconds: list[float]) -> float:
    return statistics.quantiles(seconds, n=10)[MOST_OF - 1]


@contextmanager
def agent_of(policies: str, collector: str, spool: Path) -> Iterator[None]:
    """This process as an agent of services of its own."""
    sg.configure(collector=collector, policies=policies, spool=spool, tracer_provider=TracerProvider())
    try:
        yield
    finally:
        sg.shutdown(0.2)


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A poll that failed is made again soon, not within fifteen seconds."""
    monkeypatch.setattr(following, "_AGAIN_WITHIN_S", 0.1)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that a busy machine keeps waiting is there as well, for those who look at what it has counted: a call
    that goes without a hold is not known to it before its span is booked.
    """
    for module in (control, following):
        monkeypatch.setattr(module, "_ANSWERS_WITHIN_S", 20.0)


@pytest.fixture
def odd() -> Iterator[OddEngine]:
    with odd_engine() as engine:
        yield engine


# -- it is down


@pytest.mark.parametrize("fail", ["open", "closed"])
def test_while_the_engine_is_down_its_last_decision_holds_and_then_the_policys_mode_and_neither_takes_time(
    fail: str, configured: Configure
) -> None:
    stale_s = 1.5
    with testing.decisions(lambda asked: replace(testing.allow()(asked), fail=fail)) as engine:
        configured(engine.url, max_stale_s=stale_s)
        stack = ExitStack()
        task = stack.enter_context(sg.task("writer", tenant="acme"))
        until(lambda: task.decision is not None, "the decision is heard")
        made()
        until(lambda: len(engine.settled) == 1, "the engine was heard last")
        last_heard = time.monotonic()
    refused_at, seconds = None, []
    while refused_at is None and time.monotonic() < last_heard + stale_s + 1:
        begun = time.perf_counter()
        try:
            made()
        except sg.BudgetExceeded:
            refused_at = time.monotonic()
        seconds.append(time.perf_counter() - begun)
        time.sleep(0.005)
    reads = [took(lambda: task.decision) for _ in range(1000)]
    stack.close()
    assert nearly_all(seconds) < SOON_S
    assert nearly_all(reads) < SOON_S
    if fail == "open":
        assert refused_at is None
    else:
        assert refused_at == pytest.approx(last_heard + stale_s, abs=1)


# -- it is slow


def test_a_slow_engine_takes_one_second_of_an_agent_and_then_nothing(
    configured: Configure, *, soon: None
) -> None:
    with answering(None) as url:
        configured(url)
        with sg.task("writer", tenant="acme"):
            first = took(made)
            later = [took(made) for _ in range(500)]
        sg.shutdown(0.2)
    # It has a second to answer.
    assert first < 1.5
    assert nearly_all(later) < SOON_S


def test_no_call_finds_out_again_that_an_engine_is_silent_but_one_that_refuses_is_tried_again() -> None:
    silent, refusing = Away(), Away()
    silent.failed(1.0, now=0.0, silent=True)
    refusing.failed(1.0, now=0.0)
    # A second, with half of it more or less.
    assert (silent.skips(0.4), refusing.skips(0.4)) == (True, True)
    assert (silent.skips(600.0), refusing.skips(1.6)) == (True, False)
    silent.heard(600.0)
    assert not silent.skips(600.0)


@pytest.mark.parametrize("in_task", [True, False], ids=["in a task", "outside any"])
def test_an_engine_that_answers_again_is_asked_again(
    configured: Configure, monkeypatch: pytest.MonkeyPatch, *, in_task: bool, soon: None
) -> None:
    monkeypatch.setattr(following, "_WAIT_S", 0.2)
    slow = threading.Event()
    with testing.decisions(lambda asked: slow.wait(3) and None) as engine:
        configured(engine.url, tenant="acme")
        with sg.task("writer", tenant="acme") if in_task else nullcontext():
            made()
            assert took(made) < 0.5
            slow.set()
            until(lambda: (made(), engine.settled)[1], "a call has a hold again")


# -- it is wrong


GOOD = decision(5, "good")


@pytest.mark.parametrize(
    ("status", "body"),
    [
        pytest.param(500, b"Internal Server Error", id="500"),
        pytest.param(503, decision(9, "stopping"), id="503 with a decision"),
        pytest.param(200, os.urandom(500), id="garbage"),
        pytest.param(200, b"<!doctype html><title>Sign in</title>", id="HTML"),
        pytest.param(200, b"", id="nothing"),
        pytest.param(200, GOOD[: len(GOOD) // 2], id="half a JSON text"),
        pytest.param(200, b'{"etag": "e", "decisions": []}', id="no decision"),
        pytest.param(200, decision(4, "old"), id="an old version"),
        pytest.param(200, decision(9, "odd", action="perhaps"), id="an unknown action"),
    ],
)
def test_what_an_engine_says_wrong_changes_nothing_and_its_next_right_word_counts(
    status: int, body: bytes, odd: OddEngine, configured: Configure, *, soon: None
) -> None:
    odd.says(GOOD)
    configured(odd.url)

    def reason() -> str | None:
        return task.decision.reason if task.decision is not None else None

    with sg.task("writer", tenant="acme") as task:
        until(lambda: reason() == "good", "the first word is heard")
        odd.says(body, status)
        asked = odd.asked
        until(lambda: odd.asked >= asked + 3, "it was asked again and again")
        assert reason() == "good"
        odd.says(decision(6, "better"))
        until(lambda: reason() == "better", "the next right word is heard")


# -- it starts again


class Restarted:
    """The line of a thousand processes to one engine: it holds their polls, breaks them all at once, and comes back."""

    def __init__(self) -> None:
        self.asked: list[float] = []
        self.breaks = asyncio.Event()

    async def post(self, _url: str, *, json: Any, **_: Any) -> httpx.Response:
        now = asyncio.get_running_loop().time()
        self.asked.append(now)
        if self.breaks.is_set():
            raise httpx.ConnectError("nobody listens")
        if json["wait"]:
            with suppress(TimeoutError):
                await asyncio.wait_for(self.breaks.wait(), json["wait"])
                raise httpx.ReadError("broken off")
        request = httpx.Request("POST", "http://engine/")
        return httpx.Response(200, content=decision(1, "good"), request=request)


async def a_thousand(down_s: float) -> list[float]:
    line, each = Restarted(), []
    for n in range(1000):
        follows = Following(Away(), 60.0)
        follows.watch(Task(f"t{n}", f"t{n}", None, "writer", "acme", sg.Tier.BATCH))
        each.append(asyncio.create_task(follows.run(line)))  # type: ignore[arg-type]
    await asyncio.sleep(20)
    line.breaks.set()
    await asyncio.sleep(down_s)
    line.breaks.clear()
    await asyncio.sleep(20)
    for one in each:
        one.cancel()
    await asyncio.gather(*each, return_exceptions=True)
    return line.asked


@pytest.mark.parametrize("down_s", [0.01, 3.0])
def test_a_thousand_agents_that_lose_an_engine_at_once_ask_it_no_more_than_twice_as_often_as_before(
    down_s: float,
) -> None:
    asked = testing.VirtualClock().run(a_thousand(down_s))
    by_second = Counter(int(at) for at in asked)
    # Each waits five seconds for news; they all began within the first.
    before = statistics.fmean(by_second[second] for second in range(5, 20))
    assert before == pytest.approx(1000 / 5, rel=0.1)
    assert max(by_second[second] for second in range(20, 40)) <= 2 * before


def test_an_engine_that_is_killed_and_started_again_fails_no_call_and_loses_no_settlement(
    tmp_path: Path,
) -> None:
    policy = tmp_path / "policies.yaml"
    policy.write_text(
        "version: 1\ntenants: {acme: {workloads: {writer: {}}}}\n"
        'ceilings: [{name: "all", limit: 100M tokens, window: 1d}]\n'
    )
    (port,) = free_ports(1)
    latency = testing.Latency(first_s=0.3)
    with (
        Served(tmp_path / "collector") as collector,
        testing.provider(latency=latency) as provider,
        ExitStack() as stack,
    ):

        @contextmanager
        def started() -> Iterator[Policies]:
            running = Policies(tmp_path / "engine", policy, collector=collector.url, port=port)
            try:
                running.wait_ready()
                yield running
            finally:
                running.kill()

        first = stack.enter_context(started())
        stack.enter_context(agent_of(f"http://127.0.0.1:{port}", collector.url, tmp_path / "spool"))
        over = threading.Event()

        async def agent(client: Any) -> int:
            with sg.task("writer", tenant="acme"):
                for made in itertools.count():
                    if over.is_set():
                        return made
                    await client.chat.completions.create(**OPENAI)
            raise AssertionError

        async def agents() -> int:
            async with async_openai_client(provider) as own:
                return sum(await asyncio.gather(*(agent(sg.wrap(own)) for _ in range(50))))

        with ThreadPoolExecutor(1) as pool:
            working = pool.submit(asyncio.run, agents())
            until(lambda: len(provider.served) >= 100, "the agents are at work")
            first.kill()
            with started() as second:
                served = len(provider.served)
                until(lambda: len(provider.served) >= served + 100, "they are at work with the second one")
                over.set()
                calls = working.result()
                assert sg.flush(10)
                tokens = sum(served.usage.total for served in provider.served)
                until(lambda: Decimal(second.budget("all")["spent"]) == tokens, "each call is counted, once")
                budget = second.budget("all")
        assert (len(provider.served), len(provider.refused)) == (calls, 0)
        until(lambda: budget["calls_in_flight"] == 0, "nothing is held")


# -- the collector is a black hole


def test_a_black_hole_of_a_collector_takes_no_time_of_an_agent_and_five_seconds_of_its_exit(
    engine_of: Engines, sink: str, tmp_path: Path
) -> None:
    engine, typical, exits = engine_of(), {}, {}
    with answering(None) as black_hole:
        for collector in (sink, black_hole):
            with agent_of(engine.url, collector, tmp_path / "spool"), sg.task("writer", tenant="acme"):
                made()
                seconds = []
                for _ in range(300):
                    seconds.append(took(made))
                    time.sleep(0.002)
                exits[collector] = took(sg.shutdown)
            typical[collector] = statistics.median(seconds)
    assert typical[black_hole] < typical[sink] + SOON_S
    assert exits[black_hole] <= 5.0


# -- many at once


def test_two_hundred_threads_with_one_client_draw_each_hold_once(
    provider: testing.Provider, engine_of: Engines, configured: Configure, *, patient: None
) -> None:
    engine = engine_of()
    configured(engine.url)
    together = threading.Barrier(200)
    with sg.task("writer", tenant="acme"), openai_client(provider) as own:
        client = sg.wrap(own)

        def agent() -> None:
            together.wait(20)
            for _ in range(2):
                openai_call(client)

        with ThreadPoolExecutor(200) as pool:
            for made in [pool.submit(agent) for _ in range(200)]:
                made.result()
    assert len(provider.served) == 400
    # A hold that two calls had drawn would count one of them.
    until(lambda: all_counted(engine, 400 * OPENAI_COST), "each call is counted, and nothing held")


def test_of_two_hundred_threads_few_find_out_that_an_engine_is_silent_and_the_others_go_by_what_those_found(
    configured: Configure,
) -> None:
    asked: list[str] = []
    together = threading.Barrier(200)

    def agent() -> None:
        together.wait(20)
        made()

    with answering(None, asked=asked) as url:
        configured(url)
        with sg.task("writer", tenant="acme"), ThreadPoolExecutor(200) as pool:
            for done in [pool.submit(agent) for _ in range(200)]:
                done.result()
        sg.shutdown(0.2)
    # On a busy machine it may be that not even the connections of those stand in time.
    assert asked.count("/v1/grants") <= control._AT_ONCE


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_fork_of_a_busy_process_leaves_both_at_work_and_no_hold_drawn_in_both(
    engine_of: Engines, configured: Configure, *, patient: None
) -> None:
    engine = engine_of()
    configured(engine.url)
    over, counts = threading.Event(), Counter[int]()

    def agent(number: int) -> None:
        while not over.is_set():
            made()
            counts[number] += 1
            time.sleep(0.002)

    with sg.task("writer", tenant="acme"), ThreadPoolExecutor(8) as pool:
        working = [pool.submit(agent, number) for number in range(8)]
        until(lambda: counts.total() >= 100, "the process is busy, with holds at hand")
        children = [forked() for _ in range(3)]
        ended = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        before = counts.total()
        until(lambda: counts.total() >= before + 100, "the parent goes on")
        over.set()
        for each in working:
            each.result()
    assert ended == [0, 0, 0]
    each = (10 * Decimal("2.50") + 50 * Decimal("10.00")) / 1_000_000
    calls = counts.total() + 3 * CALLS_OF_A_CHILD
    until(lambda: all_counted(engine, calls * each), "each call of all four is counted, and nothing held")


def test_a_process_that_ends_gives_back_what_it_has_at_hand_and_what_it_has_asked_for(
    engine_of: Engines, configured: Configure, *, patient: None
) -> None:
    engine = engine_of()
    configured(engine.url, tenant="acme")
    # Outside any task, whose end would give them back: one is drawn of four, and the third call asks for more.
    for _ in range(3):
        made()
    assert engine.budget()["calls_in_flight"] >= 1
    sg.shutdown(5)
    each = (10 * Decimal("2.50") + 50 * Decimal("10.00")) / 1_000_000
    assert all_counted(engine, 3 * each)


CALLS_OF_A_CHILD = 20


def forked() -> int:
    """A child process that makes calls in its parent's task, on the thread that it has, and ends."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        for _ in range(CALLS_OF_A_CHILD):
            made()
        status = 0 if sg.flush(5) else 2
        # It has holds at hand, and may have asked for more: without this they end by themselves in five minutes.
        sg.shutdown(5)
    finally:
        os._exit(status)


def all_counted(engine: Any, spent: Decimal) -> bool:
    budget = engine.budget()
    return Decimal(budget["spent"]) == spent and budget["calls_in_flight"] == 0
