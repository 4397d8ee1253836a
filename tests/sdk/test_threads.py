"""Threads carry the task whatever else is put around their methods, before `configure` or after it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider

import switchgear as sg
from switchgear.context import current_task

Configure = Callable[..., TracerProvider]

METHODS = pytest.mark.parametrize(
    "owner", [threading.Thread, ThreadPoolExecutor], ids=lambda owner: owner.__name__
)


def ways(owner: Any) -> tuple[str, Callable[[], sg.Task | None]]:
    """The method by which work is given to another thread, and the task in which such work runs."""
    found: list[sg.Task | None] = []

    def by_thread() -> sg.Task | None:
        thread = threading.Thread(target=lambda: found.append(current_task()))
        thread.start()
        thread.join()
        return found.pop()

    def by_pool() -> sg.Task | None:
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(current_task).result()

    return ("start", by_thread) if owner is threading.Thread else ("submit", by_pool)


def patched(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str) -> list[str]:
    """Another's patch of the method, and what it has seen of this thread: the SDK's own have work to give, too."""
    before, seen, here = getattr(owner, name), [], threading.get_ident()

    def theirs(self: Any, *args: Any, **kwargs: Any) -> Any:
        if threading.get_ident() == here:
            seen.append(name)
        return before(self, *args, **kwargs)

    monkeypatch.setattr(owner, name, theirs)
    return seen


@METHODS
def test_a_patch_of_others_from_before_configure_works_on_and_is_there_after_shutdown(
    owner: Any, configured: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, ran_in = ways(owner)
    seen = patched(monkeypatch, owner, name)
    theirs = vars(owner)[name]
    configured()
    with sg.task("writer", tenant="acme") as task:
        seen.clear()
        assert ran_in() is task
    assert seen == [name]
    sg.shutdown(0.2)
    assert vars(owner)[name] is theirs


@METHODS
def test_a_patch_of_others_from_after_configure_survives_shutdown_and_nothing_is_carried_any_more(
    owner: Any, configured: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, ran_in = ways(owner)
    # What is put around it stays after shutdown; here only until the test is over.
    monkeypatch.setattr(owner, name, getattr(owner, name))
    configured()
    seen = patched(monkeypatch, owner, name)
    theirs = vars(owner)[name]
    with sg.task("writer", tenant="acme") as task:
        assert ran_in() is task
        sg.shutdown(0.2)
        seen.clear()
        assert vars(owner)[name] is theirs
        assert ran_in() is None
    assert seen == [name]
