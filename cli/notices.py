"""`switchgear notices`: whether messages arrive, before there is something to tell."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from policies.notices import NoticeFileError, load, try_each

from .console import FAILED, misuse, note, plain, say
from .paths import notice_path

__all__ = ["test"]


def test(file: Path | None, *, as_json: bool) -> int:
    """Send a test message to each destination of `file`: exit 0 where each took it, else 1."""
    path = notice_path(file)
    if path is None or not path.is_file():
        return misuse(f"{path or 'notices.yaml'}: there is no such file; name one with --notices")
    try:
        told = load(path)
    except NoticeFileError as refused:
        return _say_errors(path, str(refused).splitlines(), as_json=as_json)
    problems = asyncio.run(try_each(told, datetime.now(UTC), secrets.token_hex(8)))
    if as_json:
        tried = [{"name": name, "error": problem} for name, problem in problems.items()]
        say(json.dumps({"file": str(path), "destinations": tried, "errors": []}, indent=2))
    else:
        for name, problem in problems.items():
            say(f"{plain(name)}: {'delivered' if problem is None else f'not delivered: {plain(problem)}'}")
    return FAILED if any(problems.values()) else 0


def _say_errors(path: Path, errors: Sequence[str], *, as_json: bool) -> int:
    if as_json:
        say(json.dumps({"file": str(path), "destinations": [], "errors": list(errors)}, indent=2))
    else:
        for line in errors:
            note(line)
    return FAILED
