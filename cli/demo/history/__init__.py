"""A history: the calls of a whole company over weeks, made up and the same for the same seed.

Start with `made.History`: `plan` shares the calls out over workloads (`company`, `archetypes`) and hours (`rhythm`),
`draws` makes a workload's week of them as arrays, `spans` encodes these, and `planted` adds what audits should find.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

__all__ = ["END", "generate"]

END = datetime(2026, 11, 23, tzinfo=UTC)
"""A Monday: where a history ends unless said."""


def generate(
    *,
    seed: int = 7,
    days: int = 90,
    tenants: int = 30,
    workloads: int = 120,
    calls: int = 1_000_000,
    plant: Iterable[str] = (),
    end: datetime = END,
) -> Iterator[bytes]:
    """The bodies of OTLP requests (protobuf) that tell of exactly `calls` calls in the `days` before `end`.

    What is planted ("herd", "loop", "move") comes on top. Raises ValueError for what cannot be made. For what else
    there is to know of it (who owns what, sums, what was planted) make a `made.History`.
    """
    from .made import History
    from .plan import Wanted

    history = History(Wanted(seed, end - timedelta(days=days), end, tenants, workloads, calls, tuple(plant)))
    return (body.content for body in history.bodies())
