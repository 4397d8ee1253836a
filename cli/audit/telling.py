"""Telling: an audit of bursts for people, and for programs."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from analytics.bursts import Line, Minute, Peak
from collector.wire import decimal_text, rfc3339

from ..console import plain, say

if TYPE_CHECKING:
    from .bursts import Found

__all__ = ["of_tenant", "show"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WIDEST = 100_000


def of_tenant(minutes: Sequence[Minute], tenant: str | None) -> Sequence[Minute]:
    """The minutes with the lines of one tenant only, those that it pays for; all of them for None."""
    if tenant is None:
        return minutes
    own = (
        replace(minute, lines=tuple(line for line in minute.lines if line.tenant == tenant))
        for minute in minutes
    )
    return [minute for minute in own if minute.lines]


def show(found: Found, *, tenant: str | None, measure: str, top: int, as_json: bool) -> None:
    """Print the audit, of one tenant or of all."""
    found = replace(
        found,
        minutes=of_tenant(found.minutes, tenant),
        peaks=[peak for peak in found.peaks if tenant in (None, peak.tenant)],
    )
    if as_json:
        say(json.dumps(_document(found), ensure_ascii=False))
        return
    say(f"{found.calls:,} calls from {rfc3339(found.start)} to {rfc3339(found.end)}")
    if found.without_usage:
        say(f"{found.without_usage:,} of them told no usage and are in no rate")
    if found.unpriced:
        say(f"{found.unpriced:,} of them have no price: their tokens count, what they pay more is not known")
    _show_peaks(found.peaks, measure)
    if found.burst is not None:
        _show_overage(found, top)
        _show_smoothing(found)


def _show_peaks(found: Sequence[Peak], measure: str) -> None:
    windows = sorted({peak.window_s for peak in found})
    of: dict[str, dict[int, Peak]] = defaultdict(dict)
    for peak in found:
        of[peak.tenant][peak.window_s] = peak
    say(f"\nBusiest window over the mean, by {measure}")
    ratios = {
        tenant: [getattr(own[window], f"{measure}_ratio") for window in windows] for tenant, own in of.items()
    }
    _table(
        ["tenant", *(_length(window) for window in windows)],
        [
            [tenant, *("-" if ratio is None else f"{ratio:,.1f}" for ratio in own)]
            for tenant, own in sorted(
                ratios.items(), key=lambda item: (-max(r or 0 for r in item[1]), item[0])
            )
        ],
    )


def _show_overage(found: Found, top: int) -> None:
    assert found.burst is not None  # noqa: S101 - the caller asked
    committed, unknown = _tokens(found.burst.bands[0].start), sum(of.charge is None for of in found.minutes)
    if not found.minutes:
        say(f"\nNo minute was above {committed} tokens")
        return
    lines = [line for minute in found.minutes for line in minute.lines]
    say(
        f"\n{_times(len(found.minutes), 'minute')} above {committed} tokens, which cost "
        f"{_money(_sum(lines))} {found.currency or ''} more; who pays, {found.method.value}".replace(
            "  ", " "
        )
    )
    if unknown:
        say(f"{_times(unknown, 'minute')} of these without any price: what they cost more is not known")
    _table(
        ["tenant", "pays"], [[*key, _money(amount)] for key, amount in _by(lines, lambda of: (of.tenant,))]
    )
    tasks = _by(lines, lambda of: (of.tenant, of.workload, of.task))
    say("\nTasks that pay most")
    _table(["tenant", "workload", "task", "pays"], [[*key, _money(amount)] for key, amount in tasks[:top]])
    say("\nDearest minutes")
    dearest = sorted(found.minutes, key=lambda minute: (-(minute.charge or Decimal(0)), minute.start_us))
    _table(
        ["minute", "tokens", "charge", "largest payer", "pays"],
        [_minute_row(minute) for minute in dearest[:top]],
    )


def _minute_row(minute: Minute) -> list[str | None]:
    payers = _by(minute.lines, lambda of: (of.tenant,))
    payer, amount = (payers[0][0][0], _money(payers[0][1])) if payers else (None, None)
    charge = None if minute.charge is None else _money(minute.charge)
    return [_minute(minute), _tokens(minute.tokens), charge, payer, amount]


def _show_smoothing(found: Found) -> None:
    smoothed = found.smoothing
    if smoothed is None or not smoothed.moved:
        say("\nNo background call would have waited: queueing saves nothing")
        return
    say(
        f"\nQueueing background calls would have saved {_money(smoothed.saved)} of {_money(smoothed.before)} "
        f"{found.currency or ''}".rstrip()
    )
    waits = (smoothed.mean_delay_s, smoothed.p95_delay_s, smoothed.longest_delay_s)
    said = "{:.1f} s in the mean, 95 % at most {:.1f} s, the longest {:.1f} s".format(*waits)
    say(f"{_times(smoothed.moved, 'call')} would have waited, where {found.max_delay} is allowed: {said}")
    if smoothed.late:
        say(f"{_times(smoothed.late, 'call')} would have found no room in that time, and gone without")


def _document(found: Found) -> dict[str, Any]:
    document: dict[str, Any] = {
        "from": rfc3339(found.start),
        "to": rfc3339(found.end),
        "calls": found.calls,
        "calls_without_usage": found.without_usage,
        "unpriced_calls": found.unpriced,
        "currency": found.currency,
        "peaks": [
            asdict(peak) | {"tokens": _number(peak.tokens), "cost": decimal_text(peak.cost)}
            for peak in found.peaks
        ],
        "overage": None,
        "smoothing": None,
    }
    if found.burst is not None:
        document["overage"] = _overage_document(found)
    if (smoothed := found.smoothing) is not None:
        document["smoothing"] = {
            "saved": decimal_text(smoothed.saved),
            "overage_before": decimal_text(smoothed.before),
            "overage_after": decimal_text(smoothed.after),
            "moved_calls": smoothed.moved,
            "late_calls": smoothed.late,
            "mean_delay_s": smoothed.mean_delay_s,
            "p95_delay_s": smoothed.p95_delay_s,
            "longest_delay_s": smoothed.longest_delay_s,
            "unknown_minutes_before": smoothed.unknown_minutes[0],
            "unknown_minutes_after": smoothed.unknown_minutes[1],
        }
    return document


def _overage_document(found: Found) -> dict[str, Any]:
    lines = [line for minute in found.minutes for line in minute.lines]
    keys = ("tenant", "workload", "task")
    return {
        "method": found.method.value,
        "amount": decimal_text(_sum(lines)),
        "unknown_minutes": sum(minute.charge is None for minute in found.minutes),
        "tenants": [
            {"tenant": key[0], "amount": decimal_text(amount)}
            for key, amount in _by(lines, lambda of: (of.tenant,))
        ],
        "workloads": [
            dict(zip(keys, key, strict=False)) | {"amount": decimal_text(amount)}
            for key, amount in _by(lines, lambda of: (of.tenant, of.workload))
        ],
        "tasks": [
            dict(zip(keys, key, strict=True)) | {"amount": decimal_text(amount)}
            for key, amount in _by(lines, lambda of: (of.tenant, of.workload, of.task))
        ],
        "minutes": [
            {
                "minute": _minute(minute),
                "tokens": _number(minute.tokens),
                "charge": None if minute.charge is None else decimal_text(minute.charge),
                "lines": [
                    asdict(line) | {"tokens": _number(line.tokens), "amount": decimal_text(line.amount)}
                    for line in minute.lines
                ],
            }
            for minute in found.minutes
        ],
    }


def _by(
    lines: Iterable[Line], key: Callable[[Line], tuple[str | None, ...]]
) -> list[tuple[tuple[str | None, ...], Decimal]]:
    """The amounts added up by key, the largest first."""
    sums: defaultdict[tuple[str | None, ...], Decimal] = defaultdict(Decimal)
    for line in lines:
        sums[key(line)] += line.amount
    return sorted(sums.items(), key=lambda item: (-item[1], [part or "" for part in item[0]]))


def _sum(lines: Iterable[Line]) -> Decimal:
    return sum((line.amount for line in lines), Decimal(0))


def _number(tokens: int | Decimal) -> int | str:
    """Tokens as JSON: a whole number, or text where a contract weighs them by parts."""
    return int(tokens) if tokens == int(tokens) else decimal_text(Decimal(tokens))


def _tokens(number: int | Decimal) -> str:
    return f"{int(number):,}" if number == int(number) else f"{number:,f}"


def _money(amount: Decimal) -> str:
    return f"{amount:,.4f}"


def _minute(minute: Minute) -> str:
    return rfc3339(_EPOCH + timedelta(microseconds=minute.start_us))


def _length(window_s: int) -> str:
    return f"{window_s} s" if window_s < 120 else f"{window_s // 60} min"


def _times(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _table(columns: Sequence[str], rows: Iterable[Sequence[str | None]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column)
    for row in rows:
        table.add_row(*(Text("-" if value is None else plain(value)) for value in row))
    Console(width=_WIDEST).print(table)
