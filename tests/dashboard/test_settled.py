"""What is loaded once is out of the garbage collector's sight."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from dashboard import settled


@pytest.fixture(autouse=True)
def heap() -> Iterator[None]:
    yield
    gc.unfreeze()


def test_the_heap_is_set_aside_once_for_what_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settled, "_modules", 0)
    gc.unfreeze()
    assert settled.settle()
    assert gc.get_freeze_count() > 10_000
    assert not settled.settle()
