"""Histories: a collector's data folder with a generated company's calls in it, through the real collector."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

from otlp_samples import PROTOBUF, Served

from analytics import registry
from analytics.prices import PriceBook
from cli.demo.history import END, papers
from cli.demo.history.costs import Pricing, costs
from cli.demo.history.made import History
from cli.demo.history.plan import Wanted
from collector.ingest.limits import Limits

__all__ = ["filled", "history"]

# All of it comes at once, which no day of a real tenant does.
_AT_ONCE = Limits(past_days=36_500, tasks=400_000)


def history(
    *,
    seed: int = 7,
    days: int = 35,
    tenants: int = 30,
    workloads: int = 120,
    calls: int = 20_000,
    plant: tuple[str, ...] = (),
    end: datetime = END,
) -> History:
    """What `filled` books: its `company`, what is `planted`, and its `tally` once all its `bodies()` were taken."""
    return History(Wanted(seed, end - timedelta(days=days), end, tenants, workloads, calls, plant))


def filled(folder: Path, **wanted: object) -> Path:
    """`folder`, which must not be there yet, as the data of a collector that has booked `history(**wanted)`.

    It is filled once for each test session and the same wishes, and copied from then on. The collector is not running.
    """
    made = _made(tuple(sorted(wanted.items())))
    shutil.copytree(made, folder)
    return folder


@cache
def _made(wanted: tuple[tuple[str, object], ...]) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="switchgear-history-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    made = history(**dict(wanted))
    with Served(folder, limits=_AT_ONCE, registry=registry) as served:
        for body in made.bodies():
            answer = served.http.post("/v1/traces", content=body.content, headers={"Content-Type": PROTOBUF})
            assert (answer.status_code, answer.content) == (200, b""), answer.content
        found = list(costs(made.tally.lines(), Pricing(PriceBook())))
        answer = served.http.put("/v1/registry", json=papers.document(made, found))
        assert answer.is_success, answer.text
    return folder
