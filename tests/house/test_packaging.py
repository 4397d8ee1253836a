"""What is installed: two wheels, and an SDK that brings no server with it."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SERVER_PACKAGES = ("analytics", "cli", "collector", "dashboard", "policies")


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, frozenset[str]]:
    """The names inside each of the two wheels, by distribution."""
    folder = tmp_path_factory.mktemp("wheels")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run(
        [*command, "--wheel-dir", str(folder), str(ROOT / "sdk"), str(ROOT)], check=True, capture_output=True
    )
    return {
        file.name.split("-")[0]: frozenset(zipfile.ZipFile(file).namelist()) for file in folder.glob("*.whl")
    }


def _top_levels(names: frozenset[str]) -> set[str]:
    return {name.split("/")[0] for name in names if ".dist-info" not in name}


def test_the_sdk_wheel_holds_one_package(wheels: dict[str, frozenset[str]]) -> None:
    assert _top_levels(wheels["switchgear"]) == {"switchgear"}
    assert "switchgear/py.typed" in wheels["switchgear"]


def test_the_server_wheel_holds_the_five_packages_and_no_tests(wheels: dict[str, frozenset[str]]) -> None:
    assert _top_levels(wheels["switchgear_server"]) == set(SERVER_PACKAGES)


@pytest.mark.parametrize("package", SERVER_PACKAGES)
def test_everything_that_a_package_reads_is_in_the_wheel(
    wheels: dict[str, frozenset[str]], package: str
) -> None:
    on_disk = {
        str(file.relative_to(ROOT))
        for file in (ROOT / package).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    assert f"{package}/py.typed" in on_disk
    assert on_disk - wheels["switchgear_server"] == set()


def test_both_distributions_carry_the_licence(wheels: dict[str, frozenset[str]]) -> None:
    for names in wheels.values():
        assert any(name.endswith("licenses/LICENSE") for name in names)


def test_importing_the_sdk_loads_no_server_dependency() -> None:
    server = tomllib.loads((ROOT / "pyproject.toml").read_text())
    sdk = tomllib.loads((ROOT / "sdk" / "pyproject.toml").read_text())
    assert [
        name for name in sdk["project"]["dependencies"] if not name.startswith(("opentelemetry", "httpx"))
    ] == []
    banned = {
        "duckdb",
        "fastapi",
        "genai_prices",
        "jinja2",
        "pandas",
        "plotly",
        "polars",
        "pyarrow",
        "pydantic",
    }
    banned |= {"yaml", "starlette", "streamlit", "typer", "uvicorn", "openai", "anthropic"}
    banned |= {*SERVER_PACKAGES}
    code = f"import sys, switchgear; print(sorted({banned!r} & set(sys.modules)))"
    answer = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert answer.stdout.strip() == "[]"
    assert server["project"]["version"] == sdk["project"]["version"]


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
