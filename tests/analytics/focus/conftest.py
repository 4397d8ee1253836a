"""A company's months, exported once for all tests of what was written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from focus_world import BOTH, World, served_world


@pytest.fixture(scope="package")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with served_world(tmp_path_factory.mktemp("focus")) as found:
        yield found


@pytest.fixture(scope="package")
def whole(world: World) -> dict[str, Any]:
    """What was said of both months, in the folder `whole`."""
    return world.export("whole", "--from", BOTH[0], "--to", BOTH[1], "--check")
