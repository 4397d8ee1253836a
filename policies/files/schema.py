"""The JSON Schema of policy files: what editors complete and check a file against as it is written."""

from __future__ import annotations

import json
from typing import Any

from .document import PolicyDocument

__all__ = ["json_schema", "schema_text"]


def json_schema() -> dict[str, Any]:
    """The schema. It has what a file may hold; what settings demand of each other, only reading one tells."""
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return dialect | PolicyDocument.model_json_schema(by_alias=True)


def schema_text() -> str:
    """The schema as the file `policies/schema/policies.schema.json` has it."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"
