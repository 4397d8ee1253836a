"""Matching: the ledger's lines against a statement's, and the difference by cause."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from operator import attrgetter
from typing import TypeVar

from .aligning import PRIORITY, Group, Place, grouped
from .causes import Sums, explained
from .figures import EXACT
from .line import ALL, USAGE_ONLY, InvoiceLine
from .names import provider_of
from .results import Cell, OurLine, ProviderResult, Reconciliation, Row, Tolerance, by_cause, total
from .zones import shifted

__all__ = ["reconcile"]

_Line = TypeVar("_Line", OurLine, InvoiceLine)

Days = tuple[date, date]
Series = tuple[str | None, str | None, str | None, str, str]
"""Model, project, item, currency and kind: cells that differ in their day alone."""


def reconcile(
    ours: Sequence[OurLine],
    theirs: Sequence[InvoiceLine],
    tolerance: Tolerance,
    names: Mapping[str, str],
    *,
    days: Days | None = None,
    covered: Mapping[str, Days] | None = None,
) -> Reconciliation:
    """How the two compare, for each provider that `theirs` tells of, and what each difference is made of.

    `names` maps projects of ours to theirs, to "" for what they name none of: Anthropic's default workspace. `days`,
    the first and last, are what is asked for; `covered` the days that a provider's statement speaks of, where it tells
    (`Statement.covered`). Compared are the days in both; without either, from the first to the last of what is billed.
    No order and no splitting of the lines changes the result.
    """
    theirs_of = _by_provider(theirs)
    ours_of = _by_provider(ours)
    results: list[ProviderResult] = []
    for provider in sorted(theirs_of):
        span = _span(theirs_of[provider], days, (covered or {}).get(provider))
        results += _compared(
            provider, ours_of.get(provider, []), theirs_of[provider], tolerance, names, span, days
        )
    return Reconciliation(tuple(results), tuple(sorted(set(ours_of) - set(theirs_of))))


def _compared(
    provider: str,
    ours: Sequence[OurLine],
    theirs: Sequence[InvoiceLine],
    tolerance: Tolerance,
    names: Mapping[str, str],
    span: Days,
    asked: Days | None,
) -> list[ProviderResult]:
    mine = [line for line in ours if span[0] <= line.day <= span[1]]
    given = [line for line in theirs if span[0] <= line.day <= span[1]]
    money = any(line.amount is not None for line in theirs)
    tiers = {line.service_tier for line in given if line.amount is not None}
    apart = provider == "anthropic" and money and "priority" not in tiers
    main = min((line.currency for line in theirs if line.amount is not None), default=USAGE_ONLY)
    groups = grouped(mine, given, names, main, priority_apart=apart)
    relative = tolerance.of(provider).relative
    rows = _rows(provider, groups, relative, money=money)
    notes = _notes(ours, mine, theirs, given, span, asked, money=money, priority=apart)
    left_out = sum(line.calls for line in ours) - sum(line.calls for line in mine)
    return [
        _result(provider, currency, span, rows, tolerance, left_out, notes)
        # Without a row there is nothing that was compared, and that is a result too.
        for currency in sorted({row.currency for row in rows}) or [main]
    ]


def _result(
    provider: str,
    currency: str,
    span: Days,
    rows: Iterable[Row],
    tolerance: Tolerance,
    left_out: int,
    notes: tuple[str, ...],
) -> ProviderResult:
    mine = tuple(row for row in rows if row.currency == currency)
    billed = [row.theirs for row in mine if row.theirs is not None]
    theirs = total(billed) if billed else None
    allowed = tolerance.of(provider)
    return ProviderResult(
        provider,
        currency,
        span,
        mine,
        total(row.ours for row in mine),
        total(cell.late for row in mine for cell in row.cells),
        theirs,
        by_cause(part for row in mine for part in row.causes.items()),
        max(allowed.absolute, EXACT.multiply(allowed.relative, abs(theirs or Decimal(0)))),
        sum(cell.unpriced_calls for row in mine for cell in row.cells),
        left_out,
        notes,
    )


def _rows(provider: str, groups: Mapping[Place, Group], relative: Decimal, *, money: bool) -> list[Row]:
    cells = {
        (place, currency, kind): (group, _sums(group, currency, kind))
        for place, group in groups.items()
        for currency in group.currencies
        for kind in group.kinds
    }
    moved = _moved({key: sums for key, (_, sums) in cells.items()}, relative)
    found: dict[tuple[Place, str], list[Cell]] = {}
    for key, (group, sums) in cells.items():
        place, currency, kind = key
        comparable = len(group.currencies) == 1 and place.item != PRIORITY
        causes = explained(sums, comparable=comparable, shifted=key in moved) if money else ()
        mine = [line for line in group.ours if _is(line, currency, kind, group)]
        cell = Cell(
            kind,
            sums.ours,
            sums.late,
            sums.theirs if money else None,
            sums.seen,
            sums.billed,
            sum(line.calls for line in mine),
            sum(line.unpriced_calls for line in mine),
            causes,
        )
        found.setdefault((place, currency), []).append(cell)
    rows = [
        Row(provider, place.day, place.model, place.project, place.item, currency, tuple(parts))
        for (place, currency), parts in found.items()
    ]
    return sorted(
        rows, key=lambda row: (row.day, row.model or "", row.project or "", row.item or "", row.currency)
    )


def _moved(cells: Mapping[tuple[Place, str, str], Sums], relative: Decimal) -> set[tuple[Place, str, str]]:
    """The cells whose differences a neighbouring day's cancels, in tokens if all of a series have them."""
    series: dict[Series, dict[date, tuple[Place, Sums]]] = {}
    for (place, currency, kind), sums in cells.items():
        name = (place.model, place.project, place.item, currency, kind)
        series.setdefault(name, {})[place.day] = (place, sums)
    found = set()
    for (*_, currency, kind), by_day in series.items():
        measured = all(sums.measured for _, sums in by_day.values())
        sides = {day: _sides(sums, measured=measured) for day, (_, sums) in by_day.items()}
        found |= {(by_day[day][0], currency, kind) for day in shifted(sides, relative)}
    return found


