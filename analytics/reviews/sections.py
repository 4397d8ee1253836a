"""Sections: what the review's parts say, as tables of values, the same for every kind of file.

A table's money is rounded by largest remainder where there is a total under it, so that what is read adds up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from ..apportion import rounded
from .document import Action, OwnerLine, Review
from .wording import amount, day, digits, instant, percent, signed

__all__ = ["Column", "Kind", "Section", "Value", "cells", "sections"]

Value = str | int | Decimal | date | datetime | None
Kind = str
"""text, name, state (a word or two), money, change (money with its sign), count, share, day, instant."""

UNOWNED = "UNOWNED"
_STATUS = {"ok": "on plan", "watch": "watch", "over": "over", "unplanned": "no plan", "early": "too early"}


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a section's table."""

    label: str
    kind: Kind
    of: Callable[..., Value]
    """The value that a part of the document has in it."""
    weight: int = 0
    """Its part of the width beside the others'; 0 is as wide as its longest number."""


@dataclass(frozen=True, slots=True)
class Section:
    """One part of the review."""

    key: str
    title: str
    lead: str
    """One or two sentences on what is seen and how it is reckoned."""
    columns: tuple[Column, ...]
    rows: tuple[tuple[Value, ...], ...]
    total: tuple[Value, ...] | None = None
    warm: frozenset[int] = field(default_factory=frozenset)
    """The rows that want attention."""
    empty: str = ""
    """What is said where there are no rows."""
    chart: str = ""
    """The name of the chart above it."""


def sections(review: Review) -> tuple[Section, ...]:
    """All parts after the first page, in order; but for the cache's none is left out because it is empty."""
    return (
        _owners(review),
        _bridge(review),
        _movers(review),
        _moved(review),
        _workloads(review),
        _anomalies(review),
        _trips(review),
        _herds(review),
        _loops(review),
        _savings(review),
        *((_served(review),) if review.served else ()),
        _shares(review),
        _gaps(review),
        _late(review),
        _last_actions(review),
        _actions(review),
    )


def cells(section: Section, row: Sequence[Value], places: int) -> list[str]:
    """A row as it is read."""
    return [_text(column.kind, value, places) for column, value in zip(section.columns, row, strict=True)]


def _text(kind: Kind, value: Value, places: int) -> str:
    if value is None:
        return "—"
    if isinstance(value, datetime):
        return instant(value)
    if isinstance(value, date):
        return day(value)
    if isinstance(value, Decimal):
        if kind == "share":
            return percent(value)
        return (signed if kind == "change" else amount)(value, places)
    return f"{value:,}" if isinstance(value, int) else value


def _made(
    review: Review,
    key: str,
    title: str,
    lead: str,
    columns: Sequence[Column],
    parts: Iterable[object],
    *,
    total: object | None = None,
    warm: Callable[[object], bool] = lambda _: False,
    empty: str = "",
    chart: str = "",
) -> Section:
    found = list(parts)
    rows = [[column.of(part) for column in columns] for part in found]
    last = [column.of(total) for column in columns] if total is not None else None
    quantum = Decimal(1).scaleb(-digits(review.total.actual))
    for place, column in enumerate(columns):
        if column.kind in ("money", "change"):
            _round(rows, last, place, quantum)
    return Section(
        key,
        title,
        lead,
        tuple(columns),
        tuple(map(tuple, rows)),
        tuple(last) if last is not None else None,
        frozenset(place for place, part in enumerate(found) if warm(part)),
        empty,
        chart,
    )


def _round(rows: list[list[Value]], last: list[Value] | None, place: int, quantum: Decimal) -> None:
    """Round one column of money in place; with a total under it, so that it adds up to that."""
    known = [row for row in rows if isinstance(row[place], Decimal)]
    values = [value for row in known if isinstance(value := row[place], Decimal)]
    whole = last[place] if last is not None else None
    adds_up = isinstance(whole, Decimal) and sum(values, Decimal(0)) == whole
    shown = rounded(values, quantum) if adds_up else [value.quantize(quantum) for value in values]
    for row, value in zip(known, shown, strict=True):
        row[place] = value
    if last is not None and isinstance(whole, Decimal):
        last[place] = sum(shown, Decimal(0)) if adds_up else whole.quantize(quantum)


