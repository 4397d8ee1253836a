"""Policies as files. The format: docs/policy-file.md."""

from .document import PolicyDocument
from .reading import PolicyFileError, load, parse

__all__ = ["PolicyDocument", "PolicyFileError", "load", "parse"]
