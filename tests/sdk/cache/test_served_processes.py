"""Threads, event loops and forked children, each with a cache that works or with none."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from cacheable import CHAT
from kept_answers import Remembering
from opentelemetry.sdk.trace import TracerProvider
from provider_clients import async_openai_client, openai_client
from waiting import until

import switchgear as sg
from switchgear import testing
from switchgear.cache import Mode, Namespace, Outcome, Question, Terms
from switchgear.guard import caching as caching_module
from switchgear.guard import drive
from switchgear.guard.caching import Caching
from switchgear.testing import Provider

Configure = Callable[..., TracerProvider]


@pytest.mark.usefixtures("ready")
def test_many_threads_are_served_alike(provider: Provider, cache: Remembering) -> None:
    cache.looks_by_thread = True
    with openai_client(provider) as client:
        guarded = sg.wrap(client, cache="exact")
        said = guarded.chat.completions.create(**CHAT).choices[0].message.content
        with ThreadPoolExecutor(16) as pool:
            asked = [pool.submit(guarded.chat.completions.create, **CHAT) for _ in range(64)]
            answers = {each.result().choices[0].message.content for each in asked}
    assert answers == {said}
    assert len(provider.served) == 1


@pytest.mark.usefixtures("ready")
async def test_an_event_loop_goes_on_while_the_cache_looks(provider: Provider, cache: Remembering) -> None:
    looking, go_on = threading.Event(), threading.Event()

    def slow(_: Question) -> None:
        looking.set()
        go_on.wait(5)

    cache.looks_by_thread, cache.finds = True, slow
    async with async_openai_client(provider) as client:
        call = asyncio.create_task(sg.wrap(client, cache="on").chat.completions.create(**CHAT))
        await asyncio.to_thread(looking.wait, 5)
        # The loop runs, as this line does, and the call is not through.
        assert not call.done()
        go_on.set()
        assert (await call).choices[0].message.content


@pytest.mark.usefixtures("ready")
async def test_a_caller_who_is_cancelled_while_the_cache_looks_leaves_nothing_behind(
    provider: Provider, cache: Remembering, decisions: testing.Engine
) -> None:
    looking, go_on = threading.Event(), threading.Event()

    def slow(_: Question) -> None:
        looking.set()
        go_on.wait(5)

    cache.looks_by_thread, cache.finds = True, slow
    async with async_openai_client(provider) as client:
        call = asyncio.create_task(sg.wrap(client, cache="on").chat.completions.create(**CHAT))
        await asyncio.to_thread(looking.wait, 5)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
    go_on.set()
    await asyncio.to_thread(until, lambda: cache.learned == [None], "the cache hears that nobody asks")
    assert (len(provider.served), decisions.asked, cache.waiting) == (0, (), 0)


def in_child(work: Callable[[], bool]) -> int:
    """The exit status of a forked child that does this: 0 where it holds."""
    child = os.fork()
    if child == 0:
        status = 2
        try:
            status = 0 if work() else 1
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
@pytest.mark.usefixtures("ready")
def test_a_child_process_has_no_cache_that_was_given_to_its_parent(
    provider: Provider, cache: Remembering
) -> None:
    with openai_client(provider) as client:
        guarded = sg.wrap(client, cache="exact")
        guarded.chat.completions.create(**CHAT)

        def asks_anew() -> bool:
            with openai_client(provider) as own, sg.task("writer", tenant="acme"):
                answer = sg.wrap(own, cache="exact").chat.completions.with_raw_response.create(**CHAT)
            return "x-switchgear-cache" not in answer.headers

        assert in_child(asks_anew) == 0
        again = guarded.chat.completions.with_raw_response.create(**CHAT)
    assert again.headers["x-switchgear-cache"] == "exact"
    assert len(provider.served) == 2


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
@pytest.mark.skipif(not Path("/proc/locks").exists(), reason="tells which locks a process has on Linux alone")
def test_a_child_has_locks_of_its_own_on_the_cache_of_a_folder(
    provider: Provider, configured: Configure, decisions: testing.Engine, tmp_path: Path
) -> None:
    """Without them whoever else closes the file would throw away the log that the child writes to."""
    pytest.importorskip("onnxruntime")
    configured(decisions.url, cache=tmp_path / "cache")

    def asked(client: Any) -> None:
        with sg.task("writer", tenant="acme"):
            sg.wrap(client, cache="exact").chat.completions.create(**CHAT)

    def locks() -> set[str]:
        told = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
        return {fields[-3].rpartition(":")[2] for fields in told if str(os.getpid()) in fields}

    def has_locks() -> bool:
        with openai_client(provider) as own:
            asked(own)
            return str((tmp_path / "cache" / "cache.db").stat().st_ino) in locks()

    with openai_client(provider) as client:
        asked(client)
        assert has_locks()
        assert in_child(has_locks) == 0
        assert has_locks()


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_parent_and_child_share_the_cache_of_a_folder(
    provider: Provider, configured: Configure, decisions: testing.Engine, tmp_path: Path
) -> None:
    pytest.importorskip("onnxruntime")
    configured(decisions.url, cache=tmp_path / "cache")
    other = {**CHAT, "messages": [{"role": "user", "content": "Something else. [[demo output=20]]"}]}

    def served(client: Any, body: dict[str, Any]) -> bool:
        with sg.task("writer", tenant="acme"):
            raw = sg.wrap(client, cache="exact").chat.completions.with_raw_response.create(**body)
        return raw.headers.get("x-switchgear-cache") == "exact"

    with openai_client(provider) as client:
        assert not served(client, CHAT)

        def works() -> bool:
            with openai_client(provider) as own:
                # What its parent has kept, and what it keeps itself.
                return served(own, CHAT) and not served(own, other) and served(own, other)

        assert in_child(works) == 0
        assert served(client, CHAT)
        assert served(client, other)
    assert len(provider.served) == 2


ASKED = (Namespace("acme", "writer"), Question(b"a", b"a", None), Terms(Mode.EXACT))


def test_a_child_that_is_forked_while_the_cache_is_in_use_has_none(
    cache: Remembering, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """To open a file that its parent has open would leave it without locks."""
    monkeypatch.setattr(caching_module, "_FORKS_WITHIN_S", 0.01)
    looking, go_on, opened = threading.Event(), threading.Event(), []

    def hang(_: Question) -> None:
        looking.set()
        go_on.wait(20)

    def open_again() -> Remembering:
        opened.append(1)
        return Remembering()

    cache.looks_by_thread, cache.finds = True, hang
    caching = Caching(cache, open_again, closed_by_forks=True)
    asking = threading.Thread(target=lambda: drive(caching.looking(*ASKED), lambda _: None))
    asking.start()
    assert looking.wait(5)
    caching.forking()
    assert not cache.closed
    # As in the child: its parent's threads are not there.
    caching.forked()
    assert drive(caching.looking(*ASKED), lambda _: None) is None
    assert opened == []
    assert ["a child process has no cache" in record.getMessage() for record in caplog.records] == [True]
    go_on.set()
    asking.join()
    caching.close()


def test_a_cache_that_is_closed_for_a_fork_is_opened_again_once_for_all_who_ask(cache: Remembering) -> None:
    opened: list[Remembering] = []

    def open_again() -> Remembering:
        opened.append(Remembering())
        return opened[-1]

    caching = Caching(cache, open_again, closed_by_forks=True)
    caching.forking()
    caching.went_on()
    assert cache.closed
    with ThreadPoolExecutor(8) as pool:
        looks = [pool.submit(lambda: drive(caching.looking(*ASKED), lambda _: None)) for _ in range(8)]
        assert {look.result().outcome for look in looks} == {Outcome.MISS}
    assert len(opened) == 1
    assert len(opened[0].asked) == 8
    caching.close()
    assert opened[0].closed
