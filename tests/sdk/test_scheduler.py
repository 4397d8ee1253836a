"""The scheduler under real threads and event loops: who waits is woken, who gives up leaves no hole."""

from __future__ import annotations

import asyncio
import os
import pickle
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from switchgear import ConfigError, SwitchgearError
from switchgear.scheduler import QueueFull, QueueTimeout, Scheduler, Slot
from switchgear.tier import Tier

LANE = ("openai", "gpt-4o")
CALL: dict[str, Any] = {"tenant": "acme", "tier": "interactive", "tokens": 10, "lane": LANE}


def acquired(scheduler: Scheduler, **call: Any) -> Slot:
    """A slot, from a thread that the test waits for: not for ever, should nobody wake it."""
    return scheduler.acquire(**CALL | {"deadline": time.monotonic() + 10} | call)


def eventually(holds: Callable[[], bool], within_s: float = 5.0) -> None:
    until = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.001)


class Counted:
    """How many are inside at once, and at most were."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.inside = self.most = self.calls = 0

    def __enter__(self) -> None:
        with self._lock:
            self.inside += 1
            self.calls += 1
            self.most = max(self.most, self.inside)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self.inside -= 1


# -- one way in for threads and loops


def test_threads_and_event_loops_share_a_lane_and_never_pass_its_limit() -> None:
    scheduler, counted = Scheduler(concurrency=3), Counted()

    def in_thread(name: str) -> None:
        for _ in range(30):
            with scheduler.slot(**CALL | {"tenant": name}) as slot, counted:
                time.sleep(0.0005)
                slot.settle(12)

    async def one(name: str) -> None:
        for _ in range(6):
            async with scheduler.slot(**CALL | {"tenant": name}) as slot:
                with counted:
                    await asyncio.sleep(0.0005)
                slot.settle(12)

    async def several() -> None:
        await asyncio.gather(*(one(f"async-{n}") for n in range(10)))

    with ThreadPoolExecutor(6) as pool:
        done = [pool.submit(in_thread, f"thread-{n}") for n in range(4)]
        done += [pool.submit(asyncio.run, several()) for _ in range(2)]
        for each in done:
            each.result(timeout=30)
    assert (counted.calls, counted.most, counted.inside) == (4 * 30 + 2 * 60, 3, 0)
    assert scheduler.use(LANE)[:2] == (0, 0)


def test_where_nothing_limits_neither_a_thread_nor_a_coroutine_waits() -> None:
    scheduler = Scheduler()
    with scheduler.slot(**CALL) as slot:
        assert slot.waited_s == 0.0
        slot.settle(20)
    with pytest.raises(StopIteration) as ended:  # without ever having suspended
        scheduler.acquire_async(**CALL).send(None)
    assert isinstance(ended.value.value, Slot)
    assert scheduler.use(LANE) == (0, 0, 0)


def test_a_coroutine_that_finds_a_slot_does_not_suspend() -> None:
    scheduler = Scheduler(concurrency=1)
    with pytest.raises(StopIteration):
        scheduler.acquire_async(**CALL).send(None)
    assert scheduler.use(LANE).running == 1


def test_a_slot_may_end_in_another_thread_and_ends_once() -> None:
    scheduler = Scheduler(concurrency=2)
    slot, other = scheduler.acquire(**CALL), scheduler.acquire(**CALL)
    ending = threading.Thread(target=slot.release)
    ending.start()
    ending.join()
    slot.release()
    assert scheduler.use(LANE).running == 1
    other.release()
    other.settle(50)
    assert scheduler.use(LANE).running == 0


async def test_urgent_calls_go_first_and_a_slot_says_how_long_it_was_waited_for() -> None:
    scheduler, order = Scheduler(concurrency=1), []
    first = await scheduler.acquire_async(**CALL)

    async def call(tier: Tier) -> float:
        async with scheduler.slot(**CALL | {"tier": tier}) as slot:
            order.append(tier)
            return slot.waited_s

    calls = [asyncio.create_task(call(tier)) for tier in reversed(Tier)]
    await asyncio.sleep(0.02)
    first.release()
    waited = await asyncio.gather(*calls)
    assert order == list(Tier)
    assert min(waited) >= 0.01


def test_an_error_inside_gives_the_slot_back() -> None:
    scheduler = Scheduler(concurrency=1)
    with pytest.raises(RuntimeError, match="oops"), scheduler.slot(**CALL):
        raise RuntimeError("oops")
    assert scheduler.use(LANE).running == 0


def test_a_limit_that_is_raised_lets_go_who_waits() -> None:
    scheduler = Scheduler()
    scheduler.limit(LANE, concurrency=1)
    scheduler.acquire(**CALL)
    with ThreadPoolExecutor(1) as pool:
        waits = pool.submit(acquired, scheduler)
        eventually(lambda: scheduler.use(LANE).waiting == 1)
        scheduler.limit(LANE)
        assert waits.result(timeout=5).waited_s > 0.0


# -- giving up


def test_a_deadline_in_a_thread_is_told_and_leaves_nothing_waiting() -> None:
    scheduler = Scheduler(concurrency=1)
    slot = scheduler.acquire(**CALL)
    with pytest.raises(QueueTimeout, match=r"tier background waited 0\.1 s .*gpt-4o") as told:
        scheduler.acquire(**CALL | {"tier": "background"}, deadline=time.monotonic() + 0.05)
    assert isinstance(told.value, SwitchgearError | TimeoutError)
    assert (told.value.lane, told.value.tier) == (LANE, Tier.BACKGROUND)
    slot.release()
    assert scheduler.use(LANE)[:2] == (0, 0)


async def test_a_deadline_in_a_loop_is_told_and_leaves_nothing_waiting() -> None:
    scheduler = Scheduler(concurrency=1)
    async with scheduler.slot(**CALL):
        with pytest.raises(QueueTimeout):
            await scheduler.acquire_async(**CALL, deadline=time.monotonic() + 0.02)
        assert scheduler.use(LANE)[:2] == (1, 0)


def test_a_deadline_that_has_passed_still_takes_a_slot_that_is_free() -> None:
    scheduler = Scheduler(concurrency=1)
    scheduler.acquire(**CALL, deadline=time.monotonic() - 1.0)
    with pytest.raises(QueueTimeout):
        scheduler.acquire(**CALL, deadline=time.monotonic() - 1.0)


async def test_a_cancelled_call_leaves_no_hole() -> None:
    scheduler = Scheduler(concurrency=1)
    slot = await scheduler.acquire_async(**CALL)
    calls = [asyncio.create_task(scheduler.acquire_async(**CALL)) for _ in range(3)]
    await asyncio.sleep(0)
    calls[1].cancel()
    await asyncio.sleep(0)
    assert scheduler.use(LANE).waiting == 2
    slot.release()
    (await calls[0]).release()
    (await calls[2]).release()
    assert scheduler.use(LANE)[:2] == (0, 0)


async def test_a_call_that_is_cancelled_just_as_it_was_let_go_passes_its_slot_on() -> None:
    scheduler = Scheduler(concurrency=1)
    slot = await scheduler.acquire_async(**CALL)
    first, second = (asyncio.create_task(scheduler.acquire_async(**CALL)) for _ in range(2))
    await asyncio.sleep(0)
    slot.release()
    first.cancel()
    (await asyncio.wait_for(second, 5)).release()
    assert first.cancelled()
    assert scheduler.use(LANE)[:2] == (0, 0)


def test_calls_of_an_event_loop_that_is_gone_hold_up_nobody() -> None:
    scheduler = Scheduler(concurrency=1)
    slot = scheduler.acquire(**CALL)
    loop = asyncio.new_event_loop()
    lost = [scheduler.acquire_async(**CALL) for _ in range(2)]

    async def ask() -> None:
        for each in lost:
            each.send(None)  # it waits now, and nobody will ever go on with it

    loop.run_until_complete(ask())
    loop.close()
    lost.pop().close()
    with ThreadPoolExecutor(1) as pool:
        waits = pool.submit(acquired, scheduler)
        eventually(lambda: scheduler.use(LANE).waiting >= 2)
        slot.release()
        assert waits.result(timeout=5)
    lost.pop().close()
    assert scheduler.use(LANE)[:2] == (1, 0)


def test_a_queue_that_is_full_says_so_for_its_tier_alone() -> None:
    scheduler = Scheduler(concurrency=1, max_waiting=1)
    scheduler.acquire(**CALL)
    with ThreadPoolExecutor(2) as pool:
        waits = pool.submit(acquired, scheduler, tier="background")
        eventually(lambda: scheduler.use(LANE).waiting == 1)
        with pytest.raises(QueueFull, match="1 background calls wait") as told:
            scheduler.acquire(**CALL | {"tier": "background"})
        urgent = pool.submit(acquired, scheduler)
        eventually(lambda: scheduler.use(LANE).waiting == 2)
        scheduler.limit(LANE)
        assert waits.result(5)
        assert urgent.result(5)
    assert pickle.loads(pickle.dumps(told.value)).waiting == 1  # noqa: S301 - our own


# -- time alone


async def test_calls_that_are_paced_go_by_the_loops_own_timer() -> None:
    scheduler = Scheduler()
    scheduler.share(LANE, "acme", "interactive", 6000)
    begun = time.monotonic()
    # 100 tokens a second: a second's worth at once, and twenty more calls of one token.
    for _ in range(10):
        await scheduler.acquire_async(**CALL)
    await asyncio.gather(*(scheduler.acquire_async(**CALL | {"tokens": 1}) for _ in range(20)))
    assert 0.18 <= time.monotonic() - begun < 2.0


def test_whoever_keeps_the_time_hands_it_on_when_it_gives_up() -> None:
    scheduler = Scheduler()
    scheduler.share(LANE, "acme", "interactive", 600)
    scheduler.acquire(**CALL | {"tokens": 12})
    begun = time.monotonic()

    def gives_up() -> None:
        with pytest.raises(QueueTimeout):
            scheduler.acquire(**CALL, deadline=begun + 0.05)

    async def in_loop() -> None:
        await scheduler.acquire_async(**CALL | {"tokens": 1})

    with ThreadPoolExecutor(3) as pool:
        impatient = pool.submit(gives_up)
        eventually(lambda: scheduler.use(LANE).waiting == 1)
        in_thread = pool.submit(acquired, scheduler, tokens=1)
        looping = pool.submit(asyncio.run, in_loop())
        for each in (impatient, in_thread, looping):
            each.result(timeout=5)
    # Ten tokens a second: three are owed before the next goes, and one more before the last.
    assert 0.28 <= time.monotonic() - begun < 2.0


def test_a_share_that_is_no_news_changes_nothing_and_none_lifts_it() -> None:
    scheduler = Scheduler()
    scheduler.share(LANE, "acme", Tier.INTERACTIVE, None)
    for _ in range(2):
        scheduler.share(LANE, "acme", Tier.INTERACTIVE, 60)
    scheduler.acquire(**CALL)
    with pytest.raises(QueueTimeout):
        scheduler.acquire(**CALL, deadline=0.0)
    scheduler.share(LANE, "acme", Tier.INTERACTIVE, None)
    assert scheduler.acquire(**CALL)


# -- a fork, and arguments

_FORKS = """
import os, sys
from switchgear.scheduler import Scheduler
scheduler = Scheduler(concurrency=1)
scheduler.share("x", "acme", "batch", 60)
call = dict(tenant="globex", tier="batch", lane="x")
held = scheduler.acquire(**call)
gate = scheduler._gates["x"]
gate._lock.acquire()  # as another thread may have it when the process forks
child = os.fork()
if not child:
    held.release()
    held.settle(5)
    own = scheduler.acquire(**call)
    print(scheduler.use("x")[:2], scheduler._gates["x"].shut()[1], flush=True)
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
gate._lock.release()
print(scheduler.use("x")[:2])
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_after_a_fork_nothing_is_on_its_way_in_the_child_and_shares_stay() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", _FORKS], capture_output=True, text=True, timeout=30, check=False
    )
    assert ran.stdout.splitlines() == ["(1, 0) {('acme', <Tier.BATCH: 'batch'>): 60.0}", "(1, 0)"], ran.stderr


@pytest.mark.parametrize(
    "wrong", [{"tier": "urgent"}, {"tokens": -1}, {"weight": 0.0}, {"weight": float("nan")}], ids=str
)
def test_an_argument_that_cannot_be_is_refused_though_nothing_limits(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        Scheduler().acquire(**CALL | wrong)


def test_a_share_below_nothing_and_a_negative_queue_are_refused() -> None:
    with pytest.raises(ConfigError, match="share"):
        Scheduler().share(LANE, "acme", "batch", -1)
    with pytest.raises(ConfigError, match="max_waiting"):
        Scheduler(max_waiting=-1)
