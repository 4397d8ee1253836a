"""`switchgear export`: what is charged as FOCUS datasets, fetched a day at a time; and whether such a file is sound."""

from __future__ import annotations

import json
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from analytics.focus.cost_and_usage import ENDINGS, Account, write
from analytics.focus.datasets import (
    Billed,
    BillingPeriod,
    Row,
    billing_periods,
    csv_text,
    invoice_details,
)
from analytics.focus.parties import seller
from analytics.focus.rules import Finding
from analytics.focus.rules import check as findings_of
from analytics.ledger.calendar import Calendar

from .asking import NoAnswerError
from .collectors import Asked
from .console import FAILED, fail, misuse, note, plain, say

__all__ = ["DATASETS", "Wanted", "check", "focus"]

DATASETS = ("cost-and-usage", "billing-period", "invoice-detail", "contract-commitment")
_LINES_AT_ONCE = 20_000
_PROGRESS_EVERY_S = 2.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is exported, and where to."""

    start: str
    """A month or a day; the same of `end`, which is within."""
    end: str
    out: Path
    version: str
    datasets: Sequence[str]
    account: str
    account_name: str
    checked: bool


@dataclass(slots=True)
class _Tally:
    """What went by."""

    lines: int = 0
    unknown: int = 0
    """Lines of use whose cost is not known."""
    totals: defaultdict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    """By currency."""
    issuers: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """By period."""


def focus(ask: Asked, wanted: Wanted) -> int:
    """Write the datasets, and say what they hold; the exit code. With `checked`, 1 where a rule finds something."""
    try:
        return _Export(ask, wanted).run()
    except NoAnswerError as problem:
        return problem.code
    except OSError as problem:
        where = problem.filename or wanted.out
        return fail(
            f"export focus: cannot write {where}: {problem.strerror or problem}; choose another --out"
        )


def check(file: Path, *, as_json: bool) -> int:
    """Print what of our rules a file of Cost and Usage breaks; exit 1 where it breaks one."""
    try:
        found = findings_of(file)
    except FileNotFoundError:
        return misuse(f"export check: {file}: there is no such file")
    except OSError as problem:
        return fail(f"export check: {problem}")
    if as_json:
        say(json.dumps({"file": str(file), "findings": [asdict(each) for each in found]}))
    else:
        _tell_findings(file, found)
    return FAILED if found else 0


class _Export:
    """One export: pages first, then their lines, then what depends on them."""

    def __init__(self, ask: Asked, wanted: Wanted) -> None:
        self._ask = ask
        self._wanted = wanted
        (pages,) = ask.tables([("focus_pages", {"from": wanted.start, "to": wanted.end})])
        self._pages: list[dict[str, Any]] = pages.to_pylist()
        first = self._pages[0]
        self._account = Account(
            wanted.account, wanted.account_name, first["currency"], Calendar(first["zone"])
        )
        self._tally = _Tally()
        self._rows: dict[str, int] = {}
        self._files: dict[str, Path] = {}

    def run(self) -> int:
        self._write_lines()
        self._write_others()
        found: list[Finding] = []
        if self._wanted.checked and "cost-and-usage" in self._files:
            found = findings_of(self._files["cost-and-usage"])
        if self._ask.as_json:
            say(json.dumps(self._document(found)))
        else:
            self._tell(found)
        return FAILED if found else 0

    def _write_lines(self) -> None:
        if "cost-and-usage" not in self._wanted.datasets:
            if "billing-period" in self._wanted.datasets:
                for _ in self._lines():
                    pass
            return
        is_file = self._wanted.out.name.endswith(ENDINGS)
        to = self._wanted.out if is_file else self._wanted.out / "cost-and-usage.csv"
        self._rows["cost-and-usage"] = write(self._lines(), to, self._account, version=self._wanted.version)
        self._files["cost-and-usage"] = to

    def _lines(self) -> Iterator[pa.RecordBatch]:
        pages = [page for page in self._pages if page["day"] is not None]
        asked = (
            (
                "focus_lines",
                {
                    "period": page["period"],
                    "day": page["day"].isoformat(),
                    "closed": str(page["closed_at"] is not None).lower(),
                },
            )
            for page in pages
        )
        told = time.monotonic()
        for place, lines in enumerate(self._ask.tables(asked), start=1):
            self._count(lines)
            yield from lines.to_batches(max_chunksize=_LINES_AT_ONCE)
            if time.monotonic() - told > _PROGRESS_EVERY_S:
                told = time.monotonic()
                self._progress(place, len(pages))

    def _count(self, lines: pa.Table) -> None:
        sums = (
            pl.DataFrame(lines.select(["period", "provider", "currency", "kind", "amount"]))
            .group_by("period", "provider", "currency")
            .agg(
                pl.col("amount").sum(),
                ((pl.col("kind") == "usage") & pl.col("amount").is_null()).sum().alias("unknown"),
                pl.len().alias("lines"),
            )
        )
        for row in sums.iter_rows(named=True):
            self._tally.lines += row["lines"]
            self._tally.unknown += row["unknown"]
            if row["currency"] is not None:
                self._tally.totals[row["currency"]] += row["amount"] or Decimal(0)
            provider = row["provider"]
            issuer = self._account.name if provider is None else seller(provider).name
            self._tally.issuers[row["period"]].add(issuer)

    def _progress(self, done: int, of: int) -> None:
        if self._ask.as_json:
            told = {"what": "export focus", "days": done, "of": of, "lines": self._tally.lines}
            sys.stderr.write(json.dumps(told) + "\n")
            sys.stderr.flush()
        else:
            note(f"export focus: {done:,} of {of:,} days, {self._tally.lines:,} lines")

    def _write_others(self) -> None:
        made: dict[str, list[Row]] = {}
        if "invoice-detail" in self._wanted.datasets:
            made["invoice-detail"] = self._invoices()
        if "billing-period" in self._wanted.datasets:
            made["billing-period"] = self._periods(made.get("invoice-detail", []))
        if "contract-commitment" in self._wanted.datasets:
            (table,) = self._ask.tables([("focus_contracts", {})])
            made["contract-commitment"] = table.to_pylist()
        for name, rows in made.items():
            to = self._wanted.out / f"{name}.csv"
            if rows:
                self._wanted.out.mkdir(parents=True, exist_ok=True)
                to.write_text(csv_text(rows), encoding="utf-8", newline="")
                self._rows[name], self._files[name] = len(rows), to
            else:
                # A file of an earlier export would be taken for a part of this one.
                to.unlink(missing_ok=True)

    def _invoices(self) -> list[Row]:
        days = _days(self._pages, self._account.calendar)
        (table,) = self._ask.tables([("focus_invoices", days)])
        billed = [Billed(**row) for row in table.to_pylist()]
        return invoice_details(billed, self._account.id, self._account.calendar)

    def _periods(self, invoiced: Iterable[Row]) -> list[Row]:
        issuers = {name: set(found) for name, found in self._tally.issuers.items()}
        known = {page["period"]: page for page in self._pages}
        starts = {page["starts"]: name for name, page in known.items()}
        for row in invoiced:
            at = datetime.fromisoformat(str(row["BillingPeriodStart"]))
            issuers.setdefault(starts[at], set()).add(str(row["InvoiceIssuerName"]))
        periods = [
            (
                BillingPeriod(page["starts"], page["ends"], page["closed_at"]),
                issuers.get(name) or {self._account.name},
            )
            for name, page in known.items()
        ]
        return billing_periods(periods, datetime.now(UTC))

    def _document(self, found: Sequence[Finding]) -> dict[str, Any]:
        periods = {page["period"]: page["closed_at"] is not None for page in self._pages}
        return {
            "version": self._wanted.version,
            "files": {name: str(path) for name, path in self._files.items()},
            "rows": self._rows,
            "periods": [{"period": name, "closed": closed} for name, closed in periods.items()],
            "lines": self._tally.lines,
            "lines_of_unknown_cost": self._tally.unknown,
            "totals": [
                {"currency": currency, "amount": f"{amount:f}"}
                for currency, amount in sorted(self._tally.totals.items())
            ],
            "findings": [asdict(each) for each in found],
        }

    def _tell(self, found: Sequence[Finding]) -> None:
        for name, path in self._files.items():
            say(f"{path}: {self._rows[name]:,} rows")
        closed = {page["period"]: page["closed_at"] is not None for page in self._pages}
        names = ", ".join(
            f"{name} ({'closed' if is_closed else 'open'})" for name, is_closed in closed.items()
        )
        amounts = ", ".join(
            f"{amount:f} {currency}" for currency, amount in sorted(self._tally.totals.items())
        )
        say(f"FOCUS {self._wanted.version} of {names}: {amounts or 'no known cost'}")
        if self._tally.unknown:
            note(
                f"export focus: of {self._tally.unknown:,} lines the cost is not known: their rows have 0, "
                'and x_CostSource "unknown"'
            )
        if self._wanted.checked and "cost-and-usage" in self._files:
            _tell_findings(self._files["cost-and-usage"], found)
        if len(self._files) > 1:
            say(f"To have it checked: focus-toolkit validate-bundle --directory {self._wanted.out}")


def _days(pages: Sequence[Mapping[str, Any]], calendar: Calendar) -> dict[str, str]:
    """The days of all periods of the export."""
    first, last = (calendar.period(pages[place]["period"]) for place in (0, -1))
    days: tuple[date, date] = (first.first_day, last.last_day)
    return dict(zip(("from", "to"), (day.isoformat() for day in days), strict=True))


def _tell_findings(file: Path, found: Sequence[Finding]) -> None:
    for each in found:
        where = "" if each.first_row is None else f" ({each.rows:,} rows, the first is {each.first_row:,})"
        say(f"{each.rule}: {plain(each.words)}{where}")
    say(f"{file}: {len(found)} findings" if found else f"{file}: no rule is broken")
