"""The containers: the compose file is one that compose accepts, and nothing in it is open by accident."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
SERVICES = ("cache", "collector", "dashboard", "policies")


def _compose() -> list[str]:
    if shutil.which("docker-compose"):
        return ["docker-compose"]
    if (
        shutil.which("docker")
        and not subprocess.run(["docker", "compose", "version"], capture_output=True).returncode
    ):
        return ["docker", "compose"]
    pytest.skip("no compose command here: the compose file's syntax was not checked")


def _config(**environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SWITCHGEAR_")}
    return subprocess.run(
        [*_compose(), "--file", str(ROOT / "docker-compose.yml"), "config"],
        env={**clean, **environment},
        capture_output=True,
        text=True,
    )


def test_compose_accepts_the_file() -> None:
    answer = _config(SWITCHGEAR_API_KEY="k", COMPOSE_PROFILES="cache")
    assert answer.returncode == 0, answer.stderr
    assert all(f"{name}:" in answer.stdout for name in SERVICES)


def test_compose_refuses_to_start_without_a_key() -> None:
    answer = _config()
    assert answer.returncode != 0
    assert "SWITCHGEAR_API_KEY" in answer.stderr


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    document = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return dict(document["services"])


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_published_on_this_machine_only_and_has_a_healthcheck(
    services: dict[str, Any], name: str
) -> None:
    service = services[name]
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    assert service["healthcheck"]["test"]
    # Whoever looks at the dashboard signs in with a key of their own.
    assert ("SWITCHGEAR_API_KEY" in service["environment"]) is (name != "dashboard")


def test_a_service_starts_once_what_it_reads_is_healthy(services: dict[str, Any]) -> None:
    needs = {name: set(service.get("depends_on", {})) for name, service in services.items()}
    assert needs == {
        "cache": set(),
        "collector": set(),
        "policies": {"collector"},
        "dashboard": {"collector", "policies"},
    }


def test_only_the_cache_has_to_be_asked_for(services: dict[str, Any]) -> None:
    assert {name: service.get("profiles") for name, service in services.items() if "profiles" in service} == {
        "cache": ["cache"]
    }


def test_the_image_runs_as_a_user_of_its_own_from_a_hashed_lock() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    assert "USER switchgear" in lines
    assert any("--require-hashes -r requirements-image.lock" in line for line in lines)


def test_every_folder_that_the_image_copies_is_let_through() -> None:
    """A `.dockerignore` that forgets a package makes an image that cannot start."""
    let_through = {
        line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")
    }
    copied: set[str] = set()
    for line in (ROOT / "Dockerfile").read_text().splitlines():
        if line.startswith("COPY ") and "--from" not in line:
            copied |= set(line.split()[1:-1])
    assert copied == let_through
    assert all((ROOT / name).exists() for name in copied)
