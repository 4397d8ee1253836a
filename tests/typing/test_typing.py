"""What a type checker says to programs that use the SDK, and that its public names are all told of."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from types import ModuleType

import pytest

import switchgear as sg
from switchgear import guard, testing

ROOT = Path(__file__).parents[2]
PROGRAMS = sorted((Path(__file__).parent / "programs").glob("*.py"))
REFUSED = next(file for file in PROGRAMS if file.name == "refused.py")
ERROR = re.compile(r"^(?P<file>[^:]+):(?P<line>\d+): error: .*\[(?P<code>[a-z-]+)\]$")
EXPECTED = re.compile(r"# refused: (?P<codes>[a-z -]+)$")
# The others of `guard` are for the package's own parts.
OF_GUARD = ("call", "call_async", "guarded_tool")


@pytest.fixture(scope="module")
def said() -> dict[tuple[str, int], set[str]]:
    """mypy's errors in all the programs, as strict as for our own packages: their codes by file and line."""
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--no-pretty",
        *(str(file.relative_to(ROOT)) for file in PROGRAMS),
    ]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    # 1: it found errors, as it has to; 2: it could not go on.
    assert (answer.returncode, answer.stderr) == (1, ""), answer.stdout
    errors = defaultdict(set)
    for line in answer.stdout.splitlines():
        if ": error: " in line:
            found = ERROR.match(line)
            assert found is not None, line
            errors[Path(found["file"]).name, int(found["line"])].add(found["code"])
    return dict(errors)


@pytest.mark.parametrize(
    "program",
    [file.name for file in PROGRAMS if file is not REFUSED],
    ids=lambda name: name.removesuffix(".py"),
)
def test_a_program_that_uses_the_sdk_as_it_is_meant_type_checks(
    said: dict[tuple[str, int], set[str]], program: str
) -> None:
    assert {line: codes for (file, line), codes in said.items() if file == program} == {}


def test_every_misuse_is_refused_with_its_error_and_nothing_else_is(
    said: dict[tuple[str, int], set[str]],
) -> None:
    expected = {
        number: set(found["codes"].split())
        for number, line in enumerate(REFUSED.read_text().splitlines(), start=1)
        if (found := EXPECTED.search(line))
    }
    assert {line: codes for (file, line), codes in said.items() if file == REFUSED.name} == expected
    assert len(expected) > 40


def _used(name: str) -> set[str]:
    """The attributes of what is called `name` that the programs name: of `sg`, those after `sg.`."""
    return {
        node.attr
        for file in PROGRAMS
        if file is not REFUSED
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == name
    }


@pytest.mark.parametrize(
    ("name", "names"),
    [("sg", sg.__all__), ("sg.guard", OF_GUARD), ("testing", testing.__all__)],
    ids=["switchgear", "switchgear.guard", "switchgear.testing"],
)
def test_the_programs_use_every_public_name(name: str, names: list[str]) -> None:
    assert set(names) - _used(name) == set()


@pytest.mark.parametrize("module", [sg, guard, testing], ids=lambda module: module.__name__)
def test_whatever_a_public_module_offers_is_listed(module: ModuleType) -> None:
    offered = {
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and (not inspect.ismodule(value) or name in module.__all__)
    }
    assert offered == set(module.__all__)
    # Constants, classes, functions; each in order.
    assert module.__all__ == sorted(module.__all__, key=lambda name: (not name.isupper(), name))


@pytest.mark.parametrize("module", [sg, guard, testing], ids=lambda module: module.__name__)
def test_every_public_name_says_what_it_is(module: ModuleType) -> None:
    undescribed = [
        name
        for name in module.__all__
        if (inspect.isclass(value := getattr(module, name)) or inspect.isroutine(value))
        # A dataclass without a docstring gets its signature for one.
        and (not value.__doc__ or value.__doc__.startswith(f"{name}("))
    ]
    assert undescribed == []


@pytest.mark.parametrize(
    "kind",
    [
        sg.BudgetExceeded,
        sg.Decision,
        sg.Money,
        sg.Scheduler,
        sg.Task,
        sg.Tier,
        sg.Usage,
        sg.task,
        testing.Engine,
        testing.Provider,
        testing.VirtualClock,
    ],
    ids=lambda kind: kind.__name__,
)
def test_every_public_method_says_what_it_does(kind: type) -> None:
    members = {name: value for name, value in vars(kind).items() if not name.startswith("_")}
    undescribed = [
        name
        for name, value in members.items()
        if (inspect.isroutine(value) or isinstance(value, property)) and not inspect.getdoc(value)
    ]
    assert undescribed == []
