"""Fixtures of the collector's tests; what they are made of is in tests/support/otlp_samples.py."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from otlp_samples import SHARED, Recording, Served
from owned import fill

from collector.facts.store import Store


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of the shared data; tests that need it skip where it is absent."""
    if not SHARED.is_dir():
        pytest.skip(f"no shared data at {SHARED}; name its folder in SWITCHGEAR_SHARED_DATA")
    return SHARED


@pytest.fixture(scope="session")
def recordings(shared: Path) -> Mapping[str, Recording]:
    """Every recording of the shared data, by name."""
    folder = shared / "instrumentation"
    truth = json.loads((folder / "truth.json").read_text())
    return {
        name: Recording(name, json.loads((folder / f"{name}.json").read_text())["spans"], truth[name])
        for name in sorted(truth)
    }


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Served]]:
    """Start the application on a folder (by default one of this test's own); all are stopped with the test."""
    started: list[Served] = []

    def begin(data: Path | None = None, **options: Any) -> Served:
        started.append(Served(data or tmp_path / "data", **options))
        return started[-1]

    yield begin
    for served in started:
        served.stop()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A collector that the tests of a room share: each looks at what is of a tenant of its own."""
    with Served(tmp_path_factory.mktemp("served")) as running:
        yield running


@pytest.fixture(scope="session")
def owned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the facts of several tenants and owners; who opens it changes nothing in it."""
    folder = tmp_path_factory.mktemp("owned")
    fill(folder)
    return folder


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty store of this test's own."""
    with closing(Store(tmp_path)) as opened:
        yield opened


@pytest.fixture
def now() -> datetime:
    """The time at which these tests book."""
    return datetime(2026, 11, 24, 12, tzinfo=UTC)
