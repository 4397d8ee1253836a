"""Policy files: YAML in, a PolicySet or a report of every error with its place out.

The file is read with positions, validated by pydantic at this edge and turned into frozen values.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from analytics import documents
from analytics.documents import DocumentError

from ..model import PolicySet
from .checks import problems
from .document import PolicyDocument
from .domain import policy_set

__all__ = ["PolicyFileError", "load", "parse"]


class PolicyFileError(DocumentError):
    """A policy file that cannot be used; its text is one line per error: file:line:column: where: why."""


def load(path: Path) -> PolicySet:
    """The policy set in a file. Raises PolicyFileError, also where the file cannot be read."""
    try:
        text = documents.read(path)
    except DocumentError as problem:
        raise PolicyFileError(str(problem)) from None
    return parse(text, name=str(path))


def parse(text: str, *, name: str) -> PolicySet:
    """The policy set in `text`; `name` stands for the file in errors."""
    try:
        tree = documents.tree_of(text, name)
        document = documents.validated(PolicyDocument, tree, name)
        if found := list(problems(document, tree)):
            raise documents.refused(tree, name, found)
    except DocumentError as problem:
        raise PolicyFileError(str(problem)) from None
    return policy_set(document, hashlib.sha256(text.encode()).hexdigest()[:12])
