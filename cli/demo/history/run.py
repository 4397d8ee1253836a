"""Run: make a history, have a real collector book it, check what it booked, and write the papers beside it."""

from __future__ import annotations

import json
import os
import secrets
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from analytics.prices import PriceBook

from ..children import Child, Children, DemoError, free_ports
from . import invoices, papers
from .costs import Cost, Pricing, costs
from .made import Body, History
from .plan import Wanted
from .sending import Sender
from .truth import identity, truth

__all__ = ["Summary", "run"]

_FOLDER, _IDENTITY = "history", "history.json"
_BOOKED_WITHIN_S = 120.0
_POLL_S = 0.1
# No day of a real tenant has so many tasks as this one.
_LIMITS = ("--limit", "tasks=10000000", "--limit", "workloads=10000")
_TOTALS = "SELECT coalesce(sum(calls), 0), sum(cost) FROM rollup_hours"


@dataclass(frozen=True, slots=True)
class Summary:
    """What a run came to."""

    data: Path
    truth: dict[str, Any]
    seconds: float
    week: str
    """The last whole ISO week of the history."""
    month: str
    """The last month of it that is over; the first one where none is."""


def run(wanted: Wanted, data: Path) -> Summary:
    """Book it in `data`. Raises DemoError where that cannot be, ValueError for what cannot be made.

    A run that was broken off goes on where it is run again: nothing is booked twice.
    """
    began = time.monotonic()
    history = History(wanted)
    folder = _claimed(data, wanted)
    with tempfile.TemporaryDirectory(prefix="switchgear-history-") as logs, Children(Path(logs)) as children:
        api_key = secrets.token_urlsafe(32)
        child, url = _collector(children, data, api_key)
        headers = {"Authorization": f"Bearer {api_key}"}
        with httpx.Client(base_url=url, headers=headers, timeout=60.0, trust_env=False) as client:
            if not (folder / _IDENTITY).exists():
                _refuse_foreign(client, data)
                folder.mkdir(parents=True, exist_ok=True)
                (folder / _IDENTITY).write_text(_json(identity(wanted)))
            with closing(Sender(url, api_key)) as sender, _progress(_calls(history)) as taken:
                sender.send(history.bodies(), taken)
            found, told = _written(history, folder)
            _register(client, papers.document(history, found))
            _check(children, child, client, told)
    return Summary(data, told, time.monotonic() - began, _last_week(wanted), _last_month(wanted))


def _claimed(data: Path, wanted: Wanted) -> Path:
    """Where the papers go. Raises DemoError for a folder with another history."""
    folder = data / _FOLDER
    file = folder / _IDENTITY
    if file.exists() and json.loads(file.read_text()) != identity(wanted):
        raise DemoError(f"{data} has another history ({file} says which); choose another folder with --data")
    return folder


def _collector(children: Children, data: Path, api_key: str) -> tuple[Child, str]:
    """A collector on the folder, by list prices alone: nothing of the user's settings or folder changes the history."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SWITCHGEAR_")}
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    child = children.start(
        "collector",
        "cli",
        (
            *("serve", "collector", "--data", str(data.absolute()), "--supervised", "--no-grpc"),
            *("--port", str(port), *_LIMITS),
        ),
        folder=children.logs,
        environment={**environment, "SWITCHGEAR_API_KEY": api_key},
    )
    children.await_answer(child, f"{url}/readyz")
    return child, url


def _refuse_foreign(client: httpx.Client, data: Path) -> None:
    calls, _ = _totals(client)
    if calls:
        raise DemoError(
            f"{data} has {calls:,} calls that are of no history; choose another folder with --data"
        )


def _written(history: History, folder: Path) -> tuple[list[Cost], dict[str, Any]]:
    """The papers in their folder; what the calls cost, and the truth, which is one of the papers."""
    pricing = Pricing(PriceBook())
    found = list(costs(history.tally.lines(), pricing))
    billed = invoices.bills(found, pricing, history.wanted.start, history.wanted.end)
    told = truth(history, found, billed, pricing.version)
    texts = {
        **papers.tables(history, found),
        "contracts.yaml": papers.contracts(history, found),
        "chargeback.yaml": papers.chargeback(history),
        "truth.json": _json(told),
        **{f"invoices/{bill.provider}-{bill.month}.json": invoices.document(bill) for bill in billed},
    }
    for name, text in texts.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return found, told


def _register(client: httpx.Client, document: Mapping[str, object]) -> None:
    answer = client.put("/v1/registry", json=document)
    if not answer.is_success:
        raise DemoError(f"the collector refused the registry: {answer.text[:300]}")


def _check(children: Children, child: Child, client: httpx.Client, told: dict[str, Any]) -> None:
    """Wait until every call is booked, and compare what they cost. Raises DemoError where that is not the truth."""
    calls = told["calls"]
    children.wait_until(
        lambda: bool(_totals(client)[0] >= calls),
        f"not all of {calls:,} calls were booked within {_BOOKED_WITHIN_S:.0f} s",
        _BOOKED_WITHIN_S,
    )
    booked, cost = _totals(client)
    if booked != calls or cost != Decimal(told["cost"]["total"]):
        raise DemoError(
            f"{booked:,} calls are booked at {cost} USD; "
            f"there were {calls:,} at {told['cost']['total']} USD by the price book"
        )


def _totals(client: httpx.Client) -> tuple[int, Decimal]:
    answer = client.post("/v1/query", json={"sql": _TOTALS})
    if answer.status_code != httpx.codes.OK:
        raise DemoError(f"the collector refused the demo's query: {answer.text[:200]}")
    ((calls, cost),) = answer.json()["rows"]
    return int(calls), Decimal(cost or 0)


def _calls(history: History) -> int:
    return history.wanted.calls + sum(len(drawn.task) for _, drawn in history.planted.extra)


@contextmanager
def _progress(calls: int) -> Iterator[Any]:
    """Calls, how many a second, and how long it takes still, on stderr."""
    rate = TextColumn("{task.fields[rate]:>7,.0f} calls/s")
    columns = (TextColumn("booking"), BarColumn(), MofNCompleteColumn(), rate, TimeRemainingColumn())
    began = time.monotonic()
    with Progress(*columns, console=Console(stderr=True)) as shown:
        line = shown.add_task("booking", total=calls, rate=0.0)

        def taken(body: Body) -> None:
            shown.update(line, advance=body.calls)
            done = shown.tasks[0].completed
            shown.update(line, rate=done / max(time.monotonic() - began, 1e-3))

        yield taken


def _last_week(wanted: Wanted) -> str:
    monday = (wanted.end - timedelta(days=wanted.end.weekday())).replace(hour=0)
    year, week, _ = (monday - timedelta(days=7)).isocalendar()
    return f"{year}-W{week:02}"


def _last_month(wanted: Wanted) -> str:
    before = wanted.end.replace(day=1, hour=0) - timedelta(days=1)
    return f"{max(before, wanted.start):%Y-%m}"


def _json(value: Any) -> str:
    return json.dumps(value, indent=2) + "\n"
