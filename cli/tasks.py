"""`switchgear task`: what is done to one task tree by hand."""

from __future__ import annotations

import json
from urllib.parse import quote

from .asking import NoAnswerError, Policies
from .author import author
from .console import plain, say

__all__ = ["stop"]


def stop(
    task: str, *, tenant: str, reason: str, by: str | None, policies: str, api_key: str | None, as_json: bool
) -> int:
    """Refuse every further call of the tree under `task`; the exit code."""
    order = {"tenant": tenant, "by": author(by), "reason": reason}
    try:
        found = Policies("task stop", policies, api_key).write(
            f"/v1/tasks/{quote(task, safe='')}:stop", order
        )
    except NoAnswerError as problem:
        return problem.code
    if as_json:
        say(json.dumps(found, ensure_ascii=False))
    else:
        was = "was stopped before" if found["was_stopped_before"] else "is stopped"
        say(f"{plain(task)} of {plain(tenant)} {was}: its calls are refused")
    return 0
