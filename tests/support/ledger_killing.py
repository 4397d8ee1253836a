"""Ledger killing: `kill -9` of a collector at random moments of a close, and what must then be true.

A folder holds a few calls in each of many months. Each round closes the next month and kills the collector meanwhile:
at a random moment of the whole close, or just after its files began to be written. Started again, the month is closed,
with all of its entries, files and anchor, or it is open, with none.
"""

from __future__ import annotations

import shutil
import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import httpx
from server import Collector
from stores import book, call

from analytics import registry
from collector.facts.store import Store
from collector.pricing import Quote
from switchgear.usage import Usage

__all__ = ["LedgerCampaign", "Outcome", "months"]

FIRST_YEAR = 2020
CALLS_A_MONTH = 60
MONTHS_A_FOLDER = 8
_CLOSE_S = 1.0
"""What a close takes, until one was measured."""
_AFTER_FILES = 0.5
"""How far into what is left of a close it goes on, as a share of a whole one."""
_POLL_S = 0.0005


@dataclass(slots=True)
class Outcome:
    """What a campaign found; `wrong` is what must not be."""

    found: Counter[str] = field(default_factory=Counter)
    """How a month was after its kill."""
    wrong: list[str] = field(default_factory=list)
    ready_s: list[float] = field(default_factory=list)

    def __str__(self) -> str:
        how = ", ".join(f"{count} {what}" for what, count in sorted(self.found.items()))
        return (
            f"kills               {self.found.total()}: {how}\n"
            f"neither, or changed {len(self.wrong)}\n"
            f"ready after         {statistics.median(self.ready_s):.1f} s median, {max(self.ready_s):.1f} s at most"
            + "".join(f"\n  {each}" for each in self.wrong)
        )


def months() -> list[str]:
    """The months that a campaign closes, in order."""
    return [f"{year}-{month:02}" for year in range(FIRST_YEAR, 2026) for month in range(1, 13)]


class LedgerCampaign:
    """A collector on one folder whose months are closed one after another, and killed while it closes them."""

    def __init__(self, data: Path, *, seed: int, note: Callable[[str], None] = lambda _: None) -> None:
        self._data = data
        self._random = Random(seed)
        self._note = note
        self._took_s = [_CLOSE_S]
        self._frozen: dict[str, dict[str, bytes]] = {}
        self.outcome = Outcome()
        _fill(data)

    def run(self, rounds: int) -> Outcome:
        """So many kills; what was found."""
        left = iter(months())
        month = next(left)
        collector = self._started()
        for number in range(rounds):
            if number and number % MONTHS_A_FOLDER == 0:
                # A close looks at every closed month for corrections, after a start all of them anew.
                collector.stop()
                _fill(self._data)
                self._frozen.clear()
                left = iter(months())
                month = next(left)
                collector = self._started()
            before = _told(collector)
            how = self._kill_while_closing(collector, month)
            collector = self._started()
            after = _told(collector)
            state = self._state(month, before, after)
            self.outcome.found[f"{state}, {how}"] += 1
            self._note(f"{number + 1}: {month} is {state} after a kill {how}")
            if state != "closed":
                began = time.monotonic()
                answer = _close(collector, month)
                self._took_s.append(time.monotonic() - began)
                if answer.status_code != httpx.codes.OK:
                    self._wrong(month, f"its close is refused: {answer.text}")
            self._check(collector, month)
            month = next(left)
        collector.stop()
        return self.outcome

    def _kill_while_closing(self, collector: Collector, month: str) -> str:
        closing = threading.Thread(target=_close_whatever_becomes_of_it, args=(collector.url, month))
        closing.start()
        if self._random.random() < 0.5:
            time.sleep(self._random.uniform(0, 1.2 * statistics.median(self._took_s)))
            how = "at some moment"
        else:
            folder, began = self._data / "ledger", time.monotonic()
            while not (any(folder.glob(".*.closing")) or (folder / month).exists()):
                if time.monotonic() - began > 60:
                    self._wrong(month, "its close did not come to write files")
                    break
                time.sleep(_POLL_S)
            time.sleep(self._random.uniform(0, _AFTER_FILES * statistics.median(self._took_s)))
            how = "after its files were begun"
        collector.kill()
        closing.join()
        return how

    def _state(self, month: str, before: dict[str, Any], after: dict[str, Any]) -> str:
        """Closed or open; anything between is wrong."""
        closed = month in after["closed"]
        entries = after["entries"] - before["entries"]
        there = (self._data / "ledger" / month).is_dir()
        begun = [each.name for each in (self._data / "ledger").glob(".*.closing")]
        if closed != there or begun or bool(entries) != closed:
            self._wrong(month, f"closed: {closed}, files: {there}, begun: {begun}, entries: {entries}")
        if not closed and after["head"] != before["head"]:
            self._wrong(month, "it is open, and the head moved")
        if after["findings"]:
            self._wrong(month, f"verify finds {after['findings'][:3]}")
        return "closed" if closed else "open"

    def _check(self, collector: Collector, month: str) -> None:
        """After its close: the whole amount, nothing to correct, and the months before it as they were."""
        told = _told(collector)
        if told["closed"].get(month) != str(_expected(month)):
            self._wrong(month, f"it was closed with {told['closed'].get(month)}, not {_expected(month)}")
        if told["findings"]:
            self._wrong(month, f"verify finds {told['findings'][:3]}")
        for name, files in self._frozen.items():
            if _files(self._data, name) != files:
                self._wrong(name, "its files changed")
        self._frozen[month] = _files(self._data, month)

    def _wrong(self, month: str, text: str) -> None:
        self.outcome.wrong.append(f"{month}: {text}")

    def _started(self) -> Collector:
        collector = Collector(self._data)
        self.outcome.ready_s.append(collector.wait_ready())
        return collector


