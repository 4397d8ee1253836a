"""What the commands say to a person: results on stdout, one clear line a problem on stderr."""

from __future__ import annotations

import sys

__all__ = ["FAILED", "MISUSED", "fail", "misuse", "note", "plain", "say"]

FAILED = 1
MISUSED = 2


def say(line: str) -> None:
    """Write one line to stdout at once, so that a reader behind a pipe sees it."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def note(line: str) -> None:
    """Write one line to stderr."""
    sys.stderr.write(f"switchgear: {line}\n")
    sys.stderr.flush()


def fail(line: str) -> int:
    """Say on stderr what could not be done; the exit code for it."""
    note(line)
    return FAILED


def misuse(line: str) -> int:
    """Say on stderr what was asked wrongly and how to ask; the exit code for it."""
    note(line)
    return MISUSED


def plain(text: str) -> str:
    r"""`text` with everything that a terminal would obey written out: an escape becomes `\x1b`."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)
