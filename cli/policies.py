"""`switchgear policies`: what can be known of a policy file without running it."""

from __future__ import annotations

from pathlib import Path

from policies.files import PolicyFileError, load

from .console import FAILED, misuse, note, say

__all__ = ["check"]


def check(file: Path) -> int:
    """Validate `file`: exit 0 and its summary, or 1 and every error with its line, one a line on stderr."""
    if not file.is_file():
        return misuse(f"{file}: there is no such file; name a policy file")
    try:
        policies = load(file)
    except PolicyFileError as problem:
        for line in str(problem).splitlines():
            note(line)
        return FAILED
    workloads = sum(len(tenant.workloads) for tenant in policies.tenants)
    counts = {"tenant": len(policies.tenants), "workload": workloads, "ceiling": len(policies.ceilings)}
    summary = ", ".join(f"{count} {name}{'' if count == 1 else 's'}" for name, count in counts.items())
    say(f"{file}: fine: {summary}")
    return 0
