"""Worlds: companies that chargeback is tried on. Calls of all kinds, owners that change, prices, contracts and rules.

A `World` is a store with its ledger, lines, reports, reviews and FOCUS rows, by files that a test changes, and with a
clock that it sets. All of it is the collector's own, but for HTTP.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Self

import pyarrow as pa
from hypothesis import strategies as st
from stores import book, call

from analytics import registry
from analytics.focus import cost_and_usage
from analytics.focus import report as focus
from analytics.ledger import reports as charged
from analytics.ledger.closing import Accepted
from analytics.ledger.drafts import Draft, Person
from analytics.ledger.keeper import Keeper
from analytics.ledger.line import Kind as Line
from analytics.ledger.live import LiveLines
from analytics.ledger.settings import load
from analytics.live import Followed, LivePrices
from analytics.reports import REPORTS
from analytics.reviews.assembling import assembled
from analytics.reviews.document import encoded
from analytics.reviews.gathering import Week, gathered
from collector.call import UNATTRIBUTED, Call, Kind, Reported, Stated
from collector.erasing.erasure import Eraser
from collector.erasing.horizon import Horizon
from collector.erasing.retention import Retention, Sweep
from collector.extension import Facts
from collector.facts.adjustments import Rerate, pack
from collector.facts.journal import Journal
from collector.facts.rows import numbered
from collector.facts.statements import statement
from collector.facts.store import Store
from collector.queries.reader import Reader
from collector.rerating.repricing import repriced
from switchgear.usage import Usage

__all__ = ["MONTHS", "OWNERS", "PRICES", "SETTINGS", "World", "calls"]

MONTHS = ("2026-10", "2026-11")
BEGIN = datetime(2026, 10, 1, tzinfo=UTC)
LATER = datetime(2027, 1, 10, tzinfo=UTC)
"""When both months are over, and late calls were waited for."""
_ANN, _BOB = Person("sg_ann", "Ann"), Person("sg_bob", "Bob")

PRICES = {
    "first": """
prices:
  - {provider: acme, models: [m], currency: USD, input: 2, cache_read: 0.2, cache_write_5m: 2.5, output: 8}
  - {provider: acme, models: [odd], currency: EUR, input: 0.0000007, output: 3, per_request: 0.01}
""",
    # What had no price has one, and the others another.
    "second": """
prices:
  - {provider: acme, models: [m], currency: USD, input: 3, cache_read: 0.3, cache_write_5m: 3.75, output: 9.000001}
  - {provider: acme, models: [odd], currency: EUR, input: 0.0000007, output: 2, per_request: 0.01}
  - {provider: acme, models: [new], currency: USD, input: 1, output: 1}
""",
}
CONTRACTS = """
contracts:
  - name: less
    provider: acme
    tenants: [globex]
    currency: USD
    from: 2026-01-01
    discounts: [{models: [m], discount: 33.3333%}]
    commitment: {monthly: 0.01 USD}
"""
_PLATFORM = """
  - name: Platform
    from: 2026-01-01
    pool: {workloads: [{tenant: "*", workload: router}]}
    method: proportional
    by: tokens
"""
SETTINGS = {
    "strict": "",
    "plain": "close: {unpriced: 100%, unowned: 100%}\n",
    "shared": "close: {unpriced: 100%, unowned: 100%}\nallocation:" + _PLATFORM,
    "Berlin": "zone: Europe/Berlin\nclose: {unpriced: 100%, unowned: 100%}\nallocation:"
    + _PLATFORM
    + """
  - name: Missing
    from: 2026-01-01
    pool: {charges: [shortfall]}
    method: even
  - name: Nobody
    from: 2026-10-15
    pool: {unattributed: true}
    method: even
    to: tenants
  - name: Retries
    from: 2026-11-01
    pool: {retries: true}
    method: fixed
    shares: {CC-1: 33.3%, CC-9: 66.7%}
