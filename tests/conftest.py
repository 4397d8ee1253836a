"""What all tests have: no agent of theirs keeps anything in the home of whoever runs them, those that wait go beside
those that reckon, and a law may take its time.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path

import certifi
import pytest
from hypothesis import settings
from laws import LONG, SUITE

# A law says what holds, not how fast: on a busy machine its first example alone takes longer than the usual 200 ms.
# `make laws` tries many more examples of each.
settings.register_profile("suite", deadline=None, max_examples=SUITE)
settings.register_profile("long", deadline=None, max_examples=LONG)
settings.load_profile("suite")

# Files that mostly wait, for processes, browsers and time to pass, stand beside those that mostly reckon: all workers
# with the same would leave cores idle, and later have too few.
_WAITING = frozenset({"dashboard", "demo", "house", "sdk"})
# Of ten seconds and more each. One of them at the end would leave the other cores without work.
_SECONDS = {
    "dashboard/test_in_the_browser.py": 75,
    "dashboard/test_signed_in.py": 70,
    "demo/test_demo.py": 40,
    "sdk/test_control_faults.py": 28,
    "house/test_up.py": 25,
    "house/test_storm.py": 23,
    "analytics/test_chargeback_laws_bytes.py": 20,
    "sdk/test_fanout.py": 20,
    "sdk/test_export.py": 19,
    "analytics/reviews/test_planted.py": 17,
    "analytics/test_chargeback_end_to_end.py": 17,
    "collector/test_access.py": 17,
    "house/test_benchmarks.py": 17,
    "house/test_openapi.py": 16,
    "collector/test_rerate.py": 15,
    "demo/test_cached.py": 15,
    "analytics/test_answer_cache_ledger.py": 14,
    "house/test_refusals.py": 14,
    "analytics/reviews/test_reviews_api.py": 13,
    "collector/test_erasure.py": 13,
    "collector/test_faults.py": 13,
    "collector/test_kill.py": 13,
    "analytics/ledger/test_verify.py": 12,
    "collector/test_bad_inputs_spans.py": 12,
    "collector/test_bad_inputs_tenants.py": 12,
    "house/test_keys_cli.py": 12,
    "sdk/cache/test_served.py": 12,
    "sdk/test_cloud_calls.py": 12,
    "analytics/ledger/test_ledger_kills.py": 11,
    "collector/test_sandbox.py": 10,
    "demo/test_history_command.py": 10,
    "house/test_bench_sdk.py": 10,
    "house/test_docs.py": 10,
    "policies/caching/test_command.py": 10,
    "sdk/cache/test_leaks_served.py": 10,
    "sdk/frameworks/test_examples.py": 10,
    "sdk/test_trying_again.py": 10,
}
_OTHERS_S = 2


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
    """Let those that wait go beside those that reckon, the longest of both first; the order within a file stays."""
    tests = Path(__file__).parent
    files = [path.relative_to(tests) for path in dict.fromkeys(item.path for item in items)]
    places: dict[Path, float] = {}
    for waiting in (True, False):
        alike = [file for file in files if (file.parts[0] in _WAITING) == waiting]
        places |= _places(sorted(alike, key=_seconds, reverse=True))
    items.sort(key=lambda item: places[item.path.relative_to(tests)])


def _seconds(file: Path) -> int:
    return _SECONDS.get(file.as_posix(), _OTHERS_S)


def _places(files: Sequence[Path]) -> Iterator[tuple[Path, float]]:
    """Which part of the time of them all is over when a file begins."""
    whole, before = sum(map(_seconds, files)), 0
    for file in files:
        yield file, before / whole
        before += _seconds(file)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores: a good part of the suite waits for processes, and for time to pass."""
    return (os.cpu_count() or 1) + 1


_MAIN = sys.modules["__main__"]


@pytest.fixture(autouse=True)
def _own_main() -> None:
    """A page that was run in this process stays its `__main__`, which every process that is spawned later would run."""
    sys.modules["__main__"] = _MAIN


@pytest.fixture(scope="session", autouse=True)
def _few_trusted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One authority instead of a hundred: to read them takes 18 ms of each of the thousands of clients that are made,
    of which those few that speak TLS name whom they trust.
    """
    end = "-----END CERTIFICATE-----"
    first, *_ = Path(certifi.where()).read_text(encoding="utf-8").partition(end)
    file = tmp_path_factory.mktemp("trusted") / "authority.pem"
    file.write_text(f"{first}{end}\n", encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(file))
        patch.delenv("SSL_CERT_DIR", raising=False)
        yield


@pytest.fixture(scope="session", autouse=True)
def _spool_of_the_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        if "SWITCHGEAR_SPOOL" not in os.environ:
            patch.setenv("SWITCHGEAR_SPOOL", str(tmp_path_factory.mktemp("spool")))
        yield
