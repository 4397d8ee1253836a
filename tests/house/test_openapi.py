"""The services answer what their OpenAPI documents say, whatever they are asked. `make schemathesis` asks more."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from assault import assault, services


def test_no_request_brings_a_5xx_or_an_answer_that_is_not_documented(tmp_path: Path) -> None:
    asked = partial(assault, folder=tmp_path, phases="fuzzing", cases=10, seed=1)
    with services(tmp_path) as all_, ThreadPoolExecutor() as pool:
        for report in pool.map(asked, all_):
            assert report.passed, report.text
            assert report.cases > 40