def _fill(data: Path) -> None:
    """Calls in every month, whose costs follow from it; all owned and priced."""
    shutil.rmtree(data, ignore_errors=True)
    store = Store(data)
    calls = []
    for place, month in enumerate(months()):
        year, number = map(int, month.split("-"))
        for each in range(CALLS_A_MONTH):
            at = datetime(year, number, 1 + each % 28, each % 24, tzinfo=UTC)
            tokens = Usage(_tokens(place, each), output=1)
            named = {"provider": "openai", "workload": f"w{each % 7}", "model": f"m{each % 3}"}
            calls.append(call(place * CALLS_A_MONTH + each + 1, at, usage=tokens, **named))
    book(store, calls, _price, datetime(2026, 1, 2, tzinfo=UTC))
    owned = [
        {"tenant": "acme", "workload": f"w{each}", "owner": "ann", "cost_centre": f"CC-{each}"}
        for each in range(7)
    ]
    with store.transaction() as con:
        registry.replace(con, {"workloads": owned})
    store.close()


def _tokens(month: int, number: int) -> int:
    return 1_000 * (month + 1) + number


def _price(provider: str | None, model: str | None, usage: Usage, at: datetime, *_: object) -> Quote:
    return Quote(Decimal(usage.input_total) / 1_000, "USD", "kills")


def _expected(month: str) -> Decimal:
    place = months().index(month)
    return sum((Decimal(_tokens(place, each)) for each in range(CALLS_A_MONTH)), Decimal(0)) / 1_000


def _close(collector: Collector, month: str) -> httpx.Response:
    return collector.http.post(f"/v1/ledger/periods/{month}/close", json={"by": "kills"})


def _close_whatever_becomes_of_it(url: str, month: str) -> None:
    with suppress(httpx.TransportError):
        httpx.post(
            f"{url}/v1/ledger/periods/{month}/close", json={"by": "kills"}, timeout=120, trust_env=False
        )


def _told(collector: Collector) -> dict[str, Any]:
    periods = collector.http.get("/v1/ledger/periods").json()
    verified = collector.http.get("/v1/ledger/verify").json()
    return {
        "closed": {each["period"]: each["totals"][0]["amount"] for each in periods["closed"]},
        "entries": verified["entries"],
        "head": verified["head"],
        "findings": [each["text"] for each in verified["findings"]],
    }


def _files(data: Path, month: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (data / "ledger" / month).iterdir()}
