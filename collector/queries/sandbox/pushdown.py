"""Pushdown: the part of a query's filter that the store can apply, so that it need not send what nobody wants.

DuckDB hands a scan its filter as an Arrow expression, and the scan must apply all of it. This is a help beside that:
a condition that every row meets which the filter lets through, and maybe others too. What is not understood is left
out. It crosses to the collector as lists, `["and", A, B]`, `["or", A, B]` and `[OPERATOR, COLUMN, VALUES]`, and there
nothing of it becomes SQL but operators of this module and columns of the view; the values are bound.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["Condition", "Filter", "sql_of", "understood"]

Condition = list[Any]

_OPERATORS = {"equal": "=", "less": "<", "less_equal": "<=", "greater": ">", "greater_equal": ">="}
_SQL_OPERATORS = frozenset(_OPERATORS.values())
_MOST_VALUES = 1_000
_DEEPEST = 100


@dataclass(frozen=True, slots=True)
class Filter:
    """What is understood of a filter."""

    names: frozenset[str]
    """Every field that it reads, and maybe others: the fields inside of a struct have names too."""
    condition: Condition | None
    """What every row meets that it lets through; None where nothing is known of them."""


def understood(expression: pc.Expression) -> Filter:
    """Read a filter from Arrow's own serialisation, a record batch: metadata spell its calls, columns hold literals."""
    _, (serialised,) = expression.__reduce__()
    batch = pa.ipc.open_file(serialised).get_batch(0)
    # Not as a mapping, which would keep only the last of several calls.
    _, _, text = batch.schema.to_string(truncate_metadata=False).partition("-- schema metadata --\n")
    lines = [line.split(": ", 1) for line in text.splitlines()]
    steps = [(key, value.strip("'")) for key, value in lines]
    names = frozenset(value for key, value in steps if key == "field_ref")
    return Filter(names, _condition(_tree(steps, batch), _DEEPEST))


def sql_of(given: Any, schema: pa.Schema) -> tuple[str, list[Any]]:
    """A condition as SQL with $1, $2, ... and the values of these. Raises ValueError for what is no condition."""
    values: list[Any] = []
    return _sql(given, schema, values, _DEEPEST), values


def _tree(steps: Sequence[tuple[str, str]], batch: pa.RecordBatch) -> Any:
    """What the steps spell: a call as [name, arguments...], a field as its name, a literal as its scalar."""
    calls: list[list[Any]] = [[]]
    for key, value in steps:
        match key:
            case "call":
                calls.append([value])
            case "end":
                closed = calls.pop()
                calls[-1].append(closed)
            case "field_ref":
                calls[-1].append(value)
            case "literal" | "options":
                calls[-1].append(batch.column(int(value))[0])
            case _:
                calls[-1].append(None)
    return calls[0][0]


def _condition(tree: Any, deepest: int) -> Condition | None:
    if not deepest:
        return None
    match tree:
        case ["and_kleene", left, right]:
            known = [each for each in (_condition(left, deepest - 1), _condition(right, deepest - 1)) if each]
            return ["and", *known] if len(known) > 1 else next(iter(known), None)
        case ["or_kleene", left, right]:
            either = _condition(left, deepest - 1), _condition(right, deepest - 1)
            return ["or", *either] if all(either) else None
        case ["if_else", ["is_valid", _], inner, _]:
            return _condition(inner, deepest - 1)
        case ["is_in", str() as column, pa.StructScalar() as options]:
            return _comparison("=", column, list(options["value_set"].values))
        case [str() as name, str() as column, pa.Scalar() as value] if name in _OPERATORS:
            return _comparison(_OPERATORS[name], column, [value])
    return None


def _comparison(operator: str, column: str, scalars: Sequence[pa.Scalar]) -> Condition | None:
    """The column against any of the values: texts, whole numbers and instants cross, and nothing else."""
    if len(scalars) > _MOST_VALUES:
        return None
    try:
        values = [_crossing(scalar.as_py()) for scalar in scalars]
    except (ValueError, OverflowError):
        return None
    return None if None in values else [operator, column, values]


def _crossing(value: Any) -> str | int | None:
    match value:
        case bool():
            return None
        case str() | int():
            return value
        case datetime() if value.tzinfo is not None:
            return value.isoformat()
    return None


def _sql(given: Any, schema: pa.Schema, values: list[Any], deepest: int) -> str:
    match given:
        case ["and" | "or" as joint, left, right] if deepest:
            sides = (_sql(side, schema, values, deepest - 1) for side in (left, right))
            return f"({f' {joint} '.join(sides)})"
        case [str() as operator, str() as column, [_, *_] as found] if operator in _SQL_OPERATORS:
            kind = schema.field(schema.names.index(column)).type
            first = len(values) + 1
            values.extend(_bound(value, kind) for value in found)
            each = [f'"{column}" {operator} ${place}' for place in range(first, len(values) + 1)]
            return f"({' or '.join(each)})"
    raise ValueError("no condition")


def _bound(value: Any, kind: pa.DataType) -> Any:
    if pa.types.is_string(kind) and isinstance(value, str):
        return value
    if pa.types.is_integer(kind) and isinstance(value, int):
        return value
    if pa.types.is_timestamp(kind) and isinstance(value, str):
        return datetime.fromisoformat(value)
    raise ValueError(f"{str(value)[:64]!r} for a {kind}")