def _owner(line: OwnerLine) -> str:
    return line.owner or UNOWNED


def _owners(review: Review) -> Section:
    with_shared = (Column("With shared", "money", lambda line: line.charged),) if review.shares else ()
    columns = (
        Column("Owner", "name", lambda line: "Total" if line is review.total else _owner(line), 3),
        Column("Cost centre", "text", lambda line: ", ".join(line.cost_centres), 2),
        Column("Actual", "money", lambda line: line.actual),
        Column("Plan", "money", lambda line: line.plan),
        Column("Variance", "change", lambda line: line.variance),
        Column("Last week", "money", lambda line: line.previous),
        Column("Change", "change", lambda line: line.change),
        *with_shared,
        Column("Forecast", "money", lambda line: line.forecast),
        Column("Month plan", "money", lambda line: line.month_plan),
        Column("Status", "state", lambda line: _STATUS.get(line.status, line.status)),
        Column("Calls", "count", lambda line: line.calls),
        Column("No cost", "count", lambda line: line.unpriced_calls + line.incomplete_calls),
        Column("Trips", "count", lambda line: line.trips),
        Column("Next action", "text", lambda line: line.next_action, 6),
    )
    return _made(
        review,
        "owners",
        "Who owns what",
        "Variance is actual less plan, so over plan is positive. Forecast and plan are of the month in which the week "
        "ends. No cost: calls without a price or a token count."
        + (" With shared: after shared costs were divided by their rules." if review.shares else ""),
        columns,
        review.owners,
        total=review.total,
        warm=lambda line: (
            isinstance(line, OwnerLine)
            and (line.status == "over" or (line.owner is None and bool(line.calls)))
        ),
        empty="No calls and no plan this week.",
        chart="owners",
    )


def _bridge(review: Review) -> Section:
    columns = (
        Column("Part", "name", lambda step: step.name, 3),
        Column("Amount", "change", lambda step: step.amount),
        Column("What it is", "text", lambda step: step.words, 5),
    )
    return _made(
        review,
        "bridge",
        "Why it changed",
        "The parts add up to the change from last week to this week, to the last digit.",
        columns,
        review.bridge.steps,
        empty="Nothing was spent in either week.",
        chart="bridge",
    )


def _movers(review: Review) -> Section:
    columns = (
        Column("Workload", "name", lambda it: it.workload or "no workload", 3),
        Column("Tenant", "text", lambda it: it.tenant, 2),
        Column("Owner", "text", lambda it: it.owner or UNOWNED, 2),
        Column("Last week", "money", lambda it: it.before),
        Column("This week", "money", lambda it: it.now),
        Column("Change", "change", lambda it: it.change),
        Column("Mostly because of", "text", lambda it: it.driver, 5),
    )
    return _made(
        review,
        "movers",
        "What moved most",
        "The workloads whose cost changed most, either way.",
        columns,
        review.movers,
        empty="No workload changed.",
    )


def _moved(review: Review) -> Section:
    columns = (
        Column("Workload", "name", lambda it: it.workload or "no workload", 3),
        Column("Tenant", "text", lambda it: it.tenant, 2),
        Column("Was of", "text", lambda it: it.before or UNOWNED, 2),
        Column("Is of", "text", lambda it: it.owner or UNOWNED, 2),
        Column("Since", "day", lambda it: it.since),
        Column("Cost before", "money", lambda it: it.cost_before),
        Column("Cost since", "money", lambda it: it.cost),
    )
    return _made(
        review,
        "moved",
        "What changed hands",
        "Workloads that somebody else answers for since a day of this week; each owner has the cost of its days.",
        columns,
        review.moved,
        empty="No workload changed hands.",
    )


def _workloads(review: Review) -> Section:
    columns = (
        Column("Workload", "name", lambda it: it.workload or "no workload", 3),
        Column("Tenant", "text", lambda it: it.tenant, 2),
        Column("Owner", "text", lambda it: it.owner or UNOWNED, 2),
        Column("Cost", "money", lambda it: it.cost),
        Column("Of all", "share", lambda it: it.share),
        Column("Calls", "count", lambda it: it.calls),
        Column("A task", "money", lambda it: it.per_task),
        Column("Cap for a task", "money", lambda it: it.cap),
        Column("What the cap would have done", "text", lambda it: it.cap_effect, 5),
    )
    return _made(
        review,
        "workloads",
        "The dearest workloads",
        "The cap is what its own history suggests; what it would have refused is counted on this week's tasks.",
        columns,
        review.workloads,
        empty="No workload had a cost.",
    )


