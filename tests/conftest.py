"""What all tests have: no agent of theirs keeps anything in the home of whoever runs them."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def _spool_of_the_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        if "SWITCHGEAR_SPOOL" not in os.environ:
            patch.setenv("SWITCHGEAR_SPOOL", str(tmp_path_factory.mktemp("spool")))
        yield
