"""The files that come along: ready policies, the example and the schema that editors check them against."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from policy_texts import ceiling, override

from analytics.documents import tree_of
from policies.files import parse, schema_text

ROOT = Path(__file__).parents[2]
SCHEMA = ROOT / "policies" / "schema" / "policies.schema.json"
LIBRARY = sorted((ROOT / "policies" / "library").glob("*.yaml"))
FILES = [*LIBRARY, ROOT / "examples" / "policies.yaml"]
# An override that stands in a file as an example would have ended by then.
IN_TEN_YEARS = 2_100_000_000.0


def _names(file: Path) -> str:
    return file.name if file in LIBRARY else "the example"


def _with_override(text: str) -> str:
    """The file with the override that its comments show."""
    before, overrides = text.split("# overrides:")
    return before + "overrides:" + overrides.replace("\n# ", "\n")


def test_the_schema_is_that_of_the_code() -> None:
    """To make it anew: switchgear policies schema."""
    assert SCHEMA.read_text() == schema_text()


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(json.loads(SCHEMA.read_text()))


def test_there_is_a_ready_policy_for_each_need() -> None:
    assert [file.stem for file in LIBRARY] == [
        "cache-shadow",
        "fiscal-plan",
        "model-caps",
        "night-batch",
        "provider-capacity",
        "runaway-guard",
        "shadow-trial",
        "starter",
        "task-guard",
        "tenant-months",
        "token-quota",
    ]


@pytest.mark.parametrize("file", FILES, ids=_names)
def test_a_file_that_comes_along_is_good_and_stays_so(file: Path) -> None:
    policies = parse(file.read_text(), name=str(file), now=IN_TEN_YEARS)
    assert policies.ceilings or policies.capacity


@pytest.mark.parametrize("file", FILES, ids=_names)
def test_a_file_that_comes_along_names_the_schema_and_fits_it(file: Path) -> None:
    text = file.read_text()
    named = re.match(r"# yaml-language-server: \$schema=(\S+)\n", text)
    assert named is not None
    assert (file.parent / named[1]).resolve() == SCHEMA
    assert list(Draft202012Validator(json.loads(SCHEMA.read_text())).iter_errors(_plain(text))) == []


@pytest.mark.parametrize(
    "file", [FILES[-1], *(file for file in LIBRARY if "# overrides:" in file.read_text())], ids=_names
)
def test_the_override_that_comments_show_is_good(file: Path) -> None:
    text = _with_override(file.read_text())
    assert len(parse(text, name=str(file)).overrides) == 1
    assert list(Draft202012Validator(json.loads(SCHEMA.read_text())).iter_errors(_plain(text))) == []


def test_the_starter_refuses_nothing() -> None:
    (starter,) = (file for file in LIBRARY if file.stem == "starter")
    assert all(each.shadow for each in parse(starter.read_text(), name="starter").ceilings)


@pytest.mark.parametrize(
    "text",
    [
        ceiling(limit=500),
        ceiling(limit="2m tokens"),
        ceiling(window="1 hour"),
        ceiling(window="{calendar: month}"),
        ceiling(per="tennant"),
        ceiling(scope="{team: x}"),
        ceiling(ladder="[{at: 80, do: warn}]"),
        ceiling(shadow="perhaps"),
        override(author=None),
        "version: 2\n",
    ],
)
def test_the_schema_refuses_what_no_reader_takes(text: str) -> None:
    assert list(Draft202012Validator(json.loads(SCHEMA.read_text())).iter_errors(_plain(text)))


def _plain(text: str) -> object:
    """The document as an editor has it: times are text."""
    return json.loads(json.dumps(tree_of(text, "p.yaml"), default=str))
