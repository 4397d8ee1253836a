"""A stand-in for the engine, and a cache in memory, for the calls of the SDK that may be served."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from kept_answers import Remembering
from opentelemetry.sdk.trace import TracerProvider

import switchgear as sg
from switchgear import testing


@pytest.fixture
def decisions() -> Iterator[testing.Engine]:
    with testing.decisions() as engine:
        yield engine


@pytest.fixture
def cache() -> Remembering:
    return Remembering()


@pytest.fixture
def ready(
    configured: Callable[..., TracerProvider], decisions: testing.Engine, cache: Remembering
) -> Iterator[None]:
    """Configured with that cache, in a task."""
    configured(decisions.url, cache=cache)
    with sg.task("writer", tenant="acme"):
        yield
