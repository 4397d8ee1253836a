"""`switchgear policies test`: whether a policy file does what its case files say, in virtual time."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from analytics.documents import DocumentError
from collector.wire import rfc3339
from policies.files import load
from policies.trials.casefile import load as load_cases
from policies.trials.cases import Result, run

from .console import FAILED, misuse, note, plain, say

__all__ = ["test"]


def test(policy_file: Path, case_files: Sequence[Path], *, only: str | None, as_json: bool) -> int:
    """Run every case (or those whose name has `only` in it) and print a line each; 0 where all went well, else 1."""
    try:
        policies = load(policy_file)
        cases = [(path, case) for path in case_files for case in load_cases(path, policies)]
    except DocumentError as problem:
        for line in str(problem).splitlines():
            note(line)
        return FAILED
    chosen = [(path, case) for path, case in cases if only is None or only in case.name]
    if not chosen:
        return misuse(f"policies test: no case has {plain(only or '')!r} in its name")
    results = [(path, run(case, policies)) for path, case in chosen]
    failed = sum(bool(result.failures) for _, result in results)
    if as_json:
        document = {"cases": [_document(*each) for each in results], "failed": failed}
        say(json.dumps(document, ensure_ascii=False, indent=2))
    else:
        for path, result in results:
            _print(path, result)
        say(f"{len(results)} case{'' if len(results) == 1 else 's'}, {failed or 'none'} failed")
    return FAILED if failed else 0


def _print(path: Path, result: Result) -> None:
    """A case on one line: every failure of it with the line of its step."""
    where = f"{path}:{result.case.line}: {plain(result.case.name)}"
    if result.failures:
        failures = "; ".join(f"line {each.line}: {plain(str(each))}" for each in result.failures)
        say(f"FAIL  {where}: {failures}")
    else:
        steps = len(result.case.steps)
        say(f"ok    {where} ({steps} step{'' if steps == 1 else 's'})")


def _document(path: Path, result: Result) -> dict[str, Any]:
    return {
        "file": str(path),
        "line": result.case.line,
        "name": result.case.name,
        "passed": not result.failures,
        "failures": [
            {
                "line": each.line,
                "at": rfc3339(datetime.fromtimestamp(each.at, UTC)),
                "what": each.what,
                "expected": each.expected,
                "found": each.found,
            }
            for each in result.failures
        ],
    }