def _sides(sums: Sums, *, measured: bool) -> tuple[Decimal, Decimal]:
    if measured and sums.seen is not None and sums.billed is not None:
        return sums.seen, sums.billed
    return sums.booked, sums.theirs


def _sums(group: Group, currency: str, kind: str) -> Sums:
    mine = [line for line in group.ours if _is(line, currency, kind, group)]
    priced = [line for line in mine if line.amount is not None]
    unpriced = [line for line in mine if line.amount is None]
    given = [line for line in group.theirs if kind in (line.kind, ALL)]
    billed = [line for line in given if line.amount is not None and line.currency == currency]
    used = [line for line in given if line.amount is None]
    return Sums(
        total(line.amount for line in priced if line.amount is not None and not line.late),
        total(line.amount for line in priced if line.amount is not None and line.late),
        total(line.amount for line in billed if line.amount is not None),
        _quantity(priced),
        _quantity(unpriced),
        None if kind == ALL else _quantity(billed) if _told(billed) or not used else _quantity(used),
        bool(priced),
        bool(unpriced),
        bool(billed),
    )


def _is(line: OurLine, currency: str, kind: str, group: Group) -> bool:
    """Whether a line counts here: by its kind and currency; without a price, with the first currency of the place."""
    at = line.currency if line.amount is not None else group.currencies[0]
    return at == currency and kind in (line.kind, ALL)


def _told(billed: Sequence[InvoiceLine]) -> bool:
    return bool(billed) and all(line.quantity is not None for line in billed)


def _quantity(lines: Sequence[OurLine] | Sequence[InvoiceLine]) -> Decimal | None:
    """Their tokens; None where any line's are unknown, 0 where there is none."""
    known = [line.quantity for line in lines if line.quantity is not None]
    return total(known) if len(known) == len(lines) else None


def _span(theirs: Sequence[InvoiceLine], asked: Days | None, covered: Days | None) -> Days:
    billed = [line for line in theirs if line.amount is not None] or theirs
    spans = [span for span in (asked, covered) if span is not None]
    if not spans:
        spans = [(min(billed, key=attrgetter("day")).day, max(billed, key=attrgetter("day")).day)]
    return max(first for first, _ in spans), min(last for _, last in spans)


def _notes(
    ours: Sequence[OurLine],
    mine: Sequence[OurLine],
    theirs: Sequence[InvoiceLine],
    given: Sequence[InvoiceLine],
    span: Days,
    asked: Days | None,
    *,
    money: bool,
    priority: bool,
) -> tuple[str, ...]:
    """What a reader must know beside the figures."""
    found = []
    if not money:
        found.append("no file says what they bill, only what was used: give their costs too")
    if asked is not None and span != asked:
        said = f"{span[0]} to {span[1]}" if span[0] <= span[1] else "none"
        found.append(f"the statement covers {said} of {asked[0]} to {asked[1]}")
    if calls := sum(line.calls for line in ours) - sum(line.calls for line in mine):
        found.append(f"{calls} calls of the ledger are on other days, and not compared")
    if len(theirs) != len(given):
        found.append("lines of the statement on other days are not compared")
    if priority:
        # Said even where no call is known to be of that tier: a span may not tell it.
        found.append("Anthropic's cost report leaves out Priority Tier, which is billed apart")
    return tuple(found)


def _by_provider(lines: Iterable[_Line]) -> dict[str, list[_Line]]:
    found: dict[str, list[_Line]] = {}
    for line in lines:
        found.setdefault(provider_of(line.provider), []).append(line)
    return found
