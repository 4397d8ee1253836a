"""Combining: several files as one statement of each provider, refused where they overlap or leave a hole."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from .line import USAGE_ONLY, Invoice, InvoiceLine
from .names import family
from .problems import InvoiceError

__all__ = ["Statement", "combined"]

_BY_DAY = ("openai costs", "openai usage", "anthropic costs", "anthropic usage")
"""Shapes that tell of each day, also of one without a charge: a day that is missing was not fetched."""

_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Statement:
    """What all files say together."""

    lines: tuple[InvoiceLine, ...]
    covered: Mapping[str, tuple[date, date]]
    """The days that a provider's costs cover, where the files tell: those of an API do."""


def combined(invoices: Sequence[Invoice]) -> Statement:
    """The lines of all. Raises InvoiceError where a line stands in two files, a page is missing, or days between."""
    by_shape = defaultdict(list)
    for invoice in invoices:
        by_shape[invoice.provider, invoice.shape].append(invoice)
    problems = [*_twice(invoices), *_by_two_shapes(invoices)]
    covered = {}
    for (provider, shape), parts in sorted(by_shape.items()):
        if shape not in _BY_DAY:
            continue
        if not any(part.complete for part in parts):
            problems.append(
                f"{parts[-1].source}: has_more: true; the page after the last is missing, fetch it too"
            )
        problems += _holes(parts)
        if any(part.currency != USAGE_ONLY for part in parts):
            covered[provider] = (min(part.days[0] for part in parts), max(part.days[1] for part in parts))
    if problems:
        raise InvoiceError("\n".join(problems))
    return Statement(tuple(line for invoice in invoices for line in invoice.lines), covered)


def _twice(invoices: Iterable[Invoice]) -> list[str]:
    """A line that two files have would count twice: the same file again, or two that were fetched for the same days."""
    first: dict[tuple[object, ...], Invoice] = {}
    found: dict[tuple[str, str], list[date]] = defaultdict(list)
    for invoice in invoices:
        for line in invoice.lines:
            key = (*_place(line), invoice.shape)
            if first.setdefault(key, invoice).source != invoice.source:
                found[first[key].source, invoice.source].append(line.day)
    return [
        f"{second}: {min(days)}: this day's lines stand in {one} too, {len(days)} of them; give each day once"
        for (one, second), days in sorted(found.items())[:_SHOWN]
    ]


def _by_two_shapes(invoices: Iterable[Invoice]) -> list[str]:
    """A model that files of two shapes bill on one day would count twice: costs, and a table that was made of them.

    Priority Tier is no such case: its bill comes beside the costs.
    """
    first: dict[tuple[object, ...], Invoice] = {}
    found: dict[tuple[str, str], str] = {}
    for invoice in invoices:
        for line in invoice.lines:
            if line.amount is None or line.model is None:
                continue
            key = (line.provider, line.day, family(line.model), line.service_tier == "priority")
            if first.setdefault(key, invoice).shape != invoice.shape:
                found.setdefault((first[key].source, invoice.source), f"{line.day}: {line.model}")
    return [
        f"{second}: {where} is billed in {one} too; give one statement of a provider"
        for (one, second), where in sorted(found.items())[:_SHOWN]
    ]


def _place(line: InvoiceLine) -> tuple[object, ...]:
    return (line.provider, line.day, line.model, line.project, line.kind, line.service_tier, line.item)


def _holes(parts: Iterable[Invoice]) -> list[str]:
    problems, reached = [], None
    for first, last, source in sorted((*part.days, part.source) for part in parts):
        if reached is not None and first > reached + timedelta(days=1):
            problems.append(
                f"{source}: {reached + timedelta(days=1)}: no page has the days up to {first}; fetch them"
            )
        reached = last if reached is None else max(reached, last)
    return problems
