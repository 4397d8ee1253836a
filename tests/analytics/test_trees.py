"""YAML as a tree: words are read as YAML 1.2 has them, and each part knows its place."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from analytics.trees import ListTree, MapTree, Place, tree_in


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("true", True),
        ("False", False),
        ("no", "no"),
        ("on", "on"),
        ("12", 12),
        ("-7", -7),
        ("1_000", 1000),
        ("0o17", 15),
        ("0x1F", 31),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        ("-.inf", float("-inf")),
        ("12:30", "12:30"),
        ("2026-11", "2026-11"),
        ("2026-11-28", date(2026, 11, 28)),
        ("2026-11-28T06:00:00Z", datetime(2026, 11, 28, 6, tzinfo=UTC)),
        ("2026-11-28 06:00:00", datetime(2026, 11, 28, 6)),  # noqa: DTZ001 - it has no offset
        ('"12"', "12"),
        ("'true'", "true"),
        ("!!str 12", "12"),
        ("80%", "80%"),
        ("+", "+"),
    ],
)
def test_a_word_is_read_as_yaml_1_2_has_it(word: str, value: Any) -> None:
    found = tree_in(f"a: {word}\n")["a"]
    assert (type(found), found) == (type(value), value)


def test_each_part_knows_its_place() -> None:
    tree = tree_in("a: 1\nb:\n  - x\n  - {c: 2}\n")
    assert isinstance(tree, MapTree)
    assert (tree.at, tree.keys_at["b"], tree.values_at["a"]) == (Place(1, 1), Place(2, 1), Place(1, 4))
    assert isinstance(tree["b"], ListTree)
    assert tree["b"].items_at == [Place(3, 5), Place(4, 5)]
    assert tree["b"][1].values_at["c"] == Place(4, 9)


def test_an_alias_is_what_it_names_and_stands_where_it_is_written() -> None:
    tree = tree_in("a: &x [1]\nb: *x\n")
    assert tree["b"] is tree["a"]
    assert tree.values_at["b"] == Place(2, 4)


def test_a_merge_fills_in_what_is_not_there_and_of_several_the_first_counts() -> None:
    tree = tree_in("a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc: {<<: [*a, *b], x: 3}\n")
    assert tree["c"] == {"x": 3, "y": 1, "z": 2}
    assert tree["c"].values_at["z"] == Place(2, 17)