def _anomalies(review: Review) -> Section:
    columns = (
        Column("Began", "instant", lambda it: it.began),
        Column("Ended", "instant", lambda it: it.ended),
        Column("Workload", "name", lambda it: it.workload or "no workload", 3),
        Column("Tenant", "text", lambda it: it.tenant, 2),
        Column("Owner", "text", lambda it: it.owner or UNOWNED, 2),
        Column("Impact", "change", lambda it: it.impact),
        Column("State", "state", lambda it: it.state),
        Column("Cause", "text", lambda it: it.cause, 5),
    )
    return _made(
        review,
        "anomalies",
        "What was unusual",
        "Measured against its own weeks before. Impact is what it cost beyond, or short of, what was expected.",
        columns,
        review.anomalies,
        empty="Every workload stayed within what its own history makes likely.",
    )


def _trips(review: Review) -> Section:
    columns = (
        Column("At", "instant", lambda it: it.at),
        Column("Ceiling", "name", lambda it: it.policy, 3),
        Column("For", "text", lambda it: it.scope, 2),
        Column("By", "state", lambda it: it.by),
        Column("Spent", "money", lambda it: it.spent),
        Column("Projected", "money", lambda it: it.projected),
        Column("Limit", "money", lambda it: it.ceiling),
        Column("Avoided, about", "money", lambda it: it.avoided),
        Column("Needless", "state", lambda it: "yes" if it.false_trip else ""),
        Column("Why", "text", lambda it: it.reason, 5),
    )
    return _made(
        review,
        "trips",
        "Breakers that opened",
        "Avoided is an estimate: projected less spent. Needless: somebody closed it by hand within the hour.",
        columns,
        review.trips,
        empty="No breaker opened.",
    )


def _herds(review: Review) -> Section:
    columns = (
        Column("At", "instant", lambda it: it.at),
        Column("Provider", "text", lambda it: it.provider, 2),
        Column("Model", "name", lambda it: it.model, 3),
        Column("Tasks", "count", lambda it: it.tasks),
        Column("Workloads", "text", lambda it: ", ".join(it.workloads), 2),
        Column("Tenants", "text", lambda it: ", ".join(it.tenants), 2),
        Column("Attempts", "count", lambda it: it.attempts),
        Column("Cost", "money", lambda it: it.cost),
        Column("What to change", "text", lambda it: it.advice, 5),
    )
    return _made(
        review,
        "herds",
        "Retries that came together",
        "Tasks that retried in the same seconds far more often than by chance.",
        columns,
        review.herds,
        empty="No tasks retried together.",
    )


def _loops(review: Review) -> Section:
    columns = (
        Column("Task", "name", lambda it: it.task, 3),
        Column("Workload", "text", lambda it: it.workload or "no workload", 2),
        Column("Tenant", "text", lambda it: it.tenant, 2),
        Column("Owner", "text", lambda it: it.owner or UNOWNED, 2),
        Column("Calls", "count", lambda it: it.calls),
        Column("Cost", "money", lambda it: it.cost),
        Column("Such tasks cost", "money", lambda it: it.typical),
        Column("From", "instant", lambda it: it.first_at),
        Column("To", "instant", lambda it: it.last_at),
    )
    return _made(
        review,
        "loops",
        "Tasks that ran away",
        "Tasks that made one call over and over, far beyond what such tasks make.",
        columns,
        review.loops,
        empty="No task ran away.",
    )


def _savings(review: Review) -> Section:
    columns = (
        Column("Workload", "name", lambda it: it.workload or "no workload", 3),
        Column("Tenant", "text", lambda it: it.tenant, 2),
        Column("Owner", "text", lambda it: it.owner or UNOWNED, 2),
        Column("Kind", "state", lambda it: it.kind),
        Column("Could save", "money", lambda it: it.amount),
        Column("How, and what is assumed", "text", lambda it: it.words, 5),
    )
    return _made(
        review,
        "savings",
        "Where it could cost less",
        "The largest candidates for a week like this one. They overlap, so their sum is not what could be saved.",
        columns,
        review.savings,
        empty="No candidate was found.",
    )


