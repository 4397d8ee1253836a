"""Both services answer what their OpenAPI documents say, whatever they are asked. `make schemathesis` asks more."""

from __future__ import annotations

from pathlib import Path

from assault import assault, services


def test_no_request_brings_a_5xx_or_an_answer_that_is_not_documented(tmp_path: Path) -> None:
    with services(tmp_path) as both:
        for service in both:
            report = assault(service, tmp_path, phases="fuzzing", cases=15, seed=1)
            assert report.passed, report.text
            assert report.cases > 50
