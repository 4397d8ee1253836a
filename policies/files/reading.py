"""Policy files: YAML in, a PolicySet or a report of every error with its place out.

The file is read with positions, validated by pydantic at this edge and turned into frozen values.
"""

from __future__ import annotations

import hashlib
from itertools import chain
from pathlib import Path

from analytics import documents
from analytics.documents import DocumentError

from ..model import PolicySet
from .checks import problems
from .document import PolicyDocument
from .domain import policy_set

__all__ = ["PolicyFileError", "load", "parse", "version_of"]


class PolicyFileError(DocumentError):
    """A policy file that cannot be used; its text is one line per error: file:line:column: where: why."""


def load(path: Path, *, now: float | None = None) -> PolicySet:
    """The policy set in a file, as `parse` has it. Raises PolicyFileError, also where the file cannot be read."""
    try:
        text = documents.read(path)
    except DocumentError as problem:
        raise PolicyFileError(str(problem)) from None
    return parse(text, name=str(path), now=now)


def parse(text: str, *, name: str, now: float | None = None) -> PolicySet:
    """The policy set in `text`; `name` stands for the file in errors.

    Who looks a file over gives `now` (epoch seconds): an override that has ended is then an error. Who works by it
    does not: what was right yesterday must start today.
    """
    try:
        tree = documents.tree_of(text, name)
        document = documents.validated(PolicyDocument, tree, name)
        found = problems(document, tree, now)
        if first := next(found, None):
            raise documents.refused(tree, name, chain([first], found))
    except DocumentError as problem:
        raise PolicyFileError(str(problem)) from None
    return policy_set(document, version_of(text))


def version_of(text: str) -> str:
    """The version of the policy set in `text`: a hash of it."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]
