"""`switchgear inspect`: the calls that trace files would book, and each span that they would not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from analytics.documents import DocumentError
from collector.billing import priced
from collector.call import UNATTRIBUTED, Call, Kind, NotBilled, State
from collector.errors import DecodeError
from collector.merging.merge import Outcome, Shelf
from collector.merging.record import telling
from collector.pricing import PriceCall
from collector.wire import decimal_text, dump
from switchgear.usage import COUNTS

from .console import misuse, note, plain, say
from .prices import book
from .traces import billed, parts

__all__ = ["run"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One span of the files: the call that it is booked as, or why it is not booked."""

    span: Call | NotBilled
    booked: Call | None
    reason: str | None


def run(files: list[Path], prices: Path | None = None, *, as_json: bool) -> int:
    """Print what the files, seen together, would book; 0, or 2 where one cannot be read."""
    try:
        price = book(prices).quote
    except DocumentError as problem:
        return misuse(str(problem))
    seen: list[Call | NotBilled] = []
    for file in files:
        try:
            found = [each for part in parts(file) for each in billed(part)]
        except OSError as problem:
            return misuse(f"{file}: {problem.strerror or problem}; name a file with OTLP traces")
        except DecodeError as problem:
            return misuse(
                f"{file}: {plain(str(problem))[:500]}; it must hold OTLP/JSON, lines of it, or protobuf"
            )
        if not found:
            note(f"{file}: holds no spans (resourceSpans / scopeSpans / spans)")
        seen += found
    findings = _findings(seen, price)
    if as_json:
        for finding in findings:
            say(dump(_document(finding)).decode())
    else:
        _print(findings)
    if incomplete := sum(f.booked is not None and f.booked.state is State.INCOMPLETE for f in findings):
        note(
            f"{incomplete} of these calls did not tell their whole usage. Files hold no past calls to estimate their "
            "cost by; the collector does (report incomplete)"
        )
    return 0


def _findings(seen: Sequence[Call | NotBilled], price: PriceCall) -> list[Finding]:
    shelf = Shelf()
    outcomes = [
        shelf.put(each) if isinstance(each, Call) and each.kind is not Kind.TASK else None for each in seen
    ]
    records = {id(group): priced(group.record(), price) for group in shelf.groups}
    findings: list[Finding] = []
    for each, outcome in zip(seen, outcomes, strict=True):
        if isinstance(each, NotBilled):
            findings.append(Finding(each, None, each.reason))
            continue
        if outcome is None:
            findings.append(
                Finding(each, None, f"tells how a task ended ({each.outcome}): kept, and no call")
            )
            continue
        record = records[id(shelf.group_of(each))]
        if outcome is Outcome.DUPLICATE:
            findings.append(Finding(each, None, "sent again: the same span is here already"))
        elif outcome is Outcome.CONFLICT:
            findings.append(Finding(each, None, "sent again with other content: the first is kept"))
        elif record.identity != each.identity:
            findings.append(Finding(each, None, _why_merged(each, shelf, record)))
        elif record.kind is Kind.SERVED:
            findings.append(Finding(record, None, _why_served(record)))
        else:
            findings.append(Finding(each, record, None))
    return findings


def _why_served(record: Call) -> str:
    saved = "what it would have cost is not known"
    if record.saved is not None:
        saved = f"it would have cost {decimal_text(record.saved)} {record.currency}"
    return f"answered out of the cache ({record.cache}), no model was asked: {saved}"


def _why_merged(span: Call, shelf: Shelf, record: Call) -> str:
    if span not in telling(shelf.group_of(span).members):
        return "lies round several calls: only these are billed"
    why = f"merged into {record.span}: both tell of one call"
    if any(span == refused for _, refused in shelf.conflicts):
        return f"{why}, and count it differently"
    return why


def _document(finding: Finding) -> dict[str, Any]:
    if isinstance(finding.span, NotBilled):
        none = finding.span
        return {
            **_empty(),
            "span": none.span,
            "reason": none.reason,
            "dialect": none.dialect,
            "tenant": none.tenant,
        }
    call = finding.booked or finding.span
    cost = call.cost if finding.booked else None
    cached: dict[str, Any] = {}
    if call.cache is not None:
        cached = {
            "cache": call.cache,
            "saved": None if call.saved is None else decimal_text(call.saved),
        }
    return {
        "span": call.span,
        "booked": finding.booked is not None,
        "reason": finding.reason,
        "dialect": call.dialect,
        "tenant": None if call.tenant == UNATTRIBUTED else call.tenant,
        "workload": call.workload,
        "task": call.task_id,
        "tier": call.tier,
        "provider": call.provider,
        "model": call.model,
        "usage": {name: getattr(call.usage, name) for name in COUNTS} if call.usage else None,
        "attempts": call.attempts,
        "state": call.state.value if finding.booked else None,
        "cost": None if cost is None else decimal_text(cost),
        "currency": call.currency,
        "price_version": call.price_version,
        **cached,
    }


def _empty() -> dict[str, Any]:
    names = (
        *("span", "booked", "reason", "dialect", "tenant", "workload", "task", "tier", "provider", "model"),
        *("usage", "attempts", "state", "cost", "currency", "price_version"),
    )
    return {**dict.fromkeys(names), "booked": False}


def _print(findings: Sequence[Finding]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    calls = Table(title="Booked", box=SIMPLE_HEAD, title_justify="left")
    for header in ("span", "tenant / workload", "model"):
        calls.add_column(header, overflow="fold")
    for header in ("in (cached) + out", "state", "cost"):
        calls.add_column(header, no_wrap=True, justify="right")
    others = Table("span", "dialect", "reason", title="Not booked", box=SIMPLE_HEAD, title_justify="left")
    for finding in findings:
        if finding.booked is not None:
            calls.add_row(*(Text(plain(cell)) for cell in _cells(finding.booked)))
        else:
            dialect = finding.span.dialect or "-"
            reason = plain(finding.reason or "")
            others.add_row(Text(plain(finding.span.span_id)), Text(dialect), Text(reason))
    console = Console(highlight=False)
    if calls.row_count:
        console.print(calls)
    if others.row_count:
        console.print(others)
    booked = [finding.booked for finding in findings if finding.booked is not None]
    known = [call.cost for call in booked if call.cost is not None]
    total = f"{decimal_text(sum(known, Decimal(0)))} USD" if known else "not known"
    unknown = f", {len(booked) - len(known)} without a known cost" if len(known) < len(booked) else ""
    say(f"{len(findings)} spans: {len(booked)} calls, cost {total}{unknown}")


def _cells(call: Call) -> tuple[str, ...]:
    who = f"{call.tenant} / {call.workload or '-'}"
    cost = "-" if call.cost is None else decimal_text(call.cost)
    tokens = "-"
    if usage := call.usage:
        cached = usage.cache_read + usage.cache_write_5m + usage.cache_write_1h
        tokens = f"{usage.input_total:,} ({cached:,}) + {usage.output:,}"
    return (call.span_id, who, call.model or "-", tokens, call.state.value, cost)
