"""The smallest value that a JSON schema allows: what a model "answers" where a schema is all that is asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["instance"]

_DEEPEST = 16
_LONGEST = 4096
_EMPTY: Mapping[str, Any] = {
    "string": "word",
    "integer": 0,
    "number": 0.0,
    "boolean": False,
    "null": None,
}


def instance(schema: Mapping[str, Any]) -> Any:
    """A value of the schema: its default, its first choice, or the least that its type has.

    `{"type": "object", "properties": {"n": {"type": "integer", "minimum": 3}}, "required": ["n"]}` gives `{"n": 3}`.
    """
    return _value(schema, schema, 0)


def _value(schema: Any, root: Mapping[str, Any], depth: int) -> Any:
    if not isinstance(schema, Mapping) or depth > _DEEPEST:
        return {}
    if isinstance(reference := schema.get("$ref"), str):
        return _value(_referred(reference, root), root, depth + 1)
    for name in ("const", "default"):
        if name in schema:
            return schema[name]
    for name in ("enum", "examples"):
        if isinstance(schema.get(name), list) and schema[name]:
            return schema[name][0]
    for name in ("anyOf", "oneOf", "allOf"):
        if isinstance(schema.get(name), list) and schema[name]:
            return _value(schema[name][0], root, depth + 1)
    return _typed(schema, root, depth)


def _typed(schema: Mapping[str, Any], root: Mapping[str, Any], depth: int) -> Any:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = kind[0] if kind else None
    # Gemini writes its types in capitals.
    kind = str(kind or "object").lower()
    if kind == "array":
        least = schema.get("minItems")
        count = min(least, _DEEPEST) if isinstance(least, int) else 0
        return [_value(schema.get("items"), root, depth + 1) for _ in range(count)]
    if kind in ("integer", "number") and isinstance(schema.get("minimum"), int | float):
        return schema["minimum"]
    if kind == "string":
        least = schema.get("minLength")
        return "word" * max(1, -(-min(least, _LONGEST) // 4)) if isinstance(least, int) else "word"
    if kind in _EMPTY:
        return _EMPTY[kind]
    properties, required = schema.get("properties"), schema.get("required")
    if not isinstance(properties, Mapping):
        return {}
    wanted = required if isinstance(required, list) else []
    return {name: _value(properties.get(name), root, depth + 1) for name in wanted if isinstance(name, str)}


def _referred(reference: str, root: Mapping[str, Any]) -> Any:
    found: Any = root
    for part in reference.removeprefix("#").strip("/").split("/"):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found
