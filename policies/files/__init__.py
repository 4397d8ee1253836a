"""Policies as files. The format: docs/policy-file.md."""

from .document import PolicyDocument
from .reading import PolicyFileError, load, parse, version_of
from .schema import json_schema, schema_text

__all__ = ["PolicyDocument", "PolicyFileError", "json_schema", "load", "parse", "schema_text", "version_of"]
