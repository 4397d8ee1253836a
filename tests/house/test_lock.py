"""The lock files: every line pinned and hashed, and no word about where packages come from."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCKS = ("requirements.lock", "requirements-image.lock", "requirements-previous.lock")
PIN = re.compile(r"^([a-z0-9][a-z0-9.-]*(?:\[[a-z,]+\])?)==(\S+)(?: ; [^\\]+)? \\$")


def _entries(lock: str) -> dict[str, list[str]]:
    """The lines that follow each pin."""
    entries: dict[str, list[str]] = {}
    for line in (ROOT / lock).read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        if line.startswith(" "):
            entries[list(entries)[-1]].append(line.strip())
        else:
            pin = PIN.match(line)
            assert pin is not None, f"{lock}: not a pin: {line}"
            entries[f"{pin[1]}=={pin[2]}"] = []
    return entries


def _name(requirement: str) -> str:
    """The name as package indexes write it: lower case, one hyphen for every other sign."""
    return re.sub(r"[-_.]+", "-", re.split(r"[\[<>=!~; ]", requirement)[0].lower())


@pytest.mark.parametrize("lock", LOCKS)
def test_every_line_is_pinned_and_hashed(lock: str) -> None:
    entries = _entries(lock)
    assert len(entries) > (1 if lock == "requirements-previous.lock" else 50)
    unhashed = [
        pin for pin, lines in entries.items() if not any(line.startswith("--hash=sha256:") for line in lines)
    ]
    assert unhashed == []


@pytest.mark.parametrize("lock", LOCKS)
def test_no_line_names_an_index_or_an_address(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert re.findall(r"://|--index|--extra-index|--find-links|--trusted-host| @ |file:", text) == []


def test_the_lock_holds_every_declared_dependency() -> None:
    locked = {_name(pin) for pin in _entries("requirements.lock")}
    server = tomllib.loads((ROOT / "pyproject.toml").read_text())
    # LiteLLM pins versions of its own, and has an environment and a lock of its own.
    del server["dependency-groups"]["litellm"]
    sdk = tomllib.loads((ROOT / "sdk" / "pyproject.toml").read_text())
    declared = [
        *server["project"]["dependencies"],
        *(name for extra in server["project"]["optional-dependencies"].values() for name in extra),
        *(name for group in server["dependency-groups"].values() for name in group if isinstance(name, str)),
        *sdk["project"]["dependencies"],
        *(name for extra in sdk["project"]["optional-dependencies"].values() for name in extra),
    ]
    assert {_name(name) for name in declared} - locked == {"switchgear"}


def test_the_image_installs_what_was_tested() -> None:
    assert set(_entries("requirements-image.lock")) < set(_entries("requirements.lock"))


def test_the_previous_provider_sdks_are_each_one_major_version_behind() -> None:
    majors = {
        lock: dict(re.findall(r"^(anthropic|openai)==(\d+)", (ROOT / lock).read_text(), re.MULTILINE))
        for lock in ("requirements.lock", "requirements-previous.lock")
    }
    now, before = majors.values()
    assert {name: int(major) - 1 for name, major in now.items()} == {
        name: int(major) for name, major in before.items()
    }


def test_the_image_holds_no_test_tool_and_no_provider_client() -> None:
    names = {_name(pin) for pin in _entries("requirements-image.lock")}
    assert names & {"pytest", "mypy", "ruff", "playwright", "hypothesis", "openai", "anthropic"} == set()
