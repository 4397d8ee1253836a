"""The documents tell the truth: what they name exists, and what exists that a reader needs is named."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest
import typer.main
from typer.testing import CliRunner

from cli.main import app
from switchgear.settings import Settings

ROOT = Path(__file__).parents[2]
PACKAGES = ("sdk/switchgear", "analytics", "cli", "collector", "dashboard", "policies")
README = (ROOT / "README.md").read_text()
SETTINGS = (ROOT / "docs" / "settings.md").read_text()
DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
ENV_NAME = re.compile(r"\bSWITCHGEAR_[A-Z_]+\b")


def _verbs(group: object, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, command in getattr(group, "commands", {}).items():
        inner = (*path, name)
        is_group = bool(getattr(command, "commands", None))
        if not is_group or getattr(command, "invoke_without_command", False):
            yield inner
        if is_group:
            yield from _verbs(command, inner)


VERBS = sorted(_verbs(typer.main.get_command(app)))


def _code_names() -> set[str]:
    """The environment names that the code reads: those that it spells out, and one for each setting of the SDK."""
    sources = [file for package in PACKAGES for file in (ROOT / package).rglob("*.py")]
    spelt = {name for file in sources for name in ENV_NAME.findall(file.read_text())} - {"SWITCHGEAR_"}
    return spelt | {f"SWITCHGEAR_{each.name.upper()}" for each in fields(Settings)}


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_every_verb_has_a_help_page_and_stands_in_the_readme(verb: tuple[str, ...]) -> None:
    answer = CliRunner().invoke(app, [*verb, "--help"])
    assert answer.exit_code == 0
    assert f"switchgear {' '.join(verb)}" in README


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_that_a_document_shows_exists(document: Path) -> None:
    text = document.read_text()
    code = "\n".join(
        block or inline for block, inline in re.findall(r"```\w*\n(.*?)```|`([^`\n]+)`", text, re.DOTALL)
    )
    groups = {verb[0] for verb in VERBS}
    shown = re.findall(
        r"^(?:\$ )?(?:\.venv/bin/)?switchgear ([a-z]+)(?: ([a-z][a-z-]*))?", code, re.MULTILINE
    )
    unknown = [first for first, _ in shown if first not in groups]
    unknown += [
        f"{first} {second}" for first, second in shown if first in groups and not _is_one(first, second)
    ]
    assert unknown == []
    targets = set(re.findall(r"^([a-z-]+):.* ## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z-]+)\b", code)) <= targets


def _is_one(first: str, second: str) -> bool:
    """Whether there is such a verb, or one that begins so."""
    return (first,) in VERBS or any(verb[:2] == (first, second) for verb in VERBS)


def test_every_environment_name_that_the_code_reads_is_documented() -> None:
    assert _code_names() - set(ENV_NAME.findall(SETTINGS)) == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_environment_name_that_a_document_shows_is_read_by_the_code(document: Path) -> None:
    assert set(ENV_NAME.findall(document.read_text())) - _code_names() == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_between_documents_leads_somewhere(document: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", document.read_text())
    assert [link for link in links if not (document.parent / link).exists()] == []


def test_help_loads_nothing_that_only_a_verb_needs() -> None:
    """`switchgear --help` answers at once, about 0.2 s, where loading a service takes seconds."""
    heavy = {"duckdb", "fastapi", "httpx", "openai", "polars", "pyarrow", "pydantic", "streamlit", "uvicorn"}
    code = (
        "import sys; sys.argv = ['switchgear', '--help']\n"
        "from cli.main import main\n"
        "try:\n    main()\n"
        f"finally:\n    print('LOADED', sorted({heavy!r} & set(sys.modules)))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.splitlines()[-1] == "LOADED []"


def test_bare_make_lists_every_target_in_one_line() -> None:
    answer = subprocess.run(
        ["make", "--no-print-directory"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    listed = [line.split()[:2] for line in answer.stdout.splitlines()]
    targets = (
        "help install demo up test test-slow test-previous test-wheel test-litellm check bench bench-analytics "
        "bench-cache bench-dashboard bench-decisions bench-fairness bench-ingest bench-overspend bench-pricing "
        "bench-priority bench-projection bench-reports bench-sdk bench-storm pictures kills engine-kills "
        "ledger-kills fuzz laws schemathesis lock clean"
    )
    assert listed == [["make", target] for target in targets.split()]
