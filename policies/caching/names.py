"""Names: what the cache calls a workload, so that nothing of one tenant's is compared or certified with another's.

The cache counts what was right and wrong by workload. Two tenants may each have one of the same name, and what one of
them teaches must not decide what the other is served. So the cache is told a name that holds whose the workload is: its
tenant's, or that of the tenants who share their answers.
"""

from __future__ import annotations

import json
from typing import NamedTuple

__all__ = ["Owned", "name_of", "owned"]


class Owned(NamedTuple):
    """A workload, and the tenants whose it is: one, or all who share."""

    tenants: tuple[str, ...]
    workload: str


def name_of(tenant: str, workload: str, group: str | None) -> str:
    """What the cache calls it. `group` is the document's, as policies name it."""
    tenants = [tenant] if group is None else json.loads(group)
    return json.dumps([*tenants, workload], ensure_ascii=False)


def owned(name: str) -> Owned | None:
    """Whose the workload of that name is; None for a name of another kind."""
    try:
        parts = json.loads(name)
    except ValueError:
        return None
    if not isinstance(parts, list) or len(parts) < 2 or not all(isinstance(each, str) for each in parts):
        return None
    return Owned(tuple(parts[:-1]), parts[-1])
