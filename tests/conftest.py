"""What all tests have: no agent of theirs keeps anything in the home of whoever runs them, the longest go first, and a
law may take its time.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from laws import LONG, SUITE

# A law says what holds, not how fast: on a busy machine its first example alone takes longer than the usual 200 ms.
# `make laws` tries many more examples of each.
settings.register_profile("suite", deadline=None, max_examples=SUITE)
settings.register_profile("long", deadline=None, max_examples=LONG)
settings.load_profile("suite")

# Of ten seconds and more each. One of them at the end would leave the other cores without work.
_LONGEST = (
    "dashboard/test_signed_in.py",
    "dashboard/test_in_the_browser.py",
    "house/test_up.py",
    "sdk/test_control_faults.py",
    "demo/test_demo.py",
    "sdk/test_fanout.py",
    "analytics/test_chargeback_laws_bytes.py",
    "analytics/test_chargeback_end_to_end.py",
    "sdk/guard/test_following.py",
    "house/test_keys_cli.py",
    "house/test_openapi.py",
    "house/test_sdk_alone.py",
    "house/test_storm.py",
    "sdk/frameworks/test_denials.py",
    "analytics/test_chargeback_laws.py",
    "analytics/ledger/test_ledger_kills.py",
    "analytics/reviews/test_planted.py",
    "analytics/reviews/test_sealed.py",
    "demo/test_history_command.py",
)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Look for no garbage among what is only made: every test, and every module that any of them imports. They all stay
    to the end, so they are set aside after, and whoever looks for what a test left behind looks through that alone:
    of a worker's collecting this is the half, and of each such look nine tenths.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the longest files begin first; the order of the others, and within a file, stays."""
    tests = Path(__file__).parent
    places = {tests / name: place for place, name in enumerate(_LONGEST)}
    items.sort(key=lambda item: places.get(item.path, len(_LONGEST)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores: a good part of the suite waits for processes, and for time to pass."""
    return (os.cpu_count() or 1) + 1


@pytest.fixture(scope="session", autouse=True)
def _spool_of_the_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        if "SWITCHGEAR_SPOOL" not in os.environ:
            patch.setenv("SWITCHGEAR_SPOOL", str(tmp_path_factory.mktemp("spool")))
        yield
