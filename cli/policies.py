"""`switchgear policies check` and `schema`: what can be known of a policy file without running it."""

from __future__ import annotations

import json
from pathlib import Path

from policies.files import PolicyFileError, load, schema_text

from .console import FAILED, misuse, note, say

__all__ = ["check", "schema"]


def check(file: Path, *, as_json: bool) -> int:
    """Validate `file`: exit 0 and its summary, or 1 and every error with its line, one a line on stderr."""
    if not file.is_file():
        return misuse(f"{file}: there is no such file; name a policy file")
    try:
        policies = load(file)
    except PolicyFileError as problem:
        errors = str(problem).splitlines()
        if as_json:
            say(json.dumps({"file": str(file), "errors": errors}, ensure_ascii=False, indent=2))
        else:
            for line in errors:
                note(line)
        return FAILED
    workloads = sum(len(tenant.workloads) for tenant in policies.tenants)
    counts = {"tenant": len(policies.tenants), "workload": workloads, "ceiling": len(policies.ceilings)}
    if as_json:
        shadows = [ceiling.name for ceiling in policies.ceilings if ceiling.shadow]
        counted = {f"{name}s": count for name, count in counts.items()}
        found = {
            "file": str(file),
            "errors": [],
            "version": policies.version,
            **counted,
            "in_shadow": shadows,
        }
        say(json.dumps(found, ensure_ascii=False, indent=2))
    else:
        summary = ", ".join(f"{count} {name}{'' if count == 1 else 's'}" for name, count in counts.items())
        say(f"{file}: fine: {summary}")
    return 0


def schema() -> int:
    """Print the JSON Schema of policy files; exit 0."""
    say(schema_text().rstrip("\n"))
    return 0