""",
}


def _owned(
    tenant: str, workload: str, owner: str, centre: str, first: str = "", last: str = ""
) -> dict[str, str]:
    line = {
        "tenant": tenant,
        "workload": workload,
        "owner": owner,
        "cost_centre": centre,
        "from": first,
        "to": last,
    }
    return {name: value for name, value in line.items() if value}


_FINANCE = {
    "source": "imported",
    "plans": [{"cost_centre": "CC-1", "month": "2026-10", "amount": "12.5", "currency": "USD"}],
    "revenue": [{"tenant": "acme", "month": "2026-10", "amount": "99", "currency": "USD"}],
}
OWNERS: Mapping[str, dict[str, Any]] = {
    "nobody": _FINANCE,
    # Nothing of acme's writer is owned from the 10th to the 15th of October; the bot of globex is nobody's.
    "gaps": {
        **_FINANCE,
        "workloads": [
            _owned("acme", "writer", "ann", "CC-1", last="2026-10-10"),
            _owned("acme", "writer", "bob", "CC-2", first="2026-10-15"),
            _owned("acme", "router", "ops", "CC-9"),
            _owned("globex", "writer", "eve", "CC-2"),
        ],
    },
    "moved": {
        **_FINANCE,
        "zone": "Europe/Berlin",
        "workloads": [
            _owned("acme", "writer", "ann", "CC-1", last="2026-10-16"),
            _owned("acme", "writer", "eve", "CC-2", first="2026-10-16", last="2026-11-16"),
            _owned("acme", "writer", "ann", "CC-3", first="2026-11-16"),
            _owned("acme", "router", "ops", "CC-9"),
            _owned("globex", "writer", "eve", "CC-2"),
            _owned("globex", "bot", "bob", "CC-1", first="2026-11-01"),
        ],
    },
}


@st.composite
def _told(draw: st.DrawFn, number: int) -> Call:
    output = draw(st.integers(0, 700))
    tokens = Usage(
        draw(st.integers(1, 9000)), draw(st.integers(0, 5000)), draw(st.sampled_from([0, 300])), 0, output, 0
    )
    how = draw(st.sampled_from(["whole", "whole", "whole", "half", "nothing", "search"]))
    fields: dict[str, Any] = {"usage": tokens, "reported": Reported.INPUT | Reported.OUTPUT}
    if how == "half":
        fields["reported"] = Reported.OUTPUT
    elif how != "whole":
        fields = {"usage": None, "reported": Reported.NOTHING}
    if how == "search":
        fields |= {"kind": Kind.COST, "stated": Stated(Decimal("0.01"), "USD", "search")}
    # The clocks of Berlin change on 25 October; hours lie on both sides of midnights and of the month's end.
    at = BEGIN + timedelta(hours=draw(st.integers(0, 61 * 24 - 1)), minutes=draw(st.sampled_from([0, 59])))
    return call(
        number,
        at,
        tenant=draw(st.sampled_from(["acme", "acme", "globex", UNATTRIBUTED])),
        workload=draw(st.sampled_from(["writer", "writer", "router", "bot", None])),
        tier=draw(st.sampled_from(["interactive", "background", None])),
        task_id=f"t{number % 3}",
        provider="acme",
        model=draw(st.sampled_from(["m", "m", "odd", "new"])),
        attempts=draw(st.integers(1, 4)),
        **fields,
    )


def calls(least: int = 2, most: int = 14) -> st.SearchStrategy[tuple[Call, ...]]:
    """Calls of October and November: unpriced, incomplete, retried, negotiated, of no tenant, and stated costs too.

    They are of several models and times, so that few examples say much: the first would be of calls all alike.
    """
    made = st.integers(least, most).flatmap(lambda count: st.tuples(*(_told(n) for n in range(1, count + 1))))
    return made.filter(
        lambda told: min(len({each.model for each in told}), len({each.started_at for each in told})) > 1
    )


class World:
    """A store with all that chargeback makes of it; closed at the end of a `with`."""

    def __init__(
        self, folder: Path, *, settings: str = "plain", prices: str = "first", owners: str = "gaps"
    ) -> None:
        self.data = folder / "data"
        self.folder = folder
        self.now = LATER
        self._rerates = 0
        self._file("contracts", CONTRACTS)
        self._file("prices", PRICES[prices])
        self._file("chargeback", SETTINGS[settings])
        self.prices = LivePrices(folder / "prices.yaml", folder / "contracts.yaml")
        self._settings = Followed("chargeback", folder / "chargeback.yaml", load)
        self.store = Store(self.data)
        self.reader = Reader(self.store)
        self.live = LiveLines(self.prices, self._settings, lambda: self.now)
        self.reports = {
            **REPORTS,
            **charged.reports(self.live),
            **focus.reports(self.live, lambda: self.prices.contracts.contracts),
        }
        facts = Facts(self.data, lambda: self.now, self.store, self.reader, self._caught_up, lambda: 0)
        self.keeper = Keeper(facts, self.live.of_period, lambda: self.live.chargeback, "test")
        self.own(owners)

    async def _caught_up(self) -> None:
        """Everything is booked at once here."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.reader.close()
        self.store.close()

    def _file(self, name: str, text: str) -> None:
        (self.folder / f"{name}.yaml").write_text(f"version: 1\n{text}", encoding="utf-8")

    def book(self, told: Sequence[Call]) -> None:
        """Book them, as one batch, taken in at one time whatever the batch."""
        book(self.store, told, self.prices.quote, LATER)

    def own(self, name: str) -> None:
        """Put one of `OWNERS` in place."""
        with self.store.transaction() as con:
            registry.replace(con, OWNERS[name])

    def rule(self, name: str) -> None:
        """Let one of `SETTINGS` hold from now on."""
        self._file("chargeback", SETTINGS[name])
        self._settings.look()

    def rerate(self, name: str) -> None:
        """Let one of `PRICES` hold from now on, and re-rate every call by it."""
        self._file("prices", PRICES[name])
        self.prices.look()
        first, last = datetime(2026, 1, 1, tzinfo=UTC), LATER
        found = self.store.cursor().sql(
            statement("rerate"), params={"low": 0, "high": 10**9, "begins": first, "ends": last}
        )
        rows = repriced(found.to_arrow_table(), self.prices.quotes).rows
        if rows.num_rows:
            self._rerates += 1
            made = f"r{self._rerates}"
            rows = rows.append_column("rerate", pa.repeat(made, rows.num_rows))
            note = Rerate(
                made, self.now, "key", "prices", first, last, self.prices.book.version, rows.num_rows
            )
            self.store.adjust(numbered([(pack(rows, note).facts, self.store.last_seq + 1, 0)]))

    def by_hand(self, kind: Line, amount: str, day: date) -> None:
        """Have Ann prepare a credit or an adjustment for CC-1, and Bob approve it."""
        draft = Draft(kind, Decimal(amount), "USD", day, "for the test", cost_centre="CC-1", tenant="acme")
        told = self.keeper.prepare(draft, _ANN)
        self.keeper.approve(told["id"], _BOB)

    def close(self, month: str) -> None:
        """Close a month, whatever may be accepted against it."""
        period = self.keeper.period(month)
        _, found, _ = self.keeper.check(period)
        accepted = [Accepted(each.code, "for the test") for each in found if each.weight == "acceptable"]
        self.keeper.close(period, _ANN, accepted)

    def retire(self, days: int) -> None:
        """Delete the details of calls that began longer ago, as retention does."""
        sweep = Sweep(self.store, Retention(details=days), Horizon(self.store), now=lambda: self.now)
        before = None
        while before != (before := self.sql("SELECT count(*) FROM deletions")):
            sweep()

    def erase(self, tenant: str) -> None:
        """Delete the details of a tenant."""
        with closing(Journal(self.data)) as journal:
            eraser = Eraser(self.data, self.store, journal, self.reader, Horizon(self.store))
            eraser.erase(tenant, by="ann", reason="asked for", now=self.now)

    def sql(self, text: str, *params: Any) -> list[tuple[Any, ...]]:
        """What a statement gives."""
        found: list[tuple[Any, ...]] = self.store.cursor().execute(text, list(params)).fetchall()
        return found

    def report(self, name: str, **params: str) -> list[dict[str, Any]]:
        """The rows of a report."""
        found: list[dict[str, Any]] = self.reports[name](self.store.cursor(), params).to_pylist()
        return found

    def lines(self, month: str) -> list[dict[str, Any]]:
        """What the month's own days cost by the facts, whether it is closed or not."""
        found: list[dict[str, Any]] = self.live.of_period(
            self.store.cursor(), self.keeper.period(month)
        ).to_pylist()
        return found

    def posted(self, month: str) -> list[tuple[Decimal | None, ...]]:
        """The sums of what was posted of what is computed for the days of a month, whenever it was charged."""
        period = self.keeper.period(month)
        return self.sql(
            "SELECT currency, sum(amount), sum(calls) FROM ledger_entries WHERE day BETWEEN $1 AND $2"
            " AND kind IN ('usage', 'rerate', 'charge', 'shared') GROUP BY currency"
            " HAVING sum(calls) <> 0 OR sum(amount) <> 0 ORDER BY currency NULLS FIRST",
            period.first_day,
            period.last_day,
        )

    def review(self, week: str) -> bytes:
        """The week's review as a document, made at the clock's time."""
        calendar = self.live.chargeback.calendar
        material = gathered(
            self.store.cursor(),
            Week.of(week, calendar),
            self.live,
            self.reports,
            now=self.now,
            watermark=self.store.last_booked_at,
            since=None,
        )
        return encoded(assembled(material))

    def focus(self, month: str, name: str = "focus.csv") -> bytes:
        """What is charged in a month as FOCUS Cost and Usage, CSV or Parquet by the name."""
        to = self.folder / name
        account = cost_and_usage.Account("acct", "The company", "USD", self.live.chargeback.calendar)
        cost_and_usage.write(self._pages(month), to, account)
        return to.read_bytes()

    def _pages(self, month: str) -> Iterator[pa.RecordBatch]:
        for page in self.report("focus_pages", **{"from": month, "to": month}):
            if page["day"] is not None:
                asked = {"period": month, "day": page["day"].isoformat()}
                yield from self.reports["focus_lines"](self.store.cursor(), asked).to_batches()
