"""The example configuration of an OpenTelemetry Collector: whole, lossless, and branched before its sampler.

No test runs a Collector. What its filter lets through is tried on the recorded spans.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from otlp_samples import JSON, SHARED, Recording, split

from collector import dialects
from collector.call import Call
from collector.ingest.body import bill_body

ROOT = Path(__file__).parents[2]
KINDS = ("receivers", "processors", "exporters")
TO_SWITCHGEAR = "otlphttp/switchgear"


@pytest.fixture(scope="module")
def config() -> dict[str, Any]:
    return dict(yaml.safe_load((ROOT / "examples" / "otel-collector.yaml").read_text()))


@pytest.fixture(scope="module")
def pipelines(config: dict[str, Any]) -> dict[str, dict[str, list[str]]]:
    return dict(config["service"]["pipelines"])


@pytest.fixture(scope="module")
def names(config: dict[str, Any]) -> frozenset[str]:
    """The attributes of which the filter wants one."""
    [condition] = config["processors"]["filter/billable"]["traces"]["span"]
    found = re.findall(r'attributes\["([a-zA-Z0-9._]+)"\] == nil', condition)
    assert condition == " and ".join(f'attributes["{name}"] == nil' for name in found)
    return frozenset(found)


def test_every_component_is_defined_and_used(
    config: dict[str, Any], pipelines: dict[str, dict[str, list[str]]]
) -> None:
    connectors = set(config["connectors"])
    for kind in KINDS:
        used = {name for pipeline in pipelines.values() for name in pipeline.get(kind, ())}
        assert used - connectors == set(config[kind]), kind
    assert connectors <= {name for each in pipelines.values() for name in each["exporters"]}
    assert connectors <= {name for each in pipelines.values() for name in each["receivers"]}
    assert set(config["service"]["extensions"]) == set(config["extensions"])


def test_it_branches_before_the_sampler_and_limits_memory_first(
    pipelines: dict[str, dict[str, list[str]]],
) -> None:
    [billing] = [each for each in pipelines.values() if TO_SWITCHGEAR in each["exporters"]]
    [sampled] = [each for each in pipelines.values() if "tail_sampling" in each["processors"]]
    [entry] = [each for each in pipelines.values() if "otlp" in each["receivers"]]
    assert billing["receivers"] == sampled["receivers"] == entry["exporters"] == ["forward"]
    assert entry["processors"] == ["memory_limiter"]
    assert billing["processors"] == ["filter/billable"]


def test_nothing_that_switchgear_has_not_acknowledged_is_dropped(config: dict[str, Any]) -> None:
    exporter = config["exporters"][TO_SWITCHGEAR]
    assert exporter["retry_on_failure"]["enabled"] is True
    assert exporter["retry_on_failure"]["max_elapsed_time"] == "0s"
    assert exporter["sending_queue"]["storage"] == "file_storage"
    assert exporter["sending_queue"]["block_on_overflow"] is True
    assert exporter["headers"]["authorization"] == "Bearer ${env:SWITCHGEAR_API_KEY}"


def test_the_filter_knows_a_mark_of_every_dialect(names: frozenset[str]) -> None:
    # Those without a mark of their own write the names of gen_ai.
    assert [each.name for each in dialects.DIALECTS if each.marks and not each.marks & names] == []


def test_the_filter_lets_every_recorded_call_through(names: frozenset[str]) -> None:
    if not SHARED.is_dir():
        pytest.skip(f"no shared data at {SHARED}; name its folder in SWITCHGEAR_SHARED_DATA")
    calls = 0
    for file in sorted((SHARED / "instrumentation").glob("*.json")):
        if file.name == "truth.json":
            continue
        spans = json.loads(file.read_text())["spans"]
        for document in split(Recording(file.stem, spans, {}).request()):
            if any(isinstance(each, Call) for each in bill_body(json.dumps(document).encode(), JSON)):
                [span] = document["resourceSpans"][0]["scopeSpans"][0]["spans"]
                assert names & {pair["key"] for pair in span["attributes"]}, file.name
                calls += 1
    assert calls >= 50
