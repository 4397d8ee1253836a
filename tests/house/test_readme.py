"""What the documents show of the examples, and the README's own agent, run as it stands against the real services."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from commands import Run, Start, agent_ran, listening
from serving import free_ports

from policies.files import load

ROOT = Path(__file__).parents[2]


def _blocks(document: str, language: str) -> list[str]:
    text = (ROOT / document).read_text()
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize(
    ("document", "language", "file"),
    [
        ("README.md", "python", "agent.py"),
        ("docs/policy-file.md", "yaml", "policies.yaml"),
        ("docs/prices.md", "yaml", "prices.yaml"),
    ],
)
def test_a_document_shows_the_example_file_as_it_is(document: str, language: str, file: str) -> None:
    assert _blocks(document, language) == [(ROOT / "examples" / file).read_text()]


def test_the_agent_takes_ten_lines() -> None:
    assert len([line for line in _blocks("README.md", "python")[0].splitlines() if line]) == 10


def test_the_example_policy_file_uses_every_setting_and_is_fine() -> None:
    policies = load(ROOT / "examples" / "policies.yaml")
    assert [ceiling.per_task for ceiling in policies.ceilings] == [False, True, False, False]
    assert policies.plans
    assert policies.capacity


def test_the_readme_agent_runs_and_its_call_is_booked_once_at_its_cost(
    start: Start, run: Run, tmp_path: Path
) -> None:
    collector, policies = free_ports(2)
    urls = {
        "SWITCHGEAR_COLLECTOR": f"http://127.0.0.1:{collector}",
        "SWITCHGEAR_POLICIES": f"http://127.0.0.1:{policies}",
    }
    services = [
        start("serve", "collector", "--port", str(collector), "--no-grpc"),
        start("serve", "policies", "--port", str(policies), env=urls),
    ]
    for service in services:
        listening(service)
    served = agent_ran(tmp_path, urls)
    # The agent's exit flushed its spans, and an answer to them means that they are committed.
    sql = "select tenant, workload, tier, model, output, cost, lease_id is not null from calls"
    asked = run("query", sql, "--json", env=urls)
    assert asked.returncode == 0, asked.stderr
    ((tenant, workload, tier, model, output, cost, leased),) = json.loads(asked.stdout)["rows"]
    assert (tenant, workload, tier) == ("acme", "summarize-sales", "interactive")
    assert (model, output, leased) == (served.model, served.usage.output, True)
    assert float(cost) == float(served.cost)
