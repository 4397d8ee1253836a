"""Fixtures of the collector's tests; what they are made of is in tests/support/otlp_samples.py."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from otlp_samples import SHARED, Recording, Served


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


@pytest.fixture
def now() -> datetime:
    """The time at which these tests book."""
    return datetime(2026, 11, 24, 12, tzinfo=UTC)