def _served(review: Review) -> Section:
    columns = (
        Column("Workload", "name", lambda it: it.workload or "no workload", 3),
        Column("Tenant", "text", lambda it: it.tenant, 2),
        Column("Owner", "text", lambda it: it.owner or UNOWNED, 2),
        Column("Same request", "count", lambda it: it.exact),
        Column("Same meaning", "count", lambda it: it.semantic),
        Column("Would have cost", "money", lambda it: it.gross),
        Column("Wrong", "money", lambda it: it.wrong),
        Column("Wrong at most", "money", lambda it: it.wrong_at_most),
        Column("Not judged", "money", lambda it: it.unjudged),
        Column("Saved, net", "money", lambda it: it.net),
    )
    return _made(
        review,
        "served",
        "Saved by the cache (not billed)",
        "Answers that were given again in place of calls. What these would have cost is in no other figure of this "
        "review, neither cost nor credit. What audits found wrong is taken off; what nobody judged is not counted.",
        columns,
        review.served,
    )


def _shares(review: Review) -> Section:
    columns = (
        Column("Rule", "name", lambda it: it.rule, 3),
        Column("Method", "text", lambda it: it.method, 5),
        Column("Divided", "money", lambda it: it.amount),
        Column("Over", "count", lambda it: it.targets),
        Column("Left where it arose", "money", lambda it: it.unallocated),
    )
    return _made(
        review,
        "shares",
        "Shared cost",
        "What was divided over those that it is for, by which rule. What no rule could divide stays, and is shown.",
        columns,
        review.shares,
        empty="No rule divides a cost.",
    )


def _gaps(review: Review) -> Section:
    columns = (
        Column("Provider", "name", lambda it: it.provider, 3),
        Column("Month", "state", lambda it: it.month),
        Column("Billed", "money", lambda it: it.theirs),
        Column("Ours", "money", lambda it: it.ours),
        Column("Gap", "change", lambda it: it.gap),
        Column("Of theirs", "share", lambda it: it.share),
        Column(
            "Tolerance",
            "text",
            lambda it: {True: "within", False: "OUTSIDE", None: "no invoice yet"}[it.within],
        ),
        Column(
            "Because of",
            "text",
            lambda it: "; ".join(f"{cause.name} {signed(cause.amount, 2)}" for cause in it.causes),
            5,
        ),
    )
    return _made(
        review,
        "gaps",
        "Against the invoices",
        "What providers billed less what was booked. A gap is named, never spread.",
        columns,
        review.gaps,
        warm=lambda it: getattr(it, "within", None) is False,
        empty="No provider was used in the months of this week.",
    )


def _late(review: Review) -> Section:
    columns = (
        Column("For", "day", lambda it: it.day),
        Column("Kind", "name", lambda it: it.kind, 3),
        Column("Tenant", "text", lambda it: it.tenant, 2),
        Column("Workload", "text", lambda it: it.workload, 2),
        Column("Amount", "change", lambda it: it.amount),
        Column("Why", "text", lambda it: it.why, 5),
    )
    return _made(
        review,
        "late",
        "Late and corrected",
        "What was booked since the last signed review for days that it, or a closed period, had already told.",
        columns,
        review.late,
        empty="Nothing was booked late or corrected.",
    )


def _action_columns() -> tuple[Column, ...]:
    return (
        Column("Owner", "name", lambda it: it.owner, 3),
        Column("What", "text", lambda it: it.text, 5),
        Column("Due", "day", lambda it: it.due),
        Column("Should save a week", "money", lambda it: it.saving),
        Column("State", "state", lambda it: it.state),
        Column("Note", "text", lambda it: it.note, 2),
    )


def _last_actions(review: Review) -> Section:
    return _made(
        review,
        "last_actions",
        "What was to be done",
        "Actions of earlier weeks that were open when this week began.",
        _action_columns(),
        review.last_actions,
        warm=lambda it: isinstance(it, Action) and it.state == "overdue",
        empty="No action was open.",
    )


def _actions(review: Review) -> Section:
    return _made(
        review,
        "actions",
        "What is to be done",
        "One next action for each owner.",
        _action_columns(),
        review.actions,
        empty="No action was decided.",
    )
